//! What can go wrong while encoding.

use penstock_types::{ErrorCode, Kind};

/// An encoder refused its input, or the tensor library failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// No encoder has this name.
    #[error("there is no encoder `{given}`; the encoders are {known}")]
    UnknownEncoder {
        /// The name that was asked for.
        given: String,
        /// The names that exist, separated by commas.
        known: String,
    },
    /// The batch lacks a column that the encoder reads.
    #[error("{encoder} reads the column `{column}`, which the batch does not have")]
    MissingColumn {
        /// The encoder.
        encoder: &'static str,
        /// The column.
        column: &'static str,
    },
    /// A column has another type than the column contract says.
    #[error("{encoder} cannot read the column `{column}`: it is {given}, expected {expected}")]
    ColumnType {
        /// The encoder.
        encoder: &'static str,
        /// The column.
        column: &'static str,
        /// The type that was found.
        given: String,
        /// The types that would do.
        expected: &'static str,
    },
    /// A mesh contradicts itself.
    #[error("row {row} of the batch{}: {reason}", id.as_ref().map(|id| format!(" (`{id}`)")).unwrap_or_default())]
    InvalidMesh {
        /// The row, from 0.
        row: usize,
        /// The record's id, where the batch carries it.
        id: Option<String>,
        /// What is wrong.
        reason: MeshFault,
    },
    /// The kind has no text form.
    #[error("a {kind} is not written as text; give a file instead")]
    NoText {
        /// The kind.
        kind: Kind,
    },
    /// The tensor library failed.
    #[error("the tensor library failed while {doing}")]
    Tensor {
        /// What was being done.
        doing: &'static str,
        /// Its error.
        #[source]
        source: candle_core::Error,
    },
    /// Arrow refused to build the result.
    #[error("the vectors could not be put into an Arrow array")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// What is wrong with a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshFault {
    /// A face names a vertex that does not exist.
    #[error("face {face} names vertex {vertex}, and the mesh has {vertices} vertices")]
    VertexIndex {
        /// The face, from 0.
        face: usize,
        /// The index it holds.
        vertex: i32,
        /// How many vertices there are.
        vertices: usize,
    },
    /// A coordinate is NaN or infinite.
    #[error("vertex {vertex} has a coordinate that is not finite")]
    NotFinite {
        /// The vertex, from 0.
        vertex: usize,
    },
    /// A position or triangle inside the list is null.
    #[error("a vertex or face is null")]
    Null,
}

impl EmbedError {
    /// The code under which the server and the command line report it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownEncoder { .. } => ErrorCode::NotFound,
            Self::MissingColumn { .. } | Self::ColumnType { .. } | Self::NoText { .. } => {
                ErrorCode::InvalidArgument
            }
            Self::InvalidMesh { .. } => ErrorCode::InvalidData,
            Self::Tensor { .. } | Self::Arrow(_) => ErrorCode::Internal,
        }
    }
}
