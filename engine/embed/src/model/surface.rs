//! What models of meshes read: the keys of `config.json` that say which features of a vertex go
//! in, and how records become vectors.

use arrow::record_batch::RecordBatch;
use candle_core::{Device, Tensor};
use penstock_types::{Pooling, columns};
use rayon::prelude::*;
use serde::Deserialize;

use crate::checkpoint::CheckpointFault;
use crate::error::tensor;
use crate::input::{TripleLists, id_of};
use crate::mesh::surface;
use crate::mesh::vertex::Mesh;
use crate::ops::Candle;
use crate::{EmbedError, MeshFault};

pub(super) const COLUMNS: &[&str] = &[columns::VERTICES, columns::FACES];
pub(super) const POOLINGS: &[Pooling] = &[Pooling::Mean, Pooling::Max, Pooling::None];

/// Bytes that the records in work may need together, where the configuration does not say.
const BUDGET: usize = 8 << 30;

/// The keys that all models of meshes have.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct SurfaceConfig {
    /// Features of a vertex, in the order of the first layer's inputs.
    inputs: Vec<InputKey>,
    /// Taken from each number of the inputs.
    mean: Option<Vec<f64>>,
    /// Each number is then divided by it.
    std: Option<Vec<f64>>,
    #[serde(default)]
    frame: Frame,
    memory_budget_bytes: Option<usize>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum InputKey {
    Name(String),
    Constant { constant: f64 },
}

/// Where a model sees a mesh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Frame {
    /// The coordinates of the column.
    #[default]
    AsIs,
    /// The mean of the vertices at the origin, the largest distance from it 1.
    Unit,
}

/// A feature of a vertex.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Input {
    Position,
    Normal,
    Area,
    Boundary,
    GaussianCurvature,
    /// Distance from the surface, which is 0 at its vertices.
    Sdf,
    Constant(f64),
}

const AVAILABLE: &str = "what a mesh has: position, normal, area, boundary, gaussian_curvature, \
                         sdf, or {\"constant\": number}";

impl Input {
    fn of(key: &InputKey) -> Result<Self, CheckpointFault> {
        Ok(match key {
            InputKey::Constant { constant } => Self::Constant(*constant),
            InputKey::Name(name) => match name.as_str() {
                "position" => Self::Position,
                "normal" => Self::Normal,
                "area" => Self::Area,
                "boundary" => Self::Boundary,
                "gaussian_curvature" => Self::GaussianCurvature,
                "sdf" => Self::Sdf,
                _ => {
                    return Err(CheckpointFault::Config {
                        key: "inputs",
                        given: format!("`{name}`"),
                        expected: AVAILABLE,
                    });
                }
            },
        })
    }

    const fn width(self) -> usize {
        match self {
            Self::Position | Self::Normal => 3,
            _ => 1,
        }
    }
}

/// A normalisation of numbers that were computed from geometry.
#[derive(Debug, Clone)]
pub(super) struct Standard {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Standard {
    /// Means and standard deviations of `width` numbers; 0 and 1 where there are none.
    pub(super) fn new(
        mean: Option<&Vec<f64>>,
        std: Option<&Vec<f64>>,
        width: usize,
        keys: [&'static str; 2],
    ) -> Result<Self, CheckpointFault> {
        let fault = |key, given: &[f64], expected| CheckpointFault::Config {
            key,
            given: format!("{given:?}"),
            expected,
        };
        let mean = mean.map_or_else(|| vec![0.0; width], Clone::clone);
        let std = std.map_or_else(|| vec![1.0; width], Clone::clone);
        for (key, values) in keys.into_iter().zip([&mean, &std]) {
            if values.len() != width || !values.iter().all(|x| x.is_finite()) {
                return Err(fault(key, values, "a finite number for each input"));
            }
        }
        if !std.iter().all(|x| *x > 0.0) {
            return Err(fault(keys[1], &std, "positive numbers"));
        }
        Ok(Self { mean, std })
    }

    /// Number `column` of a row.
    #[inline]
    pub(super) fn apply(&self, column: usize, x: f64) -> f32 {
        ((x - self.mean[column]) / self.std[column]) as f32
    }
}

/// What of a mesh a model reads, checked.
#[derive(Debug, Clone)]
pub(super) struct Surface {
    inputs: Vec<Input>,
    standard: Standard,
    frame: Frame,
    budget: usize,
}

impl Surface {
    pub(super) fn new(config: &SurfaceConfig) -> Result<Self, CheckpointFault> {
        let inputs: Vec<Input> = config
            .inputs
            .iter()
            .map(Input::of)
            .collect::<Result<_, _>>()?;
        let width = inputs.iter().map(|input| input.width()).sum();
        let (mean, std) = (config.mean.as_ref(), config.std.as_ref());
        Ok(Self {
            inputs,
            standard: Standard::new(mean, std, width, ["mean", "std"])?,
            frame: config.frame,
            budget: config.memory_budget_bytes.unwrap_or(BUDGET),
        })
    }

    /// Numbers of a vertex.
    pub(super) fn width(&self) -> usize {
        self.standard.mean.len()
    }

    /// What decides the vectors beside tensors and layers.
    pub(super) fn recipe(&self) -> String {
        let Self {
            inputs,
            standard,
            frame,
            budget: _,
        } = self;
        format!("{inputs:?} {standard:?} {frame:?}")
    }

    /// The mesh where the model sees it.
    pub(super) fn framed(&self, mut mesh: Mesh) -> Mesh {
        if self.frame == Frame::Unit {
            mesh.centre_and_scale();
        }
        mesh
    }

    /// The inputs of all vertices, normalised: `[vertices, width]`.
    pub(super) fn features(&self, mesh: &Mesh) -> Vec<f32> {
        let (vertices, width) = (mesh.points.len(), self.width());
        let mut to = vec![0.0; vertices * width];
        let mut first = 0;
        for input in &self.inputs {
            let wide = input.width();
            let mut put = |value: &dyn Fn(usize, usize) -> f64| {
                for v in 0..vertices {
                    for k in 0..wide {
                        let column = first + k;
                        to[v * width + column] = self.standard.apply(column, value(v, k));
                    }
                }
            };
            match input {
                Input::Position => put(&|v, k| mesh.points[v][k]),
                Input::Normal => {
                    let normals = mesh.normals();
                    put(&|v, k| normals[v][k]);
                }
                Input::Area => {
                    let areas = mesh.areas();
                    put(&|v, _| areas[v]);
                }
                Input::Boundary => {
                    let boundary = mesh.boundary();
                    put(&|v, _| boundary[v]);
                }
                Input::GaussianCurvature => {
                    let curvature = mesh.gaussian_curvature();
                    put(&|v, _| curvature[v]);
                }
                Input::Sdf => put(&|_, _| 0.0),
                Input::Constant(constant) => put(&|_, _| *constant),
            }
            first += wide;
        }
        to
    }

    /// Embeds every row of a batch. `bytes` says from the numbers of vertices and faces how much a
    /// record needs at most; `forward` gives the hidden states of its vertices, `[rows, width]`
    /// in blocks, or nothing.
    ///
    /// Records whose needs together are within the budget are computed at the same time.
    pub(super) fn embed(
        &self,
        encoder: &str,
        batch: &RecordBatch,
        pooling: Pooling,
        bytes: &(dyn Fn(usize, usize) -> usize + Sync),
        forward: &Forward<'_>,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let vertices = TripleLists::of(encoder, batch, columns::VERTICES, true)?;
        let faces = TripleLists::of(encoder, batch, columns::FACES, false)?;
        let invalid = |row, reason| EmbedError::InvalidMesh {
            row,
            id: id_of(batch, row),
            reason,
        };
        if vertices.has_nulls() || faces.has_nulls() {
            return Err(invalid(0, MeshFault::Null));
        }
        let allowance = Allowance(self.budget);
        let one = |row: usize| {
            let Some(points) = vertices.get(row) else {
                return Ok(Vec::new());
            };
            let points = surface::points(&points).map_err(|reason| invalid(row, reason))?;
            let faces = match faces.get(row) {
                Some(faces) => surface::faces(&faces, points.len()),
                None => Ok(Vec::new()),
            };
            let faces = faces.map_err(|reason| invalid(row, reason))?;
            if points.is_empty() {
                return Ok(Vec::new());
            }
            let mesh = self.framed(Mesh { points, faces });
            let hidden = forward(&mesh, &allowance).map_err(|fault| match fault {
                Fault::Library(source) => tensor("running a model of meshes")(source),
                Fault::TooLarge { bytes } => EmbedError::TooMuchMemory {
                    row,
                    id: id_of(batch, row),
                    bytes,
                    budget: self.budget,
                },
            })?;
            pool(&hidden, pooling).map_err(tensor("pooling vertices"))
        };
        let mut results = Vec::with_capacity(batch.num_rows());
        let needs: Vec<usize> = (0..batch.num_rows())
            .map(|row| bytes(vertices.count(row), faces.count(row)))
            .collect();
        let mut start = 0;
        while start < needs.len() {
            let mut end = start + 1;
            let mut sum = needs[start];
            while end < needs.len() && sum.saturating_add(needs[end]) <= self.budget {
                sum += needs[end];
                end += 1;
            }
            let group: Vec<_> = (start..end)
                .into_par_iter()
                .map(one)
                .collect::<Result<_, _>>()?;
            results.extend(group);
            start = end;
        }
        Ok(results)
    }
}

/// Hidden states of a mesh's vertices, in blocks of rows.
pub(super) type Forward<'a> = dyn Fn(&Mesh, &Allowance) -> Result<Vec<Tensor>, Fault> + Sync + 'a;

/// What a record may need.
pub(super) struct Allowance(usize);

impl Allowance {
    /// Refuses a record that needs more.
    pub(super) const fn check(&self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.0 {
            return Err(Fault::TooLarge { bytes });
        }
        Ok(())
    }
}

/// Why a record has no vector.
#[derive(Debug)]
pub(super) enum Fault {
    Library(candle_core::Error),
    TooLarge { bytes: usize },
}

impl From<candle_core::Error> for Fault {
    fn from(error: candle_core::Error) -> Self {
        Self::Library(error)
    }
}

/// The plain mean over vertices, or the largest, or all of them one after another.
fn pool(hidden: &[Tensor], pooling: Pooling) -> Candle<Vec<f32>> {
    let mut whole = Vec::new();
    let mut sums: Vec<f64> = Vec::new();
    let mut rows = 0;
    for block in hidden {
        let (here, width) = block.dims2()?;
        let values = block.flatten_all()?.to_device(&Device::Cpu)?;
        let values = values.to_vec1::<f32>()?;
        match pooling {
            Pooling::None => {
                whole.extend_from_slice(&values);
                continue;
            }
            Pooling::Max => {
                whole.resize(width, f32::NEG_INFINITY);
                for row in values.chunks_exact(width) {
                    for (to, x) in whole.iter_mut().zip(row) {
                        // What is not a number stays to be seen.
                        if *x > *to || x.is_nan() {
                            *to = *x;
                        }
                    }
                }
            }
            _ => {
                sums.resize(width, 0.0);
                for row in values.chunks_exact(width) {
                    for (to, x) in sums.iter_mut().zip(row) {
                        *to += f64::from(*x);
                    }
                }
            }
        }
        rows += here;
    }
    if pooling == Pooling::Mean {
        whole = sums.iter().map(|sum| (sum / rows as f64) as f32).collect();
    }
    Ok(whole)
}

#[cfg(test)]
pub(super) mod tests;
