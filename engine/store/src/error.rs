//! What can go wrong with a store.

use penstock_types::{ErrorCode, NameError, TableName, feature::FeatureError};

/// The result of a store operation.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// An error that the caller's own code (an encoder) gave.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a store operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The root is neither a folder nor an S3 location.
    #[error("`{uri}` is no store: give a folder or `s3://bucket/prefix`{hint}")]
    Root {
        /// What was given.
        uri: String,
        /// What to do.
        hint: String,
    },
    /// The object store lets two writers create the same object.
    #[error(
        "the object store at `{uri}` does not honour conditional writes (`If-None-Match: *`): \
         {winners} of {attempts} simultaneous writers of one {bytes}-byte object won, where \
         exactly one may. Commits would be lost without an error; use a store that honours them"
    )]
    UnsafeStore {
        /// The root.
        uri: String,
        /// How many writers were told that they had won.
        winners: usize,
        /// How many tried.
        attempts: usize,
        /// The size of the object.
        bytes: usize,
    },
    /// No such table.
    #[error("there is no table `{0}`")]
    NoTable(TableName),
    /// No such version or tag of a table.
    #[error("table `{table}` has no version `{version}`")]
    NoVersion {
        /// The table.
        table: TableName,
        /// The version or tag asked for.
        version: String,
    },
    /// No such column.
    #[error("table `{table}` has no column `{column}`; it has {has}")]
    NoColumn {
        /// The table.
        table: TableName,
        /// The column asked for.
        column: String,
        /// The columns there are.
        has: String,
    },
    /// The column is there, but no encoder made it.
    #[error("column `{column}` of table `{table}` is no feature column")]
    NoFeature {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// No such index.
    #[error("table `{table}` has no index `{index}`")]
    NoIndex {
        /// The table.
        table: TableName,
        /// The index asked for.
        index: String,
    },
    /// No such object of the program's own.
    #[error("there is no object `{0}`")]
    NoObject(String),
    /// A key that leaves the program's own folder, or is empty.
    #[error("`{0}` is no object key: use relative segments joined by `/`")]
    Key(String),
    /// A table name in the root breaks the rules.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The table holds another kind.
    #[error("table `{table}` holds {is} data, not {given}")]
    Kind {
        /// The table.
        table: TableName,
        /// Its kind.
        is: String,
        /// The kind of the load.
        given: String,
    },
    /// The Lance table at this place was not made by this program.
    #[error("table `{table}` carries no `penstock:kind`: it was not written by Penstock")]
    Foreign {
        /// The table.
        table: TableName,
    },
    /// Columns that break the contract.
    #[error("table `{table}`: {problem}")]
    Schema {
        /// The table.
        table: TableName,
        /// What is wrong.
        problem: String,
    },
    /// A row that breaks the contract.
    #[error("record `{id}` from `{source_name}`, column `{column}`: {problem}")]
    Row {
        /// The row.
        id: String,
        /// The file it came from.
        source_name: String,
        /// The column.
        column: String,
        /// What is wrong.
        problem: String,
    },
    /// One load has two records of one id with different content.
    #[error(
        "two different records of this load have the id `{id}`: one from `{first}`, one from \
         `{second}`; ids are unique within a table"
    )]
    DuplicateId {
        /// The id.
        id: String,
        /// Where the first came from.
        first: String,
        /// Where the second came from.
        second: String,
    },
    /// An append found the id in the table.
    #[error("table `{table}` has a record `{id}` already; upsert replaces it, append does not")]
    IdExists {
        /// The table.
        table: TableName,
        /// The id.
        id: String,
    },
    /// The column was made by another encoder.
    #[error(
        "column `{column}` of table `{table}` was made by {is}, not by {given}; give the other \
         encoder's column another name, or drop the column"
    )]
    Encoder {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
        /// What the table says.
        is: String,
        /// What was given.
        given: String,
    },
    /// A feature column's metadata is wrong.
    #[error(transparent)]
    Feature(#[from] FeatureError),
    /// The encoder failed.
    #[error("encoding column `{column}` failed")]
    Encode {
        /// The column.
        column: String,
        /// The encoder's error.
        #[source]
        source: BoxError,
    },
    /// The encoder gave something else than the column holds.
    #[error("the encoder of column `{column}` gave {problem}")]
    Encoded {
        /// The column.
        column: String,
        /// What is wrong.
        problem: String,
    },
    /// A predicate that cannot be read, or names what is not there.
    #[error("the predicate `{predicate}` is not understood: {problem}")]
    Predicate {
        /// What was given.
        predicate: String,
        /// What is wrong.
        problem: String,
    },
    /// A tag that names another version.
    #[error("tag `{tag}` of table `{table}` names version {is} already")]
    TagExists {
        /// The table.
        table: TableName,
        /// The tag.
        tag: String,
        /// The version that it names.
        is: u64,
    },
    /// An idempotency key was used before for something else.
    #[error("the key `{key}` was used before for another kind of request on table `{table}`")]
    KeyReused {
        /// The table.
        table: TableName,
        /// The key.
        key: String,
    },
    /// Another job holds the table's maintenance lease.
    #[error("table `{table}` is under maintenance: {owner} holds it for {purpose} until {until}")]
    Leased {
        /// The table.
        table: TableName,
        /// Who holds the lease.
        owner: String,
        /// What for.
        purpose: String,
        /// Until when, in RFC 3339.
        until: String,
    },
    /// The lease ran out and another job took it.
    #[error("the maintenance lease of table `{table}` was lost before the work was done")]
    LeaseLost {
        /// The table.
        table: TableName,
    },
    /// Other writers were faster too many times, or changed what this write relied upon.
    #[error("other writers changed table `{table}` meanwhile ({detail}); try again")]
    Conflict {
        /// The table.
        table: TableName,
        /// What happened.
        detail: String,
    },
    /// The store did not say whether the commit happened.
    #[error(
        "the store did not say whether the commit to table `{table}` happened; look at the \
         table's versions, or repeat the request with the same key"
    )]
    OutcomeUnknown {
        /// The table.
        table: TableName,
        /// The cause.
        #[source]
        source: Option<BoxError>,
    },
    /// No room is left.
    #[error("no room is left on the device or in the bucket")]
    StorageFull {
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The store did not answer.
    #[error("the object store did not answer")]
    Unavailable {
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// The bucket is not there.
    #[error("there is no bucket under `{uri}`; make it first, buckets are not made here")]
    NoBucket {
        /// What was opened.
        uri: String,
    },
    /// The store refused the credentials.
    #[error("the object store refused access; check the credentials and the bucket's policy")]
    Denied {
        /// The cause.
        #[source]
        source: BoxError,
    },
    /// Stored bytes cannot be what was written.
    #[error("stored data is damaged: {detail}")]
    Corrupt {
        /// What was found.
        detail: String,
    },
    /// The work was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// Lance failed in a way that no other variant names.
    #[error("the table engine failed")]
    Lance(#[source] Box<lance::Error>),
    /// An object store call failed in a way that no other variant names.
    #[error("the object store failed")]
    Object(#[source] Box<object_store::Error>),
    /// A batch could not be assembled.
    #[error("a batch could not be assembled")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A file beside the table could not be read or written.
    #[error("{what} failed")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// A defect of this program.
    #[error("internal error: {0}")]
    Internal(&'static str),
}

impl StoreError {
    /// The code by which the error is reported.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Root { .. }
            | Self::Key(_)
            | Self::Name(_)
            | Self::Kind { .. }
            | Self::Predicate { .. }
            | Self::NoFeature { .. }
            | Self::KeyReused { .. } => ErrorCode::InvalidArgument,
            Self::UnsafeStore { .. } | Self::Foreign { .. } => ErrorCode::Unsupported,
            Self::NoTable(_)
            | Self::NoVersion { .. }
            | Self::NoColumn { .. }
            | Self::NoIndex { .. }
            | Self::NoObject(_)
            | Self::NoBucket { .. } => ErrorCode::NotFound,
            Self::Schema { .. }
            | Self::Row { .. }
            | Self::DuplicateId { .. }
            | Self::Feature(_)
            | Self::Arrow(_) => ErrorCode::InvalidData,
            Self::Encoder { .. } => ErrorCode::EncoderMismatch,
            Self::IdExists { .. } | Self::TagExists { .. } => ErrorCode::AlreadyExists,
            Self::Leased { .. } | Self::LeaseLost { .. } | Self::Conflict { .. } => {
                ErrorCode::Conflict
            }
            Self::OutcomeUnknown { .. } => ErrorCode::OutcomeUnknown,
            Self::StorageFull { .. } => ErrorCode::StorageFull,
            Self::Unavailable { .. } => ErrorCode::Unavailable,
            Self::Denied { .. } => ErrorCode::Unavailable,
            Self::Corrupt { .. } => ErrorCode::Corrupt,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Io { source, .. } if is_full(source) => ErrorCode::StorageFull,
            Self::Encode { .. }
            | Self::Encoded { .. }
            | Self::Lance(_)
            | Self::Object(_)
            | Self::Io { .. }
            | Self::Internal(_) => ErrorCode::Internal,
        }
    }

    /// Turns an error of Lance about one table into ours.
    pub(crate) fn lance(table: &TableName, error: lance::Error) -> Self {
        if error.is_commit_status_unknown() {
            return Self::OutcomeUnknown {
                table: table.clone(),
                source: Some(Box::new(error)),
            };
        }
        match error {
            lance::Error::DatasetNotFound { .. } => Self::NoTable(table.clone()),
            lance::Error::CommitConflict { .. }
            | lance::Error::RetryableCommitConflict { .. }
            | lance::Error::TooMuchWriteContention { .. }
            | lance::Error::IncompatibleTransaction { .. }
            | lance::Error::DatasetAlreadyExists { .. } => Self::Conflict {
                table: table.clone(),
                detail: first_line(&error),
            },
            lance::Error::Timeout { .. } => Self::Unavailable {
                source: Box::new(error),
            },
            lance::Error::CorruptFile { .. } => Self::Corrupt {
                detail: first_line(&error),
            },
            other => match cause(&other) {
                Cause::Full => Self::StorageFull {
                    source: Box::new(other),
                },
                Cause::Unavailable => Self::Unavailable {
                    source: Box::new(other),
                },
                Cause::Denied => Self::Denied {
                    source: Box::new(other),
                },
                Cause::Other => Self::Lance(Box::new(other)),
            },
        }
    }

    /// Turns an error of Lance about a predicate into ours.
    pub(crate) fn predicate(predicate: &str, error: &lance::Error) -> Self {
        Self::Predicate {
            predicate: predicate.to_owned(),
            problem: first_line(error),
        }
    }
}

impl From<object_store::Error> for StoreError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { path, .. } => Self::NoObject(path),
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => Self::Denied {
                source: Box::new(error),
            },
            other => match cause(&other) {
                Cause::Full => Self::StorageFull {
                    source: Box::new(other),
                },
                Cause::Unavailable => Self::Unavailable {
                    source: Box::new(other),
                },
                Cause::Denied => Self::Denied {
                    source: Box::new(other),
                },
                Cause::Other => Self::Object(Box::new(other)),
            },
        }
    }
}

enum Cause {
    Full,
    Unavailable,
    Denied,
    Other,
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
    )
}

/// Walks the chain of sources. Lance and object_store keep the first cause somewhere below, and
/// Lance sometimes keeps only its text, which is why the last resort is to look at that.
fn cause(error: &(dyn std::error::Error + 'static)) -> Cause {
    let mut next = Some(error);
    let mut text = String::new();
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            if is_full(io) {
                return Cause::Full;
            }
            if matches!(
                io.kind(),
                std::io::ErrorKind::TimedOut
                    | std::io::ErrorKind::ConnectionRefused
                    | std::io::ErrorKind::ConnectionReset
                    | std::io::ErrorKind::ConnectionAborted
            ) {
                return Cause::Unavailable;
            }
            if let Some(inner) = io.get_ref() {
                match cause(inner) {
                    Cause::Other => {}
                    found => return found,
                }
            }
        }
        if let Some(
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. },
        ) = error.downcast_ref::<object_store::Error>()
        {
            return Cause::Denied;
        }
        text = error.to_string();
        next = error.source();
    }
    if [
        "No space left on device",
        "os error 28",
        "QuotaExceeded",
        "XMinioStorageFull",
    ]
    .iter()
    .any(|sign| text.contains(sign))
    {
        Cause::Full
    } else if [
        "503",
        "500 Internal",
        "SlowDown",
        "error sending request",
        "operation timed out",
    ]
    .iter()
    .any(|sign| text.contains(sign))
    {
        Cause::Unavailable
    } else {
        Cause::Other
    }
}

/// The part of a Lance message that is for people: without its source locations.
pub(crate) fn first_line(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(", /").next().unwrap_or(line);
    let line = line.split(", <").next().unwrap_or(line);
    line.strip_prefix("Invalid user input: ")
        .unwrap_or(line)
        .to_owned()
}
