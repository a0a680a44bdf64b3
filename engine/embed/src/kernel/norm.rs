//! Normalisation of rows.

use super::isa::dispatch;
use super::lanes::Lanes;

/// How a row is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NormKind {
    /// To mean 0 and variance 1 (`LayerNorm`).
    Layer,
    /// To mean square 1 (`RMSNorm`, as T5 has it).
    Rms,
}

/// A normalisation with its learned scale and shift.
#[derive(Debug, Clone)]
pub(crate) struct Norm {
    pub(crate) kind: NormKind,
    pub(crate) epsilon: f32,
    pub(crate) weight: Vec<f32>,
    pub(crate) bias: Option<Vec<f32>>,
}

impl Norm {
    pub(crate) fn width(&self) -> usize {
        self.weight.len()
    }

    /// Normalises rows that lie `stride` apart into rows that lie side by side.
    pub(crate) fn apply(&self, from: &[f32], stride: usize, to: &mut [f32]) {
        let width = self.width();
        let rows = to.len() / width;
        assert!(
            stride >= width && (rows == 0 || from.len() >= (rows - 1) * stride + width),
            "rows to normalise are too short"
        );
        run(self, from, stride, to);
    }

    /// Normalises rows that lie `stride` apart where they are.
    pub(crate) fn apply_in_place(&self, rows: &mut [f32], stride: usize) {
        let width = self.width();
        for row in rows.chunks_mut(stride) {
            run_one(self, &mut row[..width]);
        }
    }
}

dispatch! {
    fn run(norm: &Norm, from: &[f32], stride: usize, to: &mut [f32]) = normalise;
}

dispatch! {
    fn run_one(norm: &Norm, row: &mut [f32]) = normalise_one;
}

#[inline(always)]
unsafe fn normalise<S: Lanes, const R: usize>(
    norm: &Norm,
    from: &[f32],
    stride: usize,
    to: &mut [f32],
) {
    let width = norm.width();
    for (from, to) in from.chunks(stride).zip(to.chunks_exact_mut(width)) {
        to.copy_from_slice(&from[..width]);
        // SAFETY: the caller enabled the lanes' instructions.
        unsafe { normalise_one::<S, R>(norm, to) };
    }
}

#[inline(always)]
unsafe fn normalise_one<S: Lanes, const R: usize>(norm: &Norm, row: &mut [f32]) {
    let n = row.len();
    let whole = n / S::WIDTH * S::WIDTH;
    // SAFETY: every access below `whole` is one vector inside the row, the weight or the bias,
    // which are as long as the row.
    unsafe {
        let mean = match norm.kind {
            NormKind::Rms => 0.0,
            NormKind::Layer => {
                let mut sum = S::zero();
                for at in (0..whole).step_by(S::WIDTH) {
                    sum = S::add(sum, S::load(row.as_ptr().add(at)));
                }
                (S::sum(sum) + row[whole..].iter().sum::<f32>()) / n as f32
            }
        };
        let centre = S::splat(mean);
        let mut sum = S::zero();
        for at in (0..whole).step_by(S::WIDTH) {
            let x = S::sub(S::load(row.as_ptr().add(at)), centre);
            sum = S::fma(x, x, sum);
        }
        let tail: f32 = row[whole..].iter().map(|x| (x - mean) * (x - mean)).sum();
        let variance = (S::sum(sum) + tail) / n as f32;
        let factor = 1.0 / (variance + norm.epsilon).sqrt();
        let scale = S::splat(factor);
        for at in (0..whole).step_by(S::WIDTH) {
            let x = S::mul(S::sub(S::load(row.as_ptr().add(at)), centre), scale);
            let w = S::load(norm.weight.as_ptr().add(at));
            let y = match &norm.bias {
                Some(bias) => S::fma(x, w, S::load(bias.as_ptr().add(at))),
                None => S::mul(x, w),
            };
            S::store(row.as_mut_ptr().add(at), y);
        }
        for at in whole..n {
            let x = (row[at] - mean) * factor * norm.weight[at];
            row[at] = x + norm.bias.as_ref().map_or(0.0, |bias| bias[at]);
        }
    }
}
