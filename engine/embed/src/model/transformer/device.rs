//! The encoder as Candle tensors: on a GPU, and on the CPU as what the kernels are tested against.
//!
//! Sequences of a batch are padded to the longest; they come sorted by length, so little is lost.
//! Products run in the precision that was asked for (f32 without TF32, or bf16), the residual stream, angles, norms and
//! softmax in single precision.

use candle_core::{D, DType, Device, IndexOp as _, Tensor};

use super::cpu::{Blind, Watch};
use super::packed::Packed;
use super::pooled::Pool;
use super::{
    Affine, Architecture, EmbeddingWeights, FeedForward, KEPT_IN_TRAINING, NormWeights, Position,
    Source, alibi_slopes, relative_bucket,
};
use crate::error::tensor;
use crate::kernel::NormKind;
use crate::memory::Shape;
use crate::ops::{Candle, activate};
use crate::{EmbedError, Precision};

/// A score that no softmax sees. Not infinity, which would make a row of padding NaN.
const HIDDEN: f32 = -1e30;

struct Linear {
    /// `[inputs, outputs]`.
    weight: Tensor,
    bias: Option<Tensor>,
}

struct Norm {
    kind: NormKind,
    epsilon: f32,
    weight: Tensor,
    bias: Tensor,
}

type Block = super::Block<Norm, Linear>;

/// A model in a device's memory.
pub(crate) struct Transformer {
    architecture: Architecture,
    shape: Shape,
    embedding: EmbeddingWeights,
    embedding_norm: Option<Norm>,
    blocks: Vec<Block>,
    final_norm: Option<Norm>,
    /// Cosines and sines, `[positions, head_dim / 2]`.
    rotary: Option<(Tensor, Tensor)>,
    device: Device,
    dtype: DType,
}

fn linear(affine: &Affine, device: &Device, dtype: DType) -> Candle<Linear> {
    let place = |t: &Tensor| t.to_dtype(dtype)?.to_device(device);
    Ok(Linear {
        weight: place(&affine.weight.t()?.contiguous()?)?,
        bias: affine.bias.as_ref().map(place).transpose()?,
    })
}

fn norm(weights: &NormWeights, device: &Device) -> Candle<Norm> {
    let bias = match &weights.bias {
        Some(bias) => bias.clone(),
        None => weights.weight.zeros_like()?,
    };
    Ok(Norm {
        kind: weights.kind,
        epsilon: weights.epsilon,
        weight: weights.weight.to_device(device)?,
        bias: bias.to_device(device)?,
    })
}

impl Linear {
    fn apply(&self, x: &Tensor) -> Candle<Tensor> {
        let y = x.to_dtype(self.weight.dtype())?.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

impl Norm {
    fn apply(&self, x: &Tensor) -> Candle<Tensor> {
        let x = x.to_dtype(DType::F32)?.contiguous()?;
        match self.kind {
            NormKind::Layer => {
                candle_nn::ops::layer_norm(&x, &self.weight, &self.bias, self.epsilon)
            }
            NormKind::Rms => candle_nn::ops::rms_norm(&x, &self.weight, self.epsilon),
        }
    }
}

impl Transformer {
    /// Reads every layer onto the device.
    pub(crate) fn load(
        source: &Source<'_>,
        max_tokens: usize,
        device: &Device,
        precision: Precision,
    ) -> Result<Self, EmbedError> {
        let dtype = match precision {
            Precision::F32 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::Int8 => {
                return Err(EmbedError::NoPrecision {
                    given: precision,
                    known: "f32 and bf16 on this device; int8 is computed on CPUs",
                });
            }
        };
        let architecture = source.architecture.clone();
        let blocks: Vec<Block> = (0..architecture.layers)
            .map(|layer| {
                let weights = (source.block)(layer)?;
                weights
                    .map(|n| norm(n, device), |a| linear(a, device, dtype))
                    .map_err(tensor("placing a layer on the device"))
            })
            .collect::<Result<_, EmbedError>>()?;
        let first = blocks.first().map(|block| block.up.weight.dim(D::Minus1));
        let up = first.transpose().map_err(tensor("reading a weight"))?;
        let place = || -> Candle<_> {
            let embedding = EmbeddingWeights {
                words: source.embedding.words.to_device(device)?,
                positions: match &source.embedding.positions {
                    Some((table, first)) => Some((table.to_device(device)?, *first)),
                    None => None,
                },
                constant: match &source.embedding.constant {
                    Some(constant) => Some(constant.to_device(device)?),
                    None => None,
                },
                norm: None,
                token_dropout: source.embedding.token_dropout,
            };
            let norm = |weights: &NormWeights| norm(weights, device);
            Ok((
                embedding,
                source.embedding.norm.as_ref().map(norm).transpose()?,
                source.final_norm.as_ref().map(norm).transpose()?,
                rotary(&architecture, max_tokens, device)?,
            ))
        };
        let (embedding, embedding_norm, final_norm, rotary) =
            place().map_err(tensor("placing a model on the device"))?;
        Ok(Self {
            shape: architecture.shape(up.unwrap_or(0), precision),
            architecture,
            embedding,
            embedding_norm,
            blocks,
            final_norm,
            rotary,
            device: device.clone(),
            dtype,
        })
    }

    /// What decides how much memory a batch takes.
    pub(crate) const fn shape(&self) -> Shape {
        self.shape
    }

    /// The last hidden states of a batch: `[tokens, width]`.
    pub(crate) fn forward(&self, batch: &Packed) -> Result<Vec<f32>, EmbedError> {
        let rows = || -> Candle<Vec<f32>> {
            let x = self.run(batch, &mut Blind)?;
            let (sequences, longest, width) = x.dims3()?;
            // Rows of padding stay behind.
            let rows: Vec<u32> = batch
                .ranges()
                .enumerate()
                .flat_map(|(i, range)| (0..range.len()).map(move |j| (i * longest + j) as u32))
                .collect();
            let rows = Tensor::new(rows, &self.device)?;
            x.reshape((sequences * longest, width))?
                .index_select(&rows, 0)?
                .flatten_all()?
                .to_vec1()
        };
        rows().map_err(tensor("running a model on the device"))
    }

    /// One vector for each sequence of a batch: `[sequences, width]`.
    pub(crate) fn pooled(&self, batch: &Packed, pool: &Pool) -> Result<Vec<f32>, EmbedError> {
        self.run(batch, &mut Blind)
            .and_then(|x| pool.apply(&x)?.flatten_all()?.to_vec1())
            .map_err(tensor("running a model on the device"))
    }

    /// Shows the attention of one sequence in every layer.
    pub(crate) fn show(&self, batch: &Packed, watch: &mut dyn Watch) -> Result<(), EmbedError> {
        self.run(batch, watch)
            .map(|_| ())
            .map_err(tensor("running a model on the device"))
    }

    /// The last hidden states with padding: `[sequences, longest, width]`.
    fn run(&self, batch: &Packed, watch: &mut dyn Watch) -> Candle<Tensor> {
        let (sequences, longest) = (batch.len(), batch.longest());
        let bias = self.score_bias(batch, longest)?;
        let mut x = self.embed(batch, longest)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let mut show = |maps: &Tensor| -> Candle<()> {
                if watch.wants_maps() {
                    let maps = maps.flatten_all()?.to_vec1::<f32>()?;
                    let each = maps.chunks_exact(maps.len() / sequences);
                    for (sequence, maps) in each.enumerate() {
                        watch.maps(layer, sequence, maps);
                    }
                }
                Ok(())
            };
            x = self.layer(block, &x, &bias, (sequences, longest), &mut show)?;
        }
        if let Some(norm) = &self.final_norm {
            x = norm.apply(&x)?;
        }
        x.reshape((sequences, longest, self.architecture.width))
    }

    /// `[sequences * longest, width]`.
    fn embed(&self, batch: &Packed, longest: usize) -> Candle<Tensor> {
        let (sequences, width) = (batch.len(), self.architecture.width);
        let mut ids = vec![0_u32; sequences * longest];
        let mut factors = vec![0.0_f32; sequences * longest];
        for (i, range) in batch.ranges().enumerate() {
            let tokens = &batch.tokens()[range];
            ids[i * longest..i * longest + tokens.len()].copy_from_slice(tokens);
            let mask = self.embedding.token_dropout;
            let factor = mask.map_or(1.0, |mask| {
                let masked = tokens.iter().filter(|token| **token == mask).count();
                KEPT_IN_TRAINING / (1.0 - masked as f32 / tokens.len() as f32)
            });
            for (to, token) in factors[i * longest..].iter_mut().zip(tokens) {
                *to = if mask == Some(*token) { 0.0 } else { factor };
            }
        }
        let ids = Tensor::new(ids, &self.device)?;
        let factors = Tensor::new(factors, &self.device)?.unsqueeze(1)?;
        let mut x = self
            .embedding
            .words
            .index_select(&ids, 0)?
            .broadcast_mul(&factors)?;
        if let Some((table, first)) = &self.embedding.positions {
            let positions = table.i(*first..first + longest)?;
            x = x
                .reshape((sequences, longest, width))?
                .broadcast_add(&positions)?
                .reshape((sequences * longest, width))?;
        }
        if let Some(constant) = &self.embedding.constant {
            x = x.broadcast_add(constant)?;
        }
        match &self.embedding_norm {
            Some(norm) => norm.apply(&x),
            None => Ok(x),
        }
    }

    /// What is added to the scores: `[sequences, heads or 1, longest or 1, longest]`.
    fn score_bias(&self, batch: &Packed, longest: usize) -> Candle<Tensor> {
        let sequences = batch.len();
        let mut hidden = vec![0.0_f32; sequences * longest];
        for (i, range) in batch.ranges().enumerate() {
            hidden[i * longest + range.len()..(i + 1) * longest].fill(HIDDEN);
        }
        let hidden = Tensor::from_vec(hidden, (sequences, 1, 1, longest), &self.device)?;
        let heads = self.architecture.heads;
        let bias = |value: &dyn Fn(usize, isize) -> f32| -> Candle<Tensor> {
            let mut all = Vec::with_capacity(heads * longest * longest);
            for head in 0..heads {
                for query in 0..longest as isize {
                    all.extend((0..longest as isize).map(|key| value(head, key - query)));
                }
            }
            Tensor::from_vec(all, (1, heads, longest, longest), &self.device)
        };
        match &self.architecture.position {
            Position::Absolute | Position::Rotary(_) => Ok(hidden),
            Position::Alibi => {
                let slopes = alibi_slopes(heads);
                let bias = bias(&|head, offset| -slopes[head] * offset.unsigned_abs() as f32)?;
                hidden.broadcast_add(&bias)
            }
            Position::Relative {
                table,
                max_distance,
            } => {
                let table = table.to_vec2::<f32>()?;
                let bias = bias(&|head, offset| {
                    table[relative_bucket(offset, table.len(), *max_distance)][head]
                })?;
                hidden.broadcast_add(&bias)
            }
        }
    }

    fn layer(
        &self,
        block: &Block,
        x: &Tensor,
        bias: &Tensor,
        size: (usize, usize),
        show: &mut dyn FnMut(&Tensor) -> Candle<()>,
    ) -> Candle<Tensor> {
        let first = self.architecture.norm_first;
        let scale = f64::from(self.architecture.residual_scale);
        let residual =
            |x: &Tensor, y: Tensor| -> Candle<Tensor> { x + (y.to_dtype(DType::F32)? * scale)? };
        let y = if first {
            block.attention_norm.apply(x)?
        } else {
            x.clone()
        };
        let y = self.attention(block, &y, bias, size, show)?;
        let mut x = residual(x, y)?;
        if !first {
            x = block.attention_norm.apply(&x)?;
        }
        let y = if first {
            block.feed_norm.apply(&x)?
        } else {
            x.clone()
        };
        let up = block.up.apply(&y)?;
        let y = match self.architecture.feed_forward {
            FeedForward::Plain(activation) => activate(&up, activation)?,
            FeedForward::Gated(activation) => {
                let half = up.dim(D::Minus1)? / 2;
                let gate = activate(&up.narrow(D::Minus1, 0, half)?.contiguous()?, activation)?;
                (gate * up.narrow(D::Minus1, half, half)?)?
            }
        };
        let x = residual(&x, block.down.apply(&y)?)?;
        if first {
            Ok(x)
        } else {
            block.feed_norm.apply(&x)
        }
    }

    fn attention(
        &self,
        block: &Block,
        x: &Tensor,
        bias: &Tensor,
        (sequences, longest): (usize, usize),
        show: &mut dyn FnMut(&Tensor) -> Candle<()>,
    ) -> Candle<Tensor> {
        let Architecture {
            heads, head_dim, ..
        } = self.architecture;
        let inner = heads * head_dim;
        let qkv = block.qkv.apply(x)?;
        let part = |at: usize, norm: Option<&Norm>| -> Candle<Tensor> {
            let part = qkv.narrow(D::Minus1, at * inner, inner)?;
            let part = match norm {
                Some(norm) => norm.apply(&part)?,
                None => part.to_dtype(DType::F32)?,
            };
            part.reshape((sequences, longest, heads, head_dim))?
                .transpose(1, 2)?
                .contiguous()
        };
        let turn = |x: Tensor| -> Candle<Tensor> {
            match &self.rotary {
                Some((cos, sin)) => candle_nn::rotary_emb::rope(&x, cos, sin),
                None => Ok(x),
            }
        };
        let query = turn(part(0, block.query_norm.as_ref())?)?;
        let query = (query * f64::from(self.architecture.score_scale))?.to_dtype(self.dtype)?;
        let key = turn(part(1, block.key_norm.as_ref())?)?.to_dtype(self.dtype)?;
        let value = part(2, None)?.to_dtype(self.dtype)?;
        let scores = query
            .matmul(&key.transpose(2, 3)?)?
            .to_dtype(DType::F32)?
            .broadcast_add(bias)?;
        let weights = candle_nn::ops::softmax_last_dim(&scores)?;
        show(&weights)?;
        let y = weights
            .to_dtype(self.dtype)?
            .matmul(&value)?
            .transpose(1, 2)?
            .reshape((sequences * longest, inner))?;
        block.out.apply(&y)
    }
}

fn rotary(
    architecture: &Architecture,
    positions: usize,
    device: &Device,
) -> Candle<Option<(Tensor, Tensor)>> {
    let Position::Rotary(base) = architecture.position else {
        return Ok(None);
    };
    let half = architecture.head_dim / 2;
    let angles: Vec<f64> = (0..positions)
        .flat_map(|position| {
            (0..half).map(move |i| {
                let frequency = (1.0 / base.powf(i as f64 / half as f64)) as f32;
                f64::from(position as f32 * frequency)
            })
        })
        .collect();
    let table = |f: fn(f64) -> f64| {
        let values: Vec<f32> = angles.iter().map(|angle| f(*angle) as f32).collect();
        Tensor::from_vec(values, (positions, half), device)
    };
    Ok(Some((table(f64::cos)?, table(f64::sin)?)))
}
