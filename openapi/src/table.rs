//! Tables, versions and tags.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A table in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableSummary {
    /// Name.
    pub name: String,
    /// `protein`, `dna` or `mesh`.
    pub kind: String,
    /// The latest version.
    pub version: u64,
    /// Rows, windows of contigs included.
    pub rows: u64,
    /// Feature columns.
    pub features: Vec<String>,
}

/// All tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tables {
    /// By name.
    pub tables: Vec<TableSummary>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Column {
    /// Name.
    pub name: String,
    /// Arrow type.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Whether there may be nulls.
    pub nullable: bool,
    /// Unit of its numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// A feature column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Feature {
    /// The column.
    pub column: String,
    /// The encoder that fills it.
    pub encoder: String,
    /// BLAKE3, in hexadecimal, of the encoder's weights or constants.
    pub weights: String,
    /// How items became one vector.
    pub pooling: String,
    /// Element type.
    pub dtype: String,
    /// Length of the vectors.
    pub dim: u64,
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Index {
    /// Name.
    pub name: String,
    /// The column.
    pub column: String,
    /// Type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Metric of a vector index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Rows that it covers.
    pub indexed_rows: u64,
    /// Rows that it does not cover yet.
    pub unindexed_rows: u64,
}

/// Sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableStats {
    /// Rows.
    pub rows: u64,
    /// Rows that are deleted and not yet compacted away.
    pub deleted_rows: u64,
    /// Fragments.
    pub fragments: u64,
    /// Bytes of the data files.
    pub data_bytes: u64,
    /// Versions that can be read.
    pub versions: u64,
    /// Indexes.
    pub indexes: u64,
}

/// One version of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TableDescription {
    /// Name.
    pub name: String,
    /// `protein`, `dna` or `mesh`.
    pub kind: String,
    /// The version described.
    pub version: u64,
    /// Columns.
    pub columns: Vec<Column>,
    /// Feature columns.
    pub features: Vec<Feature>,
    /// Indexes.
    pub indexes: Vec<Index>,
    /// Sizes.
    pub stats: TableStats,
    /// Tags of all versions.
    pub tags: BTreeMap<String, u64>,
}

/// A version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Number.
    pub version: u64,
    /// When it was committed.
    #[schema(format = DateTime)]
    pub timestamp: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// All versions of a table that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Versions {
    /// The table.
    pub table: String,
    /// Oldest first.
    pub versions: Vec<Version>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tag {
    /// The table.
    pub table: String,
    /// The tag.
    pub tag: String,
    /// The version that it names.
    pub version: u64,
}

/// The tags of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tags {
    /// The table.
    pub table: String,
    /// Versions by tag.
    pub tags: BTreeMap<String, u64>,
}

/// Says which version a tag names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetTag {
    /// Number or tag of the version; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}
