//! What follows a layer, number by number or row by row, in one pass over memory.

use candle_core::{CpuStorage, D, InplaceOp1, Layout, Tensor};
use rayon::prelude::*;

use super::{Candle, SHARED_OUT, activate};
use crate::kernel::{Activation, activate_all};

/// Rows that one thread takes at a time, and numbers of which a sum is a part of the whole's.
const STEP: usize = 1 << 12;

/// A function of each number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Function {
    /// One that the kernels have.
    Known(Activation),
    /// `x` above zero, `exp(x) - 1` below.
    Elu,
    /// `x` above zero, the factor times `x` below.
    Leaky(f32),
    /// The hyperbolic tangent.
    Tanh,
}

/// One step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// `x * scale + shift`, by column; a norm by fixed statistics is one.
    Affine { scale: Vec<f32>, shift: Vec<f32> },
    /// Each row to length 1; one of zeros stays.
    Unit,
    /// Each row to mean 0 and variance 1, then scaled and shifted by column.
    NormRows(Norm),
    /// All numbers together to mean 0 and variance 1, then scaled and shifted by column.
    NormAll(Norm),
    /// A function of each number.
    Apply(Function),
}

/// The numbers of a norm.
#[derive(Debug, Clone)]
pub(crate) struct Norm {
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Vec<f32>,
    pub(crate) epsilon: f32,
}

/// Does the steps to a tensor `[rows, width]`. On the CPU in its memory, which nobody else may
/// hold.
pub(crate) fn finish(x: Tensor, steps: &[Step]) -> Candle<Tensor> {
    if steps.is_empty() {
        return Ok(x);
    }
    if x.device().is_cpu() {
        x.inplace_op1(&Steps(steps))?;
        return Ok(x);
    }
    steps.iter().try_fold(x, |x, step| on_device(&x, step))
}

fn on_device(x: &Tensor, step: &Step) -> Candle<Tensor> {
    let row = |values: &[f32]| Tensor::from_slice(values, values.len(), x.device());
    let scaled = |x: Tensor, norm: &Norm| {
        x.broadcast_mul(&row(&norm.weight)?)?
            .broadcast_add(&row(&norm.bias)?)
    };
    match step {
        Step::Affine { scale, shift } => x.broadcast_mul(&row(scale)?)?.broadcast_add(&row(shift)?),
        Step::Unit => {
            let length = x.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?;
            x.broadcast_div(&length.maximum(SHORTEST)?)
        }
        Step::NormRows(norm) => {
            let x = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
            let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
            scaled(
                x.broadcast_div(&(variance + f64::from(norm.epsilon))?.sqrt()?)?,
                norm,
            )
        }
        Step::NormAll(norm) => {
            let x = x.broadcast_sub(&x.mean_all()?)?;
            let variance = x.sqr()?.mean_all()?;
            scaled(
                x.broadcast_div(&(variance + f64::from(norm.epsilon))?.sqrt()?)?,
                norm,
            )
        }
        Step::Apply(function) => match function {
            Function::Known(activation) => activate(x, *activation),
            Function::Elu => x.elu(1.0),
            Function::Leaky(slope) => x.maximum(0.0)? + (x.minimum(0.0)? * f64::from(*slope))?,
            Function::Tanh => x.tanh(),
        },
    }
}

/// Rows shorter than this are divided by it, as torch does.
const SHORTEST: f32 = 1e-12;

struct Steps<'a>(&'a [Step]);

impl InplaceOp1 for Steps<'_> {
    fn name(&self) -> &'static str {
        "finish"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Candle<()> {
        let (_, width) = layout.shape().dims2()?;
        let (first, end) = layout
            .contiguous_offsets()
            .ok_or_else(|| candle_core::Error::RequiresContiguous { op: self.name() }.bt())?;
        let CpuStorage::F32(values) = storage else {
            candle_core::bail!("{} is for single precision", self.name());
        };
        let values = &mut values[first..end];
        if width == 0 {
            return Ok(());
        }
        // What needs all numbers ends a pass.
        for steps in self.0.chunk_by(|_, next| !matches!(next, Step::NormAll(_))) {
            let whole = match &steps[0] {
                Step::NormAll(norm) => Some(moments(values, norm.epsilon)),
                _ => None,
            };
            let pass = |rows: &mut [f32]| {
                for step in steps {
                    apply(step, rows, width, whole);
                }
            };
            let step = (STEP / width).max(1) * width;
            if values.len() < SHARED_OUT {
                values.chunks_mut(step).for_each(pass);
            } else {
                values.par_chunks_mut(step).for_each(pass);
            }
        }
        Ok(())
    }
}

/// Mean of all numbers and what they are multiplied by to have variance 1. Parts of a fixed length
/// are added in double precision, so the threads change nothing.
fn moments(values: &[f32], epsilon: f32) -> (f32, f32) {
    let sum = |of: &(dyn Fn(f32) -> f64 + Sync)| -> f64 {
        let parts: Vec<f64> = values
            .par_chunks(STEP)
            .map(|part| part.iter().map(|x| of(*x)).sum())
            .collect();
        parts.iter().sum()
    };
    let count = values.len().max(1) as f64;
    let mean = sum(&|x| f64::from(x)) / count;
    let variance = sum(&|x| (f64::from(x) - mean).powi(2)) / count;
    let by = (variance + f64::from(epsilon)).sqrt().recip();
    (mean as f32, by as f32)
}

fn apply(step: &Step, rows: &mut [f32], width: usize, whole: Option<(f32, f32)>) {
    let scaled = |row: &mut [f32], norm: &Norm, (mean, by): (f32, f32)| {
        for ((x, weight), bias) in row.iter_mut().zip(&norm.weight).zip(&norm.bias) {
            *x = (*x - mean) * by * weight + bias;
        }
    };
    match step {
        Step::Affine { scale, shift } => {
            for row in rows.chunks_exact_mut(width) {
                for ((x, scale), shift) in row.iter_mut().zip(scale).zip(shift) {
                    *x = *x * scale + shift;
                }
            }
        }
        Step::Unit => {
            for row in rows.chunks_exact_mut(width) {
                let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
                let by = 1.0 / length.max(SHORTEST);
                row.iter_mut().for_each(|x| *x *= by);
            }
        }
        Step::NormRows(norm) => {
            for row in rows.chunks_exact_mut(width) {
                let mean = row.iter().sum::<f32>() / width as f32;
                let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / width as f32;
                scaled(row, norm, (mean, (variance + norm.epsilon).sqrt().recip()));
            }
        }
        Step::NormAll(norm) => {
            let whole = whole.unwrap_or((0.0, 1.0));
            for row in rows.chunks_exact_mut(width) {
                scaled(row, norm, whole);
            }
        }
        Step::Apply(function) => match function {
            Function::Known(activation) => activate_all(rows, *activation),
            Function::Elu => rows
                .iter_mut()
                .filter(|x| **x < 0.0)
                .for_each(|x| *x = x.exp_m1()),
            Function::Leaky(slope) => {
                rows.iter_mut()
                    .for_each(|x| *x = if *x > 0.0 { *x } else { slope * *x });
            }
            Function::Tanh => rows.iter_mut().for_each(|x| *x = x.tanh()),
        },
    }
}
