//! Many queries over several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::{HnswError, Result};
use crate::filter::{Filter, Way};
use crate::index::Hnsw;
use crate::options::{Control, within};
use crate::threads::{share, threads};

use super::{Hit, MAX_EF};

/// Queries that a thread takes at a time.
const TAKE: usize = 16;

/// How a batch is searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOptions {
    /// Hits per query.
    pub k: usize,
    /// Candidates that a walk keeps; more find more and take longer.
    pub ef: usize,
    /// Threads; 0 takes one per core.
    pub threads: usize,
}

impl Default for BatchOptions {
    fn default() -> Self {
        Self {
            k: 10,
            ef: 64,
            threads: 0,
        }
    }
}

/// The outcome of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The hits of all queries, one query after the other.
    pub hits: Vec<Hit>,
    /// Where each query's hits end.
    pub ends: Vec<usize>,
    /// Distances computed to find the candidates, of all queries.
    pub candidates: usize,
    /// Queries that were answered by a scan.
    pub scans: usize,
}

impl Batch {
    /// The hits of a query, as [`Found`](super::Found) gives them.
    #[must_use]
    pub fn of(&self, query: usize) -> &[Hit] {
        let start = query.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.hits[start..self.ends[query]]
    }
}

impl Hnsw {
    /// Searches for each of `queries`, `f32[n, dim]`; the same answers as one by one.
    ///
    /// # Errors
    /// As for [`Hnsw::search`], and [`HnswError::Cancelled`].
    pub fn search_batch(
        &self,
        queries: &[f32],
        options: &BatchOptions,
        filter: Option<&Filter>,
        control: &Control<'_>,
    ) -> Result<Batch> {
        within("k", options.k, 0, MAX_EF)?;
        within("ef", options.ef, 0, MAX_EF)?;
        self.check_filter(filter)?;
        if !queries.len().is_multiple_of(self.dim) {
            return Err(HnswError::Ragged {
                numbers: queries.len(),
                dim: self.dim,
            });
        }
        let count = queries.len() / self.dim;
        let threads = threads(options.threads).min(count.div_ceil(TAKE)).max(1);
        let next = AtomicUsize::new(0);
        let done = AtomicUsize::new(0);
        let parts = Mutex::new(Vec::with_capacity(count.div_ceil(TAKE)));
        let run = || -> Result<()> {
            let mut scratch = self.scratches.take();
            loop {
                control.check()?;
                let start = next.fetch_add(TAKE, Ordering::Relaxed);
                if start >= count {
                    break;
                }
                let end = count.min(start + TAKE);
                let mut part = Batch {
                    hits: Vec::with_capacity((end - start) * options.k.min(self.len())),
                    ends: Vec::with_capacity(end - start),
                    candidates: 0,
                    scans: 0,
                };
                for i in start..end {
                    let query = &queries[i * self.dim..][..self.dim];
                    let ef = options.ef.max(options.k);
                    let (candidates, way) = self
                        .find(query, options.k, ef, filter, &mut scratch)
                        .map_err(|error| match error {
                        HnswError::QueryNotFinite { .. } => HnswError::QueryNotFinite { query: i },
                        other => other,
                    })?;
                    part.hits.extend_from_slice(&scratch.hits);
                    part.ends.push(part.hits.len());
                    part.candidates += candidates;
                    part.scans += usize::from(way == Way::Scan);
                }
                let mut parts = parts.lock().unwrap_or_else(|poison| poison.into_inner());
                parts.push((start, part));
                drop(parts);
                let done = done.fetch_add(end - start, Ordering::Relaxed) + end - start;
                (control.progress)(done, count);
            }
            self.scratches.give(scratch);
            Ok(())
        };
        share(threads, run)?;
        let mut parts = parts
            .into_inner()
            .unwrap_or_else(|poison| poison.into_inner());
        parts.sort_unstable_by_key(|(start, _)| *start);
        let mut all = Batch {
            hits: Vec::with_capacity(parts.iter().map(|(_, part)| part.hits.len()).sum()),
            ends: Vec::with_capacity(count),
            candidates: 0,
            scans: 0,
        };
        for (_, part) in parts {
            let before = all.hits.len();
            all.hits.extend_from_slice(&part.hits);
            all.ends.extend(part.ends.iter().map(|end| before + end));
            all.candidates += part.candidates;
            all.scans += part.scans;
        }
        Ok(all)
    }
}
