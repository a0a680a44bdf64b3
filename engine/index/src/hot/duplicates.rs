//! Pairs of rows by a search around each row.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use lance_table::format::Fragment;
use penstock_hnsw::threads::{share, threads};
use penstock_hnsw::{RangeOptions, Scratch};
use penstock_types::{Metric, Probe};

use super::HotIndex;
use super::search::HotPlan;
use crate::duplicates::sets::Sets;
use crate::duplicates::{Counts, Outcome, Rest, Task};
use crate::{IndexError, Result};

/// Rows that a thread takes at a time.
const TAKE: usize = 64;

impl HotPlan {
    /// The fragments whose rows the index does not have, where these have any rows.
    pub(crate) fn uncovered_fragments(&self) -> Vec<Fragment> {
        if self.uncovered == 0 {
            return Vec::new();
        }
        self.view.uncovered.clone()
    }
}

/// Rows of all segments, one segment after the other, and then the rest.
struct Rows<'a> {
    index: &'a HotIndex,
    plan: &'a HotPlan,
    rest: &'a Rest,
    /// Where each segment's rows start, and where the rest does.
    starts: Vec<usize>,
}

impl<'a> Rows<'a> {
    fn new(index: &'a HotIndex, plan: &'a HotPlan, rest: &'a Rest) -> Self {
        let mut starts = vec![0];
        for segment in &index.segments {
            let last = starts.last().copied().unwrap_or_default();
            starts.push(last + segment.graph.len());
        }
        Self {
            index,
            plan,
            rest,
            starts,
        }
    }

    fn held(&self) -> usize {
        self.starts.last().copied().unwrap_or_default()
    }

    fn count(&self) -> usize {
        self.held() + self.rest.ids.len()
    }

    /// The segment of a row and its number there; `None` for the rest.
    fn place(&self, row: usize) -> Option<(usize, usize)> {
        if row >= self.held() {
            return None;
        }
        let segment = self.starts.partition_point(|start| *start <= row) - 1;
        Some((segment, row - self.starts[segment]))
    }

    /// Whether a row is looked at.
    fn allows(&self, row: usize) -> bool {
        self.place(row).is_none_or(|(segment, at)| {
            let allowed = &self.plan.allowed[segment];
            allowed
                .as_ref()
                .is_none_or(|allowed| allowed.allows(at as u32))
        })
    }

    /// A row's vector, of length 1 under cosine where the index has it; none where it has no
    /// direction.
    fn vector(&self, row: usize) -> Option<&'a [f32]> {
        match self.place(row) {
            Some((segment, at)) => self.index.segments[segment].graph.vector(at as u32),
            None => Some(self.rest.vector(row - self.held(), self.index.dim)),
        }
    }

    fn id(&self, row: usize) -> &'a str {
        match self.place(row) {
            Some((segment, at)) => self.index.segments[segment].ids.value(at),
            None => self.rest.id(row - self.held()),
        }
    }
}

/// What a thread found, before it tells the others.
#[derive(Default)]
struct Found {
    pairs: Vec<(u32, u32)>,
    /// Halves of pairs: one from the index counts from both sides.
    halves: u64,
    crowded: u64,
    rows: u64,
}

impl HotIndex {
    /// The clusters of the rows of the plan and of `rest`, the rows that the index does not have.
    pub(crate) fn duplicates(&self, plan: &HotPlan, rest: &Rest, task: &Task) -> Result<Outcome> {
        let rows = Rows::new(self, plan, rest);
        let count = rows.count();
        if count > u32::MAX as usize {
            return Err(IndexError::Invariant {
                what: "an index in memory has more rows than can be numbered",
            });
        }
        let sets = Mutex::new(Sets::new(count));
        let (halves, crowded) = (AtomicU64::new(0), AtomicU64::new(0));
        let looked = AtomicU64::new(0);
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let run = || -> Result<()> {
            let mut scratch = Scratch::new();
            let mut found = Found::default();
            loop {
                task.check()?;
                let start = next.fetch_add(TAKE, Relaxed);
                if start >= count {
                    return Ok(());
                }
                let end = count.min(start + TAKE);
                for row in (start..end).filter(|row| rows.allows(*row)) {
                    around(&rows, row, task, &mut scratch, &mut found)?;
                }
                let mut sets = sets.lock().unwrap_or_else(PoisonError::into_inner);
                for (a, b) in found.pairs.drain(..) {
                    sets.join(a, b);
                }
                drop(sets);
                halves.fetch_add(std::mem::take(&mut found.halves), Relaxed);
                crowded.fetch_add(std::mem::take(&mut found.crowded), Relaxed);
                looked.fetch_add(std::mem::take(&mut found.rows), Relaxed);
                let done = done.fetch_add(end - start, Relaxed) + end - start;
                task.progress(done, count);
            }
        };
        share(threads(0).min(count.div_ceil(TAKE)), run)?;
        let held = rows.held() as u32;
        task.pairs(&rest.vectors, &|found| {
            halves.fetch_add(2 * found.len() as u64, Relaxed);
            let mut sets = sets.lock().unwrap_or_else(PoisonError::into_inner);
            for (a, b) in found {
                sets.join(held + a, held + b);
            }
        })?;
        let counts = Counts {
            exact: false,
            rows: looked.into_inner(),
            pairs: halves.into_inner().div_ceil(2),
            crowded: crowded.into_inner(),
        };
        let sets = sets.into_inner().unwrap_or_else(PoisonError::into_inner);
        task.outcome(counts, sets, |row| {
            let row = row as usize;
            (rows.id(row), rows.vector(row).unwrap_or_default())
        })
    }
}

/// The pairs of a row with rows of the index.
fn around(
    rows: &Rows<'_>,
    row: usize,
    task: &Task,
    scratch: &mut Scratch,
    found: &mut Found,
) -> Result<()> {
    let own = rows.place(row);
    // Its two sides are looked at from the rest alone.
    let weight = if own.is_some() { 1 } else { 2 };
    found.rows += 1;
    let Some(vector) = rows.vector(row) else {
        return Ok(());
    };
    // The graph compares in single precision; what is about as far as the bound is decided by the
    // distance that is reported.
    let rounding = (task.dim as f32).max(8.0) * f32::EPSILON;
    let slack = match task.metric {
        Metric::Cosine | Metric::Dot => rounding,
        Metric::L2 => rounding * task.within,
    };
    let probe = Probe::new(task.metric, vector);
    let mut seen = 0;
    for (at, segment) in rows.index.segments.iter().enumerate() {
        let options = RangeOptions {
            ef: task.ef,
            // Its own row is no neighbour.
            limit: task.neighbours + 1,
            from: own
                .filter(|(segment, _)| *segment == at)
                .map(|(_, row)| row as u32),
        };
        let allowed = rows.plan.allowed[at].as_deref();
        let near = segment
            .graph
            .range(vector, task.within + slack, &options, allowed, scratch)?;
        seen = seen.max(near.hits.len());
        for hit in near.hits {
            if own == Some((at, hit.row as usize)) {
                continue;
            }
            let other = rows.starts[at] + hit.row as usize;
            let near = hit.distance <= task.within - slack
                || rows
                    .vector(other)
                    .and_then(|other| probe.distance(other))
                    .is_some_and(|distance| distance <= task.within);
            if near {
                found.pairs.push((row as u32, other as u32));
                found.halves += weight;
            }
        }
    }
    found.crowded += u64::from(seen > task.neighbours);
    Ok(())
}
