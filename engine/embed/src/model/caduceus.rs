//! Caduceus (Schiff et al. 2024, arXiv:2403.03234).
//!
//! A base a token. Each layer runs Mamba (Gu and Dao 2023, arXiv:2312.00752) over the sequence and
//! over its reverse, and adds. Both forms read both strands here: Ph, which was trained on either,
//! by taking the mean over the strands (post-hoc conjoining), and PS, whose layers share their
//! parameters between the halves of a state, by taking the mean of the halves. So a sequence and
//! its reverse complement have the same features, in reverse order.
//!
//! The halves of PS never meet before the end: each is the model without halves, run over one
//! strand. Where `fused_add_norm` is set, the published code hands every layer the halves in
//! exchange; that turns every second layer's view of a half around, in tokens and channels, which
//! is put into that layer's weights once.

mod layer;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Limits;
use super::long::{self, Backbone, LongParts, VOCABULARY, norm, numbers, positive};
use super::tokens::Specials;
use super::transformer::cpu::{Blind, Watch};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, Weights};
use crate::kernel::{Norm, NormKind};
use layer::Layer;

/// The longest sequences of the training, in bases.
const LONGEST: usize = 131_072;

/// The keys of `config.json`, with the defaults of the published code.
#[derive(Debug, Clone, Deserialize)]
struct CaduceusConfig {
    d_model: usize,
    n_layer: usize,
    vocab_size: usize,
    #[serde(default = "eight")]
    pad_vocab_size_multiple: usize,
    ssm_cfg: Option<SsmConfig>,
    #[serde(default = "yes")]
    rms_norm: bool,
    #[serde(default = "yes")]
    fused_add_norm: bool,
    #[serde(default = "epsilon")]
    norm_epsilon: f64,
    #[serde(default = "yes")]
    bidirectional: bool,
    bidirectional_strategy: Option<String>,
    #[serde(default = "yes")]
    bidirectional_weight_tie: bool,
    #[serde(default)]
    rcps: bool,
    complement_map: Option<BTreeMap<String, u32>>,
}

/// The shape of a Mamba.
#[derive(Debug, Clone, Default, Deserialize)]
struct SsmConfig {
    d_state: Option<usize>,
    d_conv: Option<usize>,
    expand: Option<usize>,
    dt_rank: Option<Rank>,
    conv_bias: Option<bool>,
    bias: Option<bool>,
}

/// Numbers that a step is made of: given, or a sixteenth of the width.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Rank {
    Given(usize),
    Auto(String),
}

const fn eight() -> usize {
    8
}
const fn yes() -> bool {
    true
}
const fn epsilon() -> f64 {
    1e-5
}

/// The sizes of a checkpoint's layers.
#[derive(Debug, Clone, Copy)]
struct Shape {
    width: usize,
    layers: usize,
    rows: usize,
    inner: usize,
    states: usize,
    taps: usize,
    rank: usize,
    conv_bias: bool,
    norm: NormKind,
    epsilon: f64,
    /// The form PS.
    shared: bool,
    /// Every layer takes the halves in exchange.
    exchanged: bool,
}

impl CaduceusConfig {
    fn shape(&self) -> Result<Shape, CheckpointFault> {
        let wrong = |key, given: String, expected| {
            Err(CheckpointFault::Config {
                key,
                given,
                expected,
            })
        };
        if !self.bidirectional {
            return wrong("bidirectional", "false".into(), "true");
        }
        if !self.bidirectional_weight_tie {
            return wrong("bidirectional_weight_tie", "false".into(), "true");
        }
        match self.bidirectional_strategy.as_deref() {
            None | Some("add") => {}
            Some(other) => return wrong("bidirectional_strategy", other.into(), "add"),
        }
        if self.vocab_size < VOCABULARY {
            return wrong("vocab_size", self.vocab_size.to_string(), "at least 12");
        }
        let ssm = self.ssm_cfg.clone().unwrap_or_default();
        if ssm.bias == Some(true) {
            return wrong("ssm_cfg.bias", "true".into(), "false");
        }
        let rank = match ssm.dt_rank {
            None => self.d_model.div_ceil(16),
            Some(Rank::Given(rank)) => rank,
            Some(Rank::Auto(word)) if word == "auto" => self.d_model.div_ceil(16),
            Some(Rank::Auto(word)) => return wrong("ssm_cfg.dt_rank", word, "a number or auto"),
        };
        let shape = Shape {
            width: self.d_model,
            layers: self.n_layer,
            rows: 0,
            inner: self.d_model.saturating_mul(ssm.expand.unwrap_or(2)),
            states: ssm.d_state.unwrap_or(16),
            taps: ssm.d_conv.unwrap_or(4),
            rank,
            conv_bias: ssm.conv_bias.unwrap_or(true),
            norm: match self.rms_norm {
                true => NormKind::Rms,
                false => NormKind::Layer,
            },
            epsilon: self.norm_epsilon,
            shared: self.rcps,
            exchanged: self.rcps && self.fused_add_norm,
        };
        positive(&[
            ("d_model", shape.width),
            ("n_layer", shape.layers),
            ("pad_vocab_size_multiple", self.pad_vocab_size_multiple),
            ("ssm_cfg.expand", shape.inner),
            ("ssm_cfg.d_state", shape.states),
            ("ssm_cfg.d_conv", shape.taps),
            ("ssm_cfg.dt_rank", shape.rank),
        ])?;
        Ok(Shape {
            rows: self
                .vocab_size
                .next_multiple_of(self.pad_vocab_size_multiple),
            ..shape
        })
    }

    /// The token of each token's complement.
    fn complements(&self, rows: usize) -> Result<Vec<u32>, CheckpointFault> {
        let mut table: Vec<u32> = (0..rows as u32).collect();
        for (base, other) in [(b'A', b'T'), (b'C', b'G'), (b'G', b'C'), (b'T', b'A')] {
            if let (Some(base), Some(other)) = (long::token(base), long::token(other)) {
                table[base as usize] = other;
            }
        }
        for (from, to) in self.complement_map.iter().flatten() {
            let slot = from
                .parse()
                .ok()
                .and_then(|from: usize| table.get_mut(from));
            match slot {
                Some(slot) if (*to as usize) < rows => *slot = *to,
                _ => {
                    return Err(CheckpointFault::Config {
                        key: "complement_map",
                        given: format!("{from} to {to}"),
                        expected: "tokens that the embedding has",
                    });
                }
            }
        }
        Ok(table)
    }
}

impl Shape {
    fn layer(&self, index: usize) -> String {
        format!("backbone.layers.{index}")
    }

    fn mixer(&self, index: usize) -> String {
        let inside = if self.shared { ".submodule" } else { "" };
        format!("{}.mixer{inside}", self.layer(index))
    }

    /// A norm's name: where halves are kept apart outside of it, it is wrapped.
    fn norm_name(&self, name: &str) -> String {
        let wrapped = self.shared && !self.exchanged;
        format!("{name}{}", if wrapped { ".submodule" } else { "" })
    }

    const fn words(&self) -> &'static str {
        match self.shared {
            true => "backbone.embeddings.word_embeddings.embedding.weight",
            false => "backbone.embeddings.word_embeddings.weight",
        }
    }

    /// Whether layer `index`, or with the number of layers what follows them, sees a half turned
    /// around in tokens and channels.
    const fn turned(&self, index: usize) -> bool {
        self.exchanged
            && if index == self.layers {
                index % 2 == 1
            } else {
                index.is_multiple_of(2)
            }
    }
}

pub(super) fn summary(checkpoint: &Checkpoint) -> Result<(usize, String), CheckpointFault> {
    let shape = checkpoint.config().read::<CaduceusConfig>()?.shape()?;
    let form = if shape.shared { "PS" } else { "Ph" };
    let about = format!(
        "{}-{form}, {} layers",
        checkpoint.config().family()?,
        shape.layers
    );
    Ok((shape.width, about))
}

pub(super) fn expected(
    checkpoint: &Checkpoint,
    weights: &mut Weights,
) -> Result<Expected, CheckpointFault> {
    let shape = checkpoint.config().read::<CaduceusConfig>()?.shape()?;
    let Shape {
        width,
        inner,
        states,
        rank,
        ..
    } = shape;
    let bias = shape.norm == NormKind::Layer;
    let mut expected = Expected::default();
    expected.tensor(shape.words(), &[shape.rows, width]);
    for index in 0..shape.layers {
        let name = shape.norm_name(&format!("{}.norm", shape.layer(index)));
        expected.norm(&name, width, bias);
        let mixer = shape.mixer(index);
        for (part, outputs, inputs) in [("in_proj", 2 * inner, width), ("out_proj", width, inner)] {
            // One tensor for both directions; files keep it under both names, or either.
            let name = format!("{mixer}.mamba_fwd.{part}.weight");
            weights.alias(&name, &format!("{mixer}.mamba_rev.{part}.weight"));
            expected.tensor(name, &[outputs, inputs]);
        }
        for way in ["mamba_fwd", "mamba_rev"] {
            let way = format!("{mixer}.{way}");
            expected.tensor(format!("{way}.conv1d.weight"), &[inner, 1, shape.taps]);
            if shape.conv_bias {
                expected.tensor(format!("{way}.conv1d.bias"), &[inner]);
            }
            expected.affine(&format!("{way}.x_proj"), inner, rank + 2 * states, false);
            expected.affine(&format!("{way}.dt_proj"), rank, inner, true);
            expected.tensor(format!("{way}.A_log"), &[inner, states]);
            expected.tensor(format!("{way}.D"), &[inner]);
        }
    }
    expected.norm(&shape.norm_name("backbone.norm_f"), width, bias);
    expected.ignore(&[
        "lm_head.",
        "score.",
        "complement_map",
        "mamba_rev.in_proj.weight",
        "mamba_rev.out_proj.weight",
    ]);
    Ok(expected)
}

pub(super) fn parts(checkpoint: &Checkpoint, weights: &Weights) -> Result<LongParts, EmbedError> {
    let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
    let config: CaduceusConfig = checkpoint.config().read().map_err(fault)?;
    let shape = config.shape().map_err(fault)?;
    let complements = config.complements(shape.rows).map_err(fault)?;
    let window = window(checkpoint).map_err(fault)?;
    Ok(LongParts {
        recipe: format!(
            "caduceus {:?} eps {:e} shared {} exchanged {} window {window} complements {:?}",
            shape.norm, shape.epsilon, shape.shared, shape.exchanged, complements
        ),
        backbone: Box::new(Caduceus::load(weights, shape, complements)?),
        // Downstream of its training the model reads bases alone, and only so do the strands
        // mirror each other.
        specials: Specials::default(),
        limits: Limits {
            window,
            overlap: window / 8,
        },
    })
}

/// The longest sequence that the checkpoint was trained on, as its tokenizer's settings say.
fn window(checkpoint: &Checkpoint) -> Result<usize, CheckpointFault> {
    #[derive(Deserialize)]
    struct Settings {
        /// Some writers put an absurdly large number for "any".
        model_max_length: Option<f64>,
    }
    let file = "tokenizer_config.json";
    let Some(text) = checkpoint.text(file)? else {
        return Ok(LONGEST);
    };
    let settings: Settings =
        serde_json::from_str(&text).map_err(|source| CheckpointFault::Json { file, source })?;
    let given = settings.model_max_length.unwrap_or(LONGEST as f64);
    Ok((given as usize).clamp(2, LONGEST))
}

/// The layers in this processor's memory.
struct Caduceus {
    shape: Shape,
    /// `[tokens of the vocabulary, width]`.
    words: Vec<f32>,
    complements: Vec<u32>,
    layers: Vec<Layer>,
    last: Norm,
}

impl Caduceus {
    fn load(weights: &Weights, shape: Shape, complements: Vec<u32>) -> Result<Self, EmbedError> {
        let name = shape.norm_name("backbone.norm_f");
        let mut last = norm(weights, &name, shape.norm, shape.epsilon)?;
        if shape.turned(shape.layers) {
            layer::turn_norm(&mut last);
        }
        Ok(Self {
            words: numbers(weights, shape.words())?,
            complements,
            layers: (0..shape.layers)
                .map(|index| Layer::load(weights, &shape, index))
                .collect::<Result<_, _>>()?,
            last,
            shape,
        })
    }

    /// The last hidden states of one strand, `[tokens, width]`.
    fn strand(&self, tokens: &[u32], watch: &mut dyn Watch) -> Vec<f32> {
        let width = self.shape.width;
        let mut hidden = Vec::with_capacity(tokens.len() * width);
        for token in tokens {
            let word = *token as usize * width;
            hidden.extend_from_slice(&self.words[word..word + width]);
        }
        let mut buffers = layer::Buffers::default();
        for (index, layer) in self.layers.iter().enumerate() {
            watch.hidden(index, &hidden);
            layer.apply(&mut hidden, &mut buffers);
        }
        self.last.apply_in_place(&mut hidden, width);
        watch.hidden(self.layers.len(), &hidden);
        hidden
    }

    fn reverse_complement(&self, tokens: &[u32]) -> Vec<u32> {
        let complement = |token: &u32| self.complements[*token as usize];
        tokens.iter().rev().map(complement).collect()
    }
}

impl Backbone for Caduceus {
    fn width(&self) -> usize {
        self.shape.width
    }

    fn bytes_per_token(&self) -> usize {
        // Of both strands the state, the projection and one direction's result.
        2 * (self.shape.width + 2 * self.shape.inner) * size_of::<f32>()
    }

    fn forward(&self, tokens: &[u32]) -> Vec<f32> {
        let width = self.shape.width;
        let other = self.reverse_complement(tokens);
        let (mut hidden, other) = rayon::join(
            || self.strand(tokens, &mut Blind),
            || self.strand(&other, &mut Blind),
        );
        for (row, other) in hidden
            .chunks_exact_mut(width)
            .zip(other.chunks_exact(width).rev())
        {
            for (x, y) in row.iter_mut().zip(other) {
                *x = (*x + y) / 2.0;
            }
            if self.shape.turned(self.shape.layers) {
                row.reverse();
            }
        }
        hidden
    }
}

#[cfg(test)]
mod tests;
