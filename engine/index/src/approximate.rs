//! Candidates from the column's vector index, compared exactly.

use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use futures::{Stream, StreamExt, TryStreamExt};
use lance::Dataset;
use lance::dataset::ProjectionRequest;
use lance_linalg::distance::DistanceType;
use penstock_store::{IndexInfo, Table};
use penstock_types::columns::ID;
use penstock_types::{Metric, Probe};

use crate::exact::set_filter;
use crate::kind::IndexKind;
use crate::many::Queries;
use crate::nearest::{Found, Hit, ROW, Read, Target, nearest, offer};
use crate::opened::Opened;
use crate::recall::Setting;
use crate::{IndexError, Result};

/// The most candidates that one search re-ranks.
pub(crate) const MAX_CANDIDATES: usize = 200_000;

/// Candidates whose vectors are read at once.
pub(crate) const READ_ROWS: usize = 4096;

/// The vector index that can answer a search of this column by this metric.
pub(crate) async fn usable_index(
    table: &Table,
    column: &str,
    metric: Metric,
) -> Result<Option<(IndexKind, IndexInfo)>> {
    Ok(table.indexes().await?.into_iter().find_map(|info| {
        if info.column != column || info.metric != Some(metric) {
            return None;
        }
        let kind = info.kind.parse::<IndexKind>().ok()?;
        Some((kind, info))
    }))
}

/// Asks the index itself, where it is open for that; else by Lance's own plan.
pub(crate) async fn search(
    table: &Table,
    target: &Arc<Target>,
    filter: Option<&str>,
    (kind, setting): (IndexKind, Setting),
    opened: Option<&Arc<Opened>>,
) -> Result<Found> {
    if let Some(opened) = opened {
        return opened.search(table, target, filter, setting).await;
    }
    let failed = IndexError::read(table);
    let rows = planned(table, target, filter, kind, setting).await?;
    let dataset = Arc::clone(table.dataset());
    let columns = [target.id_column, target.column.as_str()];
    let projection = Arc::new(dataset.schema().project(&columns).map_err(&failed)?);
    let chunks: Vec<Vec<u64>> = rows.chunks(READ_ROWS).map(<[u64]>::to_vec).collect();
    let batches = futures::stream::iter(chunks)
        .map(move |rows| {
            let projection = ProjectionRequest::Schema(Arc::clone(&projection));
            read(Arc::clone(&dataset), rows, projection)
        })
        .buffered(2);
    nearest(batches, Arc::clone(target), failed).await
}

/// Candidates that are compared exactly, of one query.
pub(crate) fn candidates_of(k: usize, setting: Setting) -> usize {
    k.saturating_mul(setting.refine).min(MAX_CANDIDATES)
}

/// The candidates by Lance's own plan, nearest first.
async fn planned(
    table: &Table,
    target: &Target,
    filter: Option<&str>,
    kind: IndexKind,
    setting: Setting,
) -> Result<Vec<u64>> {
    let failed = IndexError::read(table);
    let wanted = candidates_of(target.k, setting);
    let mut scan = table.dataset().scan();
    // Only where the candidates are: read as part of Lance's plan, their ids and vectors take it
    // several times as long as the walk itself; read afterwards, a fraction.
    scan.empty_project().map_err(&failed)?;
    scan.with_row_id()
        .prefilter(true)
        .disable_scoring_autoprojection();
    set_filter(&mut scan, table, filter)?;
    let query = Float32Array::from(target.vector.clone());
    scan.nearest(&target.column, &query, wanted)
        .map_err(&failed)?;
    // A minimum and no maximum: Lance goes on probing while a predicate leaves too few rows.
    scan.minimum_nprobes(setting.nprobes)
        .distance_metric(distance_type(target.metric));
    if kind.has_graph() {
        scan.ef(setting.ef.max(wanted));
    }
    let found = scan.try_into_batch().await.map_err(&failed)?;
    let rows = found.column_by_name(ROW).ok_or(IndexError::Invariant {
        what: "an index search left out where the rows are",
    })?;
    Ok(rows.as_primitive::<UInt64Type>().values().to_vec())
}

/// Compares each query with its candidates, which Lance reads once for all of them; `first` is the
/// number of the first query.
pub(crate) async fn refine<S>(
    table: &Table,
    queries: &Arc<Queries>,
    first: usize,
    candidates: Vec<Vec<u64>>,
    read: impl FnOnce(Vec<u64>) -> S,
) -> Result<Vec<Found>>
where
    S: Stream<Item = Result<RecordBatch, lance::Error>>,
{
    let failed = IndexError::read(table);
    let count = candidates.len();
    // Which query wants which row, by rows.
    let mut pairs: Vec<(u64, usize)> = candidates
        .into_iter()
        .enumerate()
        .flat_map(|(query, rows)| rows.into_iter().map(move |row| (row, query)))
        .collect();
    pairs.sort_unstable();
    let rows: Vec<u64> = pairs.iter().map(|(row, _)| *row).collect();
    let mut found: Vec<Near> = (0..count).map(|_| Near::default()).collect();
    let pairs = Arc::new(pairs);
    let mut batches = std::pin::pin!(read(rows));
    while let Some(batch) = batches.try_next().await.map_err(&failed)? {
        let (queries, pairs) = (Arc::clone(queries), Arc::clone(&pairs));
        found = tokio::task::spawn_blocking(move || {
            compare(&batch, &queries, first, &pairs, &mut found)?;
            Ok::<_, IndexError>(found)
        })
        .await??;
    }
    Ok(found
        .into_iter()
        .map(|near| Found {
            hits: near.heap.into_sorted_vec(),
            compared: near.compared,
        })
        .collect())
}

/// The nearest rows of one query so far.
#[derive(Default)]
struct Near {
    heap: BinaryHeap<Hit>,
    compared: u64,
}

fn compare(
    batch: &RecordBatch,
    queries: &Queries,
    first: usize,
    pairs: &[(u64, usize)],
    found: &mut [Near],
) -> Result<()> {
    let read = Read::of(batch, ID, &queries.column)?;
    let probes: Vec<Probe> = queries
        .vectors
        .chunks_exact(queries.dim)
        .skip(first)
        .take(found.len())
        .map(|vector| Probe::new(queries.metric, vector))
        .collect();
    for (at, row) in read.rows.iter().enumerate() {
        let Some(vector) = read.vector(at) else {
            continue;
        };
        let start = pairs.partition_point(|(other, _)| other < row);
        for (_, query) in pairs[start..].iter().take_while(|(other, _)| other == row) {
            let Some(distance) = probes[*query].distance(vector) else {
                continue;
            };
            let near = &mut found[*query];
            near.compared += 1;
            let full = near.heap.len() == queries.k;
            if full
                && near
                    .heap
                    .peek()
                    .is_some_and(|last| distance > last.distance)
            {
                continue;
            }
            let hit = Hit {
                distance,
                preferred: false,
                id: read.ids.value(at).to_owned(),
                row: *row,
            };
            offer(&mut near.heap, queries.k, hit);
        }
    }
    Ok(())
}

/// The rows, with where they are.
pub(crate) async fn read(
    dataset: Arc<Dataset>,
    rows: Vec<u64>,
    projection: ProjectionRequest,
) -> Result<RecordBatch, lance::Error> {
    let batch = dataset.take_rows(&rows, projection).await?;
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(ROW, DataType::UInt64, false)));
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns.push(Arc::new(UInt64Array::from(rows)));
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

/// Lance's name of a metric. Its definitions are ours: see the tests.
pub(crate) fn distance_type(metric: Metric) -> DistanceType {
    match metric {
        Metric::Cosine => DistanceType::Cosine,
        Metric::L2 => DistanceType::L2,
        Metric::Dot => DistanceType::Dot,
    }
}
