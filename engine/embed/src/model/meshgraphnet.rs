//! `MeshGraphNet`: messages along the edges of a mesh (Pfaff, Fortunato, Sanchez-Gonzalez and
//! Battaglia 2021, arXiv 2010.03409), encoder and processor, up to the hidden states before the
//! decoder. Tensors are named as in NVIDIA's physicsnemo.
//!
//! A step updates every directed edge from itself, its sender and its receiver, and then every
//! vertex from itself and the sum (or mean) of the edges that it receives; both add to what was
//! there. Edges are sorted by receiver and cut into blocks of whole receivers, and one block goes
//! through a step at a time: its edges, their sums and its vertices stay in cache, and nothing
//! three times as wide as an edge is ever made. For that the edges' first map is in three parts:
//! those for senders and receivers are applied to the vertices, once each, and gathered.
//!
//! Memory is that of the edges, `4 * width` bytes for each of both directions, and four times that
//! per vertex; 132,860 vertices with 398,580 edges and width 128 need 0.70 GB.

mod layers;
mod plan;

use arrow::record_batch::RecordBatch;
use candle_core::{Device, Tensor};
use penstock_types::{Kind, Pooling};
use rayon::prelude::*;
use serde::Deserialize;

use super::Model;
use super::surface::{Allowance, COLUMNS, POOLINGS, Standard, Surface, SurfaceConfig};
use super::transolver::{activation, block_rows, positive};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Config, Expected, Weights};
use crate::kernel::Activation;
use crate::mesh::graph::Graph;
use crate::mesh::surface::{norm, sub};
use crate::mesh::vertex::Mesh;
use crate::ops::{Candle, Dense, Reduce, gather_sum};
use layers::{Maps, Mlp, MlpShape};
use plan::{Block, plan};

/// Numbers of an edge: where the sender lies from the receiver, and how far.
const EDGE: usize = 4;

/// The keys of `config.json`; the names are those of the published constructor, and so is what
/// they are where they are not there.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct MeshGraphNetConfig {
    #[serde(default = "fifteen")]
    processor_size: usize,
    #[serde(default = "wide")]
    hidden_dim_processor: usize,
    #[serde(default = "wide")]
    hidden_dim_node_encoder: usize,
    #[serde(default = "wide")]
    hidden_dim_edge_encoder: usize,
    #[serde(default = "two")]
    num_layers_node_encoder: usize,
    #[serde(default = "two")]
    num_layers_edge_encoder: usize,
    #[serde(default = "two")]
    num_layers_node_processor: usize,
    #[serde(default = "two")]
    num_layers_edge_processor: usize,
    #[serde(default = "relu")]
    mlp_activation_fn: String,
    #[serde(default)]
    aggregation: Aggregation,
    /// Whether the file holds the edges' first map in three parts.
    #[serde(default)]
    do_concat_trick: bool,
    /// Means and deviations of the four numbers of an edge.
    edge_mean: Option<Vec<f64>>,
    edge_std: Option<Vec<f64>>,
    /// For points without faces: edges to so many nearest neighbours.
    neighbours: Option<usize>,
    #[serde(flatten)]
    surface: SurfaceConfig,
}

const fn fifteen() -> usize {
    15
}

const fn wide() -> usize {
    128
}

const fn two() -> usize {
    2
}

fn relu() -> String {
    "relu".to_owned()
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Aggregation {
    #[default]
    Sum,
    Mean,
}

impl MeshGraphNetConfig {
    pub(super) fn read(config: &Config) -> Result<Self, CheckpointFault> {
        let this: Self = config.read()?;
        positive(&[
            ("processor_size", this.processor_size),
            ("hidden_dim_processor", this.hidden_dim_processor),
            ("hidden_dim_node_encoder", this.hidden_dim_node_encoder),
            ("hidden_dim_edge_encoder", this.hidden_dim_edge_encoder),
            ("num_layers_node_encoder", this.num_layers_node_encoder),
            ("num_layers_edge_encoder", this.num_layers_edge_encoder),
            ("num_layers_node_processor", this.num_layers_node_processor),
            ("num_layers_edge_processor", this.num_layers_edge_processor),
        ])?;
        Ok(this)
    }

    pub(super) const fn width(&self) -> usize {
        self.hidden_dim_processor
    }

    pub(super) fn about(&self) -> String {
        format!("MeshGraphNet, {} steps", self.processor_size)
    }

    fn node_encoder(&self, inputs: usize) -> MlpShape {
        MlpShape {
            prefix: "node_encoder".to_owned(),
            inputs,
            hidden: self.hidden_dim_node_encoder,
            outputs: self.hidden_dim_processor,
            layers: self.num_layers_node_encoder,
            is_split: false,
        }
    }

    fn edge_encoder(&self) -> MlpShape {
        MlpShape {
            prefix: "edge_encoder".to_owned(),
            inputs: EDGE,
            hidden: self.hidden_dim_edge_encoder,
            outputs: self.hidden_dim_processor,
            layers: self.num_layers_edge_encoder,
            is_split: false,
        }
    }

    /// The maps of a step, which physicsnemo numbers as two layers.
    fn step(&self, step: usize) -> [MlpShape; 2] {
        let width = self.hidden_dim_processor;
        let shape = |layer: usize, name: &str, parts: usize| MlpShape {
            prefix: format!("processor.processor_layers.{layer}.{name}"),
            inputs: parts * width,
            hidden: width,
            outputs: width,
            layers: self.num_layers_node_processor,
            is_split: false,
        };
        let edge = MlpShape {
            layers: self.num_layers_edge_processor,
            is_split: self.do_concat_trick,
            ..shape(2 * step, "edge_mlp", 3)
        };
        [edge, shape(2 * step + 1, "node_mlp", 2)]
    }

    fn expected(&self, inputs: usize) -> Expected {
        let mut expected = Expected::default();
        self.node_encoder(inputs).expect(&mut expected);
        self.edge_encoder().expect(&mut expected);
        for step in 0..self.processor_size {
            for shape in self.step(step) {
                shape.expect(&mut expected);
            }
        }
        expected.ignore(&["node_decoder.", "_extra_state"]);
        expected
    }
}

/// A model in memory.
pub(super) struct MeshGraphNet {
    surface: Surface,
    edge: Standard,
    neighbours: Option<usize>,
    reduce: Reduce,
    node_encoder: Mlp,
    edge_encoder: Mlp,
    steps: Vec<Step>,
    activation: Activation,
    width: usize,
    rows: usize,
    device: Device,
    about: String,
    digest: String,
}

struct Step {
    /// The first map of the edges, in parts.
    own: Dense,
    sender: Dense,
    receiver: Dense,
    edge: Mlp,
    node: Mlp,
}

/// What passes from step to step of one block.
struct State {
    /// `[vertices, width]`.
    nodes: Tensor,
    /// `[edges, width]`; none where no edge ends here.
    edges: Option<Tensor>,
    /// What the next step's messages take from these vertices as senders.
    sent: Option<Tensor>,
}

impl MeshGraphNet {
    pub(super) fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, EmbedError> {
        let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
        let config = MeshGraphNetConfig::read(checkpoint.config()).map_err(fault)?;
        let surface = Surface::new(&config.surface).map_err(fault)?;
        let keys = ["edge_mean", "edge_std"];
        let (mean, std) = (config.edge_mean.as_ref(), config.edge_std.as_ref());
        let edge = Standard::new(mean, std, EDGE, keys).map_err(fault)?;
        let act = activation("mlp_activation_fn", &config.mlp_activation_fn).map_err(fault)?;
        positive(&[("inputs", surface.width())]).map_err(fault)?;
        let expected = config.expected(surface.width());
        let weights = Weights::open(checkpoint.weights(), "module.").map_err(fault)?;
        weights.check(&expected).map_err(fault)?;
        let mut hasher = blake3::Hasher::new();
        let recipe = format!(
            "meshgraphnet {act:?} {:?} {edge:?} {:?} {}",
            config.aggregation,
            config.neighbours,
            surface.recipe()
        );
        hasher.update(recipe.as_bytes());
        weights.digest(&expected, &mut hasher);
        let maps = Maps {
            weights: &weights,
            activation: act,
            device,
        };
        let steps = (0..config.processor_size)
            .map(|step| {
                let [edge, node] = config.step(step);
                let [own, sender, receiver] = maps.first_parts(&edge, config.width())?;
                Ok(Step {
                    own,
                    sender,
                    receiver,
                    edge: maps.mlp(&edge, 1)?,
                    node: maps.mlp(&node, 0)?,
                })
            })
            .collect::<Result<_, EmbedError>>()?;
        let widest = config
            .width()
            .max(config.hidden_dim_edge_encoder)
            .max(config.hidden_dim_node_encoder);
        Ok(Self {
            node_encoder: maps.mlp(&config.node_encoder(surface.width()), 0)?,
            edge_encoder: maps.mlp(&config.edge_encoder(), 0)?,
            reduce: match config.aggregation {
                Aggregation::Sum => Reduce::Sum,
                Aggregation::Mean => Reduce::Mean,
            },
            neighbours: config.neighbours,
            activation: act,
            width: config.width(),
            rows: block_rows(device, widest),
            about: config.about(),
            device: device.clone(),
            digest: hasher.finalize().to_hex().to_string(),
            surface,
            edge,
            steps,
        })
    }

    /// Bytes that a graph needs: see the module.
    fn bytes(&self, vertices: usize, directed_edges: usize) -> usize {
        let edge = 4 * self.width + 4 * 4;
        let vertex = 4 * (self.surface.width() + 4 * self.width) + 8 * 8;
        let edges = directed_edges.saturating_mul(edge);
        vertices.saturating_mul(vertex).saturating_add(edges)
    }

    fn graph(&self, mesh: &Mesh) -> Graph {
        match self.neighbours {
            Some(k) if mesh.faces.is_empty() => Graph::of_points(&mesh.points, k),
            _ => Graph::of_mesh(mesh),
        }
    }

    /// The hidden states of the vertices after every step, for `see`; the last are returned.
    fn forward(
        &self,
        mesh: &Mesh,
        graph: Graph,
        see: &mut dyn FnMut(&[State]) -> Candle<()>,
    ) -> Candle<Vec<Tensor>> {
        let inputs = self.surface.features(mesh);
        let blocks = plan(graph, self.rows);
        let mut states: Vec<State> = blocks
            .par_iter()
            .map(|block| self.encode(mesh, &inputs, block))
            .collect::<Candle<_>>()?;
        drop(inputs);
        see(&states)?;
        for (i, step) in self.steps.iter().enumerate() {
            let next = self.steps.get(i + 1);
            let sent: Vec<Tensor> = states.iter_mut().filter_map(|s| s.sent.take()).collect();
            let table = Tensor::cat(&sent, 0)?;
            drop(sent);
            // A block's old state is dropped as soon as its new one is there.
            states = states
                .into_par_iter()
                .zip(&blocks)
                .map(|(state, block)| self.pass(step, next, state, block, &table))
                .collect::<Candle<_>>()?;
            see(&states)?;
        }
        Ok(states.into_iter().map(|state| state.nodes).collect())
    }

    fn encode(&self, mesh: &Mesh, inputs: &[f32], block: &Block) -> Candle<State> {
        let wide = self.surface.width();
        let rows = &inputs[block.nodes.start * wide..block.nodes.end * wide];
        let nodes = Tensor::from_slice(rows, (block.nodes.len(), wide), &self.device)?;
        let nodes = self.node_encoder.apply(&nodes)?;
        let edges = if block.senders.is_empty() {
            None
        } else {
            let offsets = self.offsets(mesh, block);
            let shape = (block.senders.len(), EDGE);
            let edges = Tensor::from_vec(offsets, shape, &self.device)?;
            Some(self.edge_encoder.apply(&edges)?)
        };
        let sent = self.steps.first().map(|step| step.sender.apply(&nodes));
        Ok(State {
            edges,
            sent: sent.transpose()?,
            nodes,
        })
    }

    /// Where each edge's sender lies from its receiver, and how far, normalised: `[edges, 4]`.
    fn offsets(&self, mesh: &Mesh, block: &Block) -> Vec<f32> {
        let mut to = Vec::with_capacity(block.senders.len() * EDGE);
        for (sender, receiver) in block.senders.iter().zip(&block.receivers) {
            let from = mesh.points[block.nodes.start + *receiver as usize];
            let offset = sub(mesh.points[*sender as usize], from);
            to.extend((0..3).map(|k| self.edge.apply(k, offset[k])));
            to.push(self.edge.apply(3, norm(offset)));
        }
        to
    }

    /// One step of one block. `table` holds what every vertex sends.
    fn pass(
        &self,
        step: &Step,
        next: Option<&Step>,
        State { nodes, edges, .. }: State,
        block: &Block,
        table: &Tensor,
    ) -> Candle<State> {
        let edges = match edges {
            None => None,
            Some(edges) => {
                let message = gather_sum(
                    &step.own.apply(&edges)?,
                    (table, &block.senders),
                    (&step.receiver.apply(&nodes)?, &block.receivers),
                    self.activation,
                )?;
                Some((step.edge.apply(&message)? + edges)?)
            }
        };
        let received = match &edges {
            None => nodes.zeros_like()?,
            Some(edges) => block.received(edges, self.reduce)?,
        };
        let both = Tensor::cat(&[&received, &nodes], 1)?;
        let nodes = (step.node.apply(&both)? + nodes)?;
        let sent = next.map(|next| next.sender.apply(&nodes)).transpose()?;
        Ok(State { nodes, edges, sent })
    }
}

impl Model for MeshGraphNet {
    fn kind(&self) -> Kind {
        Kind::Mesh
    }

    fn columns(&self) -> &'static [&'static str] {
        COLUMNS
    }

    fn poolings(&self) -> &'static [Pooling] {
        POOLINGS
    }

    fn width(&self, _pooling: Pooling) -> usize {
        self.width
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
        // Before the edges are known: each face has three of its own, in both directions.
        let bytes = |vertices: usize, faces: usize| {
            let near = if faces == 0 {
                self.neighbours.unwrap_or(0).saturating_mul(vertices)
            } else {
                0
            };
            self.bytes(vertices, 6 * faces + 2 * near)
        };
        let forward = |mesh: &Mesh, allowance: &Allowance| {
            let graph = self.graph(mesh);
            if graph.len() == 0 {
                return Ok(Vec::new());
            }
            allowance.check(self.bytes(mesh.points.len(), graph.len()))?;
            Ok(self.forward(mesh, graph, &mut |_| Ok(()))?)
        };
        self.surface
            .embed(encoder, batch, pooling, &bytes, &forward)
    }
}

#[cfg(test)]
mod tests;
