//! Files into tables: joins the readers of `penstock-ingest` to the engine's load.
//!
//! Several files are one load: one version with all of their records, or nothing. The files are
//! opened one after the other while the load runs, so that a folder of any size takes the memory
//! of one file's batch. The first readable file decides the kind.

mod files;
mod source;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use penstock::store::LoadOutcome;
use penstock::{Encoders, Engine, LoadRequest, SourceError, Task};
use penstock_ingest::{ReadError, ReadOptions, Report};
use penstock_types::{ErrorCode, Kind, TableName};

pub use files::{Input, expand};

/// What to load, and where.
#[derive(Debug, Clone)]
pub struct LoadFiles {
    /// The table; created when there is none of that name.
    pub table: TableName,
    /// The files, all of one kind.
    pub inputs: Vec<Input>,
    /// How to read them.
    pub read: ReadOptions,
    /// Feature columns to fill.
    pub encoders: Encoders,
    /// Idempotency key.
    pub key: Option<String>,
}

/// What a load did.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The table.
    pub table: TableName,
    /// The kind of its records.
    pub kind: Kind,
    /// The version, and what changed in it.
    pub outcome: LoadOutcome,
    /// What was read, skipped and warned about, over all files.
    pub report: Report,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Why files cannot be read together. What is wrong in one file is a [`ReadError`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// No path was given, or the folders hold no file that can be read.
    #[error("there is nothing to read in {}", paths.join(", "))]
    Nothing {
        /// What was given.
        paths: Vec<String>,
    },
    /// Two files of one load are of different kinds.
    #[error(
        "`{first}` holds {first_kind} data and `{other}` holds {other_kind} data, and a table holds \
         one kind: load them into two tables, or say the kind of both with --kind"
    )]
    MixedKinds {
        /// The file that decided the kind.
        first: String,
        /// Its kind.
        first_kind: Kind,
        /// The file that differs.
        other: String,
        /// Its kind.
        other_kind: Kind,
    },
    /// A folder cannot be listed, or a path leads nowhere.
    #[error("{}: {error}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
}

impl LoadError {
    /// The code under which the failure is reported.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Path { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
                ErrorCode::NotFound
            }
            Self::Nothing { .. } | Self::MixedKinds { .. } | Self::Path { .. } => {
                ErrorCode::InvalidArgument
            }
        }
    }
}

impl From<LoadError> for penstock::Error {
    fn from(error: LoadError) -> Self {
        Self::Source(SourceError {
            code: error.code(),
            source: error.into(),
        })
    }
}

/// A reader's error as the engine carries it.
pub fn source_error(error: ReadError) -> SourceError {
    SourceError {
        code: error.code(),
        source: error.into(),
    }
}

/// Reads the files and loads them as one version. Bytes read and rows written are counted in the
/// task's progress.
///
/// # Errors
/// What the readers and the engine report; nothing is committed then.
pub async fn run(
    engine: &Engine,
    request: LoadFiles,
    task: &Task,
) -> Result<Loaded, penstock::Error> {
    let started = Instant::now();
    let LoadFiles {
        table,
        inputs,
        mut read,
        encoders,
        key,
    } = request;
    read.dominance = engine.row_maker().clone();
    let progress = Arc::clone(&task.progress);
    progress.set_stage("opening");
    let batches = tokio::task::spawn_blocking(move || files::Batches::open(inputs, read, progress))
        .await
        .map_err(penstock::Error::Worker)??;
    let kind = batches.kind();
    let account = batches.account();
    let request = LoadRequest {
        table: table.clone(),
        kind,
        encoders,
        key,
    };
    let outcome = engine.load(request, batches, task).await?;
    let report = std::mem::take(&mut *account.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Loaded {
        table,
        kind,
        outcome,
        report,
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// The first record of a file, for a search by file. Blocking.
///
/// # Errors
/// The file cannot be read, or holds no record.
pub fn first_record(input: Input, kind: Option<Kind>) -> Result<RecordBatch, penstock::Error> {
    let options = ReadOptions {
        kind,
        batch_bytes: 1,
        ..ReadOptions::default()
    };
    let mut batches = files::Batches::open(vec![input.clone()], options, Arc::default())?;
    match batches.next() {
        Some(batch) => Ok(batch?.slice(0, 1)),
        None => Err(LoadError::Nothing {
            paths: vec![input.name()],
        }
        .into()),
    }
}

/// The records of files in batches, read as they are asked for.
///
/// # Errors
/// No file can be read, or they hold another kind.
pub fn records(
    inputs: Vec<Input>,
    kind: Kind,
) -> Result<impl Iterator<Item = Result<RecordBatch, SourceError>> + Send, penstock::Error> {
    let options = ReadOptions {
        kind: Some(kind),
        ..ReadOptions::default()
    };
    files::Batches::open(inputs, options, Arc::default())
}

/// A report that the reading thread fills.
type Account = Arc<Mutex<Report>>;

#[cfg(test)]
mod tests;
