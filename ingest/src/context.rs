//! What every format reader is given beside its bytes.

use std::io;

use penstock_graph::rows::RowMaker;

use crate::{Limits, Position, ReadError, Report};

/// The file being read, the limits, and the report to write warnings to.
#[derive(Debug)]
pub(crate) struct ReadContext {
    /// The file as it was named by the caller, and the member of an archive; for errors.
    pub(crate) file: String,
    /// The `source` column: file name without folders, and the member of an archive.
    pub(crate) source: String,
    /// The `event_time` column where the file holds no date: microseconds since 1970, UTC.
    pub(crate) event_time: i64,
    /// Bounds.
    pub(crate) limits: Limits,
    /// What makes the rows of the column `dominance` of graphs.
    pub(crate) dominance: RowMaker,
    /// Counts, warnings and what was skipped.
    pub(crate) report: Report,
}

impl ReadContext {
    /// Notes something that the user should know, and that is no error.
    pub(crate) fn warn(&mut self, record: Option<&str>, message: impl Into<String>) {
        self.report.warn(&self.file, record, message.into());
    }

    /// The content breaks the rules of its format.
    pub(crate) fn malformed(
        &self,
        position: Position,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ReadError {
        ReadError::Malformed {
            file: self.file.clone(),
            record: None,
            position,
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The record is larger than `limits.max_record_bytes`.
    pub(crate) fn too_large(&self, position: Position) -> ReadError {
        ReadError::Limit {
            file: self.file.clone(),
            record: None,
            position,
            what: "the record",
            limit: self.limits.max_record_bytes,
        }
    }

    /// A line is longer than any that a format may have.
    pub(crate) fn long_line(&self, line: u64, limit: u64) -> ReadError {
        ReadError::Limit {
            file: self.file.clone(),
            record: None,
            position: Position::Line(line),
            what: "the line",
            limit,
        }
    }

    /// The file is understood, and cannot be read.
    pub(crate) fn unsupported(&self, what: impl Into<String>, advice: &'static str) -> ReadError {
        ReadError::Unsupported {
            file: self.file.clone(),
            what: what.into(),
            advice,
        }
    }

    /// An error of the stream. Every `io::Error` of the input goes through here: damaged
    /// compressed data arrive wrapped in one.
    pub(crate) fn io(&self, error: io::Error) -> ReadError {
        ReadError::from_io(&self.file, error)
    }

    /// Arrow refused the columns.
    pub(crate) fn arrow(&self, error: arrow::error::ArrowError) -> ReadError {
        ReadError::Arrow {
            file: self.file.clone(),
            error,
        }
    }
}
