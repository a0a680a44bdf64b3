//! Rows of several vectors each: the sum, over a query's vectors, of the largest cosine with a row's
//! (Khattab and Zaharia 2020, <https://arxiv.org/abs/2004.12832>).

use crate::codes::normalise;
use crate::error::{HnswError, Result};
use crate::options::check_shape;
use crate::simd::isa::{Isa, dispatch};
use crate::simd::lanes::Lanes;
use crate::simd::{TILE, dot, tile};

/// Bytes of a row's vectors that are compared with one query vector after the other: they stay in
/// the cache nearest to the core.
const BLOCK: usize = 24 << 10;

/// A query of several vectors, ready to be compared with rows of several vectors.
#[derive(Debug, Clone)]
pub struct LateQuery {
    isa: Isa,
    dim: usize,
    /// `f32[count, dim]`, of length 1.
    vectors: Vec<f32>,
}

/// The working memory of one thread that compares.
#[derive(Debug, Clone, Default)]
pub struct LateScratch {
    /// 1 / |vector| of a block of the row.
    inverse: Vec<f32>,
    /// The largest cosine so far of each query vector.
    best: Vec<f32>,
}

impl LateQuery {
    /// Of `vectors`, `f32[count, dim]`. One without a direction counts 0 with every row.
    ///
    /// # Errors
    /// Shapes out of range, or NaN or infinity in a vector.
    pub fn new(vectors: &[f32], dim: usize) -> Result<Self> {
        Self::by(Isa::widest(), vectors, dim)
    }

    fn by(isa: Isa, vectors: &[f32], dim: usize) -> Result<Self> {
        check_shape(vectors.len(), dim)?;
        let mut vectors = vectors.to_vec();
        for (query, vector) in vectors.chunks_exact_mut(dim).enumerate() {
            if vector.iter().any(|number| !number.is_finite()) {
                return Err(HnswError::QueryNotFinite { query });
            }
            normalise(vector);
        }
        Ok(Self { isa, dim, vectors })
    }

    /// Vectors of the query.
    #[must_use]
    pub fn count(&self) -> usize {
        self.vectors.len() / self.dim
    }

    /// The score of a row with these vectors, `f32[n, dim]`, in single precision: from `-count` to
    /// `count`. Vectors without a direction are left out; `None` where none has one, and where the
    /// numbers are no whole count of vectors.
    #[must_use]
    pub fn score(&self, row: &[f32], scratch: &mut LateScratch) -> Option<f32> {
        if !row.len().is_multiple_of(self.dim) {
            return None;
        }
        scratch.best.clear();
        scratch.best.resize(self.count(), f32::NEG_INFINITY);
        compare(self.isa, self, row, scratch);
        let score: f32 = scratch.best.iter().sum();
        score.is_finite().then_some(score)
    }
}

dispatch! {
    fn compare(query: &LateQuery, row: &[f32], scratch: &mut LateScratch) -> () = kernel;
}

/// # Safety
/// As for [`Lanes`].
#[inline(always)]
unsafe fn kernel<L: Lanes>(query: &LateQuery, row: &[f32], scratch: &mut LateScratch) {
    let dim = query.dim;
    let block = (BLOCK / (4 * dim)).max(1).next_multiple_of(TILE.1);
    for part in row.chunks(block * dim) {
        scratch.inverse.clear();
        for vector in part.chunks_exact(dim) {
            // SAFETY: the slice's own length.
            let square = unsafe { dot::<L>(vector.as_ptr(), vector.as_ptr(), dim) };
            // NaN is larger than nothing, so that the vector is never taken.
            let inverse = if square > 0.0 {
                1.0 / square.sqrt()
            } else {
                f32::NAN
            };
            scratch.inverse.push(inverse);
        }
        let groups = query.vectors.chunks(TILE.0 * dim);
        for (group, best) in groups.zip(scratch.best.chunks_mut(TILE.0)) {
            let held = best.len();
            let queries = std::array::from_fn(|q| group[q.min(held - 1) * dim..][..dim].as_ptr());
            for (pair, inverse) in part
                .chunks(TILE.1 * dim)
                .zip(scratch.inverse.chunks(TILE.1))
            {
                let count = inverse.len();
                let rows = std::array::from_fn(|r| pair[r.min(count - 1) * dim..][..dim].as_ptr());
                // SAFETY: every pointer is that of a slice of `dim` numbers.
                let sums = unsafe { tile::<L, false>(queries, rows, dim) };
                for (best, sums) in best.iter_mut().zip(sums) {
                    for (sum, inverse) in sums.iter().zip(inverse) {
                        let cosine = sum * inverse;
                        if cosine > *best {
                            *best = cosine;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        (0..count as u64)
            .map(|i| (crate::level::mix(seed + i) >> 40) as f32 / (1 << 23) as f32 - 1.0)
            .collect()
    }

    fn naive(query: &[f32], row: &[f32], dim: usize) -> Option<f64> {
        let product = |a: &[f32], b: &[f32]| -> f64 {
            a.iter()
                .zip(b)
                .map(|(a, b)| f64::from(*a) * f64::from(*b))
                .sum()
        };
        let mut total = 0.0;
        for one in query.chunks_exact(dim) {
            let cosines = row
                .chunks_exact(dim)
                .filter(|other| product(other, other) > 0.0)
                .map(|other| {
                    product(one, other) / (product(one, one) * product(other, other)).sqrt()
                });
            total += cosines.fold(None, |most: Option<f64>, next| {
                Some(most.map_or(next, |most| most.max(next)))
            })?;
        }
        Some(total)
    }

    #[test]
    fn as_the_definition_says_in_every_set() {
        let mut scratch = LateScratch::default();
        for isa in Isa::available() {
            for (dim, count, items) in [(1, 1, 1), (7, 3, 5), (64, 9, 700), (130, 32, 33)] {
                let query = numbers(dim * count, 1);
                let mut row = numbers(dim * items, 2);
                let late = LateQuery::by(isa, &query, dim).unwrap();
                let score = late.score(&row, &mut scratch).unwrap();
                let truth = naive(&query, &row, dim).unwrap();
                assert!((f64::from(score) - truth).abs() < 1e-4, "{isa:?} {dim}");
                // A vector without a direction changes nothing, not even where all else is far.
                row.extend(vec![0.0; dim]);
                assert_eq!(late.score(&row, &mut scratch), Some(score), "{isa:?} {dim}");
                let away: Vec<f32> = query[..dim]
                    .iter()
                    .map(|x| -x)
                    .chain(vec![0.0; dim])
                    .collect();
                let score = late.score(&away, &mut scratch).unwrap();
                let truth = naive(&query, &away, dim).unwrap();
                assert!((f64::from(score) - truth).abs() < 1e-4, "{isa:?} {dim}");
            }
        }
    }

    #[test]
    fn what_has_no_score() {
        let mut scratch = LateScratch::default();
        let late = LateQuery::new(&[1.0, 0.0, 0.0, 1.0], 2).unwrap();
        assert_eq!(late.count(), 2);
        assert_eq!(late.score(&[], &mut scratch), None);
        assert_eq!(late.score(&[0.0, 0.0], &mut scratch), None);
        assert_eq!(late.score(&[1.0], &mut scratch), None);
        assert!(LateQuery::new(&[1.0, f32::NAN], 2).is_err());
        assert!(LateQuery::new(&[1.0], 2).is_err());
    }
}
