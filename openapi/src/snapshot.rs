//! Snapshots.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSnapshot {
    /// The name.
    #[schema(example = "training-1")]
    pub name: String,
    /// The table.
    pub table: String,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Columns; left out: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// SQL predicate of the rows; left out: all.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
}

/// An array of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotArray {
    /// Its path, such as `sequence/values`.
    pub name: String,
    /// The column that it belongs to.
    pub column: String,
    /// Entries, and elements of an entry where it is a vector.
    pub shape: Vec<u64>,
    /// The shape of a chunk.
    pub chunk_shape: Vec<u64>,
    /// Element type, in Zarr's words.
    #[schema(example = "float32")]
    pub dtype: String,
    /// Number of chunks.
    pub chunks: u64,
    /// Bytes of all entries.
    pub bytes: u64,
}

/// A snapshot: rows and columns of a table version, which never change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// The name; absent where it was asked for by digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// SHA-256 of the manifest, in hexadecimal: the name under which its bytes are served.
    pub digest: String,
    /// The table.
    pub table: String,
    /// The table's version.
    pub version: u64,
    /// The predicate that chose the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Rows.
    pub rows: u64,
    /// Bytes of all arrays.
    pub bytes: u64,
    /// The arrays.
    pub arrays: Vec<SnapshotArray>,
}

/// A snapshot in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SnapshotSummary {
    /// The name.
    pub name: String,
    /// SHA-256 of the manifest, in hexadecimal.
    pub digest: String,
    /// The table.
    pub table: String,
    /// The table's version.
    pub version: u64,
    /// Rows.
    pub rows: u64,
    /// When the name was given.
    #[schema(format = DateTime)]
    pub created: String,
}

/// All snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Snapshots {
    /// By name.
    pub snapshots: Vec<SnapshotSummary>,
}
