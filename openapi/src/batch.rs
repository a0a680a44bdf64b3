//! Searches with many vectors in one request.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Hit, SearchPlan};

/// Asks for the rows nearest to each of many vectors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchBatchRequest {
    /// The vectors, each of the column's dimension.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vectors: Vec<Vec<f32>>,
    /// Rows wanted for each vector.
    #[serde(default = "ten")]
    #[schema(default = 10, minimum = 1)]
    pub k: u32,
    /// The feature column; may be left out where the table has only one, or the default encoder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// `cosine`, `l2` (the squared distance) or `dot`; left out: cosine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// SQL predicate that rows must meet; applied before the search.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Compare with every row, even where there is an index.
    #[serde(default)]
    pub exact: bool,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Columns of the hits; left out: id, name, description and size. With `id` alone no row is
    /// read, which is the fastest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// `exact`, `hot` or `cold`; left out: the one that costs least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "hot")]
    pub tier: Option<String>,
    /// The share of the true nearest rows to aim at; left out: the column's setting, or 0.95.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.0, maximum = 1.0, example = 0.95)]
    pub min_recall: Option<f64>,
    /// Candidates that the walk through a graph keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub ef: Option<u32>,
    /// Partitions of the table's own index that are searched, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub nprobes: Option<u32>,
    /// Candidates of the table's own index per wanted row, ranked again by exact distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub refine: Option<u32>,
    /// Whether the answer says which way was taken, and why.
    #[serde(default)]
    pub explain: bool,
}

const fn ten() -> u32 {
    10
}

impl Default for SearchBatchRequest {
    fn default() -> Self {
        Self {
            vectors: Vec::new(),
            k: ten(),
            column: None,
            metric: None,
            filter: None,
            exact: false,
            version: None,
            columns: None,
            tier: None,
            min_recall: None,
            ef: None,
            nprobes: None,
            refine: None,
            explain: false,
        }
    }
}

/// The options of a batch whose vectors come as an Arrow stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SearchBatchParams {
    /// Rows wanted for each vector; 10 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub k: Option<u32>,
    /// The feature column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// `cosine`, `l2` or `dot`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// SQL predicate that rows must meet.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    #[param(rename = "where")]
    pub filter: Option<String>,
    /// Compare with every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<bool>,
    /// Version, by number or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Columns of the hits, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "id,length")]
    pub columns: Option<String>,
    /// `exact`, `hot` or `cold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The share of the true nearest rows to aim at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 0.0, maximum = 1.0)]
    pub min_recall: Option<f64>,
    /// Candidates that the walk through a graph keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub ef: Option<u32>,
    /// Partitions that are searched, at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub nprobes: Option<u32>,
    /// Candidates per wanted row, ranked again by exact distance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub refine: Option<u32>,
    /// Whether a JSON answer says which way was taken, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
}

/// The rows found, vector by vector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchBatchAnswer {
    /// The table.
    pub table: String,
    /// The version searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// The metric of the distances.
    pub metric: String,
    /// Rows asked for, for each vector.
    pub k: u64,
    /// Whether every row was compared with every vector.
    pub exact: bool,
    /// Rows that no index covers yet; they were compared one by one.
    pub unindexed_rows: u64,
    /// Where candidates came from: `exact`, `hot` or `cold`.
    #[schema(example = "hot")]
    pub tier: String,
    /// Distances computed, of all vectors.
    pub candidates: u64,
    /// The share of the true nearest rows that this way found when it was last measured; null
    /// where it was not.
    pub recall: Option<f64>,
    /// The way that was taken, where `explain` asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<SearchPlan>,
    /// For each vector, in the order given, its rows, nearest first.
    pub results: Vec<Vec<Hit>>,
}
