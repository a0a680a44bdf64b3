//! Deleting, indexing and looking after tables.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Asks for rows to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DeleteRequest {
    /// SQL predicate of the rows to delete.
    #[serde(rename = "where")]
    #[schema(example = "length < 30")]
    pub predicate: String,
}

/// What a deletion did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeleteOutcome {
    /// The table.
    pub table: String,
    /// The version without the rows.
    pub version: u64,
    /// Rows deleted.
    pub rows_deleted: u64,
    /// Whether an earlier deletion with the same idempotency key is answered.
    pub replayed: bool,
}

/// Asks for an index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IndexRequest {
    /// The column: of features, or, for `substrings` and `words`, of text.
    #[schema(example = "protein_kmer_v1")]
    pub column: String,
    /// `ivf_hnsw_sq` (the default), `ivf_hnsw_pq`, `ivf_pq`, `ivf_flat` or `ivf_rq` for vectors;
    /// `substrings` for motifs in a column such as `sequence`; `words` for words in one such as
    /// `description`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `cosine` (the default), `l2` or `dot`; for vectors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
}

/// What an index build did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IndexOutcome {
    /// The table.
    pub table: String,
    /// The version that has the index.
    pub version: u64,
    /// The column.
    pub column: String,
    /// The type of the index.
    pub index_type: String,
    /// The metric of an index of vectors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Rows that the index covers.
    pub rows: u64,
    /// Duration.
    pub seconds: f64,
}

/// What compaction of one table did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompactOutcome {
    /// The table.
    pub table: String,
    /// The version after it.
    pub version: u64,
    /// Fragments that were rewritten.
    pub fragments_removed: u64,
    /// Fragments that took their place.
    pub fragments_added: u64,
    /// Data files that were rewritten.
    pub files_removed: u64,
    /// Data files that took their place.
    pub files_added: u64,
}

/// What compaction did, by table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompactOutcomes {
    /// One entry for each table.
    pub tables: Vec<CompactOutcome>,
}

/// Asks for old versions to be removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GcRequest {
    /// Versions older than this go, except those that a tag or a snapshot names; 7 days where
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub older_than_secs: Option<u64>,
}

/// What the removal of old versions of one table did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GcOutcome {
    /// The table.
    pub table: String,
    /// Versions removed.
    pub versions_removed: u64,
    /// Bytes freed.
    pub bytes_removed: u64,
    /// Data files removed.
    pub data_files_removed: u64,
    /// Index files removed.
    pub index_files_removed: u64,
}

/// What the removal of old versions did, by table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GcOutcomes {
    /// One entry for each table.
    pub tables: Vec<GcOutcome>,
}

/// Asks for files to be compared with their digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRequest {
    /// Whether the files of all versions are read, and not only those of the latest.
    #[serde(default)]
    pub all_versions: bool,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerifyProblemKind {
    /// It is not there.
    Missing,
    /// Its bytes are others than those written.
    Changed,
    /// No digest was recorded for it.
    Unrecorded,
    /// It could not be read.
    Unreadable,
}

/// A file that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyProblem {
    /// What is wrong.
    pub kind: VerifyProblemKind,
    /// The file, within the table.
    pub file: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What verification of one table found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyReport {
    /// The table.
    pub table: String,
    /// Whether nothing is wrong.
    pub ok: bool,
    /// Versions whose files were read.
    pub versions: Vec<u64>,
    /// Files read.
    pub files: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong.
    pub problems: Vec<VerifyProblem>,
}

/// What verification found, by table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VerifyReports {
    /// Whether nothing is wrong with any table.
    pub ok: bool,
    /// One entry for each table.
    pub tables: Vec<VerifyReport>,
}
