//! A mesh as the parsers build it, before geometry and columns.

use super::fault::Fault;
use crate::Position;

const SPLIT: &str = "split it into several files";

/// The cells of a file that holds more than polygons, as VTK numbers them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Cells {
    pub(super) types: Vec<u8>,
    /// `types.len() + 1` offsets, the first of them zero.
    pub(super) offsets: Vec<i64>,
    pub(super) connectivity: Vec<i64>,
}

impl Cells {
    pub(super) fn new() -> Self {
        Self {
            offsets: vec![0],
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, cell_type: u8, corners: &[i32]) {
        self.types.push(cell_type);
        self.connectivity
            .extend(corners.iter().map(|&c| i64::from(c)));
        self.offsets.push(self.connectivity.len() as i64);
    }
}

/// A mesh in memory. Every index in `faces` and `cells` is below `vertices.len()`, every
/// coordinate is finite; [`Mesh::add_vertex`] and the parsers see to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Mesh {
    pub(super) name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) vertices: Vec<[f64; 3]>,
    pub(super) faces: Vec<[i32; 3]>,
    pub(super) polygon_sizes: Vec<i32>,
    pub(super) group_names: Vec<String>,
    /// As long as `faces`; a parser without groups leaves it empty until [`Mesh::finish`].
    pub(super) face_group: Vec<i32>,
    pub(super) cells: Option<Cells>,
    /// What the file holds and the columns do not, and what was odd.
    pub(super) notes: Vec<String>,
}

impl Mesh {
    /// Adds a vertex that is known to be finite.
    ///
    /// # Errors
    /// A coordinate is not finite, or there are more vertices than an index can name.
    #[inline]
    pub(super) fn add_vertex(
        &mut self,
        xyz: [f64; 3],
        at: impl FnOnce() -> Position,
    ) -> Result<(), Fault> {
        if !xyz.iter().all(|x| x.is_finite()) {
            return Err(not_finite(xyz, at()));
        }
        if self.vertices.len() >= i32::MAX as usize {
            return Err(Fault::unsupported(
                "a mesh of more than 2^31 - 1 vertices",
                SPLIT,
            ));
        }
        self.vertices.push(xyz);
        Ok(())
    }

    /// Adds a polygon as a fan around its first corner. The caller has checked the indices and
    /// that there are at least three.
    #[inline]
    pub(super) fn add_polygon(&mut self, corners: &[i32]) {
        let [first, rest @ ..] = corners else { return };
        for pair in rest.windows(2) {
            self.faces.push([*first, pair[0], pair[1]]);
        }
        self.polygon_sizes.push(corners.len() as i32);
    }

    /// Adds a triangle.
    #[inline]
    pub(super) fn add_triangle(&mut self, corners: [i32; 3]) {
        self.faces.push(corners);
        self.polygon_sizes.push(3);
    }

    /// The last step of every parser: a mesh without vertices is refused, and faces without a
    /// group get -1.
    ///
    /// # Errors
    /// There is no vertex, or there are more faces than a column can hold.
    pub(super) fn finish(mut self, end: Position, what: &str) -> Result<Self, Fault> {
        if self.vertices.is_empty() {
            return Err(Fault::new(end, what, "the end of the file"));
        }
        if self.faces.len() > i32::MAX as usize {
            return Err(Fault::unsupported(
                "a mesh of more than 2^31 - 1 triangles",
                SPLIT,
            ));
        }
        self.face_group.resize(self.faces.len(), -1);
        Ok(self)
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

fn not_finite(xyz: [f64; 3], at: Position) -> Fault {
    Fault::new(
        at,
        "finite coordinates",
        format!("{} {} {}", xyz[0], xyz[1], xyz[2]),
    )
}

/// A vertex index that a file gives, checked.
///
/// # Errors
/// It is negative or not below `count`.
#[inline]
pub(super) fn index(given: i64, count: usize, at: impl FnOnce() -> Position) -> Result<i32, Fault> {
    if given >= 0 && (given as u64) < count as u64 && given <= i64::from(i32::MAX) {
        Ok(given as i32)
    } else {
        Err(Fault::new(
            at(),
            format!("a vertex index from 0 to below {count}"),
            given.to_string(),
        ))
    }
}
