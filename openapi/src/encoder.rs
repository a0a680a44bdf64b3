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
    /// BLAKE3, in hexadecimal, of its weights or constants; null for a checkpoint that was not
    /// used yet.
    pub weights: Option<String>,
    /// Where its tensors are computed.
    pub device: String,
    /// What it computes.
    pub description: String,
    /// The licence of its weights, as its model card names it; null where it names none.
    pub licence: Option<String>,
    /// Whether loads of its kind use it when they name none.
    pub is_default: bool,
}

/// All encoders. A checkpoint's are listed with mean pooling in f32; its name may be followed by
/// `:` and `cls`, `max` or `none`, and by `:` and `f16`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Encoders {
    /// By kind and name.
    pub encoders: Vec<Encoder>,
}

/// Asks for a feature column to be filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EncodeRequest {
    /// Name of the encoder; left out, it is the default one of what the table holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "protein-kmer-v1")]
    pub encoder: Option<String>,
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

/// Asks for the vectors of sequences that are in no table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EmbedRequest {
    /// Name of the encoder.
    #[schema(example = "protein-kmer-v1")]
    pub encoder: String,
    /// Sequences, each alone or with an id. Left out in a form with a file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequences: Vec<EmbedSequence>,
    /// Contact maps in place of vectors; for checkpoints with a contact head.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contacts: bool,
}

/// One sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum EmbedSequence {
    /// Letters; its id is its place in the list, from 1.
    #[schema(example = "MKTAYIAKQRQISFVKSHFSRQ")]
    Plain(String),
    /// Letters with an id.
    Named {
        /// Any text; comes back with the vector.
        id: String,
        /// Letters.
        sequence: String,
    },
}

/// A form with a file to embed.
#[derive(Debug, ToSchema)]
pub struct EmbedUpload {
    /// An `EmbedRequest` without sequences, as JSON.
    pub request: EmbedRequest,
    /// A file in any of the formats that are read.
    #[schema(value_type = String, format = Binary)]
    pub file: Vec<u8>,
}

/// Vectors or contact maps of records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbedAnswer {
    /// The encoder.
    pub encoder: String,
    /// Length of a vector; left out with contact maps.
    #[serde(default)]
    pub dim: u64,
    /// How items became one vector; `none`: there is one per residue or base. Left out with
    /// contact maps.
    #[serde(default)]
    pub pooling: String,
    /// Vectors in the order of the records.
    #[serde(default)]
    pub vectors: Vec<EmbedVector>,
    /// Contact maps in the order of the records.
    #[serde(default)]
    pub contacts: Vec<EmbedContacts>,
}

/// The contact map of one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbedContacts {
    /// The record's id.
    pub id: String,
    /// The probability that two residues are in contact (C-beta within 8 angstrom): a row for each
    /// residue.
    pub contacts: Vec<Vec<f32>>,
}

/// The vector of one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EmbedVector {
    /// The record's id.
    pub id: String,
    /// Its vector; null where nothing in it can be embedded.
    pub vector: Option<VectorForm>,
}

/// A vector, or one per residue or base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum VectorForm {
    /// One for the record.
    One(Vec<f32>),
    /// One for each item.
    Each(Vec<Vec<f32>>),
}
