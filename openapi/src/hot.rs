//! Indexes in memory, and how well indexes find what is there.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Asks for the index of a feature column to be brought into memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WarmRequest {
    /// The feature column.
    #[schema(example = "protein_kmer_v1")]
    pub column: String,
    /// `cosine` (the default), `l2` or `dot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
}

/// How an index came into memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Warmed {
    /// It was there, and is as new as is worth it.
    Kept,
    /// It was read from where it was saved.
    Loaded,
    /// Rows that came since became a part of it.
    Extended,
    /// It was built from all rows.
    Built,
}

/// What bringing an index into memory did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WarmOutcome {
    /// The table.
    pub table: String,
    /// The feature column.
    pub column: String,
    /// How vectors are compared.
    pub metric: String,
    /// How it came into memory.
    pub how: Warmed,
    /// The version of the table that it was last brought up to.
    pub version: u64,
    /// Rows that it has.
    pub rows: u64,
    /// Bytes in memory.
    pub bytes: u64,
    /// Parts that it consists of.
    pub segments: u64,
    /// Duration.
    pub seconds: f64,
}

/// Which indexes are let go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CoolParams {
    /// The feature column; all of the table where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

/// What letting indexes go did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CoolOutcome {
    /// The table.
    pub table: String,
    /// Indexes that were in memory, and are no more.
    pub indexes: u64,
}

/// Asks for the indexes of a column to be compared with the exact answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeasureRequest {
    /// The feature column.
    #[schema(example = "protein_kmer_v1")]
    pub column: String,
    /// The recall that searches of the column aim at from now on, where they ask for none; left
    /// out: it stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.0, maximum = 1.0, example = 0.99)]
    pub min_recall: Option<f64>,
    /// Whether the indexes are measured; else `min_recall` alone is set.
    #[serde(default = "yes")]
    #[schema(default = true)]
    pub measure: bool,
}

const fn yes() -> bool {
    true
}

/// Vector indexes, by table and column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VectorIndexes {
    /// Bytes that indexes in memory may take together.
    pub budget_bytes: u64,
    /// The indexes.
    pub indexes: Vec<VectorIndex>,
}

/// A vector index.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct VectorIndex {
    /// The table.
    pub table: String,
    /// The feature column.
    pub column: String,
    /// `hot` for one in memory, `cold` for the table's own.
    #[schema(example = "hot")]
    pub tier: String,
    /// Its type.
    #[schema(example = "hnsw_sq")]
    pub index_type: String,
    /// How vectors are compared.
    pub metric: String,
    /// The table's version: of one in memory the one that it was last brought up to, else the
    /// latest.
    pub version: u64,
    /// Rows that it has.
    pub rows: u64,
    /// Rows that it has not, of the latest version; null for one in memory, where it depends on
    /// the version that is searched.
    pub unindexed_rows: Option<u64>,
    /// Bytes in memory; null for one on the disk.
    pub bytes: Option<u64>,
    /// Parts that it consists of.
    pub segments: u64,
    /// The recall that searches aim at where they ask for none.
    pub min_recall: f64,
    /// What was measured of it; null where nothing was.
    pub measured: Option<MeasuredRecall>,
}

/// How well an index finds what is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasuredRecall {
    /// The table's version at the time.
    pub version: u64,
    /// Queries that were compared with their exact answers.
    pub queries: u64,
    /// Whether they were queries of users; else they were stored rows.
    pub from_users: bool,
    /// Rows wanted for each query.
    pub k: u64,
    /// From the least effort to the most.
    pub points: Vec<RecallPoint>,
}

/// One setting, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RecallPoint {
    /// Candidates that the walk through a graph keeps; null without a graph.
    pub ef: Option<u64>,
    /// Partitions that are searched; null in memory.
    pub nprobes: Option<u64>,
    /// Candidates per wanted row that are ranked again; null in memory.
    pub refine: Option<u64>,
    /// Share of the exact answer that was found.
    pub recall: f64,
    /// Queries per second, one after the other.
    pub queries_per_second: f64,
    /// Whether searches take this setting where they ask for nothing.
    pub chosen: bool,
}
