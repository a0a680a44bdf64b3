//! The exact scan: every row compared with every query.
//!
//! Rows are read once for several queries, in blocks that stay in the cache. Whole blocks are
//! compared in single precision; the nearest and a few more are then compared again by
//! [`Probe`], whose distances are reported.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use penstock_types::{Metric, Probe};

use crate::error::Result;
use crate::options::{Control, check_shape, within};
use crate::search::{Hit, MAX_EF, by_distance, keep};
use crate::simd::isa::{Isa, dispatch};
use crate::simd::lanes::Lanes;
use crate::simd::{TILE, dot, tile};
use crate::threads::{share, threads};

/// Bytes of rows that are compared with one query after the other.
const BLOCK: usize = 256 << 10;

/// Queries per pass over the rows: their nearest so far stay in the cache too.
const PASS: usize = 32;

/// Rows compared again beside the `k` nearest, should rounding have changed their order.
const SPARE: usize = 8;

/// How a scan runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    /// How vectors are compared.
    pub metric: Metric,
    /// Hits per query, at most [`MAX_EF`].
    pub k: usize,
    /// Threads, which share out the queries; 0 takes one per core.
    pub threads: usize,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self {
            metric: Metric::default(),
            k: 10,
            threads: 1,
        }
    }
}

/// The `k` rows of `rows`, `f32[n, dim]`, nearest to each of `queries`, `f32[m, dim]`: per query at
/// most `k` hits, nearest first, of equals the lower row first.
///
/// Rows whose distance is no finite number are left out: those without a direction under cosine,
/// and those with NaN or infinity.
///
/// # Errors
/// Shapes or `k` out of range, or [`HnswError::Cancelled`](crate::HnswError::Cancelled).
pub fn nearest(
    rows: &[f32],
    dim: usize,
    queries: &[f32],
    options: &ScanOptions,
    control: &Control<'_>,
) -> Result<Vec<Vec<Hit>>> {
    nearest_by(Isa::widest(), rows, dim, queries, options, control)
}

pub(crate) fn nearest_by(
    isa: Isa,
    rows: &[f32],
    dim: usize,
    queries: &[f32],
    options: &ScanOptions,
    control: &Control<'_>,
) -> Result<Vec<Vec<Hit>>> {
    check_shape(rows.len(), dim)?;
    let count = check_shape(queries.len(), dim)?;
    within("k", options.k, 0, MAX_EF)?;
    let norms = match options.metric {
        Metric::Cosine => inverse_norms(isa, rows, dim),
        Metric::L2 | Metric::Dot => Vec::new(),
    };
    // Small batches are shared out too, in whole tiles.
    let threads = threads(options.threads);
    let pass = PASS
        .min(count.div_ceil(threads).next_multiple_of(TILE.0))
        .max(1);
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(vec![Vec::new(); count]);
    let run = || -> Result<()> {
        loop {
            let start = next.fetch_add(pass, Ordering::Relaxed);
            if start >= count {
                return Ok(());
            }
            let end = count.min(start + pass);
            let part = &queries[start * dim..end * dim];
            let found = one_pass(isa, rows, dim, part, &norms, options, control)?;
            let mut answers = answers.lock().unwrap_or_else(|poison| poison.into_inner());
            for (answer, hits) in answers[start..end].iter_mut().zip(found) {
                *answer = hits;
            }
            (control.progress)(end, count);
        }
    };
    share(threads.min(count.div_ceil(pass)), run)?;
    Ok(answers
        .into_inner()
        .unwrap_or_else(|poison| poison.into_inner()))
}

fn one_pass(
    isa: Isa,
    rows: &[f32],
    dim: usize,
    queries: &[f32],
    norms: &[f32],
    options: &ScanOptions,
    control: &Control<'_>,
) -> Result<Vec<Vec<Hit>>> {
    let count = queries.len() / dim;
    let wanted = options.k + SPARE;
    let mut all: Vec<Nearest> = (0..count).map(|_| Nearest::new(wanted)).collect();
    let block = (BLOCK / (4 * dim)).max(1).next_multiple_of(TILE.1);
    let mut sums = vec![0.0_f32; block * TILE.0];
    for (i, part) in rows.chunks(block * dim).enumerate() {
        control.check()?;
        let part_rows = part.len() / dim;
        for (group, all) in queries.chunks(TILE.0 * dim).zip(all.chunks_mut(TILE.0)) {
            compare(isa, options.metric, part, group, dim, &mut sums);
            for (q, nearest) in all.iter_mut().enumerate() {
                let sums = &mut sums[q * block..][..part_rows];
                let first = i * block;
                if options.metric != Metric::L2 {
                    // Without the query's norm, which changes no order.
                    for (j, sum) in sums.iter_mut().enumerate() {
                        *sum *= -norms.get(first + j).copied().unwrap_or(1.0);
                    }
                }
                nearest.take(first as u32, sums);
            }
        }
    }
    Ok(all
        .into_iter()
        .zip(queries.chunks_exact(dim))
        .map(|(nearest, query)| {
            let probe = Probe::new(options.metric, query);
            let mut hits: Vec<Hit> = nearest
                .hits
                .iter()
                .filter_map(|hit| {
                    let distance = probe.distance(&rows[hit.row as usize * dim..][..dim])?;
                    Some(Hit { distance, ..*hit })
                })
                .collect();
            hits.sort_unstable_by(by_distance);
            hits.truncate(options.k);
            hits
        })
        .collect())
}

/// The nearest rows so far.
struct Nearest {
    hits: Vec<Hit>,
    wanted: usize,
    /// No row beyond this is among them.
    bound: f32,
}

impl Nearest {
    fn new(wanted: usize) -> Self {
        Self {
            hits: Vec::new(),
            wanted,
            bound: f32::INFINITY,
        }
    }

    fn take(&mut self, first: u32, distances: &[f32]) {
        for (row, distance) in (first..).zip(distances) {
            // False for NaN too.
            if *distance < self.bound {
                self.hits.push(Hit {
                    row,
                    distance: *distance,
                });
                if self.hits.len() >= 2 * self.wanted {
                    self.shrink();
                }
            }
        }
        self.shrink();
    }

    fn shrink(&mut self) {
        if self.hits.len() >= self.wanted {
            keep(&mut self.hits, self.wanted);
            let far = self.hits.iter().map(|hit| hit.distance);
            self.bound = far.fold(f32::NEG_INFINITY, f32::max);
        }
    }
}

/// 1 / |row|; NaN where a row has no direction, so that it is never taken.
pub(crate) fn inverse_norms(isa: Isa, rows: &[f32], dim: usize) -> Vec<f32> {
    let inverse = |row| {
        let square = squared(isa, row);
        if square > 0.0 {
            1.0 / square.sqrt()
        } else {
            f32::NAN
        }
    };
    rows.chunks_exact(dim).map(inverse).collect()
}

dispatch! {
    fn squared(row: &[f32]) -> f32 = squared_kernel;
}

#[inline(always)]
unsafe fn squared_kernel<L: Lanes>(row: &[f32]) -> f32 {
    // SAFETY: the slice's own length.
    unsafe { dot::<L>(row.as_ptr(), row.as_ptr(), row.len()) }
}

dispatch! {
    /// Writes query `q`'s squared distance to (under L2) or product with row `r` to
    /// `sums[q * (sums.len() / 4) + r]`.
    pub(crate) fn compare(
        metric: Metric,
        rows: &[f32],
        queries: &[f32],
        dim: usize,
        sums: &mut [f32],
    ) -> () = compare_kernel;
}

#[inline(always)]
unsafe fn compare_kernel<L: Lanes>(
    metric: Metric,
    rows: &[f32],
    queries: &[f32],
    dim: usize,
    sums: &mut [f32],
) {
    let width = sums.len() / TILE.0;
    let groups = queries.len() / dim;
    let query = std::array::from_fn(|q| queries[q.min(groups - 1) * dim..][..dim].as_ptr());
    for (i, pair) in rows.chunks(TILE.1 * dim).enumerate() {
        let held = pair.len() / dim;
        let row = std::array::from_fn(|r| pair[r.min(held - 1) * dim..][..dim].as_ptr());
        // SAFETY: every pointer is that of a slice of `dim` numbers.
        let tile = unsafe {
            match metric {
                Metric::L2 => tile::<L, true>(query, row, dim),
                Metric::Dot | Metric::Cosine => tile::<L, false>(query, row, dim),
            }
        };
        for (q, tile) in tile.iter().enumerate() {
            for (r, sum) in tile.iter().enumerate().take(held) {
                sums[q * width + i * TILE.1 + r] = *sum;
            }
        }
    }
}
