//! Synthetic vectors: normal around centres whose weights are gamma-distributed.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Centres of a set.
pub(crate) const CENTRES: usize = 2_000;

/// Standard deviation around a centre; that of the centres is 1.
const SPREAD: f32 = 0.5;

pub(crate) struct Clustered {
    pub(crate) rows: Vec<f32>,
    pub(crate) queries: Vec<f32>,
    /// The centre of each row.
    pub(crate) centre_of: Vec<usize>,
}

/// `rows` and `queries` of the same distribution.
pub(crate) fn clustered(rows: usize, queries: usize, dim: usize, seed: u64) -> Clustered {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let centres: Vec<f32> = (0..CENTRES * dim).map(|_| normal(&mut random)).collect();
    // A gamma variate of shape 1 is an exponential one.
    let mut total = 0.0;
    let sums: Vec<f64> = (0..CENTRES)
        .map(|_| {
            total -= (1.0 - random.random::<f64>()).ln();
            total
        })
        .collect();
    let mut draw = |count: usize, centre_of: &mut Vec<usize>| -> Vec<f32> {
        let mut out = Vec::with_capacity(count * dim);
        for _ in 0..count {
            let at = random.random::<f64>() * total;
            let centre = sums.partition_point(|sum| *sum <= at).min(CENTRES - 1);
            centre_of.push(centre);
            let middle = &centres[centre * dim..][..dim];
            out.extend(middle.iter().map(|x| x + SPREAD * normal(&mut random)));
        }
        out
    };
    let mut centre_of = Vec::with_capacity(rows);
    let rows = draw(rows, &mut centre_of);
    let queries = draw(queries, &mut Vec::new());
    Clustered {
        rows,
        queries,
        centre_of,
    }
}

/// A standard normal number (Box and Muller 1958, <https://doi.org/10.1214/aoms/1177706645>).
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * random.random::<f64>()).cos()) as f32
}
