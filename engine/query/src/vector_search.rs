//! What SQL asks of a search. The crate that can encode text, search vectors and match patterns
//! injects the answers.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::future::BoxFuture;
use penstock_store::Table;

use crate::Result;

/// What to search for.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// A vector as long as the column's.
    Vector(Vec<f32>),
    /// The vector stored for this id.
    Id(String),
    /// Raw text (a sequence), to be encoded by the column's own encoder.
    Text(String),
}

/// One call of `vector_search`.
#[derive(Clone)]
pub struct VectorSearch {
    /// The table, at the version that the statement sees.
    pub table: Table,
    /// The feature column.
    pub column: String,
    /// What to search for.
    pub query: Query,
    /// How many hits.
    pub k: usize,
    /// SQL predicate that every hit satisfies.
    pub filter: Option<String>,
    /// The columns of the answer; a Float32 column `distance` is added to them.
    pub columns: Vec<String>,
}

impl fmt::Debug for VectorSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VectorSearch")
            .field("table", &self.table.name().as_str())
            .field("version", &self.table.version())
            .field("column", &self.column)
            .field("k", &self.k)
            .field("filter", &self.filter)
            .field("columns", &self.columns)
            .finish_non_exhaustive()
    }
}

/// Searches, and answers the requested columns and `distance`, nearest first.
pub type SearchFn =
    Arc<dyn Fn(VectorSearch) -> BoxFuture<'static, Result<RecordBatch>> + Send + Sync>;

/// One call of `match_pattern`.
#[derive(Clone)]
pub struct PatternMatch {
    /// The table of graphs, at the version that the statement sees.
    pub table: Table,
    /// The pattern, as text.
    pub pattern: String,
    /// How many matches are wanted.
    pub limit: Option<u64>,
}

impl fmt::Debug for PatternMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PatternMatch")
            .field("table", &self.table.name().as_str())
            .field("version", &self.table.version())
            .field("pattern", &self.pattern)
            .field("limit", &self.limit)
            .finish()
    }
}

/// Finds a pattern, and answers `match` (Int64), `graph` (Utf8) and `vertices` (List of Int32), none
/// of them null.
pub type MatchFn =
    Arc<dyn Fn(PatternMatch) -> BoxFuture<'static, Result<RecordBatch>> + Send + Sync>;

/// What the functions of SQL call.
#[derive(Clone)]
pub struct Calls {
    /// What `vector_search` calls.
    pub search: SearchFn,
    /// What `match_pattern` calls.
    pub find: MatchFn,
}
