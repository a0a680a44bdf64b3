//! What can go wrong in a statement, in words for the one who wrote it.

use std::sync::Arc;
use std::time::Duration;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use penstock_store::StoreError;
use penstock_types::ErrorCode;

/// Shorthand of this crate.
pub type Result<T, E = QueryError> = std::result::Result<T, E>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a statement failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// The text is no SQL.
    #[error("the statement cannot be parsed: {reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// Not exactly one statement.
    #[error("one statement was expected, {found} were given")]
    Count {
        /// How many there were.
        found: usize,
    },
    /// A statement that is no query.
    #[error(
        "`{statement}` is not allowed: SQL here is read-only (SELECT, SHOW TABLES, SHOW COLUMNS, DESCRIBE)"
    )]
    ReadOnly {
        /// Its first words.
        statement: String,
    },
    /// There is no such table.
    #[error("there is no table `{table}`; {known}")]
    UnknownTable {
        /// What was asked for.
        table: String,
        /// The tables there are, in words.
        known: String,
    },
    /// The statement does not fit the tables, or asks for what there is not.
    #[error("{reason}")]
    Plan {
        /// What is wrong.
        reason: String,
    },
    /// A table function was called wrongly.
    #[error("{function}: {reason}")]
    Call {
        /// The function.
        function: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The statement is valid SQL that the engine does not know.
    #[error("not supported: {reason}")]
    Unsupported {
        /// What is not.
        reason: String,
    },
    /// The statement is too big.
    #[error("the statement has {given} {what}; at most {max} are allowed")]
    Size {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        given: usize,
        /// How much there may be.
        max: usize,
    },
    /// The answer has too many rows.
    #[error("the answer has more than {max} rows; add LIMIT or a narrower WHERE")]
    Rows {
        /// The bound.
        max: u64,
    },
    /// The operators made too many rows on the way.
    #[error(
        "the statement made more than {max} rows on the way to its answer; is a join condition missing?"
    )]
    IntermediateRows {
        /// The bound.
        max: u64,
    },
    /// The time is over.
    #[error("the statement took longer than {}", seconds(.max))]
    Time {
        /// The bound.
        max: Duration,
    },
    /// Memory or spill space is used up.
    #[error(
        "the statement needs more than the {memory_mib} MiB of memory or the space for spilling that it may use; select fewer columns or rows"
    )]
    Memory {
        /// The bound on memory.
        memory_mib: usize,
    },
    /// A value made the statement fail while it ran.
    #[error("{reason}")]
    Execution {
        /// What happened.
        reason: String,
    },
    /// The search of `vector_search` failed.
    #[error("{source}")]
    Search {
        /// Its code.
        code: ErrorCode,
        /// Why.
        source: BoxError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading failed below the engine.
    #[error("reading a table failed")]
    Read {
        /// Why.
        #[source]
        source: BoxError,
    },
    /// The statement was cancelled.
    #[error("the statement was cancelled")]
    Cancelled,
    /// The engine failed in a way that is not the statement's fault.
    #[error("the query engine failed")]
    Engine {
        /// Why.
        #[source]
        source: BoxError,
    },
}

fn seconds(time: &Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

impl QueryError {
    /// The code that the one who asked is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Syntax { .. }
            | Self::Count { .. }
            | Self::ReadOnly { .. }
            | Self::Plan { .. }
            | Self::Call { .. }
            | Self::Execution { .. } => ErrorCode::InvalidArgument,
            Self::UnknownTable { .. } => ErrorCode::NotFound,
            Self::Unsupported { .. } => ErrorCode::Unsupported,
            Self::Size { .. }
            | Self::Rows { .. }
            | Self::IntermediateRows { .. }
            | Self::Time { .. }
            | Self::Memory { .. } => ErrorCode::LimitExceeded,
            Self::Search { code, .. } => *code,
            Self::Store(source) => source.code(),
            Self::Read { .. } => ErrorCode::Unavailable,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Engine { .. } => ErrorCode::Internal,
        }
    }

    /// What DataFusion says, without its chains, prefixes and paths. `memory_bytes` is the bound of
    /// the statement.
    pub(crate) fn from_datafusion(error: DataFusionError, memory_bytes: usize) -> Self {
        let again = |error| Self::from_datafusion(error, memory_bytes);
        match error {
            DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => {
                again(*inner)
            }
            DataFusionError::Shared(inner) => match Arc::try_unwrap(inner) {
                Ok(inner) => again(inner),
                Err(inner) => Self::from_shared(&inner, memory_bytes),
            },
            DataFusionError::Collection(errors) => match errors.into_iter().next() {
                Some(first) => again(first),
                None => Self::Cancelled,
            },
            DataFusionError::External(source) => match source.downcast::<Self>() {
                Ok(ours) => *ours,
                Err(source) => match source.downcast::<DataFusionError>() {
                    Ok(inner) => again(*inner),
                    Err(source) => Self::Read { source },
                },
            },
            DataFusionError::ArrowError(inner, _) => match *inner {
                ArrowError::ExternalError(source) => again(DataFusionError::External(source)),
                other => Self::Execution {
                    reason: plain(&other.to_string()),
                },
            },
            DataFusionError::SQL(inner, _) => Self::Syntax {
                reason: plain(&inner.to_string()),
            },
            other => Self::from_shared(&other, memory_bytes),
        }
    }

    fn from_shared(error: &DataFusionError, memory_bytes: usize) -> Self {
        let reason = plain(&error.message());
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Self::Memory {
                memory_mib: memory_bytes >> 20,
            },
            DataFusionError::NotImplemented(_) => Self::Unsupported { reason },
            DataFusionError::Plan(_)
            | DataFusionError::SchemaError(..)
            | DataFusionError::Configuration(_) => Self::Plan { reason },
            DataFusionError::SQL(..) => Self::Syntax { reason },
            DataFusionError::Execution(_) | DataFusionError::ArrowError(..) => {
                Self::Execution { reason }
            }
            DataFusionError::External(source) => match source.downcast_ref::<Self>() {
                // Shared between partitions: the error itself cannot be moved out.
                Some(Self::Time { max }) => Self::Time { max: *max },
                Some(Self::IntermediateRows { max }) => Self::IntermediateRows { max: *max },
                Some(Self::Cancelled) => Self::Cancelled,
                Some(ours) => Self::Search {
                    code: ours.code(),
                    source: ours.to_string().into(),
                },
                None => Self::Read {
                    source: source.to_string().into(),
                },
            },
            other => Self::Engine {
                source: other.to_string().into(),
            },
        }
    }

    pub(crate) fn engine(source: impl Into<BoxError>) -> Self {
        Self::Engine {
            source: source.into(),
        }
    }
}

impl From<QueryError> for DataFusionError {
    fn from(error: QueryError) -> Self {
        Self::External(Box::new(error))
    }
}

/// The engine's message without its prefixes, its backtrace and its full table names.
fn plain(message: &str) -> String {
    let message = message.split("\n\nbacktrace:").next().unwrap_or_default();
    let mut text = message.trim();
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        text = rest.trim_start();
    }
    text.replace(QUALIFIER, "")
}

/// What stands before a table's name where the engine writes it in full.
const QUALIFIER: &str = "penstock.public.";

const PREFIXES: [&str; 12] = [
    "DataFusion error: ",
    "Error during planning: ",
    "Execution error: ",
    "Schema error: ",
    "Arrow error: ",
    "SQL error: ",
    "ParserError(\"",
    "External error: ",
    "Optimizer rule ",
    "type_coercion\ncaused by\n",
    "sql parser error: ",
    "Invalid argument error: ",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_plain() {
        let error = DataFusionError::Context(
            "type_coercion".into(),
            Box::new(DataFusionError::Plan(
                "table 'penstock.public.x' not found".into(),
            )),
        );
        let error = QueryError::from_datafusion(error, 1 << 20);
        assert_eq!(error.to_string(), "table 'x' not found");
        assert_eq!(error.code(), ErrorCode::InvalidArgument);
    }

    #[test]
    fn our_errors_survive_the_engine() {
        let ours = QueryError::Rows { max: 3 };
        let shared = Arc::new(DataFusionError::from(QueryError::Time {
            max: Duration::from_secs(1),
        }));
        let error = QueryError::from_datafusion(ours.into(), 0);
        assert!(matches!(error, QueryError::Rows { max: 3 }));
        let error = DataFusionError::Shared(Arc::clone(&shared));
        let error = QueryError::from_datafusion(error, 0);
        assert_eq!(error.to_string(), "the statement took longer than 1 s");
        drop(shared);
    }
}
