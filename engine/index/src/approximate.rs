//! Candidates from the column's vector index, compared exactly.

use std::sync::Arc;

use arrow::array::Float32Array;
use lance_linalg::distance::DistanceType;
use penstock_store::{IndexInfo, Table};
use penstock_types::Metric;

use crate::exact::set_filter;
use crate::kind::IndexKind;
use crate::nearest::{Found, Target, nearest};
use crate::{IndexError, Result, SearchOptions, policy};

/// The most candidates that one search re-ranks.
pub(crate) const MAX_CANDIDATES: usize = 200_000;

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
    info: &IndexInfo,
    options: SearchOptions,
) -> Result<Found> {
    let failed = IndexError::read(table);
    let refine = options.refine.unwrap_or_else(|| kind.refine());
    let wanted = target.k.saturating_mul(refine).min(MAX_CANDIDATES);
    let nprobes = options
        .nprobes
        .unwrap_or_else(|| policy::default_nprobes(kind, info.indexed_rows));

    let mut scan = table.dataset().scan();
    scan.project(&[target.id_column, &target.column])
        .map_err(&failed)?;
    scan.with_row_id()
        .prefilter(true)
        .disable_scoring_autoprojection();
    set_filter(&mut scan, table, filter)?;
    let query = Float32Array::from(target.vector.clone());
    scan.nearest(&target.column, &query, wanted)
        .map_err(&failed)?;
    // A minimum and no maximum: Lance goes on probing while a predicate leaves too few rows.
    scan.minimum_nprobes(nprobes)
        .distance_metric(distance_type(target.metric));
    if kind.has_graph() {
        scan.ef(options.ef.unwrap_or_else(|| policy::default_ef(wanted)));
    }
    let batches = scan.try_into_stream().await.map_err(&failed)?;
    nearest(batches, Arc::clone(target), failed).await
}

/// Lance's name of a metric. Its definitions are ours: see the tests.
pub(crate) fn distance_type(metric: Metric) -> DistanceType {
    match metric {
        Metric::Cosine => DistanceType::Cosine,
        Metric::L2 => DistanceType::L2,
        Metric::Dot => DistanceType::Dot,
    }
}
