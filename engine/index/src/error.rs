//! What can go wrong in a search or an index build.

use penstock_hnsw::HnswError;
use penstock_store::StoreError;
use penstock_types::{ErrorCode, Metric};

/// Shorthand of this crate.
pub type Result<T, E = IndexError> = std::result::Result<T, E>;

/// Why a search or an index build failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The table has no such column.
    #[error("table `{table}` has no column `{column}`; its columns are {known}")]
    UnknownColumn {
        /// The table.
        table: String,
        /// What was asked for.
        column: String,
        /// The columns there are.
        known: String,
    },
    /// The column holds no features.
    #[error("column `{column}` of table `{table}` holds no features; {known}")]
    NoFeature {
        /// The table.
        table: String,
        /// What was asked for.
        column: String,
        /// The feature columns there are, in words.
        known: String,
    },
    /// The feature column holds a list of vectors per row.
    #[error(
        "column `{column}` holds one vector per item of a record (pooling `none`); \
         a search needs one vector per row"
    )]
    Ragged {
        /// The column.
        column: String,
    },
    /// The feature column holds one vector per row.
    #[error(
        "column `{column}` holds one vector per row; a search by several vectors needs one per \
         item of a record (pooling `none`)"
    )]
    Pooled {
        /// The column.
        column: String,
    },
    /// The column's metadata contradicts itself.
    #[error(transparent)]
    Feature(#[from] penstock_types::feature::FeatureError),
    /// The query vector has another length than the column's vectors.
    #[error("the query vector has {given} numbers; column `{column}` holds vectors of {expected}")]
    Dimension {
        /// The column.
        column: String,
        /// Length of the query vector.
        given: usize,
        /// Length of the column's vectors.
        expected: usize,
    },
    /// The query vector was made by another encoder than the column's vectors.
    #[error(
        "the query was encoded by `{given}`, column `{column}` by `{expected}`: \
         their vectors cannot be compared"
    )]
    Encoder {
        /// The column.
        column: String,
        /// Encoder of the query.
        given: String,
        /// Encoder of the column.
        expected: String,
    },
    /// The same encoder with other weights.
    #[error(
        "the query was encoded with weights {given} of `{encoder}`, column `{column}` with \
         {expected}: their vectors cannot be compared"
    )]
    Weights {
        /// The column.
        column: String,
        /// The encoder.
        encoder: String,
        /// Digest of the query's weights.
        given: String,
        /// Digest of the column's weights.
        expected: String,
    },
    /// NaN or infinity in the query vector.
    #[error("number {position} of the query vector is {value}; all must be finite")]
    NotFinite {
        /// Position in the vector, from 0.
        position: usize,
        /// The number.
        value: f32,
    },
    /// An all-zero query under cosine.
    #[error(
        "the query vector is all zero; it has no direction, and metric cosine compares directions"
    )]
    ZeroVector,
    /// `k` out of bounds.
    #[error("k is {given}; it must be from 1 to {max}")]
    K {
        /// What was asked for.
        given: usize,
        /// The most there can be.
        max: usize,
    },
    /// A search or build option out of bounds.
    #[error("option `{option}` is {given}; it must be from {min} to {max}")]
    Option {
        /// The option.
        option: &'static str,
        /// What was asked for.
        given: usize,
        /// The least there can be.
        min: usize,
        /// The most there can be.
        max: usize,
    },
    /// The word names no tier.
    #[error("`{given}` is no tier; the tiers are exact, hot and cold")]
    Tier {
        /// What was given.
        given: String,
    },
    /// The hot tier was asked for, and the index is not in memory.
    #[error(
        "column `{column}` of table `{table}` has no index for metric {metric} in memory: warm it, \
         or leave the tier to the planner"
    )]
    NotWarm {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The metric of the search.
        metric: Metric,
    },
    /// The cold tier was asked for, and there is no index.
    #[error(
        "column `{column}` of table `{table}` has no index for metric {metric}: build one, or leave \
         the tier to the planner"
    )]
    NoIndex {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The metric of the search.
        metric: Metric,
    },
    /// More rows than are compared with each other, and no index in memory.
    #[error(
        "{rows} rows would be compared with each other, {bytes} bytes of vectors; at most \
         {max_rows} rows and {max_bytes} bytes are. Warm the index of column `{column}` for metric \
         {metric}, or raise the bounds"
    )]
    TooManyPairs {
        /// The column.
        column: String,
        /// The metric.
        metric: Metric,
        /// Rows to compare.
        rows: u64,
        /// Bytes of their vectors.
        bytes: u64,
        /// The most rows.
        max_rows: u64,
        /// The most bytes.
        max_bytes: u64,
    },
    /// Duplicates were to be found by an index on the disk.
    #[error("duplicates are found by the tiers exact and hot, not by cold")]
    DuplicateTier,
    /// Clusters by something that is no distance.
    #[error(
        "under metric {metric} a row is not nearest to itself, so that there are no duplicates: \
         use cosine or l2"
    )]
    NoDistance {
        /// The metric.
        metric: Metric,
    },
    /// An index does not fit the memory that indexes may take.
    #[error(
        "the index needs {needed} bytes of memory; {free} of the {budget} that indexes may take are \
         free. Let another index go, or raise the budget"
    )]
    Memory {
        /// Bytes needed.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// Bytes that all indexes may take.
        budget: u64,
    },
    /// A number out of bounds.
    #[error("`{option}` is {given}; it must be {expected}")]
    Number {
        /// The option.
        option: &'static str,
        /// What was given.
        given: f64,
        /// What it may be.
        expected: &'static str,
    },
    /// The numbers of several query vectors do not end with a vector.
    #[error(
        "{numbers} numbers are no whole count of vectors; column `{column}` holds vectors of {dim}"
    )]
    Ends {
        /// The column.
        column: String,
        /// Numbers given.
        numbers: usize,
        /// Length of the column's vectors.
        dim: usize,
    },
    /// One of several queries is wrong.
    #[error("query {query}")]
    Query {
        /// Its position, from 0.
        query: usize,
        /// What is wrong with it.
        #[source]
        source: Box<IndexError>,
    },
    /// The exact tier was to be measured.
    #[error("an exact search finds everything: measure the hot or the cold tier")]
    Measure,
    /// No row has a vector to measure with.
    #[error("column `{column}` of table `{table}` holds no vector to measure with")]
    NothingToMeasure {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// The graph in memory could not be built, read or searched.
    #[error(transparent)]
    Graph(#[from] penstock_hnsw::HnswError),
    /// The SQL predicate is wrong.
    #[error("the predicate is wrong: {reason}")]
    Predicate {
        /// What is wrong with it.
        reason: String,
    },
    /// The SQL predicate is too big.
    #[error("the predicate has {given} {what}; at most {max} are allowed")]
    PredicateSize {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        given: usize,
        /// How much there may be.
        max: usize,
    },
    /// The word names no index type.
    #[error("`{given}` is no index type; the types are {known}")]
    Kind {
        /// What was given.
        given: String,
        /// The types there are.
        known: String,
    },
    /// Too few vectors to train the index on.
    #[error(
        "an index of type {kind} is trained on at least {needed} vectors; column `{column}` holds \
         {found}. Search it exactly, or use ivf_flat or ivf_hnsw_sq"
    )]
    TooFewRows {
        /// The index type.
        kind: &'static str,
        /// The column.
        column: String,
        /// Vectors needed.
        needed: usize,
        /// Vectors found.
        found: u64,
    },
    /// The index type cannot hold vectors of this length.
    #[error(
        "an index of type {kind} needs a dimension divisible by {divisor}; `{column}` has {dim}"
    )]
    Divisor {
        /// The index type.
        kind: &'static str,
        /// The column.
        column: String,
        /// Length of the vectors.
        dim: usize,
        /// What it must be divisible by.
        divisor: usize,
    },
    /// There is an index already, and it was not to be replaced.
    #[error(
        "column `{column}` has an index of type {kind} for metric {metric} already; ask for it to be replaced"
    )]
    Exists {
        /// The column.
        column: String,
        /// Type of the index there is.
        kind: String,
        /// Its metric.
        metric: Metric,
    },
    /// The motif's pattern cannot be read.
    #[error(transparent)]
    Motif(#[from] penstock_motif::MotifError),
    /// The column holds no text.
    #[error("column `{column}` of table `{table}` holds no {wanted}, but {found}")]
    ColumnType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What it should hold.
        wanted: &'static str,
        /// Its data type.
        found: String,
    },
    /// A sequence is too long for a substring index.
    #[error(
        "the longest of column `{column}` has {letters} letters; an index of substrings is built \
         in memory for sequences of at most {max}"
    )]
    SequenceLength {
        /// The column.
        column: String,
        /// Letters of the longest sequence.
        letters: u64,
        /// The most there can be.
        max: u64,
    },
    /// A text query without words, or with too many bytes.
    #[error("the text query has {given} bytes; it must have from 1 to {max}")]
    TextQuery {
        /// Bytes, without surrounding blanks.
        given: usize,
        /// The most there can be.
        max: usize,
    },
    /// A column to be searched for words has no index of them.
    #[error(
        "column `{column}` of table `{table}` has no text index: build it, or leave the column out"
    )]
    NoTextIndex {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// Candidates do not fit together.
    #[error("there must be one vector per distance, all vectors of one length")]
    Candidates,
    /// The hits have no such column to group by.
    #[error("the hits have no column `{column}`; theirs are {known}")]
    NoGroup {
        /// What was asked for.
        column: String,
        /// The columns there are.
        known: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading the table failed.
    #[error("reading table `{table}` failed")]
    Read {
        /// The table.
        table: String,
        /// Why.
        #[source]
        source: Box<lance::Error>,
    },
    /// Arrow could not assemble the answer.
    #[error("assembling the answer failed")]
    Arrow(#[from] arrow::error::ArrowError),
    /// A worker thread died.
    #[error("a worker of the search was lost")]
    Worker(#[from] tokio::task::JoinError),
    /// Something that must hold did not.
    #[error("{what}")]
    Invariant {
        /// What did not hold.
        what: &'static str,
    },
}

impl IndexError {
    /// The code that the one who asked is told.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownColumn { .. } | Self::NoGroup { .. } => ErrorCode::NotFound,
            Self::NoFeature { .. }
            | Self::NotFinite { .. }
            | Self::ZeroVector
            | Self::K { .. }
            | Self::Option { .. }
            | Self::Kind { .. }
            | Self::Predicate { .. }
            | Self::Motif(_)
            | Self::Candidates
            | Self::NoTextIndex { .. }
            | Self::TextQuery { .. }
            | Self::TooFewRows { .. }
            | Self::Divisor { .. }
            | Self::Tier { .. }
            | Self::Ends { .. }
            | Self::Measure
            | Self::NoDistance { .. }
            | Self::DuplicateTier
            | Self::NothingToMeasure { .. }
            | Self::Number { .. } => ErrorCode::InvalidArgument,
            Self::Query { source, .. } => source.code(),
            Self::NotWarm { .. } | Self::NoIndex { .. } => ErrorCode::NotFound,
            Self::Memory { .. } | Self::TooManyPairs { .. } => ErrorCode::LimitExceeded,
            Self::Graph(error) => match error {
                HnswError::Cancelled => ErrorCode::Cancelled,
                HnswError::Foreign
                | HnswError::Version { .. }
                | HnswError::Digest { .. }
                | HnswError::Malformed { .. } => ErrorCode::Corrupt,
                _ => ErrorCode::Internal,
            },
            Self::Dimension { .. } | Self::Encoder { .. } | Self::Weights { .. } => {
                ErrorCode::EncoderMismatch
            }
            Self::Ragged { .. } | Self::Pooled { .. } | Self::ColumnType { .. } => {
                ErrorCode::Unsupported
            }
            Self::PredicateSize { .. } | Self::SequenceLength { .. } => ErrorCode::LimitExceeded,
            Self::Exists { .. } => ErrorCode::AlreadyExists,
            Self::Feature(_) => ErrorCode::Corrupt,
            Self::Store(source) => source.code(),
            Self::Read { source, .. } => match **source {
                lance::Error::IO { .. } => ErrorCode::Unavailable,
                _ => ErrorCode::Internal,
            },
            Self::Arrow(_) | Self::Worker(_) | Self::Invariant { .. } => ErrorCode::Internal,
        }
    }

    pub(crate) fn read(table: &penstock_store::Table) -> impl Fn(lance::Error) -> Self {
        let table = table.name().to_string();
        move |source| Self::Read {
            table: table.clone(),
            source: Box::new(source),
        }
    }
}
