//! Candidates from the column's vector index, compared exactly.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, UInt64Type};
use futures::StreamExt;
use lance::Dataset;
use lance::dataset::ProjectionRequest;
use lance_linalg::distance::DistanceType;
use penstock_store::{IndexInfo, Table};
use penstock_types::Metric;

use crate::exact::set_filter;
use crate::kind::IndexKind;
use crate::nearest::{Found, ROW, Target, nearest};
use crate::recall::Setting;
use crate::{IndexError, Result};

/// The most candidates that one search re-ranks.
pub(crate) const MAX_CANDIDATES: usize = 200_000;

/// Candidates whose vectors are read at once.
const READ_ROWS: usize = 4096;

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

pub(crate) async fn search(
    table: &Table,
    target: &Arc<Target>,
    filter: Option<&str>,
    kind: IndexKind,
    setting: Setting,
) -> Result<Found> {
    let failed = IndexError::read(table);
    let wanted = target.k.saturating_mul(setting.refine).min(MAX_CANDIDATES);

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
    let rows = rows.as_primitive::<UInt64Type>().values();
    let columns = [target.id_column, target.column.as_str()];
    let dataset = Arc::clone(table.dataset());
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
