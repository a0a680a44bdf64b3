//! Searches by several vectors per row: late interaction (Khattab and Zaharia 2020,
//! <https://arxiv.org/abs/2004.12832>).
//!
//! The score of a row is the sum, over the query's vectors, of the largest cosine with one of the
//! row's. Rows are scored in single precision first; those that may be among the nearest are
//! scored again by [`Probe`], whose distances decide and are reported.

use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use arrow::array::{Array, AsArray, FixedSizeListArray, Float32Array, ListArray, RecordBatch};
use arrow::compute::{cast, filter, is_not_null};
use arrow::datatypes::{DataType, UInt64Type};
use futures::{Stream, StreamExt, TryStreamExt};
use lance::dataset::ProjectionRequest;
use penstock_hnsw::late::{LateQuery, LateScratch};
use penstock_store::Table;
use penstock_types::columns::ID;
use penstock_types::{Dim, FeatureSpec, Metric, Probe};

use crate::exact::set_filter;
use crate::nearest::{Found, Hit, ROW, floats, offer};
use crate::plan::Plan;
use crate::{IndexError, MAX_K, Made, Result, SearchRequest, Searcher, approximate, column};

/// The most vectors of a query.
pub const MAX_QUERY_VECTORS: usize = 16_384;

/// Bytes of a batch as it is stored, unless one row has more. As many batches as there are cores
/// are in memory at once, with their numbers in single precision.
const BATCH_BYTES: u64 = 2 << 20;
/// Rows of a batch at the most.
const BATCH_ROWS: usize = 1024;
/// Candidates read at once.
const READ_ROWS: usize = 16;

/// Which rows are scored, where not all are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// A column with one vector per row, of the same encoder and weights; its mean suits best.
    pub column: String,
    /// How many rows, from `k` to [`MAX_K`]: those whose vector there is nearest to the mean of the
    /// query's vectors.
    pub n: usize,
}

/// A search by several vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct LateRequest {
    /// A feature column with one vector per item (pooling `none`).
    pub column: String,
    /// The query, `f32[m, dim]`, vector after vector; `m` is from 1 to [`MAX_QUERY_VECTORS`].
    pub vectors: Vec<f32>,
    /// How many hits, from 1 to [`MAX_K`].
    pub k: usize,
    /// SQL predicate that every hit satisfies.
    pub filter: Option<String>,
    /// Columns of the answer, in this order; `distance` is added.
    pub columns: Vec<String>,
    /// Score these rows only; all where `None`.
    pub candidates: Option<Candidates>,
    /// Who made the query's vectors, where it is known.
    pub made: Option<Made>,
}

impl LateRequest {
    /// A search of all rows with the column `id`.
    #[must_use]
    pub fn new(column: impl Into<String>, vectors: Vec<f32>, k: usize) -> Self {
        Self {
            column: column.into(),
            vectors,
            k,
            filter: None,
            columns: vec![ID.to_owned()],
            candidates: None,
            made: None,
        }
    }
}

/// The hits, and how they were found.
#[derive(Debug, Clone)]
pub struct LateAnswer {
    /// Version of the table that was searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// How many hits were asked for.
    pub k: usize,
    /// Vectors of the query.
    pub vectors: usize,
    /// Whether every row was scored, so that the answer is the true one.
    pub exact: bool,
    /// Rows scored.
    pub candidates: u64,
    /// Which way the candidates were found; `None` where all rows were scored.
    pub plan: Option<Plan>,
    /// One row per hit, nearest first, equals by id: the requested columns and `distance` (Float32,
    /// not null), 1 - score / m: the mean, over the query's vectors, of the cosine distance to the
    /// nearest of the row's.
    pub batch: RecordBatch,
}

/// Finds the `k` rows with the highest score, with no index in memory. See [`Searcher::late`].
///
/// # Errors
/// As for [`Searcher::late`].
pub async fn late(table: &Table, request: &LateRequest) -> Result<LateAnswer> {
    Searcher::default().late(table, request).await
}

impl Searcher {
    /// Finds the `k` rows with the highest score: of all rows that satisfy the predicate, or of the
    /// candidates among them. Rows without a vector that has a direction are not found.
    ///
    /// Dropping the future ends the work with the batches under way.
    ///
    /// # Errors
    /// The column is not of vectors per item; the query or the candidates' column does not fit it;
    /// `k` or `n` is out of bounds; the predicate is wrong; or reading fails.
    pub async fn late(&self, table: &Table, request: &LateRequest) -> Result<LateAnswer> {
        let spec = column::items(table, &request.column)?;
        column::check_made(&request.column, &spec, request.made.as_ref())?;
        let query = check(&spec, request)?;
        let (names, _) = column::projected(table, &request.columns)?;
        let (found, plan) = match &request.candidates {
            None => (scan(table, &query, request.filter.as_deref()).await?, None),
            Some(candidates) => {
                let near = pooled(table, &spec, request, candidates)?;
                let (hits, plan) = self.search_hits(table, &near).await?;
                let rows = hits.into_iter().map(|hit| hit.row).collect();
                (some(table, &query, rows).await?, Some(plan))
            }
        };
        Ok(LateAnswer {
            version: table.version(),
            column: request.column.clone(),
            k: request.k,
            vectors: query.fast.count(),
            exact: plan.is_none(),
            candidates: found.compared,
            plan,
            batch: self.assemble(table, &found.hits, &names).await?,
        })
    }
}

/// The query as rows are compared with it.
struct Query {
    column: String,
    dim: usize,
    k: usize,
    vectors: Vec<f32>,
    fast: LateQuery,
    /// How far a score in single precision may be from the true one, per vector of the query.
    slack: f32,
}

fn check(spec: &FeatureSpec, request: &LateRequest) -> Result<Arc<Query>> {
    let dim = spec.dim.get();
    if !request.vectors.len().is_multiple_of(dim) {
        return Err(IndexError::Ends {
            column: request.column.clone(),
            numbers: request.vectors.len(),
            dim,
        });
    }
    let count = request.vectors.len() / dim;
    if !(1..=MAX_QUERY_VECTORS).contains(&count) {
        return Err(IndexError::Option {
            option: "vectors",
            given: count,
            min: 1,
            max: MAX_QUERY_VECTORS,
        });
    }
    for (query, vector) in request.vectors.chunks_exact(dim).enumerate() {
        let checked = column::check_vector(&request.column, spec, vector, Metric::Cosine);
        checked.map_err(|source| IndexError::Query {
            query,
            source: Box::new(source),
        })?;
    }
    if !(1..=MAX_K).contains(&request.k) {
        return Err(IndexError::K {
            given: request.k,
            max: MAX_K,
        });
    }
    Ok(Arc::new(Query {
        column: request.column.clone(),
        dim,
        k: request.k,
        fast: LateQuery::new(&request.vectors, dim)?,
        vectors: request.vectors.clone(),
        // A sum of `dim` products and the two lengths, each rounded some `dim` times.
        slack: (dim as f32).max(8.0) * 2.0 * f32::EPSILON,
    }))
}

/// The search of the candidates' column.
fn pooled(
    table: &Table,
    spec: &FeatureSpec,
    request: &LateRequest,
    candidates: &Candidates,
) -> Result<SearchRequest> {
    if !(request.k..=MAX_K).contains(&candidates.n) {
        return Err(IndexError::Option {
            option: "candidates.n",
            given: candidates.n,
            min: request.k,
            max: MAX_K,
        });
    }
    let of = column::feature(table, &candidates.column)?;
    // What stands after the colon says how its vectors are stored and pooled.
    let alone = |spec: &FeatureSpec| spec.encoder.split(':').next().map(str::to_owned);
    if alone(&of) != alone(spec) {
        return Err(IndexError::Encoder {
            column: candidates.column.clone(),
            given: spec.encoder.clone(),
            expected: of.encoder,
        });
    }
    let made = Made {
        encoder: of.encoder.clone(),
        weights: Some(spec.weights.clone()),
    };
    let mean = mean(&request.vectors, spec.dim);
    let mut near = SearchRequest::new(&candidates.column, mean, candidates.n);
    near.filter.clone_from(&request.filter);
    near.made = Some(made);
    Ok(near)
}

fn mean(vectors: &[f32], dim: Dim) -> Vec<f32> {
    let dim = dim.get();
    let count = (vectors.len() / dim) as f64;
    let sum = |at: usize| -> f64 {
        let column = vectors.iter().skip(at).step_by(dim);
        column.map(|number| f64::from(*number)).sum()
    };
    (0..dim).map(|at| (sum(at) / count) as f32).collect()
}

/// Scores every row that satisfies the predicate.
async fn scan(table: &Table, query: &Arc<Query>, filter: Option<&str>) -> Result<Found> {
    let failed = IndexError::read(table);
    let mut scan = table.dataset().scan();
    scan.project(&[ID, query.column.as_str()])
        .map_err(&failed)?;
    scan.with_row_id().scan_in_order(false);
    scan.batch_size(BATCH_ROWS).batch_size_bytes(BATCH_BYTES);
    set_filter(&mut scan, table, filter)?;
    let batches = scan.try_into_stream().await.map_err(&failed)?;
    highest(batches, query, failed).await
}

/// Scores these rows.
async fn some(table: &Table, query: &Arc<Query>, rows: Vec<u64>) -> Result<Found> {
    let failed = IndexError::read(table);
    let dataset = Arc::clone(table.dataset());
    let columns = [ID, query.column.as_str()];
    let projection = Arc::new(dataset.schema().project(&columns).map_err(&failed)?);
    let chunks: Vec<Vec<u64>> = rows.chunks(READ_ROWS).map(<[u64]>::to_vec).collect();
    let batches = futures::stream::iter(chunks)
        .map(move |rows| {
            let projection = ProjectionRequest::Schema(Arc::clone(&projection));
            approximate::read(Arc::clone(&dataset), rows, projection)
        })
        .buffered(2);
    highest(batches, query, failed).await
}

/// Keeps the `k` rows of the stream with the highest scores.
async fn highest<S>(
    batches: S,
    query: &Arc<Query>,
    failed: impl Fn(lance::Error) -> IndexError,
) -> Result<Found>
where
    S: Stream<Item = Result<RecordBatch, lance::Error>>,
{
    let at_once = penstock_hnsw::threads::threads(0);
    let worst = Arc::new(AtomicU32::new(f32::INFINITY.to_bits()));
    let mut heap = BinaryHeap::new();
    let mut compared = 0;
    let scored = batches
        .map_err(failed)
        .map(|batch| {
            let (query, worst) = (Arc::clone(query), Arc::clone(&worst));
            async move {
                let batch = batch?;
                let limit = f32::from_bits(worst.load(Relaxed));
                tokio::task::spawn_blocking(move || score(&batch, &query, limit)).await?
            }
        })
        .buffer_unordered(at_once);
    futures::pin_mut!(scored);
    while let Some(found) = scored.try_next().await? {
        compared += found.compared;
        for hit in found.hits {
            offer(&mut heap, query.k, hit);
        }
        if heap.len() == query.k
            && let Some(last) = heap.peek()
        {
            worst.store(last.distance.to_bits(), Relaxed);
        }
    }
    Ok(Found {
        hits: heap.into_sorted_vec(),
        compared,
    })
}

/// The best rows of a batch that are no further than `limit`.
fn score(batch: &RecordBatch, query: &Query, mut limit: f32) -> Result<Found> {
    let missing = IndexError::Invariant {
        what: "a scan left out a column that it was asked for",
    };
    let column = |name: &str| batch.column_by_name(name);
    let (Some(rows), Some(ids), Some(lists)) = (column(ROW), column(ID), column(&query.column))
    else {
        return Err(missing);
    };
    let rows = rows.as_primitive::<UInt64Type>();
    let ids = cast(ids, &DataType::Utf8)?;
    let ids = ids.as_string::<i32>();
    let items = Items::of(lists.as_list_opt::<i32>().ok_or(missing)?, query.dim)?;

    let mut scratch = LateScratch::default();
    let count = query.fast.count() as f32;
    let mut fast: Vec<(f32, usize)> = (0..batch.num_rows())
        .filter_map(|row| {
            let score = query.fast.score(items.of_row(row)?, &mut scratch)?;
            Some((1.0 - score / count, row))
        })
        .collect();
    let compared = fast.len() as u64;
    fast.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let probes: Vec<Probe<'_>> = query
        .vectors
        .chunks_exact(query.dim)
        .map(|vector| Probe::new(Metric::Cosine, vector))
        .collect();
    let mut heap = BinaryHeap::new();
    for (distance, row) in fast {
        if distance - query.slack > limit {
            break;
        }
        let numbers = items.of_row(row).unwrap_or_default();
        let Some(distance) = distance_of(&probes, numbers, query.dim) else {
            continue;
        };
        let hit = Hit {
            distance,
            preferred: false,
            id: ids.value(row).to_owned(),
            row: rows.value(row),
        };
        offer(&mut heap, query.k, hit);
        if heap.len() == query.k
            && let Some(last) = heap.peek()
        {
            limit = limit.min(last.distance);
        }
    }
    Ok(Found {
        hits: heap.into_vec(),
        compared,
    })
}

/// The mean distance from each of the query's vectors to the nearest of the row's; `None` where the
/// row has none with a direction.
fn distance_of(probes: &[Probe<'_>], row: &[f32], dim: usize) -> Option<f32> {
    let mut sum = 0.0;
    for probe in probes {
        let nearest = row
            .chunks_exact(dim)
            .filter_map(|vector| probe.distance(vector))
            .min_by(f32::total_cmp)?;
        sum += f64::from(nearest);
    }
    Some((sum / probes.len() as f64) as f32)
}

/// The vectors of a batch's rows, in single precision.
struct Items {
    values: Float32Array,
    /// Per row, its numbers; `None` where it has no list.
    ranges: Vec<Option<Range<usize>>>,
}

impl Items {
    fn of(lists: &ListArray, dim: usize) -> Result<Self> {
        let wrong = || IndexError::Invariant {
            what: "a column of vectors per item is no list of fixed-size lists",
        };
        let offsets = lists.value_offsets();
        let first = offsets.first().copied().unwrap_or_default();
        let last = offsets.last().copied().unwrap_or_default();
        // What lies before and after the batch's own rows is not converted.
        let vectors = lists
            .values()
            .slice(first as usize, (last - first) as usize);
        let all = vectors.as_fixed_size_list_opt().ok_or_else(wrong)?;
        let there = (all.null_count() > 0)
            .then(|| is_not_null(all))
            .transpose()?;
        // An item without a vector is left out, and those after it move up.
        let before = |item: i32| -> usize {
            let item = (item - first) as usize;
            there
                .as_ref()
                .map_or(item, |there| there.slice(0, item).true_count())
        };
        let ranges = (0..lists.len())
            .map(|row| {
                lists
                    .is_valid(row)
                    .then(|| before(offsets[row]) * dim..before(offsets[row + 1]) * dim)
            })
            .collect();
        let kept = match &there {
            Some(there) => filter(all, there)?,
            None => Arc::clone(&vectors),
        };
        let kept: &FixedSizeListArray = kept.as_fixed_size_list_opt().ok_or_else(wrong)?;
        if kept.value_length() as usize != dim {
            return Err(wrong());
        }
        let values = floats(kept)?;
        let start = kept.value_offset(0) as usize;
        Ok(Self {
            values: values.slice(start, kept.len() * dim),
            ranges,
        })
    }

    fn of_row(&self, row: usize) -> Option<&[f32]> {
        let range = self.ranges[row].clone()?;
        Some(&self.values.values()[range])
    }
}
