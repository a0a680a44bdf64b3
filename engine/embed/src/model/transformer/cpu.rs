//! The encoder on one core of the CPU.
//!
//! A layer is two passes over the tokens with attention between them. In a pass a few dozen rows
//! go through norm, products and residual together, so that what lies between stays in the
//! second-level cache; only queries, keys and values are written out for all tokens.

use candle_core::{DType, Tensor};

use super::packed::Packed;
use super::{
    Architecture, EmbeddingWeights, FeedForward, KEPT_IN_TRAINING, NormWeights, Position, Source,
    alibi_slopes, relative_bucket,
};
use crate::error::tensor;
use crate::kernel::{
    Affine, Attention, AttentionScratch, NarrowScratch, Norm, Output, RelativeBias, Rotary, gate,
};
use crate::memory::Shape;
use crate::{EmbedError, Precision};

type Block = super::Block<Norm, Affine>;

struct Embedding {
    words: Vec<f32>,
    positions: Option<(Vec<f32>, usize)>,
    constant: Option<Vec<f32>>,
    norm: Option<Norm>,
    token_dropout: Option<u32>,
}

/// A model in this processor's memory.
pub(crate) struct Transformer {
    architecture: Architecture,
    shape: Shape,
    embedding: Embedding,
    blocks: Vec<Block>,
    final_norm: Option<Norm>,
    /// What depends on the longest sequence, made for the longest one allowed.
    rotary: Option<Rotary>,
    bias: Option<RelativeBias>,
}

/// Buffers of one thread, kept from batch to batch.
#[derive(Default)]
pub(crate) struct Scratch {
    hidden: Vec<f32>,
    normed: Vec<f32>,
    qkv: Vec<f32>,
    context: Vec<f32>,
    inner: Vec<f32>,
    maps: Vec<f32>,
    attention: AttentionScratch,
    narrow: NarrowScratch,
}

impl Scratch {
    /// Bytes that it holds, but for attention maps.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        let buffers = [
            &self.hidden,
            &self.normed,
            &self.qkv,
            &self.context,
            &self.inner,
        ];
        let numbers: usize = buffers.iter().map(|buffer| buffer.capacity()).sum();
        numbers * size_of::<f32>() + self.attention.bytes() + self.narrow.bytes()
    }
}

/// Told of what passes by, for tests and for contact maps.
pub(crate) trait Watch {
    /// Hidden states before layer `layer`: `[tokens, width]`.
    fn hidden(&mut self, _layer: usize, _states: &[f32]) {}
    /// Whether `maps` wants to be called.
    fn wants_maps(&self) -> bool {
        false
    }
    /// Attention of one sequence in a layer: `[heads, tokens, tokens]`, rows sum to 1.
    fn maps(&mut self, _layer: usize, _sequence: usize, _maps: &[f32]) {}
}

/// Watches nothing.
pub(crate) struct Blind;
impl Watch for Blind {}

fn numbers(tensor_: &Tensor) -> Result<Vec<f32>, EmbedError> {
    tensor_
        .to_dtype(DType::F32)
        .and_then(|t| t.flatten_all())
        .and_then(|t| t.to_vec1::<f32>())
        .map_err(tensor("reading a weight"))
}

fn norm(weights: &NormWeights) -> Result<Norm, EmbedError> {
    Ok(Norm {
        kind: weights.kind,
        epsilon: weights.epsilon,
        weight: numbers(&weights.weight)?,
        bias: weights.bias.as_ref().map(numbers).transpose()?,
    })
}

fn affine(precision: Precision, affine: &super::Affine) -> Result<Affine, EmbedError> {
    let (outputs, inputs) = affine.weight.dims2().map_err(tensor("reading a weight"))?;
    let bias = affine.bias.as_ref().map(numbers).transpose()?;
    Ok(Affine::new(
        precision,
        &numbers(&affine.weight)?,
        bias.as_deref(),
        inputs,
        outputs,
    ))
}

fn embedding(weights: &EmbeddingWeights) -> Result<Embedding, EmbedError> {
    Ok(Embedding {
        words: numbers(&weights.words)?,
        positions: match &weights.positions {
            Some((table, first)) => Some((numbers(table)?, *first)),
            None => None,
        },
        constant: weights.constant.as_ref().map(numbers).transpose()?,
        norm: weights.norm.as_ref().map(norm).transpose()?,
        token_dropout: weights.token_dropout,
    })
}

fn relative_bias(
    architecture: &Architecture,
    max_tokens: usize,
) -> Result<Option<RelativeBias>, EmbedError> {
    let heads = architecture.heads;
    Ok(match &architecture.position {
        Position::Absolute | Position::Rotary(_) => None,
        Position::Alibi => {
            let slopes = alibi_slopes(heads);
            Some(RelativeBias::new(heads, max_tokens, |head, offset| {
                -slopes[head] * offset.unsigned_abs() as f32
            }))
        }
        Position::Relative {
            table,
            max_distance,
        } => {
            let values = numbers(table)?;
            let buckets = values.len() / heads;
            Some(RelativeBias::new(heads, max_tokens, |head, offset| {
                values[relative_bucket(offset, buckets, *max_distance) * heads + head]
            }))
        }
    })
}

impl Transformer {
    /// Reads and packs every layer. `max_tokens` is the longest sequence that will come.
    ///
    /// # Errors
    /// A tensor is missing or has another shape.
    pub(crate) fn load(
        source: &Source<'_>,
        max_tokens: usize,
        precision: Precision,
    ) -> Result<Self, EmbedError> {
        let architecture = source.architecture.clone();
        let blocks: Vec<Block> = (0..architecture.layers)
            .map(|layer| (source.block)(layer)?.map(norm, |map| affine(precision, map)))
            .collect::<Result<_, EmbedError>>()?;
        let rotary = match architecture.position {
            Position::Rotary(base) => {
                let mut rotary = Rotary::new(base, architecture.head_dim);
                rotary.reserve(max_tokens);
                Some(rotary)
            }
            _ => None,
        };
        let up = blocks.first().map_or(0, |block| block.up.outputs());
        Ok(Self {
            shape: architecture.shape(up, precision),
            embedding: embedding(&source.embedding)?,
            blocks,
            final_norm: source.final_norm.as_ref().map(norm).transpose()?,
            rotary,
            bias: relative_bias(&architecture, max_tokens)?,
            architecture,
        })
    }

    /// What decides how much memory a batch takes.
    pub(crate) const fn shape(&self) -> Shape {
        self.shape
    }

    /// The last hidden states of a batch: `[tokens, width]`.
    pub(crate) fn forward<'s>(
        &self,
        batch: &Packed,
        scratch: &'s mut Scratch,
        watch: &mut dyn Watch,
    ) -> &'s [f32] {
        let width = self.architecture.width;
        let mut hidden = std::mem::take(&mut scratch.hidden);
        self.embed(batch, &mut hidden);
        for (layer, block) in self.blocks.iter().enumerate() {
            watch.hidden(layer, &hidden);
            self.queries_keys_values(block, &hidden, scratch);
            self.attend(layer, batch, scratch, watch);
            self.feed(block, &mut hidden, scratch);
        }
        if let Some(norm) = &self.final_norm {
            norm.apply_in_place(&mut hidden, width);
        }
        watch.hidden(self.blocks.len(), &hidden);
        scratch.hidden = hidden;
        &scratch.hidden
    }

    fn embed(&self, batch: &Packed, hidden: &mut Vec<f32>) {
        let width = self.architecture.width;
        let embedding = &self.embedding;
        let tokens = batch.tokens();
        hidden.clear();
        hidden.reserve_exact(tokens.len() * width);
        for range in batch.ranges() {
            let tokens = &tokens[range];
            let factor = embedding.token_dropout.map_or(1.0, |mask| {
                let masked = tokens.iter().filter(|token| **token == mask).count();
                KEPT_IN_TRAINING / (1.0 - masked as f32 / tokens.len() as f32)
            });
            for (position, token) in tokens.iter().enumerate() {
                let at = hidden.len();
                if embedding.token_dropout == Some(*token) {
                    hidden.resize(at + width, 0.0);
                } else {
                    let word = *token as usize * width;
                    let word = &embedding.words[word..word + width];
                    hidden.extend(word.iter().map(|x| x * factor));
                }
                let row = &mut hidden[at..];
                if let Some((table, first)) = &embedding.positions {
                    let from = (first + position) * width;
                    add(row, &table[from..from + width]);
                }
                if let Some(constant) = &embedding.constant {
                    add(row, constant);
                }
            }
        }
        if let Some(norm) = &embedding.norm {
            norm.apply_in_place(hidden, width);
        }
    }

    fn queries_keys_values(&self, block: &Block, hidden: &[f32], scratch: &mut Scratch) {
        let width = self.architecture.width;
        let inner = self.architecture.heads * self.architecture.head_dim;
        let rows = hidden.len() / width;
        size(&mut scratch.qkv, rows * 3 * inner);
        let step = self.shape.rows_at_once();
        for (from, to) in hidden
            .chunks(step * width)
            .zip(scratch.qkv.chunks_mut(step * 3 * inner))
        {
            let rows = from.len() / width;
            let from = if self.architecture.norm_first {
                size(&mut scratch.normed, rows * width);
                block.attention_norm.apply(from, width, &mut scratch.normed);
                &scratch.normed
            } else {
                from
            };
            let narrow = &mut scratch.narrow;
            block.qkv.apply(from, width, to, Output::Store, narrow);
            if let Some(norm) = &block.query_norm {
                norm.apply_in_place(to, 3 * inner);
            }
            if let Some(norm) = &block.key_norm {
                norm.apply_in_place(&mut to[inner..], 3 * inner);
            }
        }
    }

    fn attend(&self, layer: usize, batch: &Packed, scratch: &mut Scratch, watch: &mut dyn Watch) {
        let Architecture {
            heads, head_dim, ..
        } = self.architecture;
        let inner = heads * head_dim;
        size(&mut scratch.context, batch.tokens().len() * inner);
        let attention = Attention {
            heads,
            head_dim,
            scale: self.architecture.score_scale,
            rotary: self.rotary.as_ref(),
            bias: self.bias.as_ref(),
        };
        for (sequence, range) in batch.ranges().enumerate() {
            let tokens = range.len();
            let qkv = &scratch.qkv[range.start * 3 * inner..range.end * 3 * inner];
            let to = &mut scratch.context[range.start * inner..range.end * inner];
            if watch.wants_maps() {
                scratch.maps.resize(heads * tokens * tokens, 0.0);
                let maps = Some(scratch.maps.as_mut_slice());
                attention.apply(qkv, tokens, to, maps, &mut scratch.attention);
                watch.maps(layer, sequence, &scratch.maps);
            } else {
                attention.apply(qkv, tokens, to, None, &mut scratch.attention);
            }
        }
    }

    fn feed(&self, block: &Block, hidden: &mut [f32], scratch: &mut Scratch) {
        let width = self.architecture.width;
        let inner = self.architecture.heads * self.architecture.head_dim;
        let add = Output::Add(self.architecture.residual_scale);
        let step = self.shape.rows_at_once();
        for (hidden, context) in hidden
            .chunks_mut(step * width)
            .zip(scratch.context.chunks(step * inner))
        {
            let rows = hidden.len() / width;
            let narrow = &mut scratch.narrow;
            block.out.apply(context, inner, hidden, add, narrow);
            let from = if self.architecture.norm_first {
                size(&mut scratch.normed, rows * width);
                block.feed_norm.apply(hidden, width, &mut scratch.normed);
                scratch.normed.as_slice()
            } else {
                block.attention_norm.apply_in_place(hidden, width);
                &*hidden
            };
            let wide = block.up.outputs();
            size(&mut scratch.inner, rows * wide);
            let up = &mut scratch.inner;
            match self.architecture.feed_forward {
                FeedForward::Plain(activation) => {
                    let output = Output::Activate(activation);
                    block.up.apply(from, width, up, output, narrow);
                }
                FeedForward::Gated(activation) => {
                    block.up.apply(from, width, up, Output::Store, narrow);
                    gate(up, wide / 2, activation);
                }
            }
            block.down.apply(up, wide, hidden, add, narrow);
            if !self.architecture.norm_first {
                block.feed_norm.apply_in_place(hidden, width);
            }
        }
    }
}

/// Makes a buffer this long, with no room over: the plan of the memory counts on it.
fn size(buffer: &mut Vec<f32>, numbers: usize) {
    buffer.reserve_exact(numbers.saturating_sub(buffer.len()));
    buffer.resize(numbers, 0.0);
}

fn add(row: &mut [f32], to: &[f32]) {
    for (x, y) in row.iter_mut().zip(to) {
        *x += y;
    }
}
