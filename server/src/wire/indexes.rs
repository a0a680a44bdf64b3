//! Vector indexes and what was measured of them.

use penstock::index::recall::{Measured, Point};
use penstock::index::{Tier, Warmed};
use penstock::{VectorIndex, WarmOutcome};
use penstock_openapi as wire;

/// What bringing an index into memory did.
#[must_use]
pub fn warm_outcome(outcome: &WarmOutcome) -> wire::WarmOutcome {
    let index = &outcome.index;
    wire::WarmOutcome {
        table: index.table.to_string(),
        column: index.column.clone(),
        metric: index.metric.to_string(),
        how: match outcome.how {
            Warmed::Kept => wire::Warmed::Kept,
            Warmed::Loaded => wire::Warmed::Loaded,
            Warmed::Extended => wire::Warmed::Extended,
            Warmed::Built => wire::Warmed::Built,
        },
        version: index.version,
        rows: index.rows,
        bytes: index.bytes,
        segments: index.segments as u64,
        seconds: outcome.seconds,
    }
}

/// Indexes, and the bytes that those in memory may take.
#[must_use]
pub fn vector_indexes(indexes: &[VectorIndex], budget_bytes: u64) -> wire::VectorIndexes {
    wire::VectorIndexes {
        budget_bytes,
        indexes: indexes.iter().map(vector_index).collect(),
    }
}

fn vector_index(index: &VectorIndex) -> wire::VectorIndex {
    wire::VectorIndex {
        table: index.table.to_string(),
        column: index.column.clone(),
        tier: index.tier.to_string(),
        index_type: index.kind.clone(),
        metric: index.metric.to_string(),
        version: index.version,
        rows: index.rows,
        unindexed_rows: index.unindexed_rows,
        bytes: index.bytes,
        segments: index.segments as u64,
        min_recall: index.min_recall(),
        measured: index
            .measured
            .as_ref()
            .filter(|measured| !measured.points.is_empty())
            .map(|known| measured(index, known)),
    }
}

fn measured(index: &VectorIndex, known: &Measured) -> wire::MeasuredRecall {
    let chosen = index.chosen();
    let on_disk = index.tier == Tier::Cold;
    let has_graph = !on_disk || index.kind.contains("hnsw");
    let point = |point: &Point| wire::RecallPoint {
        ef: has_graph.then_some(point.setting.ef as u64),
        nprobes: on_disk.then_some(point.setting.nprobes as u64),
        refine: on_disk.then_some(point.setting.refine as u64),
        recall: point.recall,
        queries_per_second: point.queries_per_second,
        chosen: chosen == Some(*point),
    };
    wire::MeasuredRecall {
        version: known.version,
        queries: known.queries as u64,
        from_users: known.from_users,
        k: known.k as u64,
        points: known.points.iter().map(point).collect(),
    }
}
