//! The long filter of a Hyena operator: not stored tap by tap, but computed from the position.
//!
//! A perceptron with sines between its layers turns an embedding of the position into the taps of
//! all channels there, and an exponential window, of another width for each channel, makes most
//! channels look at what is near.

use rayon::prelude::*;

use super::HyenaConfig;
use crate::EmbedError;
use crate::checkpoint::Weights;
use crate::kernel::{Linear, Output, matmul};
use crate::model::long::{in_blocks, linear, numbers};

/// Channels whose taps are made together: a cache line of each row.
pub(super) const BLOCK: usize = 16;

/// Positions that go through the perceptron together.
const ROWS: usize = 192;

/// What the window keeps of a tap at any distance.
const SHIFT: f32 = 0.05;

pub(super) struct Filter {
    /// Embedded positions, `[longest, embedded]`.
    positions: Vec<f32>,
    embedded: usize,
    /// The same from 0 to 1, for the window: `[longest]`.
    times: Vec<f32>,
    /// How fast the window of each channel falls, `[width]`.
    decays: Vec<f32>,
    /// Frequencies of the sines, `[order]`.
    frequencies: Vec<f32>,
    layers: Vec<Linear>,
    /// The last layer, by blocks of channels.
    last: Vec<Linear>,
    /// What the product itself is multiplied by and added, `[width]`: one more at distance 0.
    bias: Vec<f32>,
}

/// What the perceptron makes of the first positions before its last layer: `[positions, order]`.
pub(super) struct Features {
    values: Vec<f32>,
}

impl Filter {
    pub(super) fn load(
        weights: &Weights,
        name: &str,
        config: &HyenaConfig,
    ) -> Result<Self, EmbedError> {
        let order = config.filter_order;
        let mlp = format!("{name}.implicit_filter");
        let layers = (0..=config.num_inner_mlps)
            .map(|at| {
                let inputs = if at == 0 { config.emb_dim } else { order };
                linear(weights, &format!("{mlp}.{}", 2 * at), inputs, order)
            })
            .collect::<Result<_, _>>()?;
        let last = format!("{mlp}.{}", 2 * (config.num_inner_mlps + 1));
        Ok(Self {
            positions: numbers(weights, &format!("{name}.pos_emb.z"))?,
            embedded: config.emb_dim,
            times: numbers(weights, &format!("{name}.pos_emb.t"))?,
            decays: numbers(weights, &format!("{name}.modulation.deltas"))?
                .iter()
                .map(|delta| delta.abs())
                .collect(),
            frequencies: match config.train_freq {
                true => numbers(weights, &format!("{mlp}.1.freq"))?,
                false => vec![config.activation_freq as f32; order],
            },
            layers,
            last: in_blocks(weights, &last, order, BLOCK)?,
            bias: numbers(weights, &format!("{name}.bias"))?,
        })
    }

    /// The longest filter there is.
    pub(super) const fn longest(&self) -> usize {
        self.times.len()
    }

    /// The part of the taps at distances below `positions` that all channels share.
    pub(super) fn features(&self, positions: usize) -> Features {
        let order = self.frequencies.len();
        let mut values = vec![0.0; positions * order];
        values
            .par_chunks_mut(ROWS * order)
            .zip(self.positions[..positions * self.embedded].par_chunks(ROWS * self.embedded))
            .for_each_init(Vec::new, |inner, (to, from)| {
                let rows = to.len() / order;
                for (at, layer) in self.layers.iter().enumerate() {
                    if at == 0 {
                        matmul(from, self.embedded, rows, layer, to, order, Output::Store);
                    } else {
                        inner.clear();
                        inner.extend_from_slice(to);
                        matmul(inner, order, rows, layer, to, order, Output::Store);
                    }
                    for row in to.chunks_exact_mut(order) {
                        for (x, frequency) in row.iter_mut().zip(&self.frequencies) {
                            *x = (*x * frequency).sin();
                        }
                    }
                }
            });
        Features { values }
    }

    /// The taps of a block of channels, `[positions, BLOCK]`, of which the channels that exist are
    /// written; `rows` is room for a few rows.
    pub(super) fn taps(
        &self,
        features: &Features,
        block: usize,
        rows: &mut Vec<f32>,
        taps: &mut [f32],
    ) {
        let order = self.frequencies.len();
        let layer = &self.last[block];
        let channels = layer.outputs();
        let first = block * BLOCK;
        let decays = &self.decays[first..first + channels];
        rows.resize(ROWS * BLOCK, 0.0);
        for (chunk, from) in features.values.chunks(ROWS * order).enumerate() {
            let count = from.len() / order;
            matmul(from, order, count, layer, rows, BLOCK, Output::Store);
            for (row, values) in rows.chunks_exact(BLOCK).take(count).enumerate() {
                let at = chunk * ROWS + row;
                let time = self.times[at];
                for (channel, decay) in decays.iter().enumerate() {
                    let window = (-time * decay).exp() + SHIFT;
                    taps[at * BLOCK + channel] = values[channel] * window;
                }
            }
        }
        for (channel, bias) in self.bias[first..first + channels].iter().enumerate() {
            taps[channel] += bias;
        }
    }
}
