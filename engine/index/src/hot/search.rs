//! Searching an index in memory, together with the rows that it does not have.

use std::cell::RefCell;
use std::collections::BinaryHeap;
use std::sync::{Arc, PoisonError};

use penstock_hnsw::{BatchOptions, Control, Filter, RangeOptions, Scratch, Way};
use penstock_store::Table;

use super::view::View;
use super::{HotIndex, PREDICATES};
use crate::Result;
use crate::column::Moment;
use crate::exact;
use crate::many::{self, Queries};
use crate::nearest::{Found, Hit, Target, offer};

/// Numbers that are compared on the thread of the request.
const INLINE_NUMBERS: u64 = 1 << 20;

/// The rows for which a predicate held.
#[derive(Debug)]
pub(super) struct Matching {
    moment: Moment,
    predicate: String,
    filters: Arc<Vec<Arc<Filter>>>,
}

/// How an index in memory would be searched.
#[derive(Debug, Clone)]
pub(crate) struct HotPlan {
    pub(super) view: Arc<View>,
    /// Per segment, the rows that may be found; `None`: all.
    pub(super) allowed: Vec<Option<Arc<Filter>>>,
    /// Rows of the index that satisfy the predicate.
    pub(crate) matching: u64,
    /// Rows of the index in this version.
    pub(crate) rows: u64,
    /// Rows that the index does not have.
    pub(crate) uncovered: u64,
    /// Candidates that a walk keeps.
    pub(crate) ef: usize,
    /// Whether every segment is walked rather than scanned.
    pub(crate) way: Way,
}

/// What was found, and how.
pub(crate) struct HotFound {
    pub(crate) found: Found,
    /// Whether every row was compared.
    pub(crate) exact: bool,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::new());
}

impl HotIndex {
    /// Settles which rows may be found, and which way suits them.
    pub(crate) async fn plan(
        &self,
        table: &Table,
        filter: Option<&str>,
        k: usize,
        ef: usize,
    ) -> Result<HotPlan> {
        let view = self.view(table).await?;
        let allowed: Vec<Option<Arc<Filter>>> = match filter {
            None => view.live.clone(),
            Some(predicate) => {
                let filters = self.matching(&view, table, predicate).await?;
                filters
                    .iter()
                    .map(|filter| Some(Arc::clone(filter)))
                    .collect()
            }
        };
        let count = |(segment, allowed): (&Arc<super::Segment>, &Option<Arc<Filter>>)| {
            allowed
                .as_ref()
                .map_or(segment.graph.len(), |allowed| allowed.count()) as u64
        };
        let matching = self.segments.iter().zip(&allowed).map(count).sum();
        let ways = self
            .segments
            .iter()
            .zip(&allowed)
            .map(|(segment, allowed)| segment.graph.cost(ef.max(k), allowed.as_deref()).way);
        // The worst of them names the whole.
        let way = ways.max_by_key(|way| match way {
            Way::Scan => 0,
            Way::Walk => 1,
            Way::FilteredWalk => 2,
        });
        Ok(HotPlan {
            matching,
            rows: view.rows,
            uncovered: view.uncovered_rows,
            allowed,
            view,
            ef,
            way: way.unwrap_or(Way::Scan),
        })
    }

    /// The rows of a version for which a predicate holds: kept, since the same predicate comes with
    /// many queries.
    async fn matching(
        &self,
        view: &View,
        table: &Table,
        predicate: &str,
    ) -> Result<Arc<Vec<Arc<Filter>>>> {
        let moment = Moment::of(table);
        {
            let kept = self.matching.lock().unwrap_or_else(PoisonError::into_inner);
            let same = |kept: &&Matching| kept.moment == moment && kept.predicate == predicate;
            if let Some(kept) = kept.iter().find(same) {
                return Ok(Arc::clone(&kept.filters));
            }
        }
        let filters = Arc::new(view.matching(&self.segments, table, predicate).await?);
        let mut kept = self.matching.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == PREDICATES {
            kept.remove(0);
        }
        kept.push(Matching {
            moment,
            predicate: predicate.to_owned(),
            filters: Arc::clone(&filters),
        });
        Ok(filters)
    }

    /// The nearest rows of the version: of the segments by their graphs, of the rest one by one.
    pub(crate) async fn search(
        self: &Arc<Self>,
        table: &Table,
        target: &Arc<Target>,
        filter: Option<&str>,
        plan: HotPlan,
    ) -> Result<HotFound> {
        let uncovered = plan.view.uncovered.clone();
        let rest = plan.uncovered;
        // Some microseconds where a graph is walked; a scan may take as long as a disk.
        let inline =
            plan.matching.saturating_mul(self.dim as u64) < INLINE_NUMBERS || plan.way != Way::Scan;
        let (mut heap, mut compared, exact) = if inline {
            self.segments(target, &plan)?
        } else {
            let (index, target) = (Arc::clone(self), Arc::clone(target));
            tokio::task::spawn_blocking(move || index.segments(&target, &plan)).await??
        };
        if rest > 0 {
            let rest = exact::scan_fragments(table, target, filter, uncovered).await?;
            compared += rest.compared;
            for hit in rest.hits {
                offer(&mut heap, target.k, hit);
            }
        }
        let found = Found {
            hits: heap.into_sorted_vec(),
            compared,
        };
        Ok(HotFound { found, exact })
    }

    /// The nearest rows of the segments, the distances computed, and whether every row was compared.
    fn segments(&self, target: &Target, plan: &HotPlan) -> Result<(BinaryHeap<Hit>, u64, bool)> {
        let mut heap = BinaryHeap::with_capacity(target.k + 1);
        let mut compared = 0;
        let mut exact = true;
        SCRATCH.with_borrow_mut(|scratch| {
            for (segment, allowed) in self.segments.iter().zip(&plan.allowed) {
                let (query, allowed) = (&target.vector, allowed.as_deref());
                let found = if target.radius.is_finite() {
                    let options = RangeOptions {
                        ef: plan.ef,
                        ..RangeOptions::default()
                    };
                    segment
                        .graph
                        .range(query, target.radius, &options, allowed, scratch)?
                } else {
                    segment
                        .graph
                        .search(query, target.k, plan.ef, allowed, scratch)?
                };
                compared += found.candidates as u64;
                exact &= found.way == Way::Scan;
                for hit in found.hits {
                    let id = segment.ids.value(hit.row as usize);
                    offer(
                        &mut heap,
                        target.k,
                        Hit {
                            distance: hit.distance,
                            preferred: target.prefer_id.as_deref() == Some(id),
                            id: id.to_owned(),
                            row: segment.graph.labels()[hit.row as usize],
                        },
                    );
                }
            }
            Ok::<_, crate::IndexError>(())
        })?;
        Ok((heap, compared, exact))
    }

    /// As [`HotIndex::search`], for many queries.
    pub(crate) async fn search_many(
        self: &Arc<Self>,
        table: &Table,
        queries: &Arc<Queries>,
        filter: Option<&str>,
        plan: HotPlan,
    ) -> Result<(Vec<Found>, bool)> {
        let uncovered = (plan.uncovered > 0).then(|| plan.view.uncovered.clone());
        let exact = plan.way == Way::Scan;
        let (index, all) = (Arc::clone(self), Arc::clone(queries));
        let mut heaps =
            tokio::task::spawn_blocking(move || index.segments_many(&all, &plan)).await??;
        let mut compared = heaps.1;
        if let Some(uncovered) = uncovered {
            let rest = many::scan(table, queries, filter, Some(uncovered)).await?;
            for (heap, rest) in heaps.0.iter_mut().zip(rest) {
                compared += rest.compared;
                for hit in rest.hits {
                    offer(heap, queries.k, hit);
                }
            }
        }
        // Distances are counted for all queries together.
        let each = compared / queries.count().max(1) as u64;
        let found = heaps.0.into_iter().map(|heap| Found {
            hits: heap.into_sorted_vec(),
            compared: each,
        });
        Ok((found.collect(), exact))
    }

    fn segments_many(
        &self,
        queries: &Queries,
        plan: &HotPlan,
    ) -> Result<(Vec<BinaryHeap<Hit>>, u64)> {
        let mut heaps: Vec<_> = (0..queries.count()).map(|_| BinaryHeap::new()).collect();
        let mut compared = 0;
        let options = BatchOptions {
            k: queries.k,
            ef: plan.ef,
            threads: 0,
        };
        for (segment, allowed) in self.segments.iter().zip(&plan.allowed) {
            let found = segment.graph.search_batch(
                &queries.vectors,
                &options,
                allowed.as_deref(),
                &Control::default(),
            )?;
            compared += found.candidates as u64;
            for (query, heap) in heaps.iter_mut().enumerate() {
                for hit in found.of(query) {
                    if heap.len() == queries.k
                        && heap
                            .peek()
                            .is_some_and(|last: &Hit| hit.distance > last.distance)
                    {
                        break;
                    }
                    offer(
                        heap,
                        queries.k,
                        Hit {
                            distance: hit.distance,
                            preferred: false,
                            id: segment.ids.value(hit.row as usize).to_owned(),
                            row: segment.graph.labels()[hit.row as usize],
                        },
                    );
                }
            }
        }
        Ok((heaps, compared))
    }
}
