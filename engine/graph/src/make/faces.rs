//! Meshes: faces, joined across their sides.
//!
//! Vertices with equal coordinates are one vertex, as file formats such as STL give each face its
//! own.

mod surface;

use std::sync::atomic::AtomicBool;

use arrow::datatypes::{Float64Type, Int32Type};
use arrow::record_batch::RecordBatch;
use penstock_pattern::{Columns, GraphBuilder, Labels, Parallel};
use penstock_types::columns;

pub use self::surface::{Joint, Surface, surface};
use super::take::{Heads, Lists};
use super::{Made, refused, too_large};
use crate::error::{GraphError, Result};
use crate::named::Named;

/// Vertex attribute: area of the face, in the mesh's unit squared.
pub const AREA: &str = "area";
/// Edge attribute: signed angle between the normals of two faces in degrees, from -180 to 180:
/// 0 where they lie in one plane, positive where the surface is convex.
pub const DIHEDRAL: &str = "dihedral";

/// Classes of relative areas, from small to large.
const SIZES: [&str; 5] = ["tiny", "small", "medium", "large", "huge"];
/// Classes of dihedral angles, ascending.
const BENDS: [&str; 5] = ["sharp concave", "concave", "flat", "convex", "sharp convex"];

/// How graphs of faces are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaceOptions {
    /// Bounds of the size classes `tiny`, `small`, `medium`, `large`, `huge`, ascending: area over
    /// the mean area of the mesh's faces. A face at a bound is in the larger class.
    pub size_bounds: [f64; 4],
    /// Up to this dihedral angle, convex or concave, a side is `flat`.
    pub flat_degrees: f64,
    /// From this dihedral angle on a side is `sharp convex` or `sharp concave`.
    pub sharp_degrees: f64,
    /// Faces that a mesh may have. The work takes about 500 bytes for each.
    pub max_faces: usize,
    /// Edges that a graph may have: a side of n faces makes n (n - 1) / 2. The work takes about
    /// 64 bytes for each.
    pub max_edges: usize,
}

impl Default for FaceOptions {
    fn default() -> Self {
        Self {
            size_bounds: [0.25, 0.5, 2.0, 4.0],
            flat_degrees: 15.0,
            sharp_degrees: 60.0,
            max_faces: 1 << 23,
            max_edges: 1 << 25,
        }
    }
}

impl FaceOptions {
    fn check(&self) -> Result<()> {
        let sizes = self.size_bounds.is_sorted() && self.size_bounds.iter().all(|x| x.is_finite());
        let angles = 0.0 <= self.flat_degrees
            && self.flat_degrees < self.sharp_degrees
            && self.sharp_degrees <= 180.0;
        match (sizes, angles) {
            (false, _) => Err(GraphError::Option {
                option: "size_bounds",
                wanted: "finite and ascending",
            }),
            (_, false) => Err(GraphError::Option {
                option: "flat_degrees, sharp_degrees",
                wanted: "from 0 to 180, ascending",
            }),
            _ => Ok(()),
        }
    }

    fn bend(&self, degrees: f64) -> u32 {
        let (size, convex) = (degrees.abs(), degrees > 0.0);
        match (size <= self.flat_degrees, size < self.sharp_degrees) {
            (true, _) => 2,
            (_, true) => 1 + 2 * u32::from(convex),
            (_, false) => 4 * u32::from(convex),
        }
    }
}

/// The graph of the faces of each row of a mesh table: undirected, one vertex per face at its
/// centroid, with the attribute [`AREA`] and a label of size and curvature such as
/// `medium/convex`; edges across sides with the attribute [`DIHEDRAL`] and a label of its class
/// (`sharp concave`, `concave`, `flat`, `convex`, `sharp convex`). Vertices have no names: they
/// are numbered as the faces.
///
/// A face is `convex` or `concave` where sides bend one way only, `saddle` where they bend both
/// ways, `flat` where none does. A side of more than two faces joins all pairs of them. Two faces
/// that share several sides are joined once, by the one that bends most. Where two faces disagree
/// on which side is out, the one with the lesser number is believed.
///
/// Rows without faces are counted in [`Made::without`]. Needs the columns `id`, `vertices` and
/// `faces`; uses `description` where it is.
///
/// # Errors
/// Options that make no sense; columns that lack or have another type; faces of vertices that are
/// not there; coordinates beyond single precision; more faces or edges than allowed; cancellation.
pub fn faces(batch: &RecordBatch, options: &FaceOptions, cancelled: &AtomicBool) -> Result<Made> {
    options.check()?;
    let heads = Heads::of(batch)?;
    let points = Lists::of(batch, columns::VERTICES)?;
    let corners = Lists::of(batch, columns::FACES)?;
    let mut made = Made::default();
    for row in 0..batch.num_rows() {
        let points = points.triples::<Float64Type>(row)?.unwrap_or_default();
        let corners = corners.triples::<Int32Type>(row)?.unwrap_or_default();
        if corners.is_empty() {
            made.without += 1;
            continue;
        }
        let id = heads.id(row);
        if corners.len() > options.max_faces {
            return Err(too_large(id, "more faces than allowed"));
        }
        let wrong = |problem| GraphError::Row {
            id: id.to_owned(),
            problem,
        };
        let within = |v: &i32| usize::try_from(*v).is_ok_and(|v| v < points.len());
        if !corners.as_flattened().iter().all(within) {
            return Err(wrong("a face has a vertex that is not there"));
        }
        let corners: Vec<[u32; 3]> = corners.iter().map(|f| f.map(|v| v as u32)).collect();
        let surface = surface(points, corners, options.max_edges, cancelled)?
            .ok_or_else(|| too_large(id, "more edges than allowed"))?;
        let small = |x: &f64| (*x as f32).is_finite();
        let finite = surface.centroids.as_flattened().iter().all(small);
        if !finite || !surface.areas.iter().all(small) {
            return Err(wrong("its coordinates exceed single precision"));
        }
        let mut graph = graph(id, surface, options)?;
        graph.description = heads.description(row);
        made.graphs.push(graph);
    }
    Ok(made)
}

fn graph(id: &str, surface: Surface, options: &FaceOptions) -> Result<Named> {
    let count = surface.areas.len();
    let mean = surface.areas.iter().sum::<f64>() / count as f64;
    // Whether sides of a face bend inwards and outwards.
    let mut ways = vec![[false; 2]; count];
    let mut builder = GraphBuilder {
        edge_names: Some(Labels::from_iter(BENDS)),
        // The joints of two faces come with the one that bends most first.
        parallel: Parallel::Collapse,
        ..GraphBuilder::default()
    };
    let mut angles = Vec::with_capacity(surface.joints.len());
    for joint in &surface.joints {
        let class = options.bend(joint.dihedral_degrees);
        for face in [joint.from, joint.to] {
            ways[face as usize][0] |= class < 2;
            ways[face as usize][1] |= class > 2;
        }
        builder.edge(joint.from, joint.to);
        builder.edge_labels.push(class);
        angles.push(joint.dihedral_degrees as f32);
    }
    builder.edge_columns.insert(DIHEDRAL, angles);
    let mut labels = Labels::default();
    for (area, ways) in surface.areas.iter().zip(&ways) {
        // A mesh without any area has a mean of zero: its faces are tiny.
        let relative = if mean > 0.0 { area / mean } else { 0.0 };
        let reached = |bound: &&f64| relative >= **bound;
        let size = SIZES[options.size_bounds.iter().filter(reached).count()];
        let curvature = match ways {
            [true, true] => "saddle",
            [true, false] => "concave",
            [false, true] => "convex",
            [false, false] => "flat",
        };
        let label = labels.intern(&format!("{size}/{curvature}"));
        builder.labels.push(label);
    }
    builder.vertex_names = Some(labels);
    let mut columns = Columns::default();
    columns.insert(AREA, surface.areas.iter().map(|a| *a as f32).collect());
    builder.vertex_columns = columns;
    let place = |centroid: &[f64; 3]| Some(centroid.map(|x| x as f32));
    Ok(Named {
        id: id.to_owned(),
        description: None,
        graph: builder.build().map_err(refused(id))?,
        names: Vec::new(),
        positions: surface.centroids.iter().map(place).collect(),
    })
}
