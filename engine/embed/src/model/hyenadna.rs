//! HyenaDNA (Nguyen et al. 2023, arXiv:2306.15794).
//!
//! A base a token, up to a million of them. In place of attention a layer has the Hyena operator of
//! order 2 (Poli et al. 2023, arXiv:2302.10866): three projections, each through a short
//! convolution; the product of two goes through a convolution as long as the sequence, and the
//! third multiplies the result. The model is causal: a base's state knows what is before it.

mod convolution;
mod filter;
mod layer;

use serde::Deserialize;

use super::Limits;
use super::long::{Backbone, LongParts, SEPARATOR, VOCABULARY, norm, numbers, positive};
use super::tokens::Specials;
use super::transformer::cpu::{Blind, Watch};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, Weights};
use crate::kernel::{Norm, NormKind};
use layer::Layer;

/// Epsilon of the norms in the layers, which the configuration does not set.
const LAYER_EPSILON: f64 = 1e-5;

/// The keys of `config.json`, with the defaults of the published code.
#[derive(Debug, Clone, Deserialize)]
struct HyenaConfig {
    vocab_size: usize,
    #[serde(default = "eight")]
    pad_vocab_size_multiple: usize,
    d_model: usize,
    n_layer: usize,
    d_inner: Option<usize>,
    emb_dim: usize,
    #[serde(default = "sixty_four")]
    filter_order: usize,
    #[serde(default = "two")]
    num_inner_mlps: usize,
    max_seq_len: usize,
    #[serde(default = "two")]
    hyena_order: usize,
    #[serde(default = "three")]
    short_filter_order: usize,
    #[serde(default = "yes")]
    train_freq: bool,
    #[serde(default = "one")]
    activation_freq: f64,
    #[serde(default = "epsilon")]
    layer_norm_epsilon: f64,
}

const fn eight() -> usize {
    8
}
const fn sixty_four() -> usize {
    64
}
const fn two() -> usize {
    2
}
const fn three() -> usize {
    3
}
const fn yes() -> bool {
    true
}
const fn one() -> f64 {
    1.0
}
const fn epsilon() -> f64 {
    LAYER_EPSILON
}

impl HyenaConfig {
    fn of(checkpoint: &Checkpoint) -> Result<Self, CheckpointFault> {
        let config: Self = checkpoint.config().read()?;
        positive(&[
            ("pad_vocab_size_multiple", config.pad_vocab_size_multiple),
            ("d_model", config.d_model),
            ("n_layer", config.n_layer),
            ("d_inner", config.inner()),
            ("emb_dim", config.emb_dim),
            ("filter_order", config.filter_order),
        ])?;
        let wrong = |key, given: usize, expected| {
            Err(CheckpointFault::Config {
                key,
                given: given.to_string(),
                expected,
            })
        };
        if config.hyena_order != 2 {
            return wrong("hyena_order", config.hyena_order, "2");
        }
        if config.short_filter_order != 3 {
            return wrong("short_filter_order", config.short_filter_order, "3");
        }
        if config.vocab_size < VOCABULARY {
            return wrong("vocab_size", config.vocab_size, "at least 12");
        }
        if config.max_seq_len < 2 {
            return wrong(
                "max_seq_len",
                config.max_seq_len,
                "room for a base and its end",
            );
        }
        Ok(config)
    }

    fn inner(&self) -> usize {
        self.d_inner.unwrap_or(self.d_model.saturating_mul(4))
    }

    fn rows(&self) -> usize {
        self.vocab_size
            .next_multiple_of(self.pad_vocab_size_multiple)
    }
}

pub(super) fn summary(checkpoint: &Checkpoint) -> Result<(usize, String), CheckpointFault> {
    let config = HyenaConfig::of(checkpoint)?;
    let about = format!(
        "{}, {} layers",
        checkpoint.config().family()?,
        config.n_layer
    );
    Ok((config.d_model, about))
}

fn layer_name(index: usize) -> String {
    format!("backbone.layers.{index}")
}

pub(super) fn expected(
    checkpoint: &Checkpoint,
    weights: &mut Weights,
) -> Result<Expected, CheckpointFault> {
    let config = HyenaConfig::of(checkpoint)?;
    let (width, order) = (config.d_model, config.filter_order);
    let mut expected = Expected::default();
    expected.tensor(
        "backbone.embeddings.word_embeddings.weight",
        &[config.rows(), width],
    );
    for index in 0..config.n_layer {
        let layer = layer_name(index);
        expected.norm(&format!("{layer}.norm1"), width, true);
        expected.affine(&format!("{layer}.mixer.in_proj"), width, 3 * width, true);
        expected.tensor(
            format!("{layer}.mixer.short_filter.weight"),
            &[3 * width, 1, config.short_filter_order],
        );
        expected.tensor(format!("{layer}.mixer.short_filter.bias"), &[3 * width]);
        expected.affine(&format!("{layer}.mixer.out_proj"), width, width, true);
        expected.norm(&format!("{layer}.norm2"), width, true);
        expected.affine(&format!("{layer}.mlp.fc1"), width, config.inner(), true);
        expected.affine(&format!("{layer}.mlp.fc2"), config.inner(), width, true);

        let filter = format!("{layer}.mixer.filter_fn");
        let n = config.max_seq_len;
        expected.tensor(format!("{filter}.bias"), &[width]);
        expected.tensor(format!("{filter}.pos_emb.z"), &[1, n, config.emb_dim]);
        expected.tensor(format!("{filter}.pos_emb.t"), &[1, n, 1]);
        expected.tensor(format!("{filter}.modulation.deltas"), &[1, 1, width]);
        let mlp = format!("{filter}.implicit_filter");
        let last = 2 * (config.num_inner_mlps + 1);
        for at in (0..last).step_by(2) {
            let inputs = if at == 0 { config.emb_dim } else { order };
            expected.affine(&format!("{mlp}.{at}"), inputs, order, true);
        }
        expected.affine(&format!("{mlp}.{last}"), order, width, false);
        if config.train_freq {
            let first = format!("{mlp}.1.freq");
            // One parameter that all its layers share; files keep it under each name, or any one.
            for at in (3..last).step_by(2) {
                weights.alias(&first, &format!("{mlp}.{at}.freq"));
            }
            expected.tensor(first, &[1, order]);
        }
    }
    expected.norm("backbone.ln_f", width, true);
    expected.ignore(&["lm_head.", "score.", ".freq"]);
    Ok(expected)
}

pub(super) fn parts(checkpoint: &Checkpoint, weights: &Weights) -> Result<LongParts, EmbedError> {
    let config = HyenaConfig::of(checkpoint)
        .map_err(|fault| EmbedError::checkpoint(checkpoint.folder(), fault))?;
    let hyena = Hyena::load(weights, &config)?;
    // The separator takes a place. No base sees it, as it comes after them.
    let window = config.max_seq_len - 1;
    Ok(LongParts {
        backbone: Box::new(hyena),
        specials: Specials {
            before: Vec::new(),
            after: vec![SEPARATOR],
        },
        limits: Limits {
            window,
            overlap: window / 8,
        },
        recipe: format!(
            "hyenadna eps {:e} window {window} frequency {:e} trained {}",
            config.layer_norm_epsilon, config.activation_freq, config.train_freq
        ),
    })
}

/// The layers in this processor's memory.
struct Hyena {
    width: usize,
    /// `[tokens of the vocabulary, width]`.
    words: Vec<f32>,
    layers: Vec<Layer>,
    last: Norm,
}

impl Hyena {
    fn load(weights: &Weights, config: &HyenaConfig) -> Result<Self, EmbedError> {
        let epsilon = config.layer_norm_epsilon;
        Ok(Self {
            width: config.d_model,
            words: numbers(weights, "backbone.embeddings.word_embeddings.weight")?,
            layers: (0..config.n_layer)
                .map(|index| Layer::load(weights, &layer_name(index), config))
                .collect::<Result<_, _>>()?,
            last: norm(weights, "backbone.ln_f", NormKind::Layer, epsilon)?,
        })
    }

    fn hidden(&self, tokens: &[u32], watch: &mut dyn Watch) -> Vec<f32> {
        let width = self.width;
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
}

impl Backbone for Hyena {
    fn width(&self) -> usize {
        self.width
    }

    fn bytes_per_token(&self) -> usize {
        // The state, what the long convolution takes and gives, and the gate.
        4 * self.width * size_of::<f32>()
    }

    fn forward(&self, tokens: &[u32]) -> Vec<f32> {
        self.hidden(tokens, &mut Blind)
    }
}

#[cfg(test)]
mod tests;
