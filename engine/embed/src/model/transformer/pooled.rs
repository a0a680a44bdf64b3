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

#[cfg(test)]
mod tests {
    use penstock_types::Pooling;
    use proptest::prelude::*;
    use rand::{Rng as _, SeedableRng as _};

    use super::*;
    use crate::pool::Rows;

    proptest! {
        #[test]
        fn tensors_pool_as_the_host_does(
            lens in prop::collection::vec(1_usize..30, 1..6),
            width in 1_usize..12,
            seed in any::<u64>(),
        ) {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
            let (before, after) = (1, 1);
            let longest = lens.iter().max().unwrap() + before + after;
            let states: Vec<f32> = (0..lens.len() * longest * width)
                .map(|_| rng.random::<f32>() * 8.0 - 4.0)
                .collect();
            let cover: Vec<Vec<u32>> = lens
                .iter()
                .map(|len| (0..*len).map(|_| rng.random_range(1..4)).collect())
                .collect();
            let shape = (lens.len(), longest, width);
            let x = Tensor::from_slice(&states, shape, &Device::Cpu).unwrap();
            let weights = cover.iter().map(|cover| {
                let weights = cover.iter().map(|count| 1.0 / *count as f32);
                std::iter::repeat_n(0.0, before).chain(weights).collect()
            });
            let marked = lens.iter().map(|len| {
                (0..before + len).map(|i| i >= before).collect()
            });
            for (pooling, pool) in [
                (Pooling::Mean, Pool::Weighted(weights.collect())),
                (Pooling::Max, Pool::Largest(marked.collect())),
                (Pooling::Cls, Pool::First),
            ] {
                let given = pool.apply(&x).unwrap().to_vec2::<f32>().unwrap();
                for (i, given) in given.iter().enumerate() {
                    let rows = Rows {
                        hidden: &states[i * longest * width..(i + 1) * longest * width],
                        width,
                        whole: true,
                        tokens: before..before + lens[i],
                    };
                    let expected = rows.part(pooling, &cover[i]);
                    for (a, b) in given.iter().zip(expected) {
                        prop_assert!((a - b).abs() <= 1e-5 * (1.0 + b.abs()), "{pooling}: {a}, {b}");
                    }
                }
            }
        }
    }
}
