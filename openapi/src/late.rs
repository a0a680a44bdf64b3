//! Late interaction: searches by several vectors per row.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Hit, SearchPlan};

/// Asks for the rows whose vectors answer those of one of `id`, `text` and `vectors` best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LateRequest {
    /// A stored row: its vectors are the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A sequence, whose residues or bases are encoded by the column's own encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Vectors of the column's dimension, from 1 to 16,384.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<Vec<Vec<f32>>>,
    /// The encoder that made the `vectors`; must be the column's. Not compared where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "esm2:none:f16")]
    pub encoder: Option<String>,
    /// The digest of that encoder's weights; must be the column's. Not compared where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Rows wanted.
    #[serde(default = "ten")]
    #[schema(default = 10, minimum = 1, maximum = 10_000)]
    pub k: u32,
    /// A column with a vector for each item (pooling `none`); may be left out where the table has
    /// only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// SQL predicate that rows must meet; applied before the search.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Columns of the hits; left out: id, name, description and size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Score only so many rows, from `k`: those whose vector in `candidates_column` is nearest to
    /// the mean of the query's. Left out: every row, which makes the answer exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub candidates: Option<u32>,
    /// A column with one vector per row, of the same encoder and weights; may be left out where
    /// there is only one, or only one that holds means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates_column: Option<String>,
    /// Whether the answer says which way candidates were found, and why.
    #[serde(default)]
    pub explain: bool,
}

const fn ten() -> u32 {
    10
}

impl Default for LateRequest {
    fn default() -> Self {
        Self {
            id: None,
            text: None,
            vectors: None,
            encoder: None,
            weights: None,
            k: ten(),
            column: None,
            filter: None,
            version: None,
            columns: None,
            candidates: None,
            candidates_column: None,
            explain: false,
        }
    }
}

/// The options of a search whose vectors come as an Arrow stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct LateParams {
    /// The encoder that made the vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// The digest of that encoder's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Rows wanted; 10 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub k: Option<u32>,
    /// A column with a vector for each item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// SQL predicate that rows must meet.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    #[param(rename = "where")]
    pub filter: Option<String>,
    /// Version, by number or tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Columns of the hits, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "id,length")]
    pub columns: Option<String>,
    /// Score only so many rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1)]
    pub candidates: Option<u32>,
    /// The column with one vector per row that they are found by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidates_column: Option<String>,
    /// Whether a JSON answer says which way candidates were found, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explain: Option<bool>,
}

/// The rows found, nearest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LateAnswer {
    /// The table.
    pub table: String,
    /// The version searched.
    pub version: u64,
    /// The column with a vector for each item.
    pub column: String,
    /// Rows asked for.
    pub k: u64,
    /// Vectors of the query.
    pub vectors: u64,
    /// Whether every row was scored, so that the answer is the true one.
    pub exact: bool,
    /// Rows scored.
    pub candidates: u64,
    /// The way that candidates were found, where `explain` asked for it and not every row was
    /// scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<SearchPlan>,
    /// The rows. A distance is the mean, over the query's vectors, of the cosine distance to the
    /// nearest of the row's.
    pub hits: Vec<Hit>,
}
