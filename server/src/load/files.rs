//! Paths and folders as one sequence of batches.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::vec::IntoIter;

use arrow::record_batch::RecordBatch;
use penstock::{Progress, SourceError};
use penstock_ingest::{LISTED, ReadError, ReadOptions, Reader, Report, Warning};
use penstock_types::Kind;

use super::source::source;
use super::{Account, LoadError, source_error};

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A file that the user named: it must be readable.
    Path(PathBuf),
    /// A file met in a folder: left out with a warning where its format is not known.
    Found(PathBuf),
    /// A file that came over the network, under the name that its owner gave it.
    Upload {
        /// The owner's name for it.
        name: String,
        /// Where it lies.
        path: PathBuf,
    },
    /// Standard input.
    Stdin,
}

impl Input {
    /// The name shown to users.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) | Self::Found(path) => path.display().to_string(),
            Self::Upload { name, .. } => name.clone(),
            Self::Stdin => "standard input".to_owned(),
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Path(path) | Self::Found(path) | Self::Upload { path, .. } => Some(path),
            Self::Stdin => None,
        }
    }

    fn bytes(&self) -> u64 {
        self.path()
            .and_then(|path| fs::metadata(path).ok())
            .map_or(0, |metadata| metadata.len())
    }
}

/// Paths as inputs: `-` is standard input, a folder is every file below it in the order of names.
/// What begins with a dot is left out of folders.
///
/// # Errors
/// A path leads nowhere, or a folder cannot be listed.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<Input>, LoadError> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::Stdin);
            continue;
        }
        let at = |error| LoadError::Path {
            path: path.clone(),
            error,
        };
        if fs::metadata(path).map_err(at)?.is_dir() {
            walk(path, &mut inputs).map_err(at)?;
        } else {
            inputs.push(Input::Path(path.clone()));
        }
    }
    if inputs.is_empty() {
        let paths = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        return Err(LoadError::Nothing { paths });
    }
    Ok(inputs)
}

fn walk(folder: &Path, inputs: &mut Vec<Input>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        // Links to folders are not followed: they may lead in a circle.
        if entry.file_type()?.is_dir() {
            walk(&path, inputs)?;
        } else if fs::metadata(&path)?.is_file() {
            inputs.push(Input::Found(path));
        }
    }
    Ok(())
}

/// The batches of all inputs, one input open at a time.
pub(super) struct Batches {
    waiting: IntoIter<Input>,
    options: ReadOptions,
    kind: Kind,
    /// The file that decided the kind.
    first: String,
    open: Option<Reader>,
    account: Account,
    progress: Arc<Progress>,
    is_done: bool,
}

impl Batches {
    /// Opens inputs until one can be read; its kind is the kind of all.
    pub(super) fn open(
        inputs: Vec<Input>,
        options: ReadOptions,
        progress: Arc<Progress>,
    ) -> Result<Self, penstock::Error> {
        let paths: Vec<String> = inputs.iter().take(3).map(Input::name).collect();
        progress.set_total_bytes(inputs.iter().map(Input::bytes).sum());
        let account = Account::new(Mutex::new(Report::default()));
        let mut waiting = inputs.into_iter();
        for input in waiting.by_ref() {
            let first = input.name();
            if let Some(reader) = open(input, &options, &account, &progress)? {
                return Ok(Self {
                    waiting,
                    kind: reader.kind(),
                    first,
                    open: Some(reader),
                    options,
                    account,
                    progress,
                    is_done: false,
                });
            }
        }
        Err(LoadError::Nothing { paths }.into())
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn account(&self) -> Account {
        Arc::clone(&self.account)
    }

    fn advance(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        loop {
            if let Some(reader) = &mut self.open {
                if let Some(batch) = reader.next() {
                    return batch.map(Some).map_err(source_error);
                }
                add(&self.account, reader.report());
                self.open = None;
            }
            let Some(input) = self.waiting.next() else {
                return Ok(None);
            };
            let name = input.name();
            let Some(reader) = open(input, &self.options, &self.account, &self.progress)? else {
                continue;
            };
            if reader.kind() != self.kind {
                let error = LoadError::MixedKinds {
                    first: self.first.clone(),
                    first_kind: self.kind,
                    other: name,
                    other_kind: reader.kind(),
                };
                return Err(SourceError {
                    code: error.code(),
                    source: error.into(),
                });
            }
            self.open = Some(reader);
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.advance().transpose();
        self.is_done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Opens one input. `None`: a file of a folder whose format is not known; a warning says so.
fn open(
    input: Input,
    options: &ReadOptions,
    account: &Account,
    progress: &Arc<Progress>,
) -> Result<Option<Reader>, SourceError> {
    let is_found = matches!(input, Input::Found(_));
    let name = input.name();
    let bytes = input.bytes();
    match penstock_ingest::open(source(input, progress), options) {
        Ok(reader) => Ok(Some(reader)),
        Err(error @ (ReadError::Unrecognised { .. } | ReadError::Unsupported { .. }))
            if is_found =>
        {
            progress.add_bytes(bytes);
            let mut account = account.lock().unwrap_or_else(PoisonError::into_inner);
            warn(
                &mut account,
                Warning {
                    source: name,
                    record: None,
                    message: format!("not read: {error}"),
                },
            );
            Ok(None)
        }
        Err(error) => Err(source_error(error)),
    }
}

fn warn(report: &mut Report, warning: Warning) {
    report.warning_count += 1;
    if report.warnings.len() < LISTED {
        report.warnings.push(warning);
    }
}

fn add(account: &Account, more: &Report) {
    let mut report = account.lock().unwrap_or_else(PoisonError::into_inner);
    report.records += more.records;
    report.windows += more.windows;
    report.skipped_count += more.skipped_count;
    report.warning_count += more.warning_count;
    let room = LISTED.saturating_sub(report.skipped.len());
    report
        .skipped
        .extend(more.skipped.iter().take(room).cloned());
    let room = LISTED.saturating_sub(report.warnings.len());
    report
        .warnings
        .extend(more.warnings.iter().take(room).cloned());
}
