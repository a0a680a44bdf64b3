//! One layer: norm, and Mamba in both directions.
//!
//! Two passes over the tokens, a few dozen at a time, so that what lies between projection and
//! scan stays in cache: backward, whose results are kept, and forward, which adds them up and
//! projects them back. The projections are the same for both directions, so each is made once.

use super::Shape;
use crate::EmbedError;
use crate::checkpoint::Weights;
use crate::kernel::{
    Depthwise, Direction, Linear, Norm, Output, ROW, Scan, ScanInput, gate_sum, matmul, softplus,
};
use crate::model::long::{linear, norm, numbers, rows_at_once};

pub(super) struct Layer {
    width: usize,
    inner: usize,
    /// Numbers between rows of `inner`, whole vectors.
    stride: usize,
    norm: Norm,
    /// What goes through convolution and scan.
    project: Linear,
    /// What gates their result.
    gate: Linear,
    forward: Way,
    backward: Way,
    out: Linear,
}

/// What the two directions do not share.
struct Way {
    direction: Direction,
    conv: Depthwise,
    /// From the input to what a step is made of, and to the scan's `b` and `c`.
    select: Linear,
    rank: usize,
    step: Linear,
    scan: Scan,
}

/// One thread's buffers: the first two as long as the sequence.
#[derive(Default)]
pub(super) struct Buffers {
    projected: Vec<f32>,
    backward: Vec<f32>,
    normed: Vec<f32>,
    few: Few,
    result: Vec<f32>,
    gate: Vec<f32>,
}

/// Buffers for a few rows of one direction.
#[derive(Default)]
struct Few {
    convolved: Vec<f32>,
    selected: Vec<f32>,
    steps: Vec<f32>,
    state: Vec<f32>,
}

/// Turns the channels of a norm around.
pub(super) fn turn_norm(norm: &mut Norm) {
    norm.weight.reverse();
    if let Some(bias) = &mut norm.bias {
        bias.reverse();
    }
}

impl Layer {
    pub(super) fn load(weights: &Weights, shape: &Shape, index: usize) -> Result<Self, EmbedError> {
        let Shape { width, inner, .. } = *shape;
        let name = shape.norm_name(&format!("{}.norm", shape.layer(index)));
        let mut norm = norm(weights, &name, shape.norm, shape.epsilon)?;
        let mixer = shape.mixer(index);
        let shared = |part: &str| numbers(weights, &format!("{mixer}.mamba_fwd.{part}.weight"));
        let (mut project, mut out) = (shared("in_proj")?, shared("out_proj")?);
        let mut ways = ["mamba_fwd", "mamba_rev"];
        if shape.turned(index) {
            turn_norm(&mut norm);
            for row in project.chunks_exact_mut(width) {
                row.reverse();
            }
            out = out.chunks_exact(inner).rev().flatten().copied().collect();
            ways.reverse();
        }
        let way =
            |way: &str, direction| Way::load(weights, &format!("{mixer}.{way}"), shape, direction);
        let (project, gate) = project.split_at(inner * width);
        Ok(Self {
            width,
            inner,
            stride: inner.next_multiple_of(ROW),
            norm,
            project: Linear::new(project, None, width, inner),
            gate: Linear::new(gate, None, width, inner),
            forward: way(ways[0], Direction::Forward)?,
            backward: way(ways[1], Direction::Backward)?,
            out: Linear::new(&out, None, inner, width),
        })
    }

    /// Adds to a sequence's hidden states, `[tokens, width]`, what the layer makes of them.
    pub(super) fn apply(&self, hidden: &mut [f32], buffers: &mut Buffers) {
        let (width, stride) = (self.width, self.stride);
        let tokens = hidden.len() / width;
        let step = rows_at_once(2 * self.inner);
        // Beyond `inner` rows stay zero.
        buffers.projected.resize(tokens * stride, 0.0);
        buffers.backward.resize(tokens * stride, 0.0);
        let Buffers {
            projected,
            backward,
            normed,
            few,
            result,
            gate,
        } = buffers;

        self.backward.begin(few);
        for chunk in (0..tokens.div_ceil(step)).rev() {
            let (first, end) = (chunk * step, tokens.min((chunk + 1) * step));
            self.normalise(&hidden[first * width..end * width], normed);
            let to = &mut projected[first * stride..end * stride];
            matmul(
                normed,
                width,
                end - first,
                &self.project,
                to,
                stride,
                Output::Store,
            );
            let to = &mut backward[first * stride..end * stride];
            self.backward.run(projected, first, few, to);
        }

        self.forward.begin(few);
        for (chunk, hidden) in hidden.chunks_mut(step * width).enumerate() {
            let (first, rows) = (chunk * step, hidden.len() / width);
            result.resize(rows * stride, 0.0);
            self.forward.run(projected, first, few, result);
            self.normalise(hidden, normed);
            gate.resize(rows * stride, 0.0);
            matmul(normed, width, rows, &self.gate, gate, stride, Output::Store);
            let other = &backward[first * stride..(first + rows) * stride];
            gate_sum(result, other, gate);
            matmul(
                result,
                stride,
                rows,
                &self.out,
                hidden,
                width,
                Output::Add(1.0),
            );
        }
    }

    fn normalise(&self, hidden: &[f32], normed: &mut Vec<f32>) {
        normed.resize(hidden.len(), 0.0);
        self.norm.apply(hidden, self.width, normed);
    }
}

impl Way {
    fn load(
        weights: &Weights,
        name: &str,
        shape: &Shape,
        direction: Direction,
    ) -> Result<Self, EmbedError> {
        let Shape {
            inner,
            states,
            rank,
            ..
        } = *shape;
        let stride = inner.next_multiple_of(ROW);
        let read = |part: &str| numbers(weights, &format!("{name}.{part}"));
        let bias = shape.conv_bias.then(|| read("conv1d.bias")).transpose()?;
        let rates: Vec<f32> = read("A_log")?.iter().map(|a| -a.exp()).collect();
        Ok(Self {
            direction,
            conv: Depthwise::new(&read("conv1d.weight")?, bias.as_deref(), inner, stride),
            select: linear(weights, &format!("{name}.x_proj"), inner, rank + 2 * states)?,
            rank,
            step: linear(weights, &format!("{name}.dt_proj"), rank, inner)?,
            scan: Scan::new(&rates, &read("D")?, states, stride),
        })
    }

    /// A sequence begins: nothing is remembered.
    fn begin(&self, few: &mut Few) {
        few.state.clear();
        few.state.resize(self.scan.carried(), 0.0);
    }

    /// The next rows in this direction, of which `first` is the first: convolution and scan.
    /// `projected` is the whole sequence's, of which what lies before in this direction is there.
    fn run(&self, projected: &[f32], first: usize, few: &mut Few, to: &mut [f32]) {
        let selected = self.select.outputs();
        let stride = self.scan.stride();
        let rows = to.len() / stride;
        let x = &mut few.convolved;
        x.resize(to.len(), 0.0);
        self.conv.apply(projected, first, self.direction, true, x);
        few.selected.resize(rows * selected, 0.0);
        let bc = &mut few.selected;
        matmul(x, stride, rows, &self.select, bc, selected, Output::Store);
        few.steps.resize(to.len(), 0.0);
        let steps = &mut few.steps;
        matmul(bc, selected, rows, &self.step, steps, stride, Output::Store);
        softplus(steps);
        let input = ScanInput {
            x,
            steps,
            bc,
            bc_stride: selected,
            bc_first: self.rank,
        };
        self.scan.apply(input, self.direction, &mut few.state, to);
    }
}
