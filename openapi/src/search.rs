//! Nearest neighbours.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Asks for the rows nearest to one of `id`, `text` and `vector`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// A stored row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A sequence, encoded by the column's own encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A vector of the column's dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
    /// Rows wanted.
    #[serde(default = "ten")]
    #[schema(default = 10, minimum = 1)]
    pub k: u32,
    /// The feature column; may be left out where the table has only one, or the default encoder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// `cosine`, `l2` (the squared distance) or `dot`; left out: the index's, or cosine.
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
    /// Columns of the hits; left out: id, name, description and size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
}

const fn ten() -> u32 {
    10
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            id: None,
            text: None,
            vector: None,
            k: ten(),
            column: None,
            metric: None,
            filter: None,
            exact: false,
            version: None,
            columns: None,
        }
    }
}

/// A search by file: a part `file`, and the options as JSON in a part `request` before it.
#[derive(Debug, Clone, ToSchema)]
pub struct FileSearch {
    /// The options; none of `id`, `text` and `vector`.
    pub request: Option<SearchRequest>,
    /// A file whose first record is the query.
    #[schema(value_type = Vec<u8>, content_media_type = "application/octet-stream")]
    pub file: Vec<u8>,
}

/// The rows found, nearest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchAnswer {
    /// The table.
    pub table: String,
    /// The version searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// The metric of the distances.
    pub metric: String,
    /// Rows asked for.
    pub k: u64,
    /// Whether every row was compared.
    pub exact: bool,
    /// Rows that no index covers yet; they were compared one by one.
    pub unindexed_rows: u64,
    /// The rows.
    pub hits: Vec<Hit>,
}

/// A row found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// The row's id.
    pub id: String,
    /// Its distance from the query; smaller is nearer.
    pub distance: f64,
    /// The other columns asked for.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub columns: Map<String, Value>,
}
