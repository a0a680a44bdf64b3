//! What can go wrong between graphs and rows.

use penstock_geometry::GeometryError;
use penstock_pattern::PatternError;
use penstock_types::ErrorCode;

/// Shorthand of this crate.
pub type Result<T, E = GraphError> = std::result::Result<T, E>;

/// Why no graph came of rows, no rows of a graph, or no motif could be sought.
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
    /// The rows of the column `dominance` could not be made.
    #[error("the dominance rows of graph `{graph}` could not be made")]
    Dominance {
        /// Which graph.
        graph: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What made the rows of the column `dominance` gave too few or too many numbers.
    #[error("{given} numbers as dominance rows of graph `{graph}`, expected {expected}")]
    DominanceShape {
        /// Which graph.
        graph: String,
        /// Numbers that came.
        given: usize,
        /// Numbers that there should be.
        expected: usize,
    },
    /// An option out of bounds.
    #[error("option `{option}` must be {wanted}")]
    Option {
        /// The option.
        option: &'static str,
        /// What it may be.
        wanted: &'static str,
    },
    /// A selection of residues that cannot be read.
    #[error("byte {byte} of the selection: {wanted} is wanted")]
    Selection {
        /// The offset, from 0.
        byte: usize,
        /// What should stand there.
        wanted: &'static str,
    },
    /// A selection names what the graph lacks.
    #[error("graph `{graph}` has no residue `{residue}`")]
    NoResidue {
        /// Which graph.
        graph: String,
        /// The residue, such as `A:45`.
        residue: String,
    },
    /// A motif cannot be made of these vertices.
    #[error("vertex {vertex} of graph `{graph}` {problem}")]
    Motif {
        /// Which graph.
        graph: String,
        /// The vertex.
        vertex: u32,
        /// Why not.
        problem: &'static str,
    },
    /// A motif is no pattern, or has too many points.
    #[error("the motif is no pattern")]
    Pattern(#[from] PatternError),
    /// Points could not be superposed.
    #[error("graph `{graph}` has points that cannot be superposed")]
    Superposition {
        /// Which graph.
        graph: String,
        /// Why not.
        #[source]
        source: GeometryError,
    },
    /// The caller did not want it any more.
    #[error("cancelled")]
    Cancelled,
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
            Self::Superposition { .. } => ErrorCode::InvalidData,
            Self::Option { .. }
            | Self::Selection { .. }
            | Self::Motif { .. }
            | Self::Pattern(_) => ErrorCode::InvalidArgument,
            Self::NoResidue { .. } => ErrorCode::NotFound,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::TooLarge { .. } => ErrorCode::LimitExceeded,
            Self::Dominance { .. } | Self::DominanceShape { .. } | Self::Arrow(_) => {
                ErrorCode::Internal
            }
        }
    }
}
