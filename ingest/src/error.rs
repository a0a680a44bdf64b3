//! What can be wrong with a file, and where.

use std::fmt;
use std::io;

use penstock_types::{ErrorCode, Kind};

use crate::Compression;

/// A place in a file. Lines count from 1, bytes from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Position {
    /// A line of the decompressed text.
    Line(u64),
    /// An offset in the decompressed bytes, or in the compressed ones where decompression failed.
    Byte(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Byte(byte) => write!(f, "byte {byte}"),
        }
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be opened.
    #[error("{file}: cannot be opened: {error}")]
    Open {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// Reading stopped halfway.
    #[error("{file}: reading failed: {error}")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The content breaks the rules of its format.
    #[error("{file}, {position}{}: expected {expected}, found {found}", Record(.record.as_deref()))]
    Malformed {
        /// The file.
        file: String,
        /// The record, where its name is known.
        record: Option<String>,
        /// Where.
        position: Position,
        /// What the format demands.
        expected: String,
        /// What is there instead.
        found: String,
    },
    /// The content makes no graph.
    #[error("{file}")]
    Graph {
        /// The file.
        file: String,
        /// Where, and why.
        #[source]
        source: Box<penstock_graph::GraphError>,
    },
    /// The compressed data are cut off, damaged or followed by something else.
    #[error("{file}, compressed byte {offset}: damaged {compression} data: {reason}")]
    Compressed {
        /// The file.
        file: String,
        /// How it is compressed.
        compression: Compression,
        /// Offset in the compressed file up to which data were taken.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A limit of [`crate::Limits`] was reached.
    #[error("{file}, {position}{}: {what} is larger than the limit of {limit}", Record(.record.as_deref()))]
    Limit {
        /// The file.
        file: String,
        /// The record, where its name is known.
        record: Option<String>,
        /// Where.
        position: Position,
        /// What is too large.
        what: &'static str,
        /// The limit: bytes, or the ratio of output to input.
        limit: u64,
    },
    /// No format fits the content, and the name does not help.
    #[error(
        "{file}: neither the content ({head}) nor the name tells the format; known are {}",
        crate::Format::list()
    )]
    Unrecognised {
        /// The file.
        file: String,
        /// How the content begins.
        head: String,
    },
    /// The file holds another kind of data than was asked for.
    #[error("{file}: holds {found} data ({format}), but {wanted} was asked for")]
    OtherKind {
        /// The file.
        file: String,
        /// Its format.
        format: crate::Format,
        /// What it holds.
        found: Kind,
        /// What was asked for.
        wanted: Kind,
    },
    /// Directed edges were asked for, and this file has none.
    #[error("{file}: holds no directed edges: {}", Undirected(*.format))]
    Undirected {
        /// The file.
        file: String,
        /// Its format.
        format: crate::Format,
    },
    /// There is nothing in the file.
    #[error("{file}: holds no record")]
    Empty {
        /// The file.
        file: String,
    },
    /// The file is understood, and cannot be read by this build.
    #[error("{file}: {what} is not supported; {advice}")]
    Unsupported {
        /// The file.
        file: String,
        /// What it is.
        what: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The columns that were read do not make a batch: a defect of this program.
    #[error("{file}: the columns do not fit together: {error}")]
    Arrow {
        /// The file.
        file: String,
        /// What Arrow says.
        #[source]
        error: arrow::error::ArrowError,
    },
}

struct Record<'a>(Option<&'a str>);

/// Why a file of a format has no directed edges.
struct Undirected(crate::Format);

impl fmt::Display for Undirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = self.0;
        if format.can_be_directed() {
            // Others are refused by what the file says.
            write!(f, "the {format} says that its edges have no direction")
        } else if format.holds(Kind::Graph) {
            write!(
                f,
                "{format} is undirected by definition; an edge list or GraphML can be directed"
            )
        } else {
            write!(f, "{format} is no format of graphs")
        }
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(record) => write!(f, ", record `{record}`"),
            None => Ok(()),
        }
    }
}

impl ReadError {
    /// What went wrong, in the terms of the one who asked.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Open { error, .. } if error.kind() == io::ErrorKind::NotFound => {
                ErrorCode::NotFound
            }
            Self::Open { .. } => ErrorCode::InvalidArgument,
            Self::Io { .. } => ErrorCode::Unavailable,
            Self::Malformed { .. } | Self::Compressed { .. } | Self::Empty { .. } => {
                ErrorCode::InvalidData
            }
            Self::Graph { source, .. } => source.code(),
            Self::Limit { .. } => ErrorCode::LimitExceeded,
            Self::OtherKind { .. } | Self::Undirected { .. } => ErrorCode::InvalidArgument,
            Self::Unrecognised { .. } | Self::Unsupported { .. } => ErrorCode::Unsupported,
            Self::Arrow { .. } => ErrorCode::Internal,
        }
    }

    /// The file, as it was named to [`crate::open`], with the member of an archive.
    #[must_use]
    pub fn file(&self) -> &str {
        match self {
            Self::Open { file, .. }
            | Self::Io { file, .. }
            | Self::Malformed { file, .. }
            | Self::Graph { file, .. }
            | Self::Compressed { file, .. }
            | Self::Limit { file, .. }
            | Self::Unrecognised { file, .. }
            | Self::OtherKind { file, .. }
            | Self::Undirected { file, .. }
            | Self::Empty { file }
            | Self::Unsupported { file, .. }
            | Self::Arrow { file, .. } => file,
        }
    }

    /// The record, where its name is known.
    #[must_use]
    pub fn record(&self) -> Option<&str> {
        match self {
            Self::Malformed { record, .. } | Self::Limit { record, .. } => record.as_deref(),
            _ => None,
        }
    }

    /// Where in the file.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        match self {
            Self::Malformed { position, .. } | Self::Limit { position, .. } => Some(*position),
            Self::Compressed { offset, .. } => Some(Position::Byte(*offset)),
            _ => None,
        }
    }

    /// Names the record, where the error does not name one.
    #[must_use]
    pub(crate) fn in_record(mut self, name: &str) -> Self {
        if let Self::Malformed { record, .. } | Self::Limit { record, .. } = &mut self {
            record.get_or_insert_with(|| name.to_owned());
        }
        self
    }

    /// Whether the bytes that follow can still be trusted: then `--on-error skip` goes on.
    pub(crate) fn is_local(&self) -> bool {
        matches!(
            self,
            Self::Malformed { .. }
                | Self::Limit {
                    what: "the record" | "the line",
                    ..
                }
        )
    }

    /// An error of a stream: the one that the layers below wrapped, or the system's own.
    pub(crate) fn from_io(file: &str, error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(inner) => inner,
            Err(error) => Self::Io {
                file: file.to_owned(),
                error,
            },
        }
    }

    /// Wraps the error so that it passes through `Read`.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}
