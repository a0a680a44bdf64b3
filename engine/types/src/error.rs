//! The closed list of error codes.
//!
//! Every crate's error type answers `code()`. The server maps a code to an HTTP status and to a
//! Flight status in one place; the command line maps it to an exit code in one place.

use std::fmt;

/// What went wrong, in the terms of the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request or its arguments make no sense.
    InvalidArgument,
    /// A file or body does not hold what its format demands.
    InvalidData,
    /// A query's vector was made by another encoder than the column's, or has another dimension.
    EncoderMismatch,
    /// No such table, version, tag, column, row, snapshot, encoder or job.
    NotFound,
    /// It exists already, with other content.
    AlreadyExists,
    /// Another writer was faster; the same request may succeed when repeated.
    Conflict,
    /// A size, time or memory limit was reached.
    LimitExceeded,
    /// The disk or bucket is full.
    StorageFull,
    /// The store did not answer; the same request may succeed when repeated.
    Unavailable,
    /// The store did not say whether the commit happened; look before you repeat.
    OutcomeUnknown,
    /// Stored bytes differ from the digest recorded when they were written.
    Corrupt,
    /// The caller or an operator cancelled the work.
    Cancelled,
    /// The request names something that this build or store cannot do.
    Unsupported,
    /// A defect of this program.
    Internal,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 14] = [
        Self::InvalidArgument,
        Self::InvalidData,
        Self::EncoderMismatch,
        Self::NotFound,
        Self::AlreadyExists,
        Self::Conflict,
        Self::LimitExceeded,
        Self::StorageFull,
        Self::Unavailable,
        Self::OutcomeUnknown,
        Self::Corrupt,
        Self::Cancelled,
        Self::Unsupported,
        Self::Internal,
    ];

    /// The stable word: the last segment of a problem's `type`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid-argument",
            Self::InvalidData => "invalid-data",
            Self::EncoderMismatch => "encoder-mismatch",
            Self::NotFound => "not-found",
            Self::AlreadyExists => "already-exists",
            Self::Conflict => "conflict",
            Self::LimitExceeded => "limit-exceeded",
            Self::StorageFull => "storage-full",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome-unknown",
            Self::Corrupt => "corrupt",
            Self::Cancelled => "cancelled",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }

    /// Whether the same request may succeed when it is repeated as it is.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Conflict | Self::Unavailable)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
