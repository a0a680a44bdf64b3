//! Indexes in memory: the hot tier.
//!
//! An index is made of segments, each a frozen graph over the rows of some fragments of a table. A
//! version of the table is searched in all segments as far as it has their rows; its rows that no
//! segment has are compared one by one, so every version can be searched with the same index, older
//! ones and newer ones.

mod build;
mod duplicates;
mod saved;
mod search;
mod segment;
mod view;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use penstock_hnsw::threads::threads;
use penstock_hnsw::{Hnsw, Options};
use penstock_store::{Store, Table};
use penstock_types::{FeatureSpec, Metric, TableName};

use crate::column::{self, Moment};
use crate::fetch::kept::Kept;
use crate::{IndexError, Result};
use build::Build;
use saved::Saved;
use segment::Segment;
use view::View;

pub(crate) use search::HotPlan;

/// New rows that are worth a segment of their own; fewer are compared one by one.
const SEGMENT_ROWS: u64 = 20_000;
/// Or this share of the rows.
const SEGMENT_SHARE: f64 = 0.1;
/// Segments before all are built anew as one: each costs a walk.
const SEGMENTS: usize = 4;
/// Share of rows that are no longer there from which on the index is built anew.
const DEAD_SHARE: f64 = 0.3;
/// Versions of a table whose rows are kept in mind.
const VIEWS: usize = 4;
/// Predicates whose rows are kept in mind.
const PREDICATES: usize = 32;
/// Columns of hits may take this part of what indexes may.
const COLUMNS_SHARE: u64 = 8;

/// How much memory indexes may take, and how they are built.
#[derive(Debug, Clone)]
pub struct HotOptions {
    /// Bytes of all indexes together, one that is being built included. Columns of their hits may take
    /// an eighth as much beside them.
    pub budget_bytes: u64,
    /// Threads of a build; searches have the others. 0: half of the cores.
    pub build_threads: usize,
    /// Links of a vertex in a graph.
    pub edges: usize,
    /// Candidates that an insertion into a graph keeps.
    pub ef_construction: usize,
}

impl Default for HotOptions {
    fn default() -> Self {
        Self {
            budget_bytes: 4 << 30,
            build_threads: 0,
            edges: 16,
            ef_construction: 200,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    table: TableName,
    column: String,
    metric: Metric,
}

/// One column's index in memory. It never changes; a newer one takes its place.
#[derive(Debug)]
pub struct HotIndex {
    key: Key,
    weights: String,
    version: u64,
    dim: usize,
    segments: Vec<Arc<Segment>>,
    /// Names of the segments' files.
    files: Vec<String>,
    views: Mutex<Vec<(Moment, Arc<View>)>>,
    matching: Mutex<Vec<search::Matching>>,
}

/// What an index in memory is, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotInfo {
    /// The table.
    pub table: TableName,
    /// The feature column.
    pub column: String,
    /// How vectors are compared.
    pub metric: Metric,
    /// The version that it was last brought up to.
    pub version: u64,
    /// Rows held.
    pub rows: u64,
    /// Parts.
    pub segments: usize,
    /// Bytes held.
    pub bytes: u64,
}

/// What [`HotTier::warm`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warmed {
    /// It was in memory, and is as new as is worth it.
    Kept,
    /// It was read from where it was saved.
    Loaded,
    /// New rows became a segment.
    Extended,
    /// It was built from all rows.
    Built,
}

/// How a build is watched and stopped.
#[derive(Clone)]
pub struct Watch {
    /// The build ends soon after this is true.
    pub cancel: Arc<AtomicBool>,
    /// Called now and then with the rows done and all rows.
    pub progress: Arc<dyn Fn(usize, usize) + Send + Sync>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            cancel: Arc::default(),
            progress: Arc::new(|_, _| {}),
        }
    }
}

/// The indexes in memory of one store. Cheap to clone: clones are one tier.
#[derive(Debug, Clone)]
pub struct HotTier(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: HotOptions,
    columns: Kept,
    held: Mutex<HashMap<Key, Arc<HotIndex>>>,
    /// Bytes that builds have reserved.
    reserved: AtomicU64,
    /// One build of an index at a time.
    building: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

impl Default for HotTier {
    fn default() -> Self {
        Self::new(HotOptions::default())
    }
}

/// Bytes set aside for a build until it ends.
struct Reserved<'t> {
    tier: &'t HotTier,
    bytes: u64,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.tier
            .0
            .reserved
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl HotTier {
    /// A tier without indexes.
    #[must_use]
    pub fn new(options: HotOptions) -> Self {
        Self(Arc::new(Inner {
            columns: Kept::new(options.budget_bytes / COLUMNS_SHARE),
            options,
            held: Mutex::default(),
            reserved: AtomicU64::new(0),
            building: Mutex::default(),
        }))
    }

    /// Whether any index of the table is in memory.
    pub(crate) fn holds(&self, table: &TableName) -> bool {
        self.held().keys().any(|key| key.table == *table)
    }

    /// Columns of hits of the tables that have an index in memory.
    pub(crate) fn columns(&self) -> &Kept {
        &self.0.columns
    }

    /// Bytes of columns of hits, kept beside the indexes.
    #[must_use]
    pub fn column_bytes(&self) -> u64 {
        self.0.columns.bytes()
    }

    /// The index of a column that can answer a search by this metric.
    #[must_use]
    pub fn get(&self, table: &TableName, column: &str, metric: Metric) -> Option<Arc<HotIndex>> {
        let key = Key {
            table: table.clone(),
            column: column.to_owned(),
            metric,
        };
        self.held().get(&key).cloned()
    }

    /// All indexes, by table and column.
    #[must_use]
    pub fn list(&self) -> Vec<HotInfo> {
        let mut list: Vec<_> = self.held().values().map(|index| index.info()).collect();
        list.sort_by(|a, b| (&a.table, &a.column).cmp(&(&b.table, &b.column)));
        list
    }

    /// Lets the indexes of a table go, or of one of its columns; what is saved stays. Answers how
    /// many there were.
    pub fn cool(&self, table: &TableName, column: Option<&str>) -> usize {
        let mut held = self.held();
        let before = held.len();
        held.retain(|key, _| {
            key.table != *table || column.is_some_and(|column| column != key.column)
        });
        if !held.keys().any(|key| key.table == *table) {
            self.0.columns.forget(table);
        }
        before - held.len()
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<HotIndex>>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn options(&self, metric: Metric) -> Options {
        let cores = threads(0);
        let threads = match self.0.options.build_threads {
            0 => cores.div_ceil(2),
            some => some,
        };
        Options {
            metric,
            edges: self.0.options.edges,
            ef_construction: self.0.options.ef_construction,
            threads,
            ..Options::default()
        }
    }

    /// What a build over so many vectors would take in memory: the index, and the build at its
    /// peak.
    #[must_use]
    pub fn estimate(&self, rows: u64, dim: usize, metric: Metric) -> (u64, u64) {
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let memory = Hnsw::bytes(rows, dim, &self.options(metric));
        // The vectors as they are read lie beside the graph until it is built.
        (memory.index, memory.peak + (rows * dim * 4) as u64)
    }

    /// Bytes that all indexes may take together.
    #[must_use]
    pub fn budget(&self) -> u64 {
        self.0.options.budget_bytes
    }

    /// Whether an index of the column is saved beside the table.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn is_saved(
        &self,
        store: &Store,
        name: &TableName,
        column: &str,
        metric: Metric,
    ) -> Result<bool> {
        let saved = Saved::of(store.objects(), name, column, metric);
        Ok(saved.current().await?.is_some())
    }

    /// Bytes that indexes may still take, builds under way not counted.
    fn free(&self) -> u64 {
        let held: u64 = self.held().values().map(|index| index.info().bytes).sum();
        self.0.options.budget_bytes.saturating_sub(held)
    }

    fn reserve(&self, bytes: u64) -> Result<Reserved<'_>> {
        let allowed = self.free();
        let before = self.0.reserved.fetch_add(bytes, Ordering::Relaxed);
        let reserved = Reserved { tier: self, bytes };
        if before.saturating_add(bytes) > allowed {
            let free = allowed.saturating_sub(before);
            drop(reserved);
            return Err(IndexError::Memory {
                needed: bytes,
                free,
                budget: self.0.options.budget_bytes,
            });
        }
        Ok(reserved)
    }

    /// Brings the column's index into memory: from where it was saved, where there is one that
    /// fits, else by building it; rows that came since become a segment when they are worth it.
    /// What was built is saved, under the table's maintenance lease.
    ///
    /// # Errors
    /// The column holds no vectors to search; the index does not fit the budget; the store fails;
    /// another job maintains the table; the build was cancelled.
    pub async fn warm(
        &self,
        store: &Store,
        name: &TableName,
        column: &str,
        metric: Metric,
        watch: &Watch,
    ) -> Result<(Warmed, HotInfo)> {
        let key = Key {
            table: name.clone(),
            column: column.to_owned(),
            metric,
        };
        let lock = {
            let mut building = self
                .0
                .building
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            Arc::clone(building.entry(key.clone()).or_default())
        };
        let _one_at_a_time = lock.lock().await;
        let table = store.table(name).await?;
        let spec = column::feature(&table, column)?;
        let build = Build {
            tier: self,
            store,
            table: &table,
            saved: Saved::of(store.objects(), name, column, metric),
            key: &key,
            spec: &spec,
            watch,
        };
        let held = self.get(name, column, metric);
        let (mut warmed, held) = match held.filter(|held| held.weights == spec.weights) {
            Some(held) => (Warmed::Kept, Some(held)),
            None => (Warmed::Loaded, build.load().await?),
        };
        let due = match &held {
            Some(held) => held.due(&table).await?,
            None => Due::All,
        };
        let index = match (held, due) {
            (Some(held), Due::Nothing) => held,
            (Some(held), Due::More) => {
                warmed = Warmed::Extended;
                Arc::new(build.extended(&held).await?)
            }
            _ => {
                warmed = Warmed::Built;
                Arc::new(build.whole().await?)
            }
        };
        let info = index.info();
        self.held().insert(key, index);
        Ok((warmed, info))
    }

    /// Removes what is saved of a column's index, and lets the index go.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn forget(
        &self,
        store: &Store,
        name: &TableName,
        column: &str,
        metric: Metric,
    ) -> Result<()> {
        self.cool(name, Some(column));
        Saved::of(store.objects(), name, column, metric)
            .remove()
            .await
    }
}

/// What an index lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Nothing,
    /// A segment for the rows that no segment has.
    More,
    /// One segment of all rows.
    All,
}

impl HotIndex {
    fn new(
        key: Key,
        spec: &FeatureSpec,
        version: u64,
        segments: Vec<Arc<Segment>>,
        files: Vec<String>,
    ) -> Self {
        Self {
            key,
            weights: spec.weights.clone(),
            dim: spec.dim.get(),
            version,
            segments,
            files,
            views: Mutex::default(),
            matching: Mutex::default(),
        }
    }

    /// Whether its vectors are those of the column as it is described.
    pub(crate) fn is_of(&self, spec: &FeatureSpec) -> bool {
        self.weights == spec.weights && self.dim == spec.dim.get()
    }

    /// What it is.
    #[must_use]
    pub fn info(&self) -> HotInfo {
        HotInfo {
            table: self.key.table.clone(),
            column: self.key.column.clone(),
            metric: self.key.metric,
            version: self.version,
            rows: self
                .segments
                .iter()
                .map(|segment| segment.graph.len() as u64)
                .sum(),
            segments: self.segments.len(),
            bytes: self.segments.iter().map(|segment| segment.bytes()).sum(),
        }
    }

    async fn due(&self, table: &Table) -> Result<Due> {
        let view = self.view(table).await?;
        let all = view.rows + view.uncovered_rows;
        let worth = SEGMENT_ROWS.min((SEGMENT_SHARE * all as f64) as u64).max(1);
        Ok(
            if view.dead as f64 > DEAD_SHARE * (view.rows + view.dead) as f64 {
                Due::All
            } else if view.uncovered_rows < worth {
                Due::Nothing
            } else if self.segments.len() >= SEGMENTS || view.uncovered_rows > view.rows {
                Due::All
            } else {
                Due::More
            },
        )
    }

    /// The index as a version sees it.
    async fn view(&self, table: &Table) -> Result<Arc<View>> {
        let moment = Moment::of(table);
        {
            let views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, view)) = views.iter().find(|(of, _)| *of == moment) {
                return Ok(Arc::clone(view));
            }
        }
        let view = Arc::new(View::of(&self.segments, table, &self.key.column).await?);
        let mut views = self.views.lock().unwrap_or_else(PoisonError::into_inner);
        if views.len() == VIEWS {
            views.remove(0);
        }
        views.push((moment, Arc::clone(&view)));
        Ok(view)
    }
}
