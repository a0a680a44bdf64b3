//! `mesh-shape-v1`: the shape of a surface, whatever its pose, size and numbering.
//!
//! Nothing is sampled at random and nothing depends on an order: every number is an integral over
//! faces, edges or vertices, a histogram of such, or the power per degree of spherical harmonics,
//! which no rotation changes. So turning, moving or scaling a mesh, or renumbering its vertices
//! and faces, leaves the vector as it is but for rounding (cosine distance below 1e-5; the tests
//! see 1e-9). Mirror images share a vector; a mesh whose normals all point inwards does not share
//! that of its twin. Vertices with equal coordinates are one vertex.
//!
//! The frame: the area-weighted centroid is the origin and the root-mean-square distance of the
//! surface from it is 1. The vector is therefore free of scale: a unit cube and a 20 mm cube are
//! alike (size is in the columns `area` and `bounds_*`).
//!
//! | part of the vector | dimensions | what |
//! | --- | --- | --- |
//! | [`Part::Distance`] | 32 | D1: distance of the surface from its centroid, over 0 to 2.5, by area |
//! | [`Part::Solid`] | 16 | the same of the enclosed volume's cones, signed |
//! | [`Part::Pairs`] | 28 | D2 as its sine transform (Debye 1915): mean of sin(qd) / qd over all pairs of points at distance d, q = 0.25 to 7 |
//! | [`Part::Angles`] | 10 | A3 at the centroid, as Legendre moments: mean of P_l(cos) of the angle between all pairs of points |
//! | [`Part::Shells`] | 64 | spherical-harmonic power of 8 concentric shells, degrees 1 to 8 |
//! | [`Part::Tilt`] | 32 | cosine of the angle between normal and radius in 4 shells |
//! | [`Part::Normals`] | 10 | angles between all pairs of normals, as Legendre moments (the power of the extended Gaussian image) |
//! | [`Part::Dihedral`] | 24 | signed dihedral angles, by edge length |
//! | [`Part::Gaussian`] | 16 | Gaussian curvature (angle deficit / area), asinh scale, by area |
//! | [`Part::Mean`] | 16 | mean curvature at edges, asinh scale, by area |
//! | [`Part::Ratios`] | 8 | three principal moments, sphericity, area / R^2, shares of edge length at a boundary, in more than two faces, and between faces that disagree about direction |
//!
//! Sources: D1, D2, A3: Osada, Funkhouser, Chazelle and Dobkin 2002, "Shape distributions",
//! doi:10.1145/571647.571648. Harmonics: Kazhdan, Funkhouser and Rusinkiewicz 2003. Pair
//! distances from multipoles: Debye 1915, doi:10.1002/andp.19153510606, and Stuhrmann 1970.
//! Gaussian images: Horn 1984, doi:10.1109/PROC.1984.13073. Curvatures: Meyer, Desbrun, Schröder
//! and Barr 2003, doi:10.1007/978-3-662-05105-4_2.
//!
//! A mesh without faces (or whose faces have no area) is taken as a cloud of equal points, and
//! the parts that need a surface are zero. No points, or all of them in one place: null.

mod descriptor;
mod edges;
pub(crate) mod graph;
mod harmonics;
mod histogram;
pub(crate) mod surface;
pub(crate) mod vertex;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use penstock_types::{DType, FeatureSpec, Kind, Pooling, columns};
use rayon::prelude::*;

pub use descriptor::Part;
use descriptor::Tables;
use surface::Surface;

use crate::input::{self, TripleLists};
use crate::vectors::{self, DIM, DIMENSION};
use crate::weights::Constants;
use crate::{EmbedError, Encoder, MeshFault};

const NAME: &str = "mesh-shape-v1";

/// The encoder `mesh-shape-v1`; see the module.
#[derive(Debug)]
pub struct MeshShape {
    spec: FeatureSpec,
    tables: Tables,
}

impl MeshShape {
    /// Makes the encoder.
    #[must_use]
    pub fn new() -> Self {
        let mut constants = Constants::new(NAME)
            .numbers("frame", &descriptor::CONSTANTS)
            .numbers("sizes", &[DIM as f64, harmonics::DEGREES as f64]);
        for part in Part::ALL {
            constants = constants
                .bytes("part", format!("{part:?}").as_bytes())
                .numbers("layout", &[part.len() as f64, part.weight()]);
        }
        Self {
            spec: FeatureSpec {
                encoder: NAME.to_owned(),
                weights: constants.finish(),
                pooling: Pooling::Whole,
                dtype: DType::F32,
                licence: None,
                dim: DIMENSION,
            },
            tables: Tables::new(),
        }
    }

    fn row(
        &self,
        vertices: &TripleLists<'_>,
        faces: &TripleLists<'_>,
        row: usize,
    ) -> Result<Option<[f32; DIM]>, MeshFault> {
        let Some(points) = vertices.get(row) else {
            return Ok(None);
        };
        let points = surface::points(&points)?;
        let faces = match faces.get(row) {
            Some(faces) => surface::faces(&faces, points.len())?,
            None => Vec::new(),
        };
        Ok(Surface::new(points, faces)
            .and_then(|surface| vectors::unit(&self.tables.describe(&surface))))
    }
}

impl Default for MeshShape {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder for MeshShape {
    fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    fn kind(&self) -> Kind {
        Kind::Mesh
    }

    fn columns(&self) -> &'static [&'static str] {
        &[columns::VERTICES, columns::FACES]
    }

    fn describe(&self) -> &str {
        "shape distributions, curvature and normal histograms and harmonic power, the same for \
         every pose, size and numbering of a mesh"
    }

    fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        let vertices = TripleLists::of(NAME, batch, columns::VERTICES, true)?;
        let faces = TripleLists::of(NAME, batch, columns::FACES, false)?;
        let fault = |row, reason| EmbedError::InvalidMesh {
            row,
            id: input::id_of(batch, row),
            reason,
        };
        if vertices.has_nulls() || faces.has_nulls() {
            return Err(fault(0, MeshFault::Null));
        }
        let rows: Vec<_> = (0..batch.num_rows())
            .into_par_iter()
            .map(|row| {
                self.row(&vertices, &faces, row)
                    .map_err(|reason| fault(row, reason))
            })
            .collect::<Result<_, _>>()?;
        Ok(Arc::new(vectors::array(&rows)?))
    }
}
