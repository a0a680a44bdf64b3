//! Pooling as tensor operations, so that only pooled vectors leave a device.

use candle_core::{DType, Device, Tensor};

use crate::ops::Candle;

/// A score that wins no maximum.
const LOWEST: f32 = f32::MIN;

/// What is pooled of each sequence of a batch.
pub(crate) enum Pool {
    /// The first token.
    First,
    /// The largest number of the tokens that are marked, in each place.
    Largest(Vec<Vec<bool>>),
    /// The sum of the tokens, each times its weight.
    Weighted(Vec<Vec<f32>>),
}

impl Pool {
    /// Hidden states `[sequences, longest, width]` to `[sequences, width]`, in single precision.
    pub(crate) fn apply(&self, x: &Tensor) -> Candle<Tensor> {
        let x = x.to_dtype(DType::F32)?;
        let (sequences, longest, width) = x.dims3()?;
        match self {
            Self::First => x.narrow(1, 0, 1)?.reshape((sequences, width)),
            Self::Largest(marked) => {
                let shift = marked.iter().map(|row| {
                    let each = |marked: &bool| if *marked { 0.0 } else { LOWEST };
                    row.iter().map(each).collect()
                });
                // Sums with the lowest number may be infinite below, which wins nothing either.
                let shift = rows(shift, longest, LOWEST, x.device())?;
                x.broadcast_add(&shift.reshape((sequences, longest, 1))?)?
                    .max(1)
            }
            Self::Weighted(weights) => {
                let weights = rows(weights.iter().cloned(), longest, 0.0, x.device())?;
                let weights = weights.reshape((sequences, 1, longest))?;
                weights
                    .matmul(&x.contiguous()?)?
                    .reshape((sequences, width))
            }
        }
    }
}

/// Rows filled up to one length: `[rows, longest]`.
fn rows(
    each: impl Iterator<Item = Vec<f32>>,
    longest: usize,
    fill: f32,
    device: &Device,
) -> Candle<Tensor> {
    let mut all = Vec::new();
    let mut count = 0;
    for mut row in each {
        row.resize(longest, fill);
        all.extend(row);
        count += 1;
    }
    Tensor::from_vec(all, (count, longest), device)
}
