//! What happened while reading, beside the batches.

use crate::{Position, ReadError};

/// Entries that a list of the report keeps; the counts go on.
pub const LISTED: usize = 1000;

/// A record that was left out under [`crate::OnError::Skip`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file, with the member of an archive.
    pub source: String,
    /// The record, where its name is known.
    pub record: Option<String>,
    /// Where, where the error has a place.
    pub position: Option<Position>,
    /// Why.
    pub reason: String,
    /// Where reading went on; `None`: nothing more of the file was read. What lies between was left
    /// out with the record.
    pub resumed: Option<Position>,
}

/// Something was read differently from what is written, or left out by a rule of the reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The file, with the member of an archive.
    pub source: String,
    /// The record, where its name is known.
    pub record: Option<String>,
    /// What.
    pub message: String,
}

/// The account of one reading. Complete once the reader has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Records of the files that became rows; a structure has one per chain and model.
    pub records: u64,
    /// Window rows.
    pub windows: u64,
    /// Records that were left out.
    pub skipped_count: u64,
    /// The first [`LISTED`] of them.
    pub skipped: Vec<Skipped>,
    /// Warnings given.
    pub warning_count: u64,
    /// The first [`LISTED`] of them.
    pub warnings: Vec<Warning>,
}

impl Report {
    pub(crate) fn skip(&mut self, error: &ReadError) {
        self.skipped_count += 1;
        if self.skipped.len() < LISTED {
            self.skipped.push(Skipped {
                source: error.file().to_owned(),
                record: error.record().map(str::to_owned),
                position: error.position(),
                reason: error.to_string(),
                resumed: None,
            });
        }
    }

    /// Notes where reading went on after the record that was skipped last.
    pub(crate) fn resume(&mut self, position: Option<Position>) {
        if self.skipped_count <= LISTED as u64
            && let Some(last) = self.skipped.last_mut()
        {
            last.resumed = position;
        }
    }

    pub(crate) fn warn(&mut self, source: &str, record: Option<&str>, message: String) {
        self.warning_count += 1;
        if self.warnings.len() < LISTED {
            self.warnings.push(Warning {
                source: source.to_owned(),
                record: record.map(str::to_owned),
                message,
            });
        }
    }
}
