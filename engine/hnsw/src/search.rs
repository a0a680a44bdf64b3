//! Searching.

mod batch;
mod filtered;
mod range;

use penstock_types::Metric;

use crate::codes::{Probe, normalise, vector_stride};
use crate::error::{HnswError, Result};
use crate::filter::{Filter, POOL, Way, cost};
use crate::index::Hnsw;
use crate::memory::LINE;
use crate::options::within;
use crate::scratch::Scratch;
use crate::simd::isa::dispatch;
use crate::simd::lanes::Lanes;
use crate::simd::{dot, l2, prefetch};
use crate::walk::walk;

pub use batch::{Batch, BatchOptions};
pub use range::RangeOptions;

/// A row and its distance from the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Position in the rows that the index was built from.
    pub row: u32,
    /// By the metric's definition, from the exact vectors; see [`Metric`].
    pub distance: f32,
}

/// The outcome of a search, nearest first; of equals, the lower row first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found<'s> {
    /// At most `k` hits: fewer only where fewer rows are allowed (or have a direction).
    pub hits: &'s [Hit],
    /// Distances computed to find the candidates.
    pub candidates: usize,
    /// Which way was taken.
    pub way: Way,
}

/// The largest `k` and `ef`.
pub const MAX_EF: usize = 65_536;

impl Hnsw {
    /// The `k` rows nearest to `query`, `f32[dim]`, of a pool of `ef` (at least `k` is taken; with a
    /// filter, twice as many).
    ///
    /// Rows that are equal are all found where one is. Where the walk comes to fewer rows than there are, or `ef` is no less than the allowed rows,
    /// every allowed row is compared instead. Nothing is allocated once `scratch` has served.
    /// Under cosine nothing is found for a query without a direction.
    ///
    /// # Errors
    /// A query of another length or with NaN or infinity, a filter for another number of rows, `k`
    /// or `ef` over [`MAX_EF`].
    pub fn search<'s>(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        filter: Option<&Filter>,
        scratch: &'s mut Scratch,
    ) -> Result<Found<'s>> {
        within("k", k, 0, MAX_EF)?;
        within("ef", ef, 0, MAX_EF)?;
        let (candidates, way) = self.find(query, k, ef.max(k), filter, scratch)?;
        Ok(Found {
            hits: &scratch.hits,
            candidates,
            way,
        })
    }

    /// What both ways of a search would cost; `search` takes the cheaper.
    #[must_use]
    pub fn cost(&self, ef: usize, filter: Option<&Filter>) -> crate::Cost {
        let allowed = filter.map_or(self.len(), Filter::count);
        cost(self.len(), self.dim, self.options.edges, allowed, ef)
    }

    /// Writes the query to the scratch as the metric compares it; `false` where nothing is near.
    fn prepare(&self, query: &[f32], scratch: &mut Scratch) -> Result<bool> {
        if query.len() != self.dim {
            return Err(HnswError::QueryDim {
                got: query.len(),
                dim: self.dim,
            });
        }
        if query.iter().map(|x| x * 0.0).sum::<f32>() != 0.0 {
            return Err(HnswError::QueryNotFinite { query: 0 });
        }
        scratch.fit(self.dim);
        let copy = &mut scratch.query[..self.dim];
        copy.copy_from_slice(query);
        scratch.hits.clear();
        let directed = self.metric() != Metric::Cosine || normalise(copy);
        Ok(directed && self.places.placed() > 0)
    }

    fn check_filter(&self, filter: Option<&Filter>) -> Result<()> {
        match filter {
            Some(filter) if filter.rows() != self.len() => Err(HnswError::Rows {
                what: "filter",
                got: filter.rows(),
                rows: self.len(),
            }),
            _ => Ok(()),
        }
    }

    fn find(
        &self,
        query: &[f32],
        k: usize,
        ef: usize,
        filter: Option<&Filter>,
        scratch: &mut Scratch,
    ) -> Result<(usize, Way)> {
        self.check_filter(filter)?;
        let directed = self.prepare(query, scratch)?;
        // A filter that allows all is none.
        let filter = filter.filter(|filter| filter.count() < self.len());
        let way = self.cost(ef, filter).way;
        if !directed || k == 0 {
            return Ok((0, way));
        }
        let mut compared = match (way, filter) {
            (Way::FilteredWalk, Some(filter)) => {
                filtered::run(self.isa, self, k, POOL * ef, filter, scratch)
            }
            (Way::Walk, None) => plain(self.isa, self, k, ef, scratch),
            _ => 0,
        };
        let possible = filter.map_or(self.places.placed(), Filter::count).min(k);
        if way != Way::Scan && scratch.hits.len() >= possible {
            return Ok((compared, way));
        }
        compared += self.scan_allowed(k, filter, scratch);
        Ok((compared, Way::Scan))
    }

    /// Compares every allowed row; returns how many.
    fn scan_allowed(&self, k: usize, filter: Option<&Filter>, scratch: &mut Scratch) -> usize {
        scratch.hits.clear();
        let mut compared = 0;
        let stride = vector_stride(self.dim);
        let mut push = |vector: u32, rows: &[u32], scratch: &mut Scratch| {
            let (query, hits) = (&scratch.query, &mut scratch.hits);
            let vector = &self.vectors[vector as usize * stride..][..stride];
            let distance = exact(self.isa, self.metric(), query, vector);
            compared += 1;
            // They ascend, as equals do among the hits.
            let rows = rows.iter().take(k);
            hits.extend(rows.map(|row| Hit {
                row: *row,
                distance,
            }));
            // Keep the better half whenever there are twice as many as needed.
            if hits.len() >= 2 * k + 64 {
                keep(hits, k);
            }
        };
        match filter {
            Some(filter) => {
                let mut places = filter
                    .iter()
                    .filter_map(|row| Some((self.places.vector(row)?, row)));
                // Rows in the order of the filter lie anywhere: ask for them ahead.
                let mut ahead = [(0_u32, 0_u32); 4];
                let mut held = 0;
                loop {
                    let next = places.next();
                    if let Some((vector, row)) = next {
                        self.prefetch_vector(vector);
                        ahead[held] = (vector, row);
                        held += 1;
                    }
                    if held == ahead.len() || next.is_none() {
                        for (vector, row) in &ahead[..held] {
                            push(*vector, &[*row], scratch);
                        }
                        held = 0;
                    }
                    if next.is_none() {
                        break;
                    }
                }
            }
            None => {
                for vector in 0..self.places.vectors() as u32 {
                    push(vector, self.places.rows(vector), scratch);
                }
            }
        }
        keep(&mut scratch.hits, k);
        scratch.hits.sort_unstable_by(by_distance);
        compared
    }

    #[inline(always)]
    fn prefetch_vector(&self, vector: u32) {
        let stride = vector_stride(self.dim);
        let start = self.vectors.as_ptr().wrapping_add(vector as usize * stride);
        for line in 0..(stride * 4 / LINE).min(8) {
            prefetch(start.wrapping_add(line * LINE / 4));
        }
    }

    /// Makes the allowed rows of the pool's nearest into hits, by their exact vectors.
    ///
    /// # Safety
    /// As for [`Lanes`]; the scratch was prepared for this index.
    #[inline(always)]
    unsafe fn rank<L: Lanes>(&self, k: usize, filter: Option<&Filter>, scratch: &mut Scratch) {
        let stride = vector_stride(self.dim);
        let most = ranked(k);
        scratch.hits.clear();
        for (vertex, _) in scratch.pool.iter().take(most) {
            self.prefetch_vector(self.places.vectors_of(vertex).start);
        }
        for (vertex, _) in scratch.pool.iter().take(most) {
            for vector in self.places.vectors_of(vertex) {
                let numbers = &self.vectors[vector as usize * stride..][..stride];
                // SAFETY: both have `stride` numbers.
                let distance = unsafe { exact_kernel::<L>(self.metric(), &scratch.query, numbers) };
                let rows = self.places.allowed(vector, filter).take(k);
                scratch.hits.extend(rows.map(|row| Hit { row, distance }));
            }
        }
        scratch.hits.sort_unstable_by(by_distance);
        scratch.hits.truncate(k);
    }
}

/// Candidates that are compared exactly for `k` hits.
pub(crate) fn ranked(k: usize) -> usize {
    2 * k + 4
}

pub(crate) fn by_distance(a: &Hit, b: &Hit) -> std::cmp::Ordering {
    a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row))
}

/// Keeps the `k` nearest, in any order.
pub(crate) fn keep(hits: &mut Vec<Hit>, k: usize) {
    if hits.len() > k && k > 0 {
        hits.select_nth_unstable_by(k - 1, by_distance);
    }
    hits.truncate(k);
}

dispatch! {
    /// The distance of a query from a stored vector, both padded; of length 1 under cosine.
    pub(crate) fn exact(metric: Metric, query: &[f32], vector: &[f32]) -> f32 = exact_kernel;
}

#[inline(always)]
unsafe fn exact_kernel<L: Lanes>(metric: Metric, query: &[f32], vector: &[f32]) -> f32 {
    let (a, b, n) = (query.as_ptr(), vector.as_ptr(), query.len());
    debug_assert_eq!(n, vector.len());
    // SAFETY: both have `n` numbers.
    unsafe {
        match metric {
            Metric::L2 => l2::<L>(a, b, n),
            Metric::Dot => 1.0 - dot::<L>(a, b, n),
            // 1 - cos is half the squared distance of the directions, without its cancellation.
            Metric::Cosine => (0.5 * l2::<L>(a, b, n)).min(2.0),
        }
    }
}

dispatch! {
    /// Writes the hits to the scratch; returns the distances computed.
    fn plain(index: &Hnsw, k: usize, ef: usize, scratch: &mut Scratch) -> usize = plain_kernel;
}

/// # Safety
/// As for [`Lanes`]; the scratch was prepared for this index, which has a vertex.
#[inline(always)]
unsafe fn plain_kernel<L: Lanes>(
    index: &Hnsw,
    k: usize,
    ef: usize,
    scratch: &mut Scratch,
) -> usize {
    // SAFETY: links are vertices, and `seen` covers all vertices.
    unsafe {
        let compared = walk_from_top::<L>(index, ef, scratch);
        index.rank::<L>(k, None, scratch);
        compared
    }
}

/// Fills the pool with the `ef` nearest.
///
/// # Safety
/// As for [`plain_kernel`].
#[inline(always)]
unsafe fn walk_from_top<L: Lanes>(index: &Hnsw, ef: usize, scratch: &mut Scratch) -> usize {
    let mut compared = 0;
    let query = &scratch.query[..index.dim];
    let probe: Probe<'_> = index.quantiser.probe(query, &mut scratch.codes);
    scratch.seen.reset(index.places.vertices());
    scratch.pool.reset(ef);
    // SAFETY: the caller's promise.
    unsafe {
        let (vertex, key) = index.entry::<L>(&probe, &mut compared);
        scratch.seen.insert(vertex);
        scratch.pool.insert(vertex, key);
        walk::<L, _>(
            &index.codes,
            index.base(),
            &probe,
            &mut scratch.seen,
            &mut scratch.pool,
        );
    }
    compared + scratch.seen.log.len() - 1
}
