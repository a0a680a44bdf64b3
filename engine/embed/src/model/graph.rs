//! Graph neural networks: GIN (Xu et al. 2019, arXiv:1810.00826), GraphSAGE (Hamilton, Ying and
//! Leskovec 2017, arXiv:1706.02216) and GAT (Veličković et al. 2018, arXiv:1710.10903; GATv2, Brody,
//! Alon and Yahav 2022, arXiv:2105.14491).
//!
//! Layers, defaults and names of tensors are those of the models `GIN`, `GraphSAGE` and `GAT` of
//! `torch_geometric`, whose state dictionaries, saved as safetensors, are read.

mod config;
mod conv;
mod norm;

use arrow::record_batch::RecordBatch;
use candle_core::{Device, Tensor};
use penstock_types::{Kind, Pooling};
use rayon::prelude::*;

pub(crate) use config::GraphConfig;
use config::{Gnn, Jump};
use conv::{Builder, Conv};

use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, Weights};
use crate::error::tensor;
use crate::graph::recipe::Recipe;
use crate::graph::{Featured, Graph, GraphFault, labelled};
use crate::model::Model;
use crate::ops::{Candle, Dense, Placed, Step, finish};
use crate::{EmbedError, device};

/// A graph neural network, ready to give each vertex of any graph a vector.
///
/// A vertex's vector depends on its graph and on nothing else: neither the number of threads nor
/// what is computed beside it changes a bit.
pub struct GraphEncoder {
    layers: Vec<Layer>,
    jump: Option<Jump>,
    last: Option<Dense>,
    inputs: usize,
    width: usize,
    /// Every vertex sends to itself, once.
    loops: bool,
    device: Device,
}

struct Layer {
    conv: Conv,
    /// Norm and activation.
    after: Vec<Step>,
}

impl GraphEncoder {
    /// Loads the network of a checkpoint onto the device of this process. Its `config.json` needs
    /// no `graph`, which says how records become graphs.
    ///
    /// # Errors
    /// The configuration is no graph neural network's, or the weights do not fit it.
    pub fn load(checkpoint: &Checkpoint) -> Result<Self, EmbedError> {
        Self::load_on(checkpoint, device()).map(|(encoder, _)| encoder)
    }

    fn load_on(checkpoint: &Checkpoint, device: &Device) -> Result<(Self, String), EmbedError> {
        let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
        let config = GraphConfig::read(checkpoint.config()).map_err(fault)?;
        let mut expected = Expected::default();
        conv::expect(&config, &mut expected).map_err(fault)?;
        let weights = Weights::open(checkpoint.weights(), "").map_err(fault)?;
        weights.check(&expected).map_err(fault)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(config.recipe().as_bytes());
        weights.digest(&expected, &mut hasher);
        let builder = Builder {
            config: &config,
            weights: &weights,
            device,
        };
        let layers = (0..config.num_layers)
            .map(|index| {
                Ok(Layer {
                    conv: builder.conv(index)?,
                    after: builder.after(index)?,
                })
            })
            .collect::<Result<_, EmbedError>>()?;
        let last = config
            .jk
            .is_some()
            .then(|| {
                let affine = weights.affine("lin")?;
                Dense::new(&affine, None, device).map_err(tensor("placing weights"))
            })
            .transpose()?;
        let encoder = Self {
            layers,
            jump: config.jk,
            last,
            inputs: config.in_channels,
            width: config.width(),
            loops: config.model_type == Gnn::Gat && config.add_self_loops(),
            device: device.clone(),
        };
        Ok((encoder, hasher.finalize().to_hex().to_string()))
    }

    /// Numbers that it reads for each vertex.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.inputs
    }

    /// Numbers that it gives for each vertex.
    #[must_use]
    pub const fn width(&self) -> usize {
        self.width
    }

    /// Vectors of a graph's vertices, `[vertices, width]`, of their features, `[vertices, inputs]`,
    /// both row after row. Memory is a few such arrays, whatever the number of edges. Runs on the
    /// calling thread and rayon's.
    ///
    /// # Errors
    /// There are not [`Self::inputs`] features for each vertex; the tensor library failed.
    pub fn vertices(&self, graph: &Graph, features: Vec<f32>) -> Result<Vec<f32>, EmbedError> {
        if features.len() != graph.vertices() * self.inputs {
            return Err(EmbedError::Graph(GraphFault::Features {
                given: features.len(),
                vertices: graph.vertices(),
                width: self.inputs,
            }));
        }
        if graph.vertices() == 0 {
            return Ok(Vec::new());
        }
        self.forward(graph, features, |_, _| {})
            .and_then(|y| y.flatten_all()?.to_vec1())
            .map_err(tensor("passing messages over a graph"))
    }

    /// `seen` is shown what comes out of each layer.
    fn forward(
        &self,
        graph: &Graph,
        features: Vec<f32>,
        mut seen: impl FnMut(usize, &Tensor),
    ) -> Candle<Tensor> {
        let looped = self.loops.then(|| graph.with_loops());
        let graph = looped.as_ref().unwrap_or(graph);
        let placed = Placed::new(graph, &self.device)?;
        let shape = (graph.vertices(), self.inputs);
        let mut x = Tensor::from_vec(features, shape, &self.device)?;
        let mut kept: Vec<Tensor> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            x = finish(layer.conv.apply(x, &placed)?, &layer.after)?;
            seen(index, &x);
            match (self.jump, kept.first_mut()) {
                (Some(Jump::Cat), _) | (Some(Jump::Max), None) => kept.push(x.clone()),
                (Some(Jump::Max), Some(largest)) => *largest = largest.maximum(&x)?,
                (Some(Jump::Last) | None, _) => {}
            }
        }
        if !kept.is_empty() {
            x = Tensor::cat(&kept, 1)?;
        }
        match &self.last {
            Some(last) => last.apply(&x),
            None => Ok(x),
        }
    }
}

impl std::fmt::Debug for GraphEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GraphEncoder")
            .field("layers", &self.layers.len())
            .field("inputs", &self.inputs)
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

/// A network and the graphs that it reads.
pub(crate) struct GraphModel {
    encoder: GraphEncoder,
    recipe: Recipe,
    about: String,
    digest: String,
}

impl GraphModel {
    pub(crate) fn load_on(checkpoint: &Checkpoint, device: &Device) -> Result<Self, EmbedError> {
        let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
        let config = GraphConfig::read(checkpoint.config()).map_err(fault)?;
        let recipe = config.need_graph().map_err(fault)?.clone();
        let (encoder, digest) = GraphEncoder::load_on(checkpoint, device)?;
        Ok(Self {
            encoder,
            recipe,
            about: config.about(),
            digest,
        })
    }

    fn pooled(&self, record: Featured, pooling: Pooling) -> Result<Vec<f32>, EmbedError> {
        let width = self.encoder.width;
        let vectors = self.encoder.vertices(&record.graph, record.features)?;
        let rows = vectors.chunks_exact(width);
        Ok(match pooling {
            Pooling::None => match record.items {
                None => vectors,
                Some(items) => items
                    .iter()
                    .flat_map(|vertex| &vectors[*vertex as usize * width..][..width])
                    .copied()
                    .collect(),
            },
            Pooling::Max => {
                let mut largest = vec![f32::NEG_INFINITY; width];
                for row in rows {
                    for (largest, x) in largest.iter_mut().zip(row) {
                        *largest = largest.max(*x);
                    }
                }
                largest
            }
            Pooling::Mean | Pooling::Whole | Pooling::Cls => {
                let count = rows.len() as f64;
                let mut sums = vec![0.0_f64; width];
                for row in rows {
                    for (sum, x) in sums.iter_mut().zip(row) {
                        *sum += f64::from(*x);
                    }
                }
                sums.iter().map(|sum| (sum / count) as f32).collect()
            }
        })
    }
}

impl Model for GraphModel {
    fn kind(&self) -> Kind {
        self.recipe.kind()
    }

    fn columns(&self) -> &'static [&'static str] {
        self.recipe.columns()
    }

    fn poolings(&self) -> &'static [Pooling] {
        if self.kind() == Kind::Graph {
            return &[Pooling::Whole];
        }
        &[Pooling::Mean, Pooling::Max, Pooling::None]
    }

    fn width(&self, _pooling: Pooling) -> usize {
        self.encoder.width
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn vertices(
        &self,
        encoder: &str,
        graph: &Graph,
        given: &[Option<&str>],
    ) -> Result<Vec<f32>, EmbedError> {
        let Recipe::Graph { labels, features } = &self.recipe else {
            return Err(EmbedError::NoVertices {
                encoder: encoder.to_owned(),
            });
        };
        let features = labelled::features(graph, given, (labels, features))?;
        self.encoder.vertices(graph, features)
    }

    fn embed(
        &self,
        encoder: &str,
        batch: &RecordBatch,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let records = self.recipe.records(encoder, batch)?;
        let one = |row| match records.get(row)? {
            Some(record) => self.pooled(record, pooling),
            None => Ok(Vec::new()),
        };
        let rows = 0..batch.num_rows();
        if self.encoder.device.is_cpu() {
            rows.into_par_iter().map(one).collect()
        } else {
            rows.map(one).collect()
        }
    }
}

/// The width and the description of a configuration's network.
pub(crate) fn summary(checkpoint: &Checkpoint) -> Result<(usize, String), CheckpointFault> {
    let config = GraphConfig::read(checkpoint.config())?;
    Ok((config.width(), config.about()))
}

#[cfg(test)]
mod tests;
