//! Lists of cells, however a VTK file writes them.

use crate::Position;
use crate::mesh::fault::Fault;
use crate::mesh::model::{self, Mesh};
use crate::mesh::surface::{Builder, POLYHEDRON, STRIP};

/// Cells of differing size: cell `i` is `connectivity[offsets[i]..offsets[i + 1]]`.
#[derive(Debug, Default)]
pub(super) struct Ragged {
    offsets: Vec<usize>,
    connectivity: Vec<i64>,
}

impl Ragged {
    /// From the old form, in which each cell begins with its size.
    pub(super) fn from_sizes(stream: &[i64], cells: usize, at: Position) -> Result<Self, Fault> {
        let mut found = Self {
            offsets: vec![0],
            connectivity: Vec::with_capacity(stream.len().saturating_sub(cells)),
        };
        let mut rest = stream;
        for i in 0..cells {
            let cell = rest.split_first().and_then(|(size, tail)| {
                let (cell, tail) = tail.split_at_checked(usize::try_from(*size).ok()?)?;
                rest = tail;
                Some(cell)
            });
            let Some(cell) = cell else {
                return Err(Fault::new(
                    at,
                    format!("{cells} cells in {} numbers", stream.len()),
                    format!("the end of the list within cell {i}"),
                ));
            };
            found.connectivity.extend_from_slice(cell);
            found.offsets.push(found.connectivity.len());
        }
        if rest.is_empty() {
            Ok(found)
        } else {
            Err(Fault::new(
                at,
                format!("{cells} cells in {} numbers", stream.len()),
                format!("{} numbers after them", rest.len()),
            ))
        }
    }

    /// From the ends of the cells.
    pub(super) fn from_ends(
        ends: &[i64],
        connectivity: Vec<i64>,
        at: Position,
    ) -> Result<Self, Fault> {
        let mut offsets = vec![0];
        let mut last = 0;
        for end in ends {
            match usize::try_from(*end) {
                Ok(end) if end >= last && end <= connectivity.len() => {
                    offsets.push(end);
                    last = end;
                }
                _ => {
                    return Err(Fault::new(
                        at,
                        format!("offsets that rise to {}", connectivity.len()),
                        format!("{end} after {last}"),
                    ));
                }
            }
        }
        if last != connectivity.len() {
            return Err(Fault::new(
                at,
                format!("offsets that rise to {}", connectivity.len()),
                format!("{last} at the end"),
            ));
        }
        Ok(Self {
            offsets,
            connectivity,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    pub(super) fn get(&self, i: usize) -> &[i64] {
        &self.connectivity[self.offsets[i]..self.offsets[i + 1]]
    }
}

/// The four lists of polygonal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Verts,
    Lines,
    Polys,
    Strips,
}

impl Section {
    fn cell_type(self, corners: usize) -> u8 {
        match (self, corners) {
            (Self::Verts, 1) => 1,
            (Self::Verts, _) => 2,
            (Self::Lines, 2) => 3,
            (Self::Lines, _) => 4,
            (Self::Polys, 3) => 5,
            (Self::Polys, 4) => 9,
            (Self::Polys, _) => 7,
            (Self::Strips, _) => STRIP,
        }
    }
}

/// Where the vertices of the cells lie in the mesh, and where the cells lie in the file.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Number of the first vertex.
    pub(super) first: usize,
    /// Count of vertices.
    pub(super) count: usize,
    /// Place for errors.
    pub(super) at: Position,
}

impl Frame {
    fn corners(&self, given: &[i64], corners: &mut Vec<i32>) -> Result<(), Fault> {
        corners.clear();
        for index in given {
            let index = model::index(*index, self.count, || self.at)?;
            corners.push(index + self.first as i32);
        }
        Ok(())
    }
}

/// Adds one list of polygonal data.
pub(super) fn add_section(
    mesh: &mut Mesh,
    builder: &mut Builder,
    frame: Frame,
    section: Section,
    cells: &Ragged,
) -> Result<(), Fault> {
    let mut corners = Vec::new();
    for i in 0..cells.len() {
        frame.corners(cells.get(i), &mut corners)?;
        let cell_type = section.cell_type(corners.len());
        builder.push(mesh, cell_type, &corners, &[], || frame.at)?;
    }
    Ok(())
}

/// The faces of the polyhedra among the cells of a grid.
pub(super) enum Faces {
    /// A polyhedron's connectivity is its stream of faces.
    InConnectivity,
    /// The streams, one for each cell, empty for the others.
    Streams(Ragged),
    None,
}

/// Adds the cells of an unstructured grid.
pub(super) fn add_grid(
    mesh: &mut Mesh,
    builder: &mut Builder,
    frame: Frame,
    types: &[i64],
    cells: &Ragged,
    faces: &Faces,
) -> Result<(), Fault> {
    if types.len() != cells.len() {
        return Err(Fault::new(
            frame.at,
            format!("a type for each of {} cells", cells.len()),
            format!("{} types", types.len()),
        ));
    }
    let mut corners = Vec::new();
    for (i, given) in types.iter().enumerate() {
        let cell_type = u8::try_from(*given)
            .map_err(|_| Fault::new(frame.at, "a VTK cell type", given.to_string()))?;
        if cell_type != POLYHEDRON {
            frame.corners(cells.get(i), &mut corners)?;
            builder.push(mesh, cell_type, &corners, &[], || frame.at)?;
            continue;
        }
        let stream = match faces {
            Faces::InConnectivity => cells.get(i),
            Faces::Streams(streams) => streams.get(i),
            Faces::None => {
                return Err(Fault::unsupported(
                    "polyhedra without the arrays `faces` and `faceoffsets`",
                    "write the file with VTK 9.3 or older, or in its compatible form",
                ));
            }
        };
        let faces_of_cell = polyhedron(stream, frame)?;
        match faces {
            Faces::InConnectivity => {
                corners.clear();
                corners.extend(faces_of_cell.iter().flatten());
                corners.sort_unstable();
                corners.dedup();
            }
            _ => frame.corners(cells.get(i), &mut corners)?,
        }
        builder.push(mesh, cell_type, &corners, &faces_of_cell, || frame.at)?;
    }
    Ok(())
}

/// A stream of faces: their count, then each one's size and corners.
fn polyhedron(stream: &[i64], frame: Frame) -> Result<Vec<Vec<i32>>, Fault> {
    let [count, stream @ ..] = stream else {
        return Err(Fault::new(frame.at, "the faces of a polyhedron", "none"));
    };
    let count = usize::try_from(*count).unwrap_or(usize::MAX);
    let listed = Ragged::from_sizes(stream, count, frame.at)?;
    (0..listed.len())
        .map(|i| {
            let mut corners = Vec::new();
            frame.corners(listed.get(i), &mut corners)?;
            Ok(corners)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Position = Position::Byte(0);

    #[test]
    fn both_forms() {
        let sizes = Ragged::from_sizes(&[2, 7, 8, 0, 1, 9], 3, AT).unwrap();
        let ends = Ragged::from_ends(&[2, 2, 3], vec![7, 8, 9], AT).unwrap();
        for cells in [sizes, ends] {
            assert_eq!(cells.len(), 3);
            assert_eq!(
                [cells.get(0), cells.get(1), cells.get(2)],
                [&[7, 8][..], &[], &[9]]
            );
        }
    }

    #[test]
    fn lists_that_do_not_add_up() {
        for (stream, cells) in [(&[2, 1][..], 1), (&[-1], 1), (&[1, 1, 1], 1), (&[], 9)] {
            assert!(Ragged::from_sizes(stream, cells, AT).is_err(), "{stream:?}");
        }
        assert!(Ragged::from_sizes(&[], usize::MAX, AT).is_err());
        for ends in [&[2, 1, 3][..], &[4], &[-1], &[2]] {
            assert!(
                Ragged::from_ends(ends, vec![7, 8, 9], AT).is_err(),
                "{ends:?}"
            );
        }
    }
}
