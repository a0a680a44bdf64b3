//! The transformer encoder that the sequence models share.
//!
//! One description covers them all: what normalises, where the position comes from, what the
//! feed-forward block computes. A model's own file reads its checkpoint into that description.

pub(crate) mod cpu;
pub(crate) mod device;
pub(crate) mod packed;
pub(crate) mod pooled;

use candle_core::Tensor;

use crate::kernel::{Activation, NormKind};
use crate::memory::Shape;
use crate::{EmbedError, Precision};

/// Where a token's position enters.
#[derive(Debug, Clone)]
pub(crate) enum Position {
    /// Not in the layers: positions were added to the embedding, or there are none.
    Absolute,
    /// Queries and keys are turned; the base of the frequencies.
    Rotary(f64),
    /// A slope per head times the distance is taken from the scores.
    Alibi,
    /// T5's learned bias by bucket of distance, of the first layer for all layers.
    Relative {
        /// `[buckets, heads]`.
        table: Tensor,
        /// The distance from which all share the last bucket.
        max_distance: usize,
    },
}

/// The block after attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeedForward {
    /// `down(activation(up(x)))`.
    Plain(Activation),
    /// `down(activation(first half of up(x)) * second half)`.
    Gated(Activation),
}

/// What the layers of a model compute.
#[derive(Debug, Clone)]
pub(crate) struct Architecture {
    pub(crate) layers: usize,
    /// Numbers per token between the layers.
    pub(crate) width: usize,
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
    /// Normalised before each block, else after it.
    pub(crate) norm_first: bool,
    pub(crate) position: Position,
    pub(crate) feed_forward: FeedForward,
    /// Scores are multiplied by it.
    pub(crate) score_scale: f32,
    /// What a block adds is multiplied by it.
    pub(crate) residual_scale: f32,
}

impl Architecture {
    /// What decides how much memory a batch takes, with the outputs of a feed-forward block's
    /// first product.
    pub(crate) const fn shape(&self, up: usize, precision: Precision) -> Shape {
        Shape {
            width: self.width,
            heads: self.heads,
            head_dim: self.head_dim,
            up,
            down: match self.feed_forward {
                FeedForward::Plain(_) => up,
                FeedForward::Gated(_) => up / 2,
            },
            norm_first: self.norm_first,
            biased: matches!(self.position, Position::Alibi | Position::Relative { .. }),
            precision,
        }
    }
}

/// `y = x W^T + b`.
#[derive(Debug, Clone)]
pub(crate) struct Affine {
    /// `[outputs, inputs]`.
    pub(crate) weight: Tensor,
    /// `[outputs]`.
    pub(crate) bias: Option<Tensor>,
}

/// A normalisation over the last dimension.
#[derive(Debug, Clone)]
pub(crate) struct NormWeights {
    pub(crate) kind: NormKind,
    pub(crate) epsilon: f32,
    pub(crate) weight: Tensor,
    pub(crate) bias: Option<Tensor>,
}

/// One layer: as it is read, packed for the kernels, or placed on a device.
#[derive(Debug, Clone)]
pub(crate) struct Block<Norm, Linear> {
    pub(crate) attention_norm: Norm,
    /// Queries, keys and values in one product: `[3 * heads * head_dim, width]`.
    pub(crate) qkv: Linear,
    /// Over the queries of all heads together, before they are turned.
    pub(crate) query_norm: Option<Norm>,
    pub(crate) key_norm: Option<Norm>,
    pub(crate) out: Linear,
    pub(crate) feed_norm: Norm,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

/// One layer as it is read.
pub(crate) type BlockWeights = Block<NormWeights, Affine>;

impl BlockWeights {
    /// The same layer with each part in another form.
    pub(crate) fn map<Norm, Linear, E>(
        &self,
        norm: impl Fn(&NormWeights) -> Result<Norm, E>,
        linear: impl Fn(&Affine) -> Result<Linear, E>,
    ) -> Result<Block<Norm, Linear>, E> {
        Ok(Block {
            attention_norm: norm(&self.attention_norm)?,
            qkv: linear(&self.qkv)?,
            query_norm: self.query_norm.as_ref().map(&norm).transpose()?,
            key_norm: self.key_norm.as_ref().map(&norm).transpose()?,
            out: linear(&self.out)?,
            feed_norm: norm(&self.feed_norm)?,
            up: linear(&self.up)?,
            down: linear(&self.down)?,
        })
    }
}

/// From tokens to the first layer's input.
#[derive(Debug, Clone)]
pub(crate) struct EmbeddingWeights {
    /// `[vocabulary, width]`.
    pub(crate) words: Tensor,
    /// Learned positions and the row of the first token: `[positions, width]`.
    pub(crate) positions: Option<(Tensor, usize)>,
    /// Added to every token (the one segment that BERT's checkpoints have): `[width]`.
    pub(crate) constant: Option<Tensor>,
    pub(crate) norm: Option<NormWeights>,
    /// ESM's: the mask token's vector is zero, and all vectors are multiplied by
    /// `0.88 / (1 - share of mask tokens)`, as if 12 % of the tokens were masked in training too.
    pub(crate) token_dropout: Option<u32>,
}

/// The factor of ESM's token dropout: one less the share of masked tokens in training (15 % of
/// the tokens are chosen, 80 % of those masked).
pub(crate) const KEPT_IN_TRAINING: f32 = 1.0 - 0.15 * 0.8;

/// A model whose layers are still in the checkpoint's files.
pub(crate) struct Source<'a> {
    pub(crate) architecture: Architecture,
    pub(crate) embedding: EmbeddingWeights,
    /// Reads one layer; each is read once, in order.
    pub(crate) block: Box<dyn Fn(usize) -> Result<BlockWeights, EmbedError> + 'a>,
    pub(crate) final_norm: Option<NormWeights>,
}

/// ALiBi's slope of a head (Press, Smith and Lewis 2022): a geometric sequence from
/// `2^(-8 / heads)`; for a number of heads that is no power of two, every second one of the next
/// power fills up.
pub(crate) fn alibi_slopes(heads: usize) -> Vec<f32> {
    let powers = |n: usize| -> Vec<f32> {
        let start = (2.0_f64).powf(-8.0 / n as f64);
        (1..=n).map(|i| start.powi(i as i32) as f32).collect()
    };
    if heads.is_power_of_two() {
        return powers(heads);
    }
    let closest = heads.next_power_of_two() / 2;
    let mut slopes = powers(closest);
    slopes.extend(
        powers(2 * closest)
            .into_iter()
            .step_by(2)
            .take(heads - closest),
    );
    slopes
}

/// T5's bucket of an offset (key - query) for an encoder, which looks both ways: half of the
/// buckets for keys after the query; of each half, the first half for single distances and the
/// rest in logarithmic steps up to `max_distance`.
pub(crate) fn relative_bucket(offset: isize, buckets: usize, max_distance: usize) -> usize {
    let half = buckets / 2;
    let after = if offset > 0 { half } else { 0 };
    let distance = offset.unsigned_abs();
    let exact = half / 2;
    if distance < exact {
        return after + distance;
    }
    let ratio = (distance as f32 / exact as f32).ln() / (max_distance as f32 / exact as f32).ln();
    let step = (ratio * (half - exact) as f32) as usize;
    after + (exact + step).min(half - 1)
}
