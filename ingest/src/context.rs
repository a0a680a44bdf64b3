//! What every format reader is given beside its bytes.

use std::io;

use crate::{Limits, Position, ReadError, Report};

/// The file being read, the limits, and the report to write warnings to.
#[derive(Debug)]
pub(crate) struct ReadContext {
    /// The `source` column: file name, and the member of an archive. Also the file in errors.
    pub(crate) source: String,
    /// The `event_time` column where the file holds no date: microseconds since 1970, UTC.
    pub(crate) event_time: i64,
    /// Bounds.
    pub(crate) limits: Limits,
    /// Counts, warnings and what was skipped.
    pub(crate) report: Report,
}

impl ReadContext {
    /// Notes something that the user should know, and that is no error.
    pub(crate) fn warn(&mut self, record: Option<&str>, message: impl Into<String>) {
        self.report.warn(&self.source, record, message.into());
    }

    /// The content breaks the rules of its format.
    pub(crate) fn malformed(
        &self,
        position: Position,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> ReadError {
        ReadError::Malformed {
            file: self.source.clone(),
            record: None,
            position,
            expected: expected.into(),
            found: found.into(),
        }
    }

    /// The record is larger than `limits.max_record_bytes`.
    pub(crate) fn too_large(&self, position: Position) -> ReadError {
        ReadError::Limit {
            file: self.source.clone(),
            record: None,
            position,
            what: "the record",
            limit: self.limits.max_record_bytes,
        }
    }

    /// The file is understood, and cannot be read.
    pub(crate) fn unsupported(&self, what: impl Into<String>, advice: &'static str) -> ReadError {
        ReadError::Unsupported {
            file: self.source.clone(),
            what: what.into(),
            advice,
        }
    }

    /// An error of the stream. Every `io::Error` of the input goes through here: damaged
    /// compressed data arrive wrapped in one.
    pub(crate) fn io(&self, error: io::Error) -> ReadError {
        ReadError::from_io(&self.source, error)
    }

    /// Arrow refused the columns.
    pub(crate) fn arrow(&self, error: arrow::error::ArrowError) -> ReadError {
        ReadError::Arrow {
            file: self.source.clone(),
            error,
        }
    }
}
