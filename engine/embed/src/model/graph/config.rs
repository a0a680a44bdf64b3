//! `config.json` of a graph neural network: the arguments of `torch_geometric`'s models, and how
//! records become graphs.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::checkpoint::{CheckpointFault, Config};
use crate::graph::recipe::Recipe;
use crate::kernel::Activation;
use crate::ops::{Function, Reduce};

/// The networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gnn {
    /// Graph isomorphism network.
    Gin,
    /// GraphSAGE.
    GraphSage,
    /// Graph attention network.
    Gat,
}

/// What becomes of the layers' results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Jump {
    /// The last one's.
    Last,
    /// All, side by side.
    Cat,
    /// The largest of each column.
    Max,
}

/// How neighbours become one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Aggregation {
    #[serde(alias = "add")]
    Sum,
    Mean,
    Max,
}

/// Written as torch_geometric takes them: capitals and underscores do not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum Act {
    Relu,
    Gelu,
    Silu,
    Elu,
    LeakyRelu,
    Tanh,
}

/// Written as torch_geometric takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum NormKind {
    Batch,
    Layer,
}

/// What a norm is given beside its width.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NormArguments {
    mode: Option<NormMode>,
    eps: Option<f32>,
    /// Of training.
    #[serde(rename = "momentum")]
    _momentum: Option<IgnoredAny>,
}

/// Over what a `LayerNorm` goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NormMode {
    /// All numbers of all vertices of a graph: the usual one of torch_geometric.
    Graph,
    /// The numbers of a vertex.
    Node,
}

/// The keys of a graph neural network. A key that is not here is refused, as it could change what
/// the network computes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GraphConfig {
    pub(crate) model_type: Gnn,
    pub(crate) in_channels: usize,
    pub(crate) hidden_channels: usize,
    pub(crate) num_layers: usize,
    pub(crate) out_channels: Option<usize>,
    #[serde(default = "relu")]
    pub(crate) act: Option<Act>,
    #[serde(default)]
    pub(crate) act_first: bool,
    pub(crate) norm: Option<NormKind>,
    norm_kwargs: Option<NormArguments>,
    pub(crate) jk: Option<Jump>,
    /// GIN: sum; GraphSAGE: mean.
    aggr: Option<Aggregation>,
    normalize: Option<bool>,
    project: Option<bool>,
    root_weight: Option<bool>,
    bias: Option<bool>,
    heads: Option<usize>,
    concat: Option<bool>,
    v2: Option<bool>,
    share_weights: Option<bool>,
    negative_slope: Option<f32>,
    add_self_loops: Option<bool>,
    residual: Option<bool>,
    graph: Option<Recipe>,
    /// Of training.
    #[serde(rename = "dropout")]
    _dropout: Option<IgnoredAny>,
    /// Where epsilon begins and whether it is trained; its value is a tensor.
    #[serde(rename = "eps")]
    _eps: Option<IgnoredAny>,
    #[serde(rename = "train_eps")]
    _train_eps: Option<IgnoredAny>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "null means none; no key means ReLU"
)]
const fn relu() -> Option<Act> {
    Some(Act::Relu)
}

/// A name without what torch_geometric does not look at.
fn bare(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '-', ' '], "")
}

impl TryFrom<String> for Act {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match bare(&name).as_str() {
            "relu" => Ok(Self::Relu),
            "gelu" => Ok(Self::Gelu),
            "silu" | "swish" => Ok(Self::Silu),
            "elu" => Ok(Self::Elu),
            "leakyrelu" => Ok(Self::LeakyRelu),
            "tanh" => Ok(Self::Tanh),
            _ => Err(format!(
                "act is {name}, expected relu, gelu, silu, elu, leaky_relu, tanh or null"
            )),
        }
    }
}

impl TryFrom<String> for NormKind {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match bare(&name).as_str() {
            "batch" | "batchnorm" => Ok(Self::Batch),
            "layer" | "layernorm" => Ok(Self::Layer),
            _ => Err(format!(
                "norm is {name}, expected BatchNorm, LayerNorm or null"
            )),
        }
    }
}

impl Act {
    pub(crate) const fn function(self) -> Function {
        match self {
            Self::Relu => Function::Known(Activation::Relu),
            Self::Gelu => Function::Known(Activation::Gelu),
            Self::Silu => Function::Known(Activation::Silu),
            Self::Elu => Function::Elu,
            // The slope that torch has.
            Self::LeakyRelu => Function::Leaky(0.01),
            Self::Tanh => Function::Tanh,
        }
    }
}

fn wrong<T>(
    key: &'static str,
    given: String,
    expected: &'static str,
) -> Result<T, CheckpointFault> {
    Err(CheckpointFault::Config {
        key,
        given,
        expected,
    })
}

impl GraphConfig {
    /// Reads the keys and refuses what no network has.
    pub(crate) fn read(config: &Config) -> Result<Self, CheckpointFault> {
        let config: Self = config.read()?;
        config.belongs()?;
        for (key, value) in [
            ("in_channels", config.in_channels),
            ("hidden_channels", config.hidden_channels),
            ("num_layers", config.num_layers),
            ("out_channels", config.out_channels.unwrap_or(1)),
            ("heads", config.heads()),
        ] {
            if value == 0 {
                return wrong(key, "0".into(), "a positive number");
            }
        }
        if config.model_type == Gnn::Gat {
            for index in 0..config.num_layers {
                config.channels(index)?;
            }
        }
        let layer = config.norm == Some(NormKind::Layer);
        if config.model_type == Gnn::Gin && layer && config.norm_mode() == NormMode::Graph {
            return wrong(
                "norm_kwargs.mode",
                "graph".into(),
                "node: inside a GIN layer the other would join all graphs of a batch",
            );
        }
        if let Some(recipe) = &config.graph {
            recipe.check()?;
            if recipe.width() != config.in_channels {
                let given = format!(
                    "{}, and the features of graph have {} numbers",
                    config.in_channels,
                    recipe.width()
                );
                return wrong("in_channels", given, "as many");
            }
        }
        Ok(config)
    }

    /// Refuses keys of another network: they would change nothing.
    fn belongs(&self) -> Result<(), CheckpointFault> {
        use Gnn::{Gat, Gin, GraphSage};
        let norm = self.norm_kwargs.unwrap_or_default();
        let keys: [(&'static str, bool, &[Gnn]); 14] = [
            ("aggr", self.aggr.is_some(), &[Gin, GraphSage]),
            ("eps", self._eps.is_some(), &[Gin]),
            ("train_eps", self._train_eps.is_some(), &[Gin]),
            ("normalize", self.normalize.is_some(), &[GraphSage]),
            ("project", self.project.is_some(), &[GraphSage]),
            ("root_weight", self.root_weight.is_some(), &[GraphSage]),
            ("bias", self.bias.is_some(), &[GraphSage, Gat]),
            ("heads", self.heads.is_some(), &[Gat]),
            ("concat", self.concat.is_some(), &[Gat]),
            ("v2", self.v2.is_some(), &[Gat]),
            ("share_weights", self.share_weights.is_some(), &[Gat]),
            ("negative_slope", self.negative_slope.is_some(), &[Gat]),
            ("add_self_loops", self.add_self_loops.is_some(), &[Gat]),
            ("residual", self.residual.is_some(), &[Gat]),
        ];
        for (key, given, of) in keys {
            if given && !of.contains(&self.model_type) {
                let given = format!("given for a {:?}", self.model_type).to_lowercase();
                return wrong(key, given, "only for a network that has it");
            }
        }
        if self.share_weights.is_some() && !self.v2() {
            return wrong("share_weights", "given".into(), "it with v2 only");
        }
        if norm.mode.is_some() && self.norm != Some(NormKind::Layer) {
            return wrong("norm_kwargs.mode", "given".into(), "it with LayerNorm only");
        }
        if self.norm_kwargs.is_some() && self.norm.is_none() {
            return wrong("norm_kwargs", "given".into(), "it with a norm only");
        }
        Ok(())
    }

    /// How records become graphs, without which none can be embedded.
    pub(crate) fn need_graph(&self) -> Result<&Recipe, CheckpointFault> {
        match &self.graph {
            Some(recipe) => Ok(recipe),
            None => wrong(
                "graph",
                "missing".into(),
                "how records become graphs: {\"from\": \"contacts\", \"faces\", \"vertices\", \
                 \"kmers\" or \"graph\", \"features\": [..]}",
            ),
        }
    }

    /// What, beside the tensors, decides the vectors.
    pub(crate) fn recipe(&self) -> String {
        format!("{self:?}")
    }

    pub(crate) fn about(&self) -> String {
        let name = match (self.model_type, self.v2()) {
            (Gnn::Gin, _) => "GIN",
            (Gnn::GraphSage, _) => "GraphSAGE",
            (Gnn::Gat, false) => "GAT",
            (Gnn::Gat, true) => "GATv2",
        };
        let over = self.graph.as_ref().map_or("", |recipe| match recipe {
            Recipe::Contacts { .. } => " over contacts of residues",
            Recipe::Faces { .. } => " over faces",
            Recipe::Vertices { .. } => " over vertices",
            Recipe::Kmers { .. } => " over a de Bruijn graph",
            Recipe::Graph { .. } => " over labelled graphs",
        });
        format!("{name}{over}, {} layers", self.num_layers)
    }

    pub(crate) fn width(&self) -> usize {
        self.out_channels.unwrap_or(self.hidden_channels)
    }

    /// Numbers that a layer reads and gives for each vertex.
    pub(crate) fn shape(&self, index: usize) -> (usize, usize) {
        let inputs = match index {
            0 => self.in_channels,
            _ => self.hidden_channels,
        };
        let outputs = match self.is_out(index) {
            true => self.width(),
            false => self.hidden_channels,
        };
        (inputs, outputs)
    }

    /// Whether a layer gives the network's result.
    const fn is_out(&self, index: usize) -> bool {
        index + 1 == self.num_layers && self.out_channels.is_some() && self.jk.is_none()
    }

    /// Whether norm and activation follow a layer.
    pub(crate) const fn is_followed(&self, index: usize) -> bool {
        index + 1 < self.num_layers || self.jk.is_some()
    }

    /// Whether the heads of a layer lie side by side; those of the result are averaged.
    pub(crate) fn is_concat(&self, index: usize) -> bool {
        self.concat.unwrap_or(true) && !self.is_out(index)
    }

    /// Numbers of a head.
    pub(crate) fn channels(&self, index: usize) -> Result<usize, CheckpointFault> {
        let (_, outputs) = self.shape(index);
        match self.is_concat(index) {
            false => Ok(outputs),
            true if outputs.is_multiple_of(self.heads()) => Ok(outputs / self.heads()),
            true => wrong(
                "heads",
                self.heads().to_string(),
                "a divisor of the channels whose heads lie side by side",
            ),
        }
    }

    pub(crate) fn reduce(&self) -> Reduce {
        match (self.aggr, self.model_type) {
            (Some(Aggregation::Sum), _) => Reduce::Sum,
            (Some(Aggregation::Max), _) => Reduce::Max,
            (Some(Aggregation::Mean), _) | (None, Gnn::GraphSage) => Reduce::Mean,
            (None, _) => Reduce::Sum,
        }
    }

    pub(crate) fn norm_mode(&self) -> NormMode {
        let arguments = self.norm_kwargs.unwrap_or_default();
        arguments.mode.unwrap_or(NormMode::Graph)
    }

    pub(crate) fn norm_epsilon(&self) -> f32 {
        self.norm_kwargs.unwrap_or_default().eps.unwrap_or(1e-5)
    }

    pub(crate) fn normalize(&self) -> bool {
        self.normalize.unwrap_or(false)
    }

    pub(crate) fn project(&self) -> bool {
        self.project.unwrap_or(false)
    }

    pub(crate) fn root_weight(&self) -> bool {
        self.root_weight.unwrap_or(true)
    }

    pub(crate) fn bias(&self) -> bool {
        self.bias.unwrap_or(true)
    }

    pub(crate) fn heads(&self) -> usize {
        self.heads.unwrap_or(1)
    }

    pub(crate) fn v2(&self) -> bool {
        self.v2.unwrap_or(false)
    }

    pub(crate) fn share_weights(&self) -> bool {
        self.share_weights.unwrap_or(false)
    }

    pub(crate) fn negative_slope(&self) -> f32 {
        self.negative_slope.unwrap_or(0.2)
    }

    pub(crate) fn add_self_loops(&self) -> bool {
        self.add_self_loops.unwrap_or(true)
    }

    pub(crate) fn residual(&self) -> bool {
        self.residual.unwrap_or(false)
    }
}
