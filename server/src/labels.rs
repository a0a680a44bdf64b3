//! Files of labels: what each residue of a record is, by the record's id.
//!
//! Three forms are told apart by how they begin:
//!
//! - `>`: a header line, of which the first word is the id, and lines of letters under it, perhaps
//!   after the sequence. An id may end with `:secstr`, `:disorder` or `:sequence`, as in the PDB's
//!   lists `ss.txt` and `ss_dis.txt`: those are labels, a mask, and nothing.
//! - `PAR1`: Parquet.
//! - else: text with a header line and columns between tabs or commas.
//!
//! A file is read once: its texts go to a temporary file, and in memory stays where each lies, about
//! 64 bytes a record, of at most 16,777,216 records.

mod columns;
mod lines;
mod spool;

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;

use penstock::encoding::head::states::Letters;
use penstock::{HeadLabels, SourceError};
use penstock_types::ErrorCode;

use spool::Spool;

/// Records of a label file.
const MOST_RECORDS: usize = 16 << 20;

/// Bytes of one line or field.
const LONGEST: usize = 64 << 20;

/// What to read of a file.
#[derive(Debug, Clone, Default)]
pub struct LabelOptions {
    /// The column of labels, in a file with columns; `labels` where left out.
    pub labels: Option<String>,
    /// The column of masks.
    pub mask: Option<String>,
    /// The column of groups.
    pub group: Option<String>,
    /// What the letters mean.
    pub letters: Letters,
}

/// A label file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelError {
    /// It cannot be read, or its copy cannot be written.
    #[error("{file}: {error}")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Its columns cannot be read.
    #[error("{file}: {error}")]
    Text {
        /// The file.
        file: String,
        /// What the reader says, with the line.
        #[source]
        error: csv::Error,
    },
    /// It is no Parquet file that can be read.
    #[error("{file}: {error}")]
    Parquet {
        /// The file.
        file: String,
        /// What the reader says.
        #[source]
        error: parquet::errors::ParquetError,
    },
    /// A column of it cannot be read as text.
    #[error("{file}: {error}")]
    Arrow {
        /// The file.
        file: String,
        /// What Arrow says.
        #[source]
        error: arrow::error::ArrowError,
    },
    /// A column is not there.
    #[error("{file} has no column `{column}`; it has: {has}")]
    NoColumn {
        /// The file.
        file: String,
        /// What was looked for.
        column: String,
        /// What there is.
        has: String,
    },
    /// Columns were asked for, and the file has none.
    #[error("{file} has no columns: only Parquet and text with tabs or commas have")]
    NoColumns {
        /// The file.
        file: String,
    },
    /// Letters come before any header.
    #[error("{file}: line {line} has letters, and no header with an id stands before it")]
    NoHeader {
        /// The file.
        file: String,
        /// The line, from 1.
        line: u64,
    },
    /// An id comes twice.
    #[error("{file}: `{id}` has labels twice")]
    Twice {
        /// The file.
        file: String,
        /// The id.
        id: String,
    },
    /// There is nothing in it.
    #[error("{file} has no labels")]
    Empty {
        /// The file.
        file: String,
    },
    /// There is more in it than is kept.
    #[error("{file} has {what}")]
    TooMuch {
        /// The file.
        file: String,
        /// Of what.
        what: &'static str,
    },
}

impl LabelError {
    /// The code under which the failure is reported.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Io { error, .. } => match error.kind() {
                io::ErrorKind::NotFound => ErrorCode::NotFound,
                io::ErrorKind::StorageFull => ErrorCode::StorageFull,
                io::ErrorKind::InvalidData => ErrorCode::InvalidData,
                _ => ErrorCode::InvalidArgument,
            },
            Self::NoColumn { .. } | Self::NoColumns { .. } => ErrorCode::InvalidArgument,
            Self::TooMuch { .. } => ErrorCode::LimitExceeded,
            Self::Text { .. }
            | Self::Parquet { .. }
            | Self::Arrow { .. }
            | Self::NoHeader { .. }
            | Self::Twice { .. }
            | Self::Empty { .. } => ErrorCode::InvalidData,
        }
    }
}

impl From<LabelError> for penstock::Error {
    fn from(error: LabelError) -> Self {
        source(error).into()
    }
}

fn source(error: LabelError) -> SourceError {
    SourceError {
        code: error.code(),
        source: error.into(),
    }
}

/// Reads a file of labels. Blocks. Whether it has the column of groups that is asked for is said
/// by the answer; a file with no columns has none.
///
/// # Errors
/// The file cannot be read or breaks the rules above.
pub fn read(path: &Path, options: &LabelOptions) -> Result<HeadLabels, LabelError> {
    let shown = path.display().to_string();
    let io = |error| LabelError::Io {
        file: shown.clone(),
        error,
    };
    let mut file = File::open(path).map_err(io)?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(&mut file).map_err(io)?;
    let digest = hasher.finalize().to_hex().to_string();
    file.rewind().map_err(io)?;
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(io)?;
    file.rewind().map_err(io)?;
    let mut spool = Spool::new(&shown)?;
    let has_groups = match head.as_slice() {
        b"PAR1" => columns::parquet(file, options, &mut spool)?,
        [b'>', ..] if options.labels.is_some() || options.mask.is_some() => {
            return Err(LabelError::NoColumns { file: shown });
        }
        [b'>', ..] => {
            lines::read(BufReader::new(file), &mut spool)?;
            false
        }
        _ => columns::text(BufReader::new(file), options, &mut spool)?,
    };
    let labels = spool.finish()?;
    let name = path.file_name().unwrap_or(path.as_os_str());
    Ok(HeadLabels::Given {
        name: name.to_string_lossy().into_owned(),
        digest,
        letters: options.letters.clone(),
        has_groups,
        find: Arc::new(move |id| labels.find(id).map_err(source)),
    })
}

#[cfg(test)]
mod tests;
