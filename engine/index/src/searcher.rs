//! What a process keeps in mind from one search to the next, and the choice of the way.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use penstock_store::{IndexInfo, Table};
use penstock_types::{FeatureSpec, Metric};

use crate::column::Moment;
use crate::fetch::Fetch;
use crate::hot::{HotIndex, HotPlan};
use crate::kind::IndexKind;
use crate::opened::Opened;
use crate::plan::{self, Plan, Tier, grouped, percent};
use crate::recall::{Recalls, Setting};
use crate::{HotTier, IndexError, Result, SearchRequest, approximate};

/// Predicates whose count is kept in mind.
const ESTIMATES: usize = 64;
/// Indexes on the disk that stay open. Each holds its centroids, a bit per row, the files that
/// candidates are read from, and at most 144 MiB beside them: 64 of rows that it has not, 64 of which
/// rows satisfy predicates, 16 of ids. What else is read of it is in Lance's cache.
const OPENED: usize = 16;
/// Rows on which the share of a predicate is estimated.
const SAMPLE_ROWS: u64 = 65_536;
/// Candidates that a walk keeps where nothing was measured yet.
const DEFAULT_EF: usize = 96;

/// Searches tables. Cheap to clone: clones share the indexes in memory and what was measured.
#[derive(Debug, Clone, Default)]
pub struct Searcher(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    hot: HotTier,
    recalls: Recalls,
    /// Predicates of versions, and how many rows satisfy them.
    estimates: Mutex<Vec<(Moment, String, u64)>>,
    opened: Mutex<Vec<(OpenedKey, Arc<Usable>)>>,
    fetch: Fetch,
    /// Queries answered, by tier.
    answered: [AtomicU64; Tier::ALL.len()],
}

/// An index on the disk.
#[derive(Debug)]
struct Usable {
    kind: IndexKind,
    info: IndexInfo,
    opened: Option<Arc<Opened>>,
}

/// A version of a table, a column, how it is compared.
type OpenedKey = (Moment, String, Metric);

/// A way that a search can take.
pub(crate) enum Way {
    Exact,
    Hot(Arc<HotIndex>, Box<HotPlan>),
    /// The index, opened where it can be asked without a plan of Lance's.
    Cold(IndexKind, Setting, Option<Arc<Opened>>),
}

impl Searcher {
    /// With these indexes in memory.
    #[must_use]
    pub fn new(hot: HotTier) -> Self {
        Self(Arc::new(Inner {
            hot,
            ..Inner::default()
        }))
    }

    /// The indexes in memory.
    #[must_use]
    pub fn hot(&self) -> &HotTier {
        &self.0.hot
    }

    /// How well indexes find what is there.
    #[must_use]
    pub fn recalls(&self) -> &Recalls {
        &self.0.recalls
    }

    /// What reads the columns of hits.
    pub(crate) fn fetch(&self) -> &Fetch {
        &self.0.fetch
    }

    /// Queries answered since the start, by tier; those of a batch each count.
    #[must_use]
    pub fn answered(&self) -> [(Tier, u64); Tier::ALL.len()] {
        Tier::ALL.map(|tier| (tier, self.0.answered[tier as usize].load(Ordering::Relaxed)))
    }

    pub(crate) fn count(&self, tier: Tier, queries: usize) {
        self.0.answered[tier as usize].fetch_add(queries as u64, Ordering::Relaxed);
    }

    /// Chooses the way of a search.
    pub(crate) async fn choose(
        &self,
        table: &Table,
        spec: &FeatureSpec,
        metric: Metric,
        request: &SearchRequest,
    ) -> Result<(Way, Plan)> {
        let filter = request.filter.as_deref();
        let wanted = if request.exact {
            Some(Tier::Exact)
        } else {
            request.tier
        };
        let choice = Choice {
            searcher: self,
            table,
            spec,
            metric,
            request,
            filter,
            rows: rows_of(table),
        };
        match wanted {
            Some(Tier::Exact) => choice.exact("it was asked for", None).await,
            Some(Tier::Hot) => choice.hot(true).await?.ok_or_else(|| IndexError::NotWarm {
                table: table.name().to_string(),
                column: request.column.clone(),
                metric,
            }),
            Some(Tier::Cold) => choice.cold(true).await?.ok_or_else(|| IndexError::NoIndex {
                table: table.name().to_string(),
                column: request.column.clone(),
                metric,
            }),
            None => {
                if let Some(chosen) = choice.hot(false).await? {
                    return Ok(chosen);
                }
                if let Some(chosen) = choice.cold(false).await? {
                    return Ok(chosen);
                }
                choice
                    .exact("the column has no index for this metric", None)
                    .await
            }
        }
    }

    /// The index on the disk that can answer, as it was opened for an earlier search of the version.
    async fn usable(
        &self,
        table: &Table,
        column: &str,
        metric: Metric,
    ) -> Result<Option<Arc<Usable>>> {
        let key = (Moment::of(table), column.to_owned(), metric);
        {
            let kept = self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, usable)) = kept.iter().find(|(other, _)| *other == key) {
                return Ok(Some(Arc::clone(usable)));
            }
        }
        let Some((kind, info)) = approximate::usable_index(table, column, metric).await? else {
            return Ok(None);
        };
        let opened = Opened::of(table, kind, &info, metric).await?.map(Arc::new);
        let usable = Arc::new(Usable { kind, info, opened });
        let mut kept = self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
        // Files of versions before it would not be gone before they are closed.
        kept.retain(|((moment, column, metric), _)| {
            let older = *moment == key.0 || moment.is_before(&key.0);
            !older || (column, metric) != (&key.1, &key.2)
        });
        if kept.len() == OPENED {
            kept.remove(0);
        }
        kept.push((key, Arc::clone(&usable)));
        Ok(Some(usable))
    }

    /// How many rows satisfy a predicate, estimated on some fragments.
    async fn estimate(&self, table: &Table, predicate: &str) -> Result<u64> {
        let moment = Moment::of(table);
        let estimates = || {
            let estimates = self.0.estimates.lock();
            estimates.unwrap_or_else(PoisonError::into_inner)
        };
        let same = |known: &&(Moment, String, u64)| known.0 == moment && known.1 == predicate;
        if let Some((.., count)) = estimates().iter().find(same) {
            return Ok(*count);
        }
        let count = crate::predicate::estimate(table, predicate, SAMPLE_ROWS).await?;
        let mut estimates = estimates();
        if estimates.len() == ESTIMATES {
            estimates.remove(0);
        }
        estimates.push((moment, predicate.to_owned(), count));
        Ok(count)
    }
}

/// Rows of a version, from its manifest.
fn rows_of(table: &Table) -> u64 {
    let rows =
        |fragment: &lance_table::format::Fragment| fragment.num_rows().unwrap_or_default() as u64;
    table.dataset().fragments().iter().map(rows).sum()
}

struct Choice<'a> {
    searcher: &'a Searcher,
    table: &'a Table,
    spec: &'a FeatureSpec,
    metric: Metric,
    request: &'a SearchRequest,
    filter: Option<&'a str>,
    rows: u64,
}

impl Choice<'_> {
    async fn matching(&self) -> Result<Option<u64>> {
        match self.filter {
            None => Ok(None),
            Some(predicate) => Ok(Some(self.searcher.estimate(self.table, predicate).await?)),
        }
    }

    async fn exact(&self, reason: &str, matching: Option<u64>) -> Result<(Way, Plan)> {
        let matching = match matching {
            // Only who wants to know pays for it.
            None if self.request.explain => self.matching().await?,
            known => known,
        };
        let unindexed_rows =
            match approximate::usable_index(self.table, &self.request.column, self.metric).await? {
                Some((_, info)) => info.unindexed_rows,
                None => self.rows,
            };
        let plan = Plan {
            tier: Tier::Exact,
            reason: reason.to_owned(),
            rows: self.rows,
            matching,
            index: None,
            unindexed_rows,
            ef: None,
            nprobes: None,
            refine: None,
            recall: Some(1.0),
        };
        Ok((Way::Exact, plan))
    }

    fn wanted_recall(&self, measured: Option<&crate::recall::Measured>) -> f64 {
        let setting = measured.and_then(|measured| measured.min_recall);
        self.request
            .min_recall
            .or(setting)
            .unwrap_or(crate::recall::DEFAULT_RECALL)
    }

    async fn hot(&self, forced: bool) -> Result<Option<(Way, Plan)>> {
        let (table, column) = (self.table, &self.request.column);
        let Some(index) = self.searcher.0.hot.get(table.name(), column, self.metric) else {
            return Ok(None);
        };
        if !index.is_of(self.spec) {
            return Ok(None);
        }
        let measured = self.searcher.0.recalls.get(table.name(), column, Tier::Hot);
        let wanted = self.wanted_recall(measured.as_deref());
        let setting = measured
            .as_ref()
            .and_then(|measured| measured.setting(wanted));
        let ef = self.request.options.ef;
        let ef = ef
            .or(setting.map(|s| s.ef))
            .unwrap_or(DEFAULT_EF)
            .max(self.request.k);
        let plan = index.plan(table, self.filter, self.request.k, ef).await?;
        // An index that knows little of this version only costs.
        if !forced && plan.uncovered > plan.rows {
            return Ok(None);
        }
        let scanned = plan.way == penstock_hnsw::Way::Scan;
        let reason = match (self.filter, scanned) {
            (None, false) => "an index of the column is in memory".to_owned(),
            (None, true) => {
                "the index in memory is so small that comparing all of it costs less than a walk"
                    .to_owned()
            }
            (Some(_), true) => format!(
                "{} rows ({}) satisfy the predicate: comparing them costs less than a walk through the graph",
                grouped(plan.matching),
                percent(plan.matching, plan.rows)
            ),
            (Some(_), false) => format!(
                "{} rows ({}) satisfy the predicate: the graph in memory is walked over the others",
                grouped(plan.matching),
                percent(plan.matching, plan.rows)
            ),
        };
        let explained = Plan {
            tier: Tier::Hot,
            reason,
            rows: self.rows,
            matching: self.filter.map(|_| plan.matching),
            index: Some("hnsw_sq".to_owned()),
            unindexed_rows: plan.uncovered,
            ef: (!scanned).then_some(ef),
            nprobes: None,
            refine: None,
            recall: if scanned {
                Some(1.0)
            } else {
                measured.and_then(|m| m.recall_at(ef))
            },
        };
        Ok(Some((Way::Hot(index, Box::new(plan)), explained)))
    }

    async fn cold(&self, forced: bool) -> Result<Option<(Way, Plan)>> {
        let (table, column) = (self.table, &self.request.column);
        let Some(usable) = self.searcher.usable(table, column, self.metric).await? else {
            return Ok(None);
        };
        let (kind, info) = (usable.kind, &usable.info);
        let matching = self.matching().await?;
        if let Some(matching) = matching
            && !forced
            && plan::is_few(matching, self.spec.dim.get())
        {
            let reason = format!(
                "about {} rows ({}) satisfy the predicate: comparing them costs less than a search of the index",
                grouped(matching),
                percent(matching, self.rows)
            );
            return Ok(Some(self.exact(&reason, Some(matching)).await?));
        }
        let measured = self
            .searcher
            .0
            .recalls
            .get(table.name(), column, Tier::Cold);
        let wanted = self.wanted_recall(measured.as_deref());
        let chosen = measured
            .as_ref()
            .and_then(|measured| measured.setting(wanted));
        let default = Setting::cold(kind, info.indexed_rows, self.request.k, 1.0);
        let options = &self.request.options;
        let mut setting = chosen.map_or(default, |chosen| {
            Setting::cold(kind, info.indexed_rows, self.request.k, chosen.effort)
        });
        setting.nprobes = options.nprobes.unwrap_or(setting.nprobes);
        setting.refine = options.refine.unwrap_or(setting.refine);
        setting.ef = options.ef.unwrap_or(setting.ef);
        let explained = Plan {
            tier: Tier::Cold,
            reason: match matching {
                None => format!("the column has an index of type {kind}, and none in memory"),
                Some(matching) => format!(
                    "about {} rows ({}) satisfy the predicate, too many to compare each; the index of type {kind} leaves the others out",
                    grouped(matching),
                    percent(matching, self.rows)
                ),
            },
            rows: self.rows,
            matching,
            index: Some(kind.to_string()),
            unindexed_rows: info.unindexed_rows,
            ef: kind.has_graph().then_some(setting.ef),
            nprobes: Some(setting.nprobes),
            refine: Some(setting.refine),
            recall: measured.and_then(|measured| measured.recall_of(setting.effort)),
        };
        Ok(Some((
            Way::Cold(kind, setting, usable.opened.clone()),
            explained,
        )))
    }
}
