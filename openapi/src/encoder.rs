//! Encoders and feature columns.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An encoder of this build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Encoder {
    /// Name with version.
    #[schema(example = "protein-kmer-v1")]
    pub name: String,
    /// Kind of records that it reads: `protein`, `dna` or `mesh`.
    pub kind: String,
    /// The column that it fills.
    pub column: String,
    /// Length of its vectors.
    pub dim: u64,
    /// Element type: `f16` or `f32`.
    pub dtype: String,
    /// How items become one vector: `whole`, `mean`, ... or `none`.
    pub pooling: String,
    /// BLAKE3, in hexadecimal, of its weights or constants.
    pub weights: String,
    /// Where its tensors are computed.
    pub device: String,
    /// What it computes.
    pub description: String,
    /// Whether loads of its kind use it when they name none.
    pub is_default: bool,
}

/// All encoders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Encoders {
    /// By kind and name.
    pub encoders: Vec<Encoder>,
}

/// Asks for a feature column to be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EncodeRequest {
    /// Name of the encoder.
    #[schema(example = "protein-kmer-v1")]
    pub encoder: String,
}

/// What the filling of a feature column did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EncodeOutcome {
    /// The table.
    pub table: String,
    /// The version that has the column filled.
    pub version: u64,
    /// The column.
    pub column: String,
    /// The encoder.
    pub encoder: String,
    /// Rows that got a vector.
    pub rows_encoded: u64,
    /// Rows without one: nothing in them can be encoded.
    pub rows_empty: u64,
    /// Duration.
    pub seconds: f64,
}
