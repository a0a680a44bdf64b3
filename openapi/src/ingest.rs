//! Loading files.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// How files are loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct IngestParams {
    /// Name of the file that the body holds: names the source of the records, and helps where the
    /// content does not tell the format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "proteins.fasta.gz")]
    pub name: Option<String>,
    /// `protein`, `dna` or `mesh`; left out: as the content says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Encoders to run, separated by commas; left out: the kind's own descriptor; `none`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// `fail` (nothing is loaded when a record cannot be read) or `skip` (it is left out and
    /// listed); left out: `fail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_error: Option<String>,
    /// Whether the edges of graphs go from their first vertex to their second: for lists of edges, and
    /// for GraphML that does not say. Other files are refused; left out: as the file says, and without
    /// a direction where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directed: Option<bool>,
}

/// Several files in one request, loaded as one version.
#[derive(Debug, Clone, ToSchema)]
pub struct IngestUpload {
    /// The files; each part has its file name.
    #[schema(value_type = Vec<Vec<u8>>, content_media_type = "application/octet-stream")]
    pub file: Vec<Vec<u8>>,
}

/// What a load did. Either all of it is in `version`, or the load failed and nothing is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IngestResult {
    /// The table.
    pub table: String,
    /// `protein`, `dna` or `mesh`.
    pub kind: String,
    /// The version that holds the records.
    pub version: u64,
    /// Records whose id is new.
    pub rows_added: u64,
    /// Records whose id was there with other content.
    pub rows_updated: u64,
    /// Records that were there already.
    pub rows_unchanged: u64,
    /// Records left out because they could not be read.
    pub rows_skipped: u64,
    /// Windows of long contigs that were added or updated.
    pub windows_written: u64,
    /// Windows that belonged to contigs that changed, and are gone.
    pub windows_removed: u64,
    /// The first 1,000 of the records left out.
    pub skipped: Vec<Skipped>,
    /// How many warnings there were.
    pub warning_count: u64,
    /// The first 1,000 of them.
    pub warnings: Vec<Warning>,
    /// Whether an earlier load with the same idempotency key is answered, and nothing was done.
    pub replayed: bool,
    /// Duration.
    pub seconds: f64,
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// The file, with the member of an archive.
    pub source: String,
    /// The record, where its name is known.
    pub record: Option<String>,
    /// Line, from 1, in the decompressed text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Byte, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub byte: Option<u64>,
    /// Why.
    pub reason: String,
}

/// Something that was read otherwise than it is written, or left out by a rule of the reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// The file, with the member of an archive.
    pub source: String,
    /// The record, where its name is known.
    pub record: Option<String>,
    /// What.
    pub message: String,
}
