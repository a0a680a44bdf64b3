//! The errors of this crate.

use std::path::PathBuf;

use penstock_types::{ErrorCode, NameError, Sha256Digest};

use crate::dtype::DType;

/// The result of an operation of this crate.
pub type Result<T, E = ExportError> = std::result::Result<T, E>;

/// Why a snapshot could not be made, read or exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A snapshot, array or column does not exist.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// The name that was given.
        name: String,
    },
    /// The text is no snapshot name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The name is kept for the program.
    #[error(
        "`{0}` always means the newest snapshot and cannot be given to one; choose another name"
    )]
    ReservedName(String),
    /// The name is taken by a snapshot of something else.
    #[error(
        "the name `{name}` belongs to snapshot sha256:{digest}, which holds other rows or columns; \
         choose another name"
    )]
    NameTaken {
        /// The name.
        name: String,
        /// What it names.
        digest: Sha256Digest,
    },
    /// A column name cannot be a folder or URL segment.
    #[error(
        "column `{0}` cannot be exported: the names of exported columns are 1 to 128 letters, \
         digits, `_` and `-`, and do not begin with `__`; leave it out or rename it"
    )]
    ColumnName(String),
    /// A column has a type that has no array form.
    #[error("column `{column}` has type {data_type}, which has no array form; leave it out")]
    ColumnType {
        /// The column.
        column: String,
        /// Its type.
        data_type: Box<arrow::datatypes::DataType>,
    },
    /// A vector has a null inside.
    #[error("column `{column}`: a vector in row {row} has a null inside, which arrays cannot hold")]
    NullInVector {
        /// The column.
        column: String,
        /// The row of the snapshot, from 0.
        row: u64,
    },
    /// The text names no element type.
    #[error(
        "`{0}` is no element type; they are bool, uint8 to uint64, int8 to int64, float16, float32 \
         and float64"
    )]
    UnknownDType(String),
    /// No lossless or rounding conversion exists.
    #[error("{from} is not converted to {to}: not every value would be exact")]
    Conversion {
        /// The array's type.
        from: DType,
        /// The type asked for.
        to: DType,
    },
    /// A finite number does not fit the type asked for.
    #[error("a finite {from} does not fit {to}; ask for a wider type")]
    ConversionOverflow {
        /// The array's type.
        from: DType,
        /// The type asked for.
        to: DType,
    },
    /// A chunk could not be fetched from where the snapshot is.
    #[error("a chunk could not be fetched: {0}")]
    Fetch(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Rows outside of the array.
    #[error("rows {start}..{end} are not within the {length} of `{array}`")]
    Rows {
        /// The array.
        array: String,
        /// First row asked for.
        start: u64,
        /// One past the last row asked for.
        end: u64,
        /// Rows that there are.
        length: u64,
    },
    /// Bytes outside of the block.
    #[error("bytes {start}..{end} are not within the block's {length}")]
    Bytes {
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// Bytes that there are.
        length: u64,
    },
    /// No such rank.
    #[error("rank {rank} of {of}: ranks run from 0 to one below their number")]
    Rank {
        /// The rank.
        rank: u64,
        /// How many ranks there are.
        of: u64,
    },
    /// Explicit partition boundaries that are none.
    #[error(
        "{given} partition boundaries for {of} ranks: there must be one more than ranks, from 0 to \
         {total}, and they must not fall"
    )]
    Bounds {
        /// Ranks.
        of: u64,
        /// Rows.
        total: u64,
        /// Boundaries given.
        given: usize,
    },
    /// The column is not ragged.
    #[error("column `{0}` is not ragged: every row of it has the same size")]
    NotRagged(String),
    /// A block in Fortran order is put together in memory, and this one is too large for that.
    #[error(
        "a block of {bytes} bytes in Fortran order is over the limit of {limit}; ask for fewer rows \
         or for C order (whose bytes are those of the transposed array in Fortran order)"
    )]
    BlockTooLarge {
        /// Bytes of the block.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// One row's list has more items than its Arrow type counts.
    #[error("column `{0}`: one row has more items than its Arrow type can count")]
    RowTooLarge(String),
    /// Stored bytes are not those that were written.
    #[error("{object} is damaged: {problem}; restore it from a copy of the store")]
    Corrupt {
        /// The object, relative to the snapshot's folder.
        object: String,
        /// What is wrong with it.
        problem: Damage,
    },
    /// The manifest was written by a newer program.
    #[error("snapshot format {found} is newer than this program's ({known}); upgrade Penstock")]
    Format {
        /// The format of the manifest.
        found: u32,
        /// The format known here.
        known: u32,
    },
    /// A folder holds something else.
    #[error("{path} holds files that are not of this export; choose an empty or new folder")]
    ForeignFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The text names no export format.
    #[error("`{0}` is no export format; the formats are zarr, parquet and npy")]
    UnknownFormat(String),
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] penstock_store::StoreError),
    /// Arrow failed.
    #[error("arrays could not be put together")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A Parquet file could not be written.
    #[error("the Parquet file could not be written")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// A file of an export could not be written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// JSON could not be made.
    #[error("JSON could not be made")]
    Json(#[source] serde_json::Error),
    /// A background task of this program panicked.
    #[error("a background task ended without an answer")]
    Task,
}

/// How an object is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// It is not there.
    #[error("it is missing")]
    Missing,
    /// It has another length.
    #[error("it has {found} bytes instead of {expected}")]
    Length {
        /// As recorded.
        expected: u64,
        /// As found.
        found: u64,
    },
    /// It has another checksum.
    #[error("its CRC-32C is {found:08x} instead of {expected:08x}")]
    Checksum {
        /// As recorded.
        expected: u32,
        /// As found.
        found: u32,
    },
    /// It has another digest.
    #[error("its SHA-256 is {found}")]
    Digest {
        /// As found.
        found: Sha256Digest,
    },
    /// It is no JSON of the expected form.
    #[error("it does not have the expected form: {0}")]
    Form(String),
    /// Offsets fall, or lead outside of the values.
    #[error("its offsets fall or lead outside of the values")]
    Offsets,
}

impl ExportError {
    /// The closed code of this error.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound { .. } => ErrorCode::NotFound,
            Self::NameTaken { .. } | Self::ForeignFolder { .. } => ErrorCode::AlreadyExists,
            Self::Name(_)
            | Self::ReservedName(_)
            | Self::UnknownDType(_)
            | Self::UnknownFormat(_)
            | Self::Rows { .. }
            | Self::Bytes { .. }
            | Self::Rank { .. }
            | Self::Bounds { .. }
            | Self::NotRagged(_)
            | Self::ConversionOverflow { .. } => ErrorCode::InvalidArgument,
            Self::ColumnName(_)
            | Self::ColumnType { .. }
            | Self::Conversion { .. }
            | Self::Format { .. } => ErrorCode::Unsupported,
            Self::NullInVector { .. } => ErrorCode::InvalidData,
            Self::BlockTooLarge { .. } | Self::RowTooLarge(_) => ErrorCode::LimitExceeded,
            Self::Corrupt { .. } => ErrorCode::Corrupt,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Fetch(_) => ErrorCode::Unavailable,
            Self::Store(error) => error.code(),
            Self::Io { source, .. } => match source.kind() {
                std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                    ErrorCode::StorageFull
                }
                _ => ErrorCode::Unavailable,
            },
            Self::Arrow(_) | Self::Parquet(_) | Self::Json(_) | Self::Task => ErrorCode::Internal,
        }
    }
}
