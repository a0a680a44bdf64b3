//! What can go wrong between graphs and rows.

use penstock_pattern::PatternError;
use penstock_types::ErrorCode;

/// Shorthand of this crate.
pub type Result<T, E = GraphError> = std::result::Result<T, E>;

/// Why no graph came of rows, or no rows of a graph.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GraphError {
    /// The rows make no graph.
    #[error("graph `{graph}`")]
    Graph {
        /// Which graph.
        graph: String,
        /// Why.
        #[source]
        source: PatternError,
    },
    /// A row contradicts another, or itself.
    #[error("row `{id}`: {problem}")]
    Row {
        /// Its id.
        id: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A batch lacks a column of the contract, or has it in another type.
    #[error("the rows have no column `{column}` of the type that the contract gives it")]
    Column {
        /// The column.
        column: &'static str,
    },
    /// Too many neighbours for the offsets of a list.
    #[error("graph `{graph}` is too large for its rows: {what}")]
    TooLarge {
        /// Which graph.
        graph: String,
        /// What there is too much of.
        what: &'static str,
    },
    /// Arrow could not assemble the rows.
    #[error("assembling rows failed")]
    Arrow(#[from] arrow::error::ArrowError),
}

impl GraphError {
    /// The code that the one who asked is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Graph { .. } | Self::Row { .. } | Self::Column { .. } => ErrorCode::InvalidData,
            Self::TooLarge { .. } => ErrorCode::LimitExceeded,
            Self::Arrow(_) => ErrorCode::Internal,
        }
    }
}
