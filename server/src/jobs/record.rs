//! A job as it is stored.

use chrono::{DateTime, Utc};
use penstock::ProgressSnapshot;
use penstock_openapi::{Job, JobProgress, JobState, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::JobRequest;
use crate::wire::moment;

/// The version of the stored form.
const FORMAT: u32 = 1;

/// `_penstock/jobs/{id}.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) format: u32,
    pub(super) id: String,
    /// The spool whose server runs the job; see [`super::spool`].
    pub(super) owner: String,
    pub(super) request: JobRequest,
    /// The caller's idempotency key.
    pub(super) key: Option<String>,
    pub(super) state: JobState,
    /// How often the job was begun.
    pub(super) attempts: u32,
    pub(super) created: DateTime<Utc>,
    pub(super) started: Option<DateTime<Utc>>,
    pub(super) finished: Option<DateTime<Utc>>,
    /// When this was written: a sign of life of the server that runs the job.
    pub(super) updated: DateTime<Utc>,
    pub(super) progress: JobProgress,
    pub(super) result: Option<Value>,
    pub(super) error: Option<Problem>,
}

impl Record {
    pub(super) fn new(id: String, owner: String, request: JobRequest, key: Option<String>) -> Self {
        let now = Utc::now();
        Self {
            format: FORMAT,
            id,
            owner,
            request,
            key,
            state: JobState::Queued,
            attempts: 0,
            created: now,
            started: None,
            finished: None,
            updated: now,
            progress: JobProgress::default(),
            result: None,
            error: None,
        }
    }

    /// The job as it is shown.
    pub(super) fn job(&self) -> Job {
        Job {
            id: self.id.clone(),
            kind: self.request.kind(),
            table: self.request.table().map(ToString::to_string),
            state: self.state,
            progress: self.progress.clone(),
            created: moment(self.created),
            started: self.started.map(moment),
            finished: self.finished.map(moment),
            result: self.result.clone(),
            error: self.error.clone(),
        }
    }

    /// What the commit is keyed with: a job that was done just before a crash is not done again.
    pub(super) fn commit_key(&self) -> String {
        self.key.clone().unwrap_or_else(|| self.id.clone())
    }
}

pub(super) fn progress(now: &ProgressSnapshot) -> JobProgress {
    JobProgress {
        stage: match now.note.as_str() {
            "" => now.stage.to_owned(),
            note => format!("{}, {note}", now.stage),
        },
        rows: now.rows,
        total_rows: now.total_rows,
        items: now.items,
        item: now.item.to_owned(),
        bytes: now.bytes,
        total_bytes: now.total_bytes,
    }
}
