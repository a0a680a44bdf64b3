//! An affine map in the numbers that were asked for.

use super::narrow::{Narrow, NarrowScratch, Number};
use super::product::{Linear, Output, matmul};
use crate::Precision;

/// `y = x W^T + b`, packed for this processor.
#[derive(Debug, Clone)]
pub(crate) enum Affine {
    Single(Linear),
    Narrow(Narrow),
}

impl Affine {
    /// `weight` is `[outputs, inputs]` in row-major order; `bias` is `[outputs]`.
    pub(crate) fn new(
        precision: Precision,
        weight: &[f32],
        bias: Option<&[f32]>,
        inputs: usize,
        outputs: usize,
    ) -> Self {
        let narrow = |number| Self::Narrow(Narrow::new(number, weight, bias, inputs, outputs));
        match precision {
            Precision::F32 => Self::Single(Linear::new(weight, bias, inputs, outputs)),
            Precision::Bf16 => narrow(Number::Bf16),
            Precision::Int8 => narrow(Number::Int8),
        }
    }

    pub(crate) const fn outputs(&self) -> usize {
        match self {
            Self::Single(linear) => linear.outputs(),
            Self::Narrow(narrow) => narrow.outputs(),
        }
    }

    /// `to = output(from W^T + b)`: rows that lie `stride` apart to rows that lie side by side.
    pub(crate) fn apply(
        &self,
        from: &[f32],
        stride: usize,
        to: &mut [f32],
        output: Output,
        scratch: &mut NarrowScratch,
    ) {
        match self {
            Self::Single(linear) => {
                let outputs = linear.outputs();
                let rows = to.len() / outputs;
                matmul(from, stride, rows, linear, to, outputs, output);
            }
            Self::Narrow(narrow) => narrow.apply(from, stride, to, output, scratch),
        }
    }
}
