//! Rows that are near-duplicates of each other.
//!
//! Two rows within a distance are a pair, and rows that pairs join, however many lie between them,
//! are a cluster (single linkage). Pairs are found by a search around each row in the index in
//! memory, or by comparing every two rows.

pub(crate) mod sets;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, Float32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use futures::TryStreamExt;
use lance_table::format::Fragment;
use penstock_hnsw::Control;
use penstock_hnsw::pairs::{PairOptions, within};
use penstock_store::Table;
use penstock_types::columns::ID;
use penstock_types::{Metric, Probe};

use crate::exact::{scanner, set_filter};
use crate::nearest::floats;
use crate::plan::Tier;
use crate::{DISTANCE, IndexError, Result, Searcher, Watch, column};
use sets::Sets;

/// The column of an answer that says which cluster a row is in: Int64, from 0.
pub const CLUSTER: &str = "cluster";

/// The most rows of one answer.
pub const MAX_MEMBERS: usize = 4_000_000;

/// What counts as a duplicate, and how much may be spent on finding it.
#[derive(Debug, Clone, PartialEq)]
pub struct DuplicateRequest {
    /// A feature column with one vector per row.
    pub column: String,
    /// How vectors are compared, cosine or L2; cosine where `None`.
    pub metric: Option<Metric>,
    /// The largest distance of a pair, in the metric's own terms (squared under L2); not negative.
    pub within: f32,
    /// SQL predicate of the rows that are looked at.
    pub filter: Option<String>,
    /// How pairs are found: hot or exact. `None`: by the index in memory where there is one.
    pub tier: Option<Tier>,
    /// Rows that are compared with each other at the most: all, or those that the index in memory
    /// does not have. The work grows with its square.
    pub max_rows: u64,
    /// Bytes of these rows' vectors at the most, which are held in memory.
    pub max_bytes: u64,
    /// Rows around a row that a search in the index looks at; of a row with more, some are missed,
    /// and the answer counts it.
    pub neighbours: usize,
    /// Candidates that a walk through the index keeps.
    pub ef: usize,
    /// Rows of the answer at the most, up to [`MAX_MEMBERS`]; the largest clusters, whole, that
    /// fit.
    pub limit: usize,
}

impl DuplicateRequest {
    /// By cosine, of all rows, with the default bounds: 50,000 rows and 1 GiB compared with each
    /// other, 1,024 neighbours, 1,000,000 rows of the answer.
    #[must_use]
    pub fn new(column: impl Into<String>, within: f32) -> Self {
        Self {
            column: column.into(),
            metric: None,
            within,
            filter: None,
            tier: None,
            max_rows: 50_000,
            max_bytes: 1 << 30,
            neighbours: 1_024,
            ef: 128,
            limit: 1_000_000,
        }
    }
}

/// The clusters, and how they were found.
#[derive(Debug, Clone)]
pub struct DuplicateAnswer {
    /// Version of the table.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// How vectors were compared.
    pub metric: Metric,
    /// Where pairs came from: hot or exact.
    pub tier: Tier,
    /// Whether every two rows were compared; else pairs may have been missed.
    pub exact: bool,
    /// Rows with a vector that were looked at.
    pub rows: u64,
    /// Pairs found. With the index in memory a pair of two of its rows counts half from each side,
    /// rounded up at the end.
    pub pairs: u64,
    /// Rows with more neighbours than were looked at.
    pub crowded: u64,
    /// Clusters of at least two rows.
    pub clusters: u64,
    /// Rows in them.
    pub members: u64,
    /// Whether the answer holds all clusters; else those that did not fit the limit are left out.
    pub complete: bool,
    /// One row per member: `cluster` (Int64, from 0, the largest first and of equals that with the
    /// smallest id), `id` (Utf8, ascending within the cluster) and `distance` (Float32) to the
    /// cluster's first id, which stands for it. None is null.
    pub batch: RecordBatch,
}

/// Finds the clusters of near-duplicates. See [`Searcher::duplicates`].
///
/// # Errors
/// As for [`Searcher::duplicates`].
pub async fn duplicates(
    searcher: &Searcher,
    table: &Table,
    request: &DuplicateRequest,
) -> Result<DuplicateAnswer> {
    searcher.duplicates(table, request, &Watch::default()).await
}

impl Searcher {
    /// Finds the clusters of rows whose vectors are within a distance of each other.
    ///
    /// In memory are 8 bytes per row looked at, the ids of the answer, and, of the rows that are
    /// compared with each other, vectors and ids. Rows without a vector, and under cosine those
    /// without a direction, are in no cluster. The same version and request give the same answer
    /// from all rows compared; from the index in memory, as long as the index is the same and no
    /// row is crowded.
    ///
    /// # Errors
    /// The request does not fit the column; too many rows would have to be compared with each other
    /// ([`IndexError::TooManyPairs`]); there is no index in memory where one was asked for; reading
    /// fails; or the caller asked to stop.
    pub async fn duplicates(
        &self,
        table: &Table,
        request: &DuplicateRequest,
        watch: &Watch,
    ) -> Result<DuplicateAnswer> {
        let spec = column::feature(table, &request.column)?;
        let metric = request.metric.unwrap_or_default();
        check(request, metric)?;
        let index = match request.tier {
            Some(Tier::Exact) => None,
            Some(Tier::Cold) => {
                return Err(IndexError::DuplicateTier);
            }
            asked => {
                let index = self.hot().get(table.name(), &request.column, metric);
                let index = index.filter(|index| index.is_of(&spec));
                if index.is_none() && asked.is_some() {
                    return Err(IndexError::NotWarm {
                        table: table.name().to_string(),
                        column: request.column.clone(),
                        metric,
                    });
                }
                index
            }
        };
        let filter = request.filter.as_deref();
        let task = Task::new(request, metric, spec.dim.get(), watch);
        let outcome = match index {
            None => {
                let rest = Rest::read(table, &task, filter, None).await?;
                task.run(move |task| task.exact(&rest)).await?
            }
            Some(index) => {
                let plan = index.plan(table, filter, 1, request.ef).await?;
                let uncovered = plan.uncovered_fragments();
                let rest = if uncovered.is_empty() {
                    Rest::default()
                } else {
                    Rest::read(table, &task, filter, Some(uncovered)).await?
                };
                task.run(move |task| index.duplicates(&plan, &rest, task))
                    .await?
            }
        };
        Ok(DuplicateAnswer {
            version: table.version(),
            column: request.column.clone(),
            metric,
            tier: if outcome.exact {
                Tier::Exact
            } else {
                Tier::Hot
            },
            exact: outcome.exact,
            rows: outcome.rows,
            pairs: outcome.pairs,
            crowded: outcome.crowded,
            clusters: outcome.clusters,
            members: outcome.members,
            complete: outcome.batch.num_rows() as u64 == outcome.members,
            batch: outcome.batch,
        })
    }
}

fn check(request: &DuplicateRequest, metric: Metric) -> Result<()> {
    if metric == Metric::Dot {
        return Err(IndexError::NoDistance { metric });
    }
    if !(request.within.is_finite() && request.within >= 0.0) {
        return Err(IndexError::Number {
            option: "within",
            given: f64::from(request.within),
            expected: "a finite distance, not negative",
        });
    }
    let most = penstock_hnsw::MAX_EF;
    for (option, given, min, max) in [
        ("neighbours", request.neighbours, 1, most),
        ("ef", request.ef, 1, most),
        ("limit", request.limit, 2, MAX_MEMBERS),
    ] {
        if !(min..=max).contains(&given) {
            return Err(IndexError::Option {
                option,
                given,
                min,
                max,
            });
        }
    }
    Ok(())
}

/// What the work needs to know, on whatever thread it runs.
#[derive(Clone)]
pub(crate) struct Task {
    pub(crate) column: String,
    pub(crate) metric: Metric,
    pub(crate) dim: usize,
    pub(crate) within: f32,
    pub(crate) neighbours: usize,
    pub(crate) ef: usize,
    limit: usize,
    max_rows: u64,
    max_bytes: u64,
    watch: Watch,
    /// True once the caller asked to stop, or waits no longer.
    stop: Arc<AtomicBool>,
}

/// What the work came to.
pub(crate) struct Outcome {
    exact: bool,
    rows: u64,
    pairs: u64,
    crowded: u64,
    clusters: u64,
    members: u64,
    batch: RecordBatch,
}

/// Counts of the pairs.
pub(crate) struct Counts {
    pub(crate) exact: bool,
    pub(crate) rows: u64,
    pub(crate) pairs: u64,
    pub(crate) crowded: u64,
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

impl Task {
    fn new(request: &DuplicateRequest, metric: Metric, dim: usize, watch: &Watch) -> Self {
        Self {
            column: request.column.clone(),
            metric,
            dim,
            within: request.within,
            neighbours: request.neighbours,
            ef: request.ef,
            limit: request.limit,
            max_rows: request.max_rows,
            max_bytes: request.max_bytes,
            watch: watch.clone(),
            stop: Arc::default(),
        }
    }

    /// Runs the work on a thread where it may block; it ends when nobody waits for it any more.
    async fn run(
        &self,
        work: impl FnOnce(&Self) -> Result<Outcome> + Send + 'static,
    ) -> Result<Outcome> {
        let _stop = StopOnDrop(Arc::clone(&self.stop));
        let task = self.clone();
        tokio::task::spawn_blocking(move || work(&task)).await?
    }

    /// Says how far the work is, and looks whether it is to go on.
    pub(crate) fn progress(&self, done: usize, all: usize) {
        (self.watch.progress)(done, all);
        if self.watch.cancel.load(Relaxed) {
            self.stop.store(true, Relaxed);
        }
    }

    pub(crate) fn check(&self) -> Result<()> {
        if self.stop.load(Relaxed) || self.watch.cancel.load(Relaxed) {
            return Err(penstock_hnsw::HnswError::Cancelled.into());
        }
        Ok(())
    }

    /// Hands all pairs of these vectors to `found`.
    pub(crate) fn pairs(
        &self,
        vectors: &[f32],
        found: penstock_hnsw::pairs::FoundFn<'_>,
    ) -> Result<()> {
        self.check()?;
        let options = PairOptions {
            metric: self.metric,
            within: self.within,
            threads: 0,
        };
        let control = Control {
            cancel: &self.stop,
            progress: &|done, all| self.progress(done, all),
        };
        Ok(within(vectors, self.dim, &options, &control, found)?)
    }

    fn exact(&self, rest: &Rest) -> Result<Outcome> {
        let sets = Mutex::new(Sets::new(rest.ids.len()));
        let pairs = AtomicU64::new(0);
        self.pairs(&rest.vectors, &|found| {
            pairs.fetch_add(found.len() as u64, Relaxed);
            let mut sets = sets.lock().unwrap_or_else(PoisonError::into_inner);
            for (a, b) in found {
                sets.join(*a, *b);
            }
        })?;
        let counts = Counts {
            exact: true,
            rows: rest.ids.len() as u64,
            pairs: pairs.into_inner(),
            crowded: 0,
        };
        let sets = sets.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.outcome(counts, sets, |row| {
            (rest.id(row as usize), rest.vector(row as usize, self.dim))
        })
    }

    /// Orders the clusters and measures their members; `row` gives id and vector of a row.
    pub(crate) fn outcome<'r>(
        &self,
        counts: Counts,
        sets: Sets,
        row: impl Fn(u32) -> (&'r str, &'r [f32]),
    ) -> Result<Outcome> {
        let mut clusters = sets.clusters();
        for cluster in &mut clusters {
            cluster.sort_unstable_by(|a, b| row(*a).0.cmp(row(*b).0));
        }
        let first = |cluster: &[u32]| row(cluster[0]).0;
        clusters
            .sort_unstable_by(|a, b| (b.len().cmp(&a.len())).then_with(|| first(a).cmp(first(b))));
        let members = clusters.iter().map(|cluster| cluster.len() as u64).sum();
        let (mut of, mut ids, mut distances) = (Vec::new(), Vec::new(), Vec::new());
        for (number, cluster) in (0_i64..).zip(&clusters) {
            if ids.len() + cluster.len() > self.limit {
                continue;
            }
            self.check()?;
            let probe = Probe::new(self.metric, row(cluster[0]).1);
            for member in cluster {
                let (id, vector) = row(*member);
                let distance = probe.distance(vector).ok_or(IndexError::Invariant {
                    what: "a member of a cluster has no distance to its first",
                })?;
                of.push(number);
                ids.push(id);
                distances.push(distance);
            }
        }
        let fields = [
            Field::new(CLUSTER, DataType::Int64, false),
            Field::new(ID, DataType::Utf8, false),
            Field::new(DISTANCE, DataType::Float32, false),
        ];
        let batch = RecordBatch::try_new(
            Arc::new(Schema::new(fields.to_vec())),
            vec![
                Arc::new(Int64Array::from(of)),
                Arc::new(StringArray::from_iter_values(ids)),
                Arc::new(Float32Array::from(distances)),
            ],
        )?;
        Ok(Outcome {
            exact: counts.exact,
            rows: counts.rows,
            pairs: counts.pairs,
            crowded: counts.crowded,
            clusters: clusters.len() as u64,
            members,
            batch,
        })
    }
}

/// Rows that are compared with each other: ids, and vectors `f32[n, dim]`.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    pub(crate) vectors: Vec<f32>,
    /// Where each id ends in the text of all.
    pub(crate) ids: Vec<u64>,
    text: String,
}

impl Rest {
    pub(crate) fn id(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ids[before]);
        &self.text[start as usize..self.ids[row] as usize]
    }

    pub(crate) fn vector(&self, row: usize, dim: usize) -> &[f32] {
        &self.vectors[row * dim..][..dim]
    }

    /// Reads the rows that satisfy the predicate, after a count of them.
    async fn read(
        table: &Table,
        task: &Task,
        filter: Option<&str>,
        fragments: Option<Vec<Fragment>>,
    ) -> Result<Self> {
        let failed = IndexError::read(table);
        let some = |scan: &mut lance::dataset::scanner::Scanner| {
            if let Some(fragments) = &fragments {
                scan.with_fragments(fragments.clone());
            }
        };
        let mut count = table.dataset().scan();
        some(&mut count);
        set_filter(&mut count, table, filter)?;
        let rows = count.count_rows().await.map_err(&failed)?;
        let bytes = rows.saturating_mul(4 * task.dim as u64);
        if rows > task.max_rows.min(u64::from(u32::MAX)) || bytes > task.max_bytes {
            return Err(IndexError::TooManyPairs {
                column: task.column.clone(),
                metric: task.metric,
                rows,
                bytes,
                max_rows: task.max_rows,
                max_bytes: task.max_bytes,
            });
        }
        let mut rest = Self::default();
        rest.vectors.reserve_exact(rows as usize * task.dim);
        let mut scan = scanner(table, &task.column, task.dim, filter)?;
        some(&mut scan);
        let mut batches = scan.try_into_stream().await.map_err(&failed)?;
        while let Some(batch) = batches.try_next().await.map_err(&failed)? {
            task.check()?;
            rest.append(&batch, task)?;
        }
        Ok(rest)
    }

    fn append(&mut self, batch: &RecordBatch, task: &Task) -> Result<()> {
        let missing = || IndexError::Invariant {
            what: "a scan left out a column that it was asked for",
        };
        let ids = cast(
            batch.column_by_name(ID).ok_or_else(missing)?,
            &DataType::Utf8,
        )?;
        let ids = ids.as_string::<i32>();
        let vectors = batch
            .column_by_name(&task.column)
            .and_then(|vectors| vectors.as_fixed_size_list_opt())
            .ok_or_else(missing)?;
        let values = floats(vectors)?;
        for row in (0..batch.num_rows()).filter(|row| vectors.is_valid(*row)) {
            let start = vectors.value_offset(row) as usize;
            self.vectors
                .extend_from_slice(&values.values()[start..start + task.dim]);
            self.text.push_str(ids.value(row));
            self.ids.push(self.text.len() as u64);
        }
        Ok(())
    }
}
