//! All pairs of rows within a distance, by comparing every two.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use penstock_types::{Metric, Probe};

use crate::error::Result;
use crate::options::{Control, check_shape};
use crate::scan::{compare, inverse_norms};
use crate::simd::TILE;
use crate::simd::isa::Isa;
use crate::threads::{share, threads};

/// What is called with pairs of rows, the lesser first.
pub type FoundFn<'f> = &'f (dyn Fn(&[(u32, u32)]) + Sync);

/// Rows of a block. Two blocks of 128 numbers per row fit the second cache.
const BLOCK: usize = 512;

/// How pairs are looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct PairOptions {
    /// How vectors are compared.
    pub metric: Metric,
    /// The largest distance of a pair, in the metric's own terms (squared under L2).
    pub within: f32,
    /// Threads; 0 takes one per core.
    pub threads: usize,
}

/// Hands every pair of `rows`, `f32[n, dim]`, at a distance of at most `within` to `found`, the
/// lower row first, each once: from several threads, in no order, and of one block of rows with
/// another at a time (at most 2^18 pairs). Distances are those of [`Probe`]; rows without a
/// direction are in no pair under cosine.
///
/// Beside the rows it holds 4 bytes per row, and per thread 2.1 MiB at the most. The progress
/// counts blocks of rows.
///
/// # Errors
/// Shapes out of range, or [`HnswError::Cancelled`](crate::HnswError::Cancelled).
pub fn within(
    rows: &[f32],
    dim: usize,
    options: &PairOptions,
    control: &Control<'_>,
    found: FoundFn<'_>,
) -> Result<()> {
    let count = check_shape(rows.len(), dim)?;
    let isa = Isa::widest();
    let work = Work {
        isa,
        rows,
        dim,
        options,
        // Under L2 the sums are the distances.
        norms: match options.metric {
            Metric::L2 => Vec::new(),
            Metric::Cosine | Metric::Dot => inverse_norms(isa, rows, dim),
        },
    };
    let blocks = count.div_ceil(BLOCK);
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let run = || -> Result<()> {
        let mut sums = vec![0.0_f32; BLOCK * TILE.0];
        let mut pairs = Vec::new();
        loop {
            // The blocks with the most others after them come first, so that threads end together.
            let block = next.fetch_add(1, Ordering::Relaxed);
            if block >= blocks {
                return Ok(());
            }
            for other in block..blocks {
                control.check()?;
                let of = |block: usize| block * BLOCK..count.min((block + 1) * BLOCK);
                work.blocks(of(block), of(other), &mut sums, &mut pairs);
                if !pairs.is_empty() {
                    found(&pairs);
                    pairs.clear();
                }
            }
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            (control.progress)(done, blocks);
        }
    };
    share(threads(options.threads).min(blocks), run)
}

struct Work<'a> {
    isa: Isa,
    rows: &'a [f32],
    dim: usize,
    options: &'a PairOptions,
    norms: Vec<f32>,
}

impl Work<'_> {
    fn row(&self, row: usize) -> &[f32] {
        &self.rows[row * self.dim..][..self.dim]
    }

    /// The pairs of one block's rows with later rows of another.
    fn blocks(
        &self,
        block: Range<usize>,
        other: Range<usize>,
        sums: &mut [f32],
        pairs: &mut Vec<(u32, u32)>,
    ) {
        let (metric, within) = (self.options.metric, self.options.within);
        let width = sums.len() / TILE.0;
        let part = &self.rows[other.start * self.dim..other.end * self.dim];
        // A sum of so many products in single precision is off by less, relative to the vectors'
        // lengths; half of it is left for the lengths themselves.
        let rounding = (self.dim as f32).max(8.0) * f32::EPSILON;
        for start in block.clone().step_by(TILE.0) {
            let end = block.end.min(start + TILE.0);
            let group = &self.rows[start * self.dim..end * self.dim];
            compare(self.isa, metric, part, group, self.dim, sums);
            for row in start..end {
                let sums = &sums[(row - start) * width..][..other.len()];
                let mut probe = None;
                for (later, sum) in other.clone().zip(sums) {
                    if later <= row {
                        continue;
                    }
                    let (distance, slack) = match metric {
                        Metric::L2 => (*sum, rounding * within.abs()),
                        Metric::Cosine => {
                            (1.0 - sum * self.norms[row] * self.norms[later], rounding)
                        }
                        // A row without a direction has no inverse length, and product 0.
                        Metric::Dot => {
                            let lengths = 1.0 / (self.norms[row] * self.norms[later]);
                            let lengths = if lengths.is_finite() { lengths } else { 0.0 };
                            (1.0 - sum, rounding * (lengths + 1.0))
                        }
                    };
                    // False for NaN too.
                    let near = distance <= within - slack;
                    let near = near
                        || distance <= within + slack
                            && probe
                                .get_or_insert_with(|| Probe::new(metric, self.row(row)))
                                .distance(self.row(later))
                                .is_some_and(|distance| distance <= within);
                    if near {
                        pairs.push((row as u32, later as u32));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::HnswError;

    /// Rows of small whole numbers: many at exactly the same distances.
    fn rows(count: usize, dim: usize) -> Vec<f32> {
        (0..(count * dim) as u64)
            .map(|i| (crate::level::mix(i) % 3) as f32)
            .collect()
    }

    #[test]
    fn every_pair_once_and_none_else() {
        for (count, dim) in [(0, 3), (1, 3), (700, 3), (1_100, 9), (530, 33)] {
            let rows = rows(count, dim);
            for (metric, within) in [
                (Metric::Cosine, 0.0),
                (Metric::Cosine, 0.2),
                (Metric::L2, 0.0),
                (Metric::L2, 5.0),
                (Metric::Dot, -8.0),
            ] {
                let mut truth = Vec::new();
                for a in 0..count {
                    let probe = Probe::new(metric, &rows[a * dim..][..dim]);
                    for b in a + 1..count {
                        let distance = probe.distance(&rows[b * dim..][..dim]);
                        if distance.is_some_and(|distance| distance <= within) {
                            truth.push((a as u32, b as u32));
                        }
                    }
                }
                for threads in [1, 3] {
                    let options = PairOptions {
                        metric,
                        within,
                        threads,
                    };
                    let found = Mutex::new(Vec::new());
                    let keep =
                        |pairs: &[(u32, u32)]| found.lock().unwrap().extend_from_slice(pairs);
                    super::within(&rows, dim, &options, &Control::default(), &keep).unwrap();
                    let mut found = found.into_inner().unwrap();
                    found.sort_unstable();
                    assert_eq!(found, truth, "{count} x {dim}, {metric}, {within}");
                }
            }
        }
    }

    #[test]
    fn it_stops() {
        let cancel = AtomicBool::new(true);
        let control = Control {
            cancel: &cancel,
            ..Control::default()
        };
        let options = PairOptions {
            metric: Metric::L2,
            within: 1.0,
            threads: 2,
        };
        let stopped = super::within(&rows(2_000, 4), 4, &options, &control, &|_| {});
        assert!(matches!(stopped, Err(HnswError::Cancelled)));
    }
}
