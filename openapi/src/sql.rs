//! SQL.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A read-only statement over all tables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    /// The statement.
    #[schema(example = "SELECT id, length FROM proteins ORDER BY length DESC LIMIT 5")]
    pub sql: String,
    /// Fail when the answer has more rows; the server's own bound holds in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rows: Option<u64>,
    /// Fail when it takes longer; the server's own bound holds in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_secs: Option<u64>,
}

/// A row as an object: columns by name, null where there is no value.
pub type Row = Map<String, Value>;

/// The rows of an answer, as an array of objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(value_type = Vec<Object>)]
pub struct Rows(pub Vec<Map<String, Value>>);
