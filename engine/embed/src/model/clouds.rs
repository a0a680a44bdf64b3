//! Models of clouds of points: what they share.
//!
//! Each makes vectors of some items, a choice of the points or all of them, and one vector of the
//! whole cloud.
//!
//! | pooling | vector |
//! | --- | --- |
//! | `whole` | what the model's own classifier reads |
//! | `max`, `mean` | the largest of each number, or the mean, over the items |
//! | `cls` | the class token's, where there is one |
//! | `none` | for each vertex of the mesh, from the three items nearest to it |

mod config;
mod fold;

use arrow::record_batch::RecordBatch;
use candle_core::{Device, Tensor};
use penstock_types::{Kind, Pooling, columns};
use rayon::prelude::*;

pub(crate) use config::{Ignored, positive, within};
pub(crate) use fold::{affine, expect_affine, expect_folded, folded};

use super::{Model, Summary, dgcnn, point_mae, pointnet2};
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, Family, Weights};
use crate::error::tensor;
use crate::input::{TripleLists, id_of};
use crate::mesh::surface::{Vec3, faces, points};
use crate::ops::Candle;
use crate::points::{Cloud, Points, Sampling, spread};
use crate::{EmbedError, MeshFault};

/// What a model makes of a cloud.
pub(crate) struct Encoded {
    /// Where the items are.
    pub(crate) places: Points,
    /// `[items, width]`.
    pub(crate) items: Tensor,
    /// `[width]`.
    pub(crate) class: Option<Tensor>,
}

/// Told of what passes by, for tests.
pub(crate) trait Watch {
    /// What a stage gives: `[items, width]`.
    fn stage(&mut self, _name: &str, _values: &Tensor) {}
}

/// Watches nothing.
pub(crate) struct Blind;
impl Watch for Blind {}

/// The layers of a model.
pub(crate) trait Layers: Send + Sync {
    /// Computes a cloud.
    fn forward(&self, cloud: &Cloud, watch: &mut dyn Watch) -> Candle<Encoded>;
}

/// What the classifier of a model reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// The largest of each number.
    Max,
    /// The largest, then the mean.
    MaxMean,
    /// The class token's vector, then the largest.
    ClassMax,
}

impl Whole {
    /// Vectors of an item's width that it is made of.
    const fn parts(self) -> usize {
        match self {
            Self::Max => 1,
            Self::MaxMean | Self::ClassMax => 2,
        }
    }
}

/// What a configuration says of a model of clouds.
pub(crate) struct Plan {
    /// What is taken of a mesh.
    pub(crate) sampling: Sampling,
    /// Numbers of an item.
    pub(crate) width: usize,
    pub(crate) whole: Whole,
    /// The tensors that the model has.
    pub(crate) expected: Expected,
    /// Prefixes that files put before every name.
    pub(crate) prefixes: &'static [&'static str],
    /// A tensor that tells which prefix it is.
    pub(crate) probe: String,
    /// Names under which files may have a tensor: the model's, and the other.
    pub(crate) twins: Vec<(String, String)>,
    /// What, beside the tensors, decides the vectors; part of the digest.
    pub(crate) recipe: String,
    /// What it is, in a few words.
    pub(crate) about: String,
}

/// The steps from a mesh to the points, as `points` describes them: part of every digest.
const SAMPLING: &str = "points 1";

/// A model of clouds in memory.
pub(crate) struct CloudModel {
    layers: Box<dyn Layers>,
    sampling: Sampling,
    width: usize,
    whole: Whole,
    about: String,
    digest: String,
}

fn plan(checkpoint: &Checkpoint) -> Result<Plan, CheckpointFault> {
    let config = checkpoint.config();
    match config.family()? {
        Family::PointNet2 => config.read::<pointnet2::PointNet2Config>()?.plan(),
        Family::Dgcnn => config.read::<dgcnn::DgcnnConfig>()?.plan(),
        _ => config.read::<point_mae::PointMaeConfig>()?.plan(),
    }
}

/// Describes a checkpoint; weights are not read.
pub(super) fn summary(checkpoint: &Checkpoint) -> Result<Summary, CheckpointFault> {
    let plan = plan(checkpoint)?;
    Ok(Summary {
        dim: plan.width * plan.whole.parts(),
        pooling: Pooling::Whole,
        about: plan.about,
    })
}

impl CloudModel {
    pub(crate) fn load_on(checkpoint: &Checkpoint, device: &Device) -> Result<Self, EmbedError> {
        let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
        let plan = plan(checkpoint).map_err(fault)?;
        let mut weights = Weights::open(checkpoint.weights(), "").map_err(fault)?;
        for prefix in plan.prefixes {
            if weights.has(&format!("{prefix}{}", plan.probe)) {
                weights = Weights::open(checkpoint.weights(), prefix).map_err(fault)?;
            }
        }
        for (name, twin) in &plan.twins {
            weights.alias(name, twin);
        }
        weights.check(&plan.expected).map_err(fault)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(SAMPLING.as_bytes());
        hasher.update(plan.recipe.as_bytes());
        weights.digest(&plan.expected, &mut hasher);
        let config = checkpoint.config();
        let layers: Box<dyn Layers> = match config.family().map_err(fault)? {
            Family::PointNet2 => {
                let config = config.read().map_err(fault)?;
                Box::new(pointnet2::PointNet2::load(&config, &weights, device)?)
            }
            Family::Dgcnn => {
                let config = config.read().map_err(fault)?;
                Box::new(dgcnn::Dgcnn::load(&config, &weights, device)?)
            }
            _ => {
                let config = config.read().map_err(fault)?;
                Box::new(point_mae::PointMae::load(&config, &weights, device)?)
            }
        };
        Ok(Self {
            layers,
            sampling: plan.sampling,
            width: plan.width,
            whole: plan.whole,
            about: plan.about,
            digest: hasher.finalize().to_hex().to_string(),
        })
    }

    fn row(
        &self,
        vertices: &TripleLists<'_>,
        triangles: &TripleLists<'_>,
        row: usize,
        pooling: Pooling,
    ) -> Result<Vec<f32>, Fault> {
        let Some(vertices) = vertices.get(row) else {
            return Ok(Vec::new());
        };
        let vertices = points(&vertices)?;
        let triangles = match triangles.get(row) {
            Some(triangles) => faces(&triangles, vertices.len())?,
            None => Vec::new(),
        };
        let Some(cloud) = Cloud::new(&vertices, &triangles, self.sampling)? else {
            return Ok(Vec::new());
        };
        let encoded = self.layers.forward(&cloud, &mut Blind)?;
        Ok(self.pooled(&cloud, &vertices, &encoded, pooling)?)
    }

    /// The vectors of a pooling.
    fn pooled(
        &self,
        cloud: &Cloud,
        vertices: &[Vec3],
        encoded: &Encoded,
        pooling: Pooling,
    ) -> Candle<Vec<f32>> {
        let items: Vec<f32> = encoded.items.flatten_all()?.to_vec1()?;
        let class = || -> Candle<Vec<f32>> {
            match &encoded.class {
                Some(class) => class.to_vec1(),
                None => Ok(Vec::new()),
            }
        };
        Ok(match pooling {
            Pooling::Max => largest(&items, self.width),
            Pooling::Mean => mean(&items, self.width),
            Pooling::Cls => class()?,
            Pooling::None => spread(&cloud.place(vertices), &encoded.places, &items, self.width),
            Pooling::Whole => match self.whole {
                Whole::Max => largest(&items, self.width),
                Whole::MaxMean => [largest(&items, self.width), mean(&items, self.width)].concat(),
                Whole::ClassMax => [class()?, largest(&items, self.width)].concat(),
            },
        })
    }
}

/// Why a row has no vector.
enum Fault {
    Mesh(MeshFault),
    Tensor(candle_core::Error),
}

impl From<MeshFault> for Fault {
    fn from(fault: MeshFault) -> Self {
        Self::Mesh(fault)
    }
}

impl From<candle_core::Error> for Fault {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensor(error)
    }
}

impl Model for CloudModel {
    fn kind(&self) -> Kind {
        Kind::Mesh
    }

    fn columns(&self) -> &'static [&'static str] {
        &[columns::VERTICES, columns::FACES]
    }

    fn poolings(&self) -> &'static [Pooling] {
        match self.whole {
            Whole::ClassMax => &[
                Pooling::Whole,
                Pooling::Max,
                Pooling::Mean,
                Pooling::Cls,
                Pooling::None,
            ],
            _ => &[Pooling::Whole, Pooling::Max, Pooling::Mean, Pooling::None],
        }
    }

    fn width(&self, pooling: Pooling) -> usize {
        match pooling {
            Pooling::Whole => self.width * self.whole.parts(),
            _ => self.width,
        }
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn embed(
        &self,
        encoder: &str,
        batch: &RecordBatch,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vertices = TripleLists::of(encoder, batch, columns::VERTICES, true)?;
        let triangles = TripleLists::of(encoder, batch, columns::FACES, false)?;
        let invalid = |row, reason| EmbedError::InvalidMesh {
            row,
            id: id_of(batch, row),
            reason,
        };
        if vertices.has_nulls() || triangles.has_nulls() {
            return Err(invalid(0, MeshFault::Null));
        }
        (0..batch.num_rows())
            .into_par_iter()
            .map(|row| {
                self.row(&vertices, &triangles, row, pooling)
                    .map_err(|fault| match fault {
                        Fault::Mesh(reason) => invalid(row, reason),
                        Fault::Tensor(error) => tensor("encoding a cloud of points")(error),
                    })
            })
            .collect()
    }
}

fn largest(items: &[f32], width: usize) -> Vec<f32> {
    let mut largest = vec![f32::NEG_INFINITY; width];
    for item in items.chunks_exact(width) {
        for (largest, x) in largest.iter_mut().zip(item) {
            *largest = largest.max(*x);
        }
    }
    largest
}

fn mean(items: &[f32], width: usize) -> Vec<f32> {
    let mut sum = vec![0.0; width];
    for item in items.chunks_exact(width) {
        for (sum, x) in sum.iter_mut().zip(item) {
            *sum += x;
        }
    }
    let share = width as f32 / items.len() as f32;
    sum.iter_mut().for_each(|sum| *sum *= share);
    sum
}

/// A cloud's coordinates as a tensor, `[points, 3]`.
pub(crate) fn coordinates(points: &Points, device: &Device) -> Candle<Tensor> {
    let flat: Vec<f32> = points.iter().flatten().collect();
    Tensor::from_vec(flat, (points.len(), 3), device)
}

#[cfg(test)]
mod tests;
