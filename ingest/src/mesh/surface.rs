//! Cells of VTK files, and the surface that bounds them.
//!
//! A polygon cell (triangle, quadrilateral, polygon, pixel, strip) becomes polygons of the mesh.
//! A volume cell (tetrahedron, voxel, hexahedron, wedge, pyramid, prisms, polyhedron) gives its
//! faces; a face that occurs once among all volume cells, and is no polygon of the file already,
//! becomes a polygon too. Faces are compared by the set of their corners. Each volume cell's
//! faces are turned outward by the sign of the cell's own volume, because programs disagree on
//! the order of corners. Quadratic, Lagrange and Bezier cells give the surface through their
//! corners, which VTK numbers first.
//!
//! Where a file holds a cell that is no polygon, `cell_*` keeps all of its cells, in its order.

use super::fault::Fault;
use super::geometry::six_volumes;
use super::model::{Cells, Mesh};
use crate::Position;

const TETRA: &[&[usize]] = &[&[0, 1, 3], &[1, 2, 3], &[2, 0, 3], &[0, 2, 1]];
const HEXAHEDRON: &[&[usize]] = &[
    &[0, 4, 7, 3],
    &[1, 2, 6, 5],
    &[0, 1, 5, 4],
    &[3, 7, 6, 2],
    &[0, 3, 2, 1],
    &[4, 5, 6, 7],
];
const VOXEL: &[&[usize]] = &[
    &[0, 4, 6, 2],
    &[1, 3, 7, 5],
    &[0, 1, 5, 4],
    &[2, 6, 7, 3],
    &[0, 2, 3, 1],
    &[4, 5, 7, 6],
];
const WEDGE: &[&[usize]] = &[
    &[0, 1, 2],
    &[3, 5, 4],
    &[0, 3, 4, 1],
    &[1, 4, 5, 2],
    &[2, 5, 3, 0],
];
const PYRAMID: &[&[usize]] = &[
    &[0, 3, 2, 1],
    &[0, 1, 4],
    &[1, 2, 4],
    &[2, 3, 4],
    &[3, 0, 4],
];
const PENTAGONAL_PRISM: &[&[usize]] = &[
    &[0, 4, 3, 2, 1],
    &[5, 6, 7, 8, 9],
    &[0, 1, 6, 5],
    &[1, 2, 7, 6],
    &[2, 3, 8, 7],
    &[3, 4, 9, 8],
    &[4, 0, 5, 9],
];
const HEXAGONAL_PRISM: &[&[usize]] = &[
    &[0, 5, 4, 3, 2, 1],
    &[6, 7, 8, 9, 10, 11],
    &[0, 1, 7, 6],
    &[1, 2, 8, 7],
    &[2, 3, 9, 8],
    &[3, 4, 10, 9],
    &[4, 5, 11, 10],
    &[5, 0, 6, 11],
];

/// VTK's number of a polyhedron, whose faces come in a list of their own.
pub(super) const POLYHEDRON: u8 = 42;
/// VTK's number of a triangle strip.
pub(super) const STRIP: u8 = 6;

/// What a VTK cell type is to a surface.
enum Shape {
    /// Vertices and lines: no surface.
    Thin,
    /// One polygon through the first n corners; all of them for `None`.
    Polygon(Option<usize>),
    /// A quadrilateral with its last two corners swapped.
    Pixel,
    Strip,
    /// Least count of points, and faces through the corners.
    Volume(usize, &'static [&'static [usize]]),
    Polyhedron,
}

/// The shape, and whether the cell has points that the surface leaves out.
fn shape(cell_type: u8) -> Option<(Shape, bool)> {
    let straight = |shape| Some((shape, false));
    let curved = |shape| Some((shape, true));
    match cell_type {
        0..=4 => straight(Shape::Thin),
        5 => straight(Shape::Polygon(Some(3))),
        STRIP => straight(Shape::Strip),
        7 => straight(Shape::Polygon(None)),
        8 => straight(Shape::Pixel),
        9 => straight(Shape::Polygon(Some(4))),
        10 => straight(Shape::Volume(4, TETRA)),
        11 => straight(Shape::Volume(8, VOXEL)),
        12 => straight(Shape::Volume(8, HEXAHEDRON)),
        13 => straight(Shape::Volume(6, WEDGE)),
        14 => straight(Shape::Volume(5, PYRAMID)),
        15 => straight(Shape::Volume(10, PENTAGONAL_PRISM)),
        16 => straight(Shape::Volume(12, HEXAGONAL_PRISM)),
        // Quadratic, cubic, Lagrange and Bezier curves.
        21 | 35 | 68 | 75 => straight(Shape::Thin),
        22 | 34 | 69 | 76 => curved(Shape::Polygon(Some(3))),
        23 | 28 | 30 | 70 | 77 => curved(Shape::Polygon(Some(4))),
        24 | 71 | 78 => curved(Shape::Volume(4, TETRA)),
        25 | 29 | 33 | 72 | 79 => curved(Shape::Volume(8, HEXAHEDRON)),
        26 | 31 | 32 | 73 | 80 => curved(Shape::Volume(6, WEDGE)),
        27 | 37 | 74 | 81 => curved(Shape::Volume(5, PYRAMID)),
        POLYHEDRON => straight(Shape::Polyhedron),
        _ => None,
    }
}

/// Whether `cell_*` is needed to keep a cell of this type: it is no plain polygon.
fn needs_cells(cell_type: u8) -> bool {
    !matches!(cell_type, 5..=9)
}

/// Polygons in one flat list.
#[derive(Default)]
struct Polygons {
    corners: Vec<i32>,
    ends: Vec<usize>,
}

impl Polygons {
    fn push(&mut self, corners: impl IntoIterator<Item = i32>) {
        self.corners.extend(corners);
        self.ends.push(self.corners.len());
    }

    fn get(&self, i: usize) -> &[i32] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.corners[start..self.ends[i]]
    }

    fn len(&self) -> usize {
        self.ends.len()
    }
}

/// Gathers the cells of a file.
#[derive(Default)]
pub(super) struct Builder {
    cells: Cells,
    needed: bool,
    curved: usize,
    volume_faces: Polygons,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            cells: Cells::new(),
            ..Self::default()
        }
    }

    /// Adds a cell. `faces` gives the faces of a polyhedron. Indices have been checked.
    ///
    /// # Errors
    /// The type is unknown, or has more corners than the cell.
    pub(super) fn push(
        &mut self,
        mesh: &mut Mesh,
        cell_type: u8,
        corners: &[i32],
        faces: &[Vec<i32>],
        at: impl Fn() -> Position,
    ) -> Result<(), Fault> {
        let (shape, curved) = shape(cell_type).ok_or_else(|| {
            Fault::unsupported(
                format!("VTK cell type {cell_type}"),
                "convert the cells to a common type",
            )
        })?;
        let at_least = |least: usize| {
            if corners.len() >= least {
                return Ok(());
            }
            Err(Fault::new(
                at(),
                format!("{least} points or more in a cell of VTK type {cell_type}"),
                format!("{} points", corners.len()),
            ))
        };
        match shape {
            Shape::Thin => {}
            Shape::Polygon(count) => {
                at_least(count.unwrap_or(3))?;
                mesh.add_polygon(&corners[..count.unwrap_or(corners.len())]);
            }
            Shape::Pixel => {
                at_least(4)?;
                mesh.add_polygon(&[corners[0], corners[1], corners[3], corners[2]]);
            }
            Shape::Strip => {
                at_least(3)?;
                add_strip(mesh, corners);
            }
            Shape::Volume(points, faces) => {
                at_least(points)?;
                let faces = faces.iter().map(|face| face.iter().map(|c| corners[*c]));
                self.add_volume(mesh, corners, faces);
            }
            Shape::Polyhedron => {
                at_least(4)?;
                if faces.len() < 4 || faces.iter().any(|face| face.len() < 3) {
                    return Err(Fault::new(
                        at(),
                        "4 faces or more of 3 corners or more in a polyhedron",
                        format!("faces of {:?} corners", sizes(faces)),
                    ));
                }
                let faces = faces.iter().map(|face| face.iter().copied());
                self.add_volume(mesh, corners, faces);
            }
        }
        self.needed |= needs_cells(cell_type);
        self.curved += usize::from(curved);
        self.cells.push(cell_type, corners);
        Ok(())
    }

    /// Adds the faces of one volume cell, turned outward.
    fn add_volume<F>(
        &mut self,
        mesh: &Mesh,
        corners: &[i32],
        faces: impl Iterator<Item = F> + Clone,
    ) where
        F: DoubleEndedIterator<Item = i32> + Clone,
    {
        let at = |corner: i32| mesh.vertices[corner as usize];
        let origin = at(corners[0]);
        let mut six = 0.0;
        for mut face in faces.clone() {
            let (Some(first), Some(mut second)) = (face.next(), face.next()) else {
                continue;
            };
            for third in face {
                six += six_volumes(origin, [at(first), at(second), at(third)]);
                second = third;
            }
        }
        for face in faces {
            if six < 0.0 {
                self.volume_faces.push(face.rev());
            } else {
                self.volume_faces.push(face);
            }
        }
    }

    /// Adds the boundary of the volume cells to the mesh, and the cells where they are needed.
    pub(super) fn finish(self, mesh: &mut Mesh) {
        if self.volume_faces.len() > 0 {
            let single = self.boundary(mesh);
            for face in single {
                mesh.add_polygon(self.volume_faces.get(face));
            }
        }
        if self.curved > 0 {
            mesh.note(format!(
                "{} cells have points beyond their corners: the surface runs through the corners",
                self.curved
            ));
        }
        if self.needed {
            mesh.cells = Some(self.cells);
        }
    }

    /// Volume faces that occur once and are no polygon of the mesh, in their order.
    fn boundary(&self, mesh: &Mesh) -> Vec<usize> {
        let volume = self.volume_faces.len();
        let mut sorted = Polygons {
            corners: self.volume_faces.corners.clone(),
            ends: self.volume_faces.ends.clone(),
        };
        // The mesh's own polygons, from their fans: the first corner and the second of the first
        // triangle, then the last of each.
        let mut first = 0;
        for size in &mesh.polygon_sizes {
            let fan = &mesh.faces[first..first + (*size as usize - 2)];
            first += fan.len();
            let head = fan.first().map_or([0, 0], |face| [face[0], face[1]]);
            sorted.push(head.into_iter().chain(fan.iter().map(|face| face[2])));
        }
        let mut start = 0;
        for end in &sorted.ends {
            sorted.corners[start..*end].sort_unstable();
            start = *end;
        }
        // Buckets by least corner, so that only faces around one vertex are compared.
        let least = |face: usize| sorted.get(face)[0] as usize;
        let mut starts = vec![0u32; mesh.vertices.len() + 1];
        for face in 0..sorted.len() {
            starts[least(face) + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut order = vec![0u32; sorted.len()];
        for face in 0..sorted.len() {
            let slot = &mut next[least(face)];
            order[*slot as usize] = face as u32;
            *slot += 1;
        }
        let mut single = Vec::new();
        for pair in starts.windows(2) {
            let bucket = &mut order[pair[0] as usize..pair[1] as usize];
            bucket.sort_unstable_by(|a, b| sorted.get(*a as usize).cmp(sorted.get(*b as usize)));
            for run in bucket.chunk_by(|a, b| sorted.get(*a as usize) == sorted.get(*b as usize)) {
                if let [face] = run
                    && (*face as usize) < volume
                {
                    single.push(*face as usize);
                }
            }
        }
        single.sort_unstable();
        single
    }
}

/// Corners of the first faces, for a message.
fn sizes(faces: &[Vec<i32>]) -> Vec<usize> {
    faces.iter().take(8).map(Vec::len).collect()
}

/// A strip: every corner from the third on makes a triangle with the two before it, every second
/// one turned round.
pub(super) fn add_strip(mesh: &mut Mesh, corners: &[i32]) {
    for (i, three) in corners.windows(3).enumerate() {
        if i % 2 == 0 {
            mesh.add_triangle([three[0], three[1], three[2]]);
        } else {
            mesh.add_triangle([three[1], three[0], three[2]]);
        }
    }
}

#[cfg(test)]
mod tests;
