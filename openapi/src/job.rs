//! Long work.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Problem;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Loads files into a table.
    Ingest,
    /// Fills a feature column.
    Encode,
    /// Builds an index.
    Index,
    /// Brings an index into memory.
    Warm,
    /// Measures the indexes of a column.
    Measure,
    /// Merges small data files.
    Compact,
    /// Removes old versions.
    Gc,
    /// Compares files with their digests.
    Verify,
    /// Makes a snapshot.
    Snapshot,
    /// Fits a head.
    TrainHead,
    /// Makes graphs of records.
    Graph,
}

/// Where a job stands. The last three are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It waits for its turn.
    Queued,
    /// It is at work.
    Running,
    /// It is done; `result` says what it did.
    Succeeded,
    /// It failed; `error` says why. Nothing was changed, unless the error says otherwise.
    Failed,
    /// It was cancelled; nothing was changed.
    Cancelled,
}

impl JobState {
    /// Whether the state changes no more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// How far a job is. A total of 0 is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobProgress {
    /// What is being done, and how it stands; empty before the start.
    pub stage: String,
    /// Rows done.
    pub rows: u64,
    /// Rows to do.
    pub total_rows: u64,
    /// Residues, bases or vertices encoded.
    #[serde(default)]
    pub items: u64,
    /// Which of these; empty where nothing is encoded.
    #[serde(default)]
    pub item: String,
    /// Bytes of input read.
    pub bytes: u64,
    /// Bytes of input to read.
    pub total_bytes: u64,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its identifier; later jobs sort behind earlier ones.
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// The table that it works on; absent where it works on all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// How far it is.
    pub progress: JobProgress,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub created: String,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub started: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub finished: Option<String>,
    /// What it did: an `IngestResult`, `EncodeOutcome`, `IndexOutcome`, `WarmOutcome`,
    /// `VectorIndexes`, `CompactOutcomes`,
    /// `GcOutcomes`, `VerifyReports`, `Snapshot` or `Head`, by its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Problem>,
}

/// Jobs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Jobs {
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// Which jobs are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct JobParams {
    /// Only jobs in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<JobState>,
    /// At most so many; 100 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}
