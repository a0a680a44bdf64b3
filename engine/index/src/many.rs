//! Many queries in one call.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::{cast, is_not_null};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use futures::{Stream, StreamExt, TryStreamExt};
use penstock_hnsw::Control;
use penstock_hnsw::scan::{ScanOptions, nearest as nearest_rows};
use penstock_store::Table;
use penstock_types::Metric;
use penstock_types::columns::ID;

use crate::nearest::{Found, Hit, ROW, floats, offer};
use crate::opened::Opened;
use crate::plan::Plan;
use crate::recall::Setting;
use crate::search::check;
use crate::searcher::{Searcher, Way};
use crate::{IndexError, Result, SearchRequest, column, exact};

/// The column of an answer that says which query a hit is for: Int64, from 0.
pub const QUERY: &str = "query";

/// The most hits of all queries together: what an answer may hold in memory.
pub const MAX_HITS: usize = 4_000_000;

/// Searches of an index on the disk that run at once.
const AT_ONCE: usize = 4;

/// Searches with many vectors, which share all else.
#[derive(Debug, Clone, PartialEq)]
pub struct ManyRequest {
    /// What the searches share. Its vector is left empty; `prefer_id` and `radius` cannot be given.
    pub shared: SearchRequest,
    /// The query vectors, `f32[queries, dim]`, row after row.
    pub vectors: Vec<f32>,
}

/// The hits of many queries, and how they were found.
#[derive(Debug, Clone)]
pub struct ManyAnswer {
    /// Version of the table that was searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// How vectors were compared.
    pub metric: Metric,
    /// How many queries there were.
    pub queries: usize,
    /// How many hits each was to have.
    pub k: usize,
    /// Whether every row was compared with every query.
    pub exact: bool,
    /// Which way was taken, and why.
    pub plan: Plan,
    /// Distances computed, of all queries.
    pub candidates: u64,
    /// One row per hit, query after query, nearest first: `query`, the requested columns, and
    /// `distance`.
    pub batch: RecordBatch,
}

/// The queries as a scan compares them.
pub(crate) struct Queries {
    pub(crate) column: String,
    pub(crate) metric: Metric,
    pub(crate) dim: usize,
    pub(crate) k: usize,
    /// `[queries, dim]`.
    pub(crate) vectors: Vec<f32>,
}

impl Queries {
    pub(crate) fn count(&self) -> usize {
        self.vectors.len() / self.dim
    }
}

impl Searcher {
    /// The `k` rows nearest to each of many vectors: the same hits as one by one, but that which of
    /// several rows at exactly the distance of the last hit is answered may differ.
    ///
    /// # Errors
    /// As for [`Searcher::search`]; an error of a vector says which.
    pub async fn search_many(&self, table: &Table, request: &ManyRequest) -> Result<ManyAnswer> {
        let shared = &request.shared;
        let spec = column::feature(table, &shared.column)?;
        let metric = shared.metric.unwrap_or_default();
        column::check_made(&shared.column, &spec, shared.made.as_ref())?;
        check(shared)?;
        let dim = spec.dim.get();
        if !request.vectors.len().is_multiple_of(dim) {
            return Err(IndexError::Ends {
                column: shared.column.clone(),
                numbers: request.vectors.len(),
                dim,
            });
        }
        for (query, vector) in request.vectors.chunks_exact(dim).enumerate() {
            column::check_vector(&shared.column, &spec, vector, metric).map_err(|source| {
                IndexError::Query {
                    query,
                    source: Box::new(source),
                }
            })?;
        }
        let queries = Arc::new(Queries {
            column: shared.column.clone(),
            metric,
            dim,
            k: shared.k,
            vectors: request.vectors.clone(),
        });
        let hits = queries.count().saturating_mul(shared.k);
        if hits > MAX_HITS {
            return Err(IndexError::Option {
                option: "queries times k",
                given: hits,
                min: 0,
                max: MAX_HITS,
            });
        }
        let (names, _) = column::projected(table, &shared.columns)?;
        let filter = shared.filter.as_deref();
        let (way, plan) = self.choose(table, &spec, metric, shared).await?;
        let (found, exact) = match way {
            Way::Exact => (scan(table, &queries, filter, None).await?, true),
            Way::Hot(index, hot) => index.search_many(table, &queries, filter, *hot).await?,
            Way::Cold(_, setting, Some(opened)) => {
                let found = self.together(table, &queries, shared, setting, &opened);
                (found.await?, false)
            }
            Way::Cold(..) => (self.one_by_one(table, &queries, shared).await?, false),
        };
        self.count(plan.tier, queries.count());
        let candidates = found.iter().map(|found| found.compared).sum();
        let of = found
            .iter()
            .enumerate()
            .flat_map(|(query, found)| std::iter::repeat_n(query as i64, found.hits.len()));
        let of: ArrayRef = Arc::new(Int64Array::from_iter_values(of));
        let hits: Vec<Hit> = found.into_iter().flat_map(|found| found.hits).collect();
        let batch = self.assemble(table, &hits, &names).await?;
        let mut fields = vec![Arc::new(Field::new(QUERY, DataType::Int64, false))];
        fields.extend(batch.schema().fields().iter().cloned());
        let mut columns = vec![of];
        columns.extend(batch.columns().iter().cloned());
        Ok(ManyAnswer {
            version: table.version(),
            column: shared.column.clone(),
            metric,
            queries: queries.count(),
            k: shared.k,
            exact,
            plan,
            candidates,
            batch: RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?,
        })
    }

    /// By an index on the disk, which is asked for all of them.
    async fn together(
        &self,
        table: &Table,
        queries: &Arc<Queries>,
        shared: &SearchRequest,
        setting: Setting,
        opened: &Arc<Opened>,
    ) -> Result<Vec<Found>> {
        let filter = shared.filter.as_deref();
        let found = opened.search_many(table, queries, filter, setting).await?;
        let mut all = Vec::with_capacity(found.len());
        for (found, vector) in found.into_iter().zip(queries.vectors.chunks(queries.dim)) {
            all.push(match found {
                Some(found) if found.hits.len() >= queries.k => found,
                // A single search knows what to do with too few.
                _ => {
                    let mut request = shared.clone();
                    request.vector = vector.to_vec();
                    self.hits(table, &request).await?
                }
            });
        }
        Ok(all)
    }

    async fn one_by_one(
        &self,
        table: &Table,
        queries: &Queries,
        shared: &SearchRequest,
    ) -> Result<Vec<Found>> {
        let each: Vec<_> = queries
            .vectors
            .chunks_exact(queries.dim)
            .map(|vector| {
                let mut request = shared.clone();
                request.vector = vector.to_vec();
                async move { self.hits(table, &request).await }
            })
            .collect();
        futures::stream::iter(each)
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }
}

/// Compares every row with every query.
pub(crate) async fn scan(
    table: &Table,
    queries: &Arc<Queries>,
    filter: Option<&str>,
    fragments: Option<Vec<lance_table::format::Fragment>>,
) -> Result<Vec<Found>> {
    let failed = IndexError::read(table);
    let mut scan = exact::scanner(table, &queries.column, queries.dim, filter)?;
    if let Some(fragments) = fragments {
        scan.with_fragments(fragments);
    }
    let batches = scan.try_into_stream().await.map_err(&failed)?;
    nearest_many(batches, Arc::clone(queries), failed).await
}

/// Keeps the `k` nearest of all rows of the stream, for each query.
pub(crate) async fn nearest_many<S>(
    batches: S,
    queries: Arc<Queries>,
    failed: impl Fn(lance::Error) -> IndexError,
) -> Result<Vec<Found>>
where
    S: Stream<Item = Result<RecordBatch, lance::Error>>,
{
    let at_once = penstock_hnsw::threads::threads(0);
    let count = queries.count();
    let infinity = || AtomicU32::new(f32::INFINITY.to_bits());
    let worst: Arc<Vec<AtomicU32>> = Arc::new((0..count).map(|_| infinity()).collect());
    let mut heaps: Vec<BinaryHeap<Hit>> = (0..count).map(|_| BinaryHeap::new()).collect();
    let mut rows = 0;
    let scored = batches
        .map_err(failed)
        .map(|batch| {
            let (queries, worst) = (Arc::clone(&queries), Arc::clone(&worst));
            async move {
                let batch = batch?;
                tokio::task::spawn_blocking(move || compare(&batch, &queries, &worst)).await?
            }
        })
        .buffer_unordered(at_once);
    futures::pin_mut!(scored);
    while let Some((compared, found)) = scored.try_next().await? {
        rows += compared;
        for (query, hit) in found {
            offer(&mut heaps[query], queries.k, hit);
            if heaps[query].len() == queries.k
                && let Some(last) = heaps[query].peek()
            {
                worst[query].store(last.distance.to_bits(), Relaxed);
            }
        }
    }
    Ok(heaps
        .into_iter()
        .map(|heap| Found {
            hits: heap.into_sorted_vec(),
            compared: rows,
        })
        .collect())
}

fn compare(
    batch: &RecordBatch,
    queries: &Queries,
    worst: &[AtomicU32],
) -> Result<(u64, Vec<(usize, Hit)>)> {
    let missing = || IndexError::Invariant {
        what: "a scan left out a column that it was asked for",
    };
    let vectors = batch.column_by_name(&queries.column).ok_or_else(missing)?;
    let mut kept = batch.clone();
    if vectors.null_count() > 0 {
        kept = arrow::compute::filter_record_batch(batch, &is_not_null(vectors)?)?;
    }
    let column = |name: &str| kept.column_by_name(name).ok_or_else(missing);
    let vectors = column(&queries.column)?
        .as_fixed_size_list_opt()
        .ok_or_else(missing)?;
    let values = floats(vectors)?;
    let start = vectors.value_offset(0) as usize;
    let values = &values.values()[start..start + vectors.len() * queries.dim];
    let rows = column(ROW)?.as_primitive::<UInt64Type>();
    let ids = cast(column(ID)?, &DataType::Utf8)?;
    let ids = ids.as_string::<i32>();
    let options = ScanOptions {
        metric: queries.metric,
        k: queries.k.min(vectors.len()),
        threads: 1,
    };
    let nearest = nearest_rows(
        values,
        queries.dim,
        &queries.vectors,
        &options,
        &Control::default(),
    )?;
    let mut found = Vec::new();
    for (query, hits) in nearest.into_iter().enumerate() {
        let limit = f32::from_bits(worst[query].load(Relaxed));
        for hit in hits {
            if hit.distance.partial_cmp(&limit) == Some(Ordering::Greater) {
                break;
            }
            let row = hit.row as usize;
            found.push((
                query,
                Hit {
                    distance: hit.distance,
                    preferred: false,
                    id: ids.value(row).to_owned(),
                    row: rows.value(row),
                },
            ));
        }
    }
    Ok((vectors.len() as u64, found))
}
