//! One layer: norm, Hyena operator, norm, perceptron.

use rayon::prelude::*;

use super::convolution::Convolution;
use super::filter::{BLOCK, Filter};
use super::{HyenaConfig, LAYER_EPSILON};
use crate::EmbedError;
use crate::checkpoint::Weights;
use crate::kernel::{
    Activation, Depthwise, Direction, Linear, Norm, NormKind, Output, ROW, matmul,
};
use crate::model::long::{linear, norm, numbers, rows_at_once};

pub(super) struct Layer {
    width: usize,
    first_norm: Norm,
    /// Gate, key and value in one product.
    project: Linear,
    short: Depthwise,
    /// Numbers of a row of projections, whole vectors.
    stride: usize,
    long: Convolution,
    out: Linear,
    second_norm: Norm,
    up: Linear,
    down: Linear,
}

/// What is as long as the sequence, kept from layer to layer.
#[derive(Default)]
pub(super) struct Buffers {
    gate: Vec<f32>,
    product: Vec<f32>,
    mixed: Vec<f32>,
}

/// A thread's buffers for a few rows.
#[derive(Default)]
struct Few {
    normed: Vec<f32>,
    wide: Vec<f32>,
    convolved: Vec<f32>,
}

impl Layer {
    pub(super) fn load(
        weights: &Weights,
        name: &str,
        config: &HyenaConfig,
    ) -> Result<Self, EmbedError> {
        let width = config.d_model;
        let stride = (3 * width).next_multiple_of(ROW);
        let layer_norm = |part: &str| {
            norm(
                weights,
                &format!("{name}.{part}"),
                NormKind::Layer,
                LAYER_EPSILON,
            )
        };
        let affine = |part: &str, inputs: usize, outputs: usize| {
            linear(weights, &format!("{name}.{part}"), inputs, outputs)
        };
        let short = |part: &str| numbers(weights, &format!("{name}.mixer.short_filter.{part}"));
        let filter = Filter::load(weights, &format!("{name}.mixer.filter_fn"), config)?;
        Ok(Self {
            width,
            first_norm: layer_norm("norm1")?,
            project: affine("mixer.in_proj", width, 3 * width)?,
            short: Depthwise::new(&short("weight")?, Some(&short("bias")?), 3 * width, stride),
            stride,
            long: Convolution::new(filter, width),
            out: affine("mixer.out_proj", width, width)?,
            second_norm: layer_norm("norm2")?,
            up: affine("mlp.fc1", width, config.inner())?,
            down: affine("mlp.fc2", config.inner(), width)?,
        })
    }

    /// Adds to a sequence's hidden states, `[tokens, width]`, what the layer makes of them.
    pub(super) fn apply(&self, hidden: &mut [f32], buffers: &mut Buffers) {
        let width = self.width;
        let rows = rows_at_once(self.up.outputs().max(self.stride));
        buffers.gate.resize(hidden.len(), 0.0);
        buffers.product.resize(hidden.len(), 0.0);
        let before = &*hidden;
        buffers
            .gate
            .par_chunks_mut(rows * width)
            .zip(buffers.product.par_chunks_mut(rows * width))
            .enumerate()
            .for_each_init(Few::default, |few, (chunk, (gate, product))| {
                self.projections(before, chunk * rows, few, gate, product);
            });
        self.long.apply(&buffers.product, &mut buffers.mixed);
        let (gate, mixed) = (&buffers.gate, &buffers.mixed);
        hidden
            .par_chunks_mut(rows * width)
            .zip(gate.par_chunks(rows * width))
            .enumerate()
            .for_each_init(Few::default, |few, (chunk, (hidden, gate))| {
                self.rest(hidden, chunk * rows, gate, mixed, few);
            });
    }

    /// The gate and the product of key and value of the rows from `first` on.
    fn projections(
        &self,
        hidden: &[f32],
        first: usize,
        few: &mut Few,
        gate: &mut [f32],
        product: &mut [f32],
    ) {
        let (width, stride) = (self.width, self.stride);
        let end = first + gate.len() / width;
        // Rows that the short convolution reaches are projected again.
        let from = first.saturating_sub(self.short.reach());
        few.normed.resize((end - from) * width, 0.0);
        self.first_norm
            .apply(&hidden[from * width..end * width], width, &mut few.normed);
        few.wide.resize((end - from) * stride, 0.0);
        let (rows, wide) = (end - from, &mut few.wide);
        matmul(
            &few.normed,
            width,
            rows,
            &self.project,
            wide,
            stride,
            Output::Store,
        );
        few.convolved.resize((end - first) * stride, 0.0);
        let convolved = &mut few.convolved;
        self.short
            .apply(wide, first - from, Direction::Forward, false, convolved);
        for ((row, gate), product) in convolved
            .chunks_exact(stride)
            .zip(gate.chunks_exact_mut(width))
            .zip(product.chunks_exact_mut(width))
        {
            gate.copy_from_slice(&row[..width]);
            let pairs = row[width..2 * width].iter().zip(&row[2 * width..3 * width]);
            for (product, (key, value)) in product.iter_mut().zip(pairs) {
                *product = key * value;
            }
        }
    }

    /// What follows the long convolution, for the rows of `hidden`, of which `first` is the first.
    fn rest(&self, hidden: &mut [f32], first: usize, gate: &[f32], mixed: &[f32], few: &mut Few) {
        let width = self.width;
        let rows = hidden.len() / width;
        let tokens = mixed.len() / width.next_multiple_of(BLOCK);
        let context = &mut few.normed;
        context.resize(rows * width, 0.0);
        for (block, mixed) in mixed.chunks_exact(tokens * BLOCK).enumerate() {
            let at = block * BLOCK;
            let channels = (width - at).min(BLOCK);
            let mixed = mixed[first * BLOCK..].chunks_exact(BLOCK);
            let rows = context
                .chunks_exact_mut(width)
                .zip(gate.chunks_exact(width));
            for ((row, gate), mixed) in rows.zip(mixed) {
                for channel in 0..channels {
                    row[at + channel] = mixed[channel] * gate[at + channel];
                }
            }
        }
        let add = Output::Add(1.0);
        matmul(context, width, rows, &self.out, hidden, width, add);
        let normed = context;
        self.second_norm.apply(hidden, width, normed);
        let inner = self.up.outputs();
        few.wide.resize(rows * inner, 0.0);
        let activate = Output::Activate(Activation::GeluTanh);
        matmul(
            normed,
            width,
            rows,
            &self.up,
            &mut few.wide,
            inner,
            activate,
        );
        matmul(&few.wide, inner, rows, &self.down, hidden, width, add);
    }
}
