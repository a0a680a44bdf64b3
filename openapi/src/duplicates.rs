//! Near-duplicates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for clusters of rows whose vectors are within a distance of each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DuplicatesRequest {
    /// The largest distance of a pair, in the metric's own terms (squared under l2).
    #[schema(example = 0.05)]
    pub within: f32,
    /// The feature column; may be left out where the table has only one, or the default encoder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// `cosine` (the default) or `l2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// SQL predicate of the rows that are looked at.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How pairs are found: `hot` or `exact`; left out: by the index in memory where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Rows of the answer at the most: the largest clusters, whole, that fit.
    #[serde(default = "ten_thousand")]
    #[schema(default = 10_000)]
    pub limit: u64,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

const fn ten_thousand() -> u64 {
    10_000
}

/// The clusters found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DuplicatesAnswer {
    /// The table.
    pub table: String,
    /// The version.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// The metric.
    pub metric: String,
    /// Where pairs came from: `hot` or `exact`.
    pub tier: String,
    /// Whether every two rows were compared; else pairs may have been missed.
    pub exact: bool,
    /// Rows that were looked at.
    pub rows: u64,
    /// Pairs found.
    pub pairs: u64,
    /// Clusters of at least two rows.
    pub cluster_count: u64,
    /// Whether all clusters are in the answer.
    pub complete: bool,
    /// The clusters, the largest first.
    pub clusters: Vec<DuplicateCluster>,
}

/// Rows that are near each other, each to some other of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DuplicateCluster {
    /// Its rows, by id; the first stands for it.
    pub members: Vec<DuplicateMember>,
}

/// A row of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DuplicateMember {
    /// The row's id.
    pub id: String,
    /// Its distance from the row that stands for the cluster.
    pub distance: f64,
}
