//! Everything that can go wrong in the engine.

use penstock_embed::head::HeadFault;
use penstock_rerank::RerankError;
use penstock_types::{Dim, ErrorCode, HeadName, Kind, TableName};

use crate::{IndexType, RerankBy};

/// What a reader of raw files (or whoever else feeds a load) reports. The engine reads no files
/// itself, so it keeps the message and the code and asks no more.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct SourceError {
    /// The code under which the failure is reported.
    pub code: ErrorCode,
    /// What the source said: file, record, position, expectation.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// An operation of the engine failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] penstock_store::StoreError),
    /// The search or an index build failed.
    #[error(transparent)]
    Index(#[from] penstock_index::IndexError),
    /// The SQL statement was refused or failed.
    #[error(transparent)]
    Query(#[from] penstock_query::QueryError),
    /// A snapshot could not be made or read.
    #[error(transparent)]
    Export(#[from] penstock_export::ExportError),
    /// An encoder refused its input.
    #[error(transparent)]
    Embed(#[from] penstock_embed::EmbedError),
    /// The input of a load failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Rows and graphs do not fit together.
    #[error(transparent)]
    Graph(#[from] penstock_graph::GraphError),
    /// A pattern makes no sense, or does not fit the graphs.
    #[error(transparent)]
    Pattern(#[from] penstock_pattern::PatternError),
    /// The table holds no graphs.
    #[error(
        "table `{table}` holds {holds} records, and a pattern is looked for in graphs; make a table \
         of graphs of it with `penstock graph`"
    )]
    NoGraphs {
        /// The table.
        table: TableName,
        /// What it holds.
        holds: Kind,
    },
    /// More than is allowed.
    #[error("{given} {what}; at most {max} are allowed")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        given: u64,
        /// How much there may be.
        max: u64,
    },
    /// The records or the encoder are of another kind than the table.
    #[error("table `{table}` holds {holds}, and this is {given}")]
    KindMismatch {
        /// The table.
        table: TableName,
        /// What it holds.
        holds: Kind,
        /// What was brought.
        given: Kind,
    },
    /// The table has no feature column to search in.
    #[error(
        "table `{table}` has no feature column; make one with `penstock encode {table} --encoder NAME`"
    )]
    NoFeatures {
        /// The table.
        table: TableName,
    },
    /// The table of graphs has no vectors of its vertices.
    #[error(
        "table `{table}` has no vectors of its vertices; `penstock encode {table} --encoder \
         graph-sage-v1` makes them"
    )]
    NoVertexVectors {
        /// The table.
        table: TableName,
    },
    /// Nothing of a pattern is known, so it resembles everything.
    #[error(
        "no vertex of the pattern has a label or a neighbour, so that no vector can be made of it"
    )]
    NoAnchor,
    /// A metric was given for an index that compares no vectors.
    #[error("an index of {kind} has no metric")]
    IndexMetric {
        /// The type of the index.
        kind: IndexType,
    },
    /// The column has no vector index, so there is nothing to measure.
    #[error(
        "column `{column}` of table `{table}` has no index; `penstock index` or `penstock warm` \
         makes one"
    )]
    NoIndexes {
        /// The table.
        table: TableName,
        /// The column.
        column: String,
    },
    /// The table has several feature columns and the request names none.
    #[error("table `{table}` has several feature columns ({}); name one", columns.join(", "))]
    AmbiguousColumn {
        /// The table.
        table: TableName,
        /// Its feature columns.
        columns: Vec<String>,
    },
    /// The request names a column that is not there or no feature column.
    #[error("table `{table}` has no feature column `{column}`; it has: {}", columns.join(", "))]
    NoSuchColumn {
        /// The table.
        table: TableName,
        /// What was asked for.
        column: String,
        /// Its feature columns.
        columns: Vec<String>,
    },
    /// The column was made by an encoder that this build does not have, or has in another version.
    #[error(
        "column `{column}` was made by `{encoder}` (weights {weights}), which this build cannot \
         run; query it by vector or by stored id"
    )]
    EncoderMismatch {
        /// The column.
        column: String,
        /// Its encoder.
        encoder: String,
        /// Its weights.
        weights: String,
    },
    /// The query vector has another length than the column's.
    #[error("the query has {given} numbers and column `{column}` has {dim} dimensions")]
    Dimension {
        /// The column.
        column: String,
        /// Length of the query.
        given: usize,
        /// Length of the column's vectors.
        dim: Dim,
    },
    /// The query holds nothing that can be encoded.
    #[error("the query could not be encoded by `{encoder}`: it holds no usable data")]
    EmptyQuery {
        /// The encoder.
        encoder: String,
    },
    /// A stored id was given as the query, and there is no such row.
    #[error("table `{table}` has no row with the id `{id}`")]
    NoSuchRow {
        /// The table.
        table: TableName,
        /// The id.
        id: String,
    },
    /// A stored id was given as the query, and its row has no vector in the column.
    #[error("row `{id}` has no vector in column `{column}`")]
    NoVector {
        /// The id.
        id: String,
        /// The column.
        column: String,
    },
    /// No column of the table has a vector for each residue.
    #[error(
        "table `{table}` has no column with a vector for each residue; make one with `penstock \
         encode {table} --encoder NAME:none:f16`"
    )]
    NoResidueVectors {
        /// The table.
        table: TableName,
    },
    /// No column of the table has a vector for each item.
    #[error(
        "table `{table}` has no column with a vector for each item; make one with `penstock encode \
         {table} --encoder NAME:none:f16`"
    )]
    NoItemVectors {
        /// The table.
        table: TableName,
    },
    /// Candidates are wanted, and no column leads to them.
    #[error(
        "table `{table}` has no column with one vector per row of the encoder and weights of \
         `{encoder}`, to find candidates by; leave candidates out, or make one with `penstock \
         encode`"
    )]
    NoPooledVectors {
        /// The table.
        table: TableName,
        /// The encoder of the column with a vector for each item.
        encoder: String,
    },
    /// A column holds something else than one list entry for each residue.
    #[error("column `{column}` has no vector for each residue")]
    NotPerResidue {
        /// The column.
        column: String,
    },
    /// A column holds no text, nor what can be written as text.
    #[error("column `{column}` cannot be read as text")]
    NotText {
        /// The column.
        column: String,
    },
    /// The labels of a row do not fit it.
    #[error("row `{id}`: {fault}")]
    RowLabels {
        /// The row's id.
        id: String,
        /// What is wrong.
        #[source]
        fault: HeadFault,
    },
    /// The sequence that stands beside the labels is another than the row's.
    #[error("row `{id}`: the labels come with another sequence than the table has")]
    LabelledSequence {
        /// The row's id.
        id: String,
    },
    /// There is no such head.
    #[error("there is no head `{name}`")]
    NoSuchHead {
        /// The name.
        name: HeadName,
    },
    /// A head of this name exists.
    #[error(
        "there is a head `{name}` already; `--replace` (or `replace`) puts another in its place"
    )]
    HeadExists {
        /// The name.
        name: String,
    },
    /// What is stored of a head cannot be read.
    #[error("the head `{name}` is damaged: {reason}")]
    HeadDamaged {
        /// The name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The encoder of a head has other weights by now.
    #[error(
        "head `{name}` reads vectors of `{encoder}` (weights {weights}), and the encoder of that \
         name has the weights {found}"
    )]
    HeadEncoder {
        /// The head.
        name: String,
        /// Its encoder.
        encoder: String,
        /// The weights that the head was fitted with.
        weights: String,
        /// Those that are there.
        found: String,
    },
    /// The work was cancelled; nothing of it remains.
    #[error("cancelled; nothing was changed")]
    Cancelled,
    /// Re-ranking that needs other rows than the table's.
    #[error("table `{table}` holds {holds}; ranking again by {by} is for {wants}")]
    RerankKind {
        /// The table.
        table: TableName,
        /// What it holds.
        holds: Kind,
        /// The score.
        by: RerankBy,
        /// What the score is of.
        wants: &'static str,
    },
    /// Re-ranking compares records, and the query is none.
    #[error(
        "ranking again by {by} needs a query with {wants}: search by a stored id or a file{}",
        if *.by == RerankBy::Alignment { ", or by text" } else { "" }
    )]
    RerankQuery {
        /// The score.
        by: RerankBy,
        /// What the query lacks.
        wants: &'static str,
    },
    /// Fewer candidates are to be ranked again than rows are wanted, or too many.
    #[error(
        "{given} candidates are to be ranked again; it must be from {k}, the rows wanted, to {max}"
    )]
    RerankCandidates {
        /// What was asked for.
        given: usize,
        /// Rows wanted.
        k: usize,
        /// The most there can be.
        max: usize,
    },
    /// What the candidates hold is more than fits memory.
    #[error(
        "the candidates hold more than {limit} bytes to compare; rank fewer again (`candidates`)"
    )]
    RerankBytes {
        /// The limit.
        limit: u64,
    },
    /// Alignments would take too long.
    #[error(
        "aligning the candidates compares {pairs} pairs of letters, more than {limit}; rank fewer \
         again (`candidates`), or search with a part of the sequence"
    )]
    RerankWork {
        /// Pairs of letters.
        pairs: u64,
        /// The limit.
        limit: u64,
    },
    /// Candidates could not be ranked again.
    #[error(transparent)]
    Rerank(#[from] penstock_rerank::RerankError),
    /// The column to group by is not there.
    #[error("table `{table}` has no column `{column}` to group by")]
    NoGroupColumn {
        /// The table.
        table: TableName,
        /// What was asked for.
        column: String,
    },
    /// No rows, or too many, are to be kept of each group.
    #[error("a group keeps from 1 to {max} rows; {given} were asked for")]
    GroupSize {
        /// What was asked for.
        given: usize,
        /// The most there can be.
        max: usize,
    },
    /// Vectors could not be kept in a temporary file.
    #[error("vectors could not be kept in a temporary file: {source}")]
    Spool {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A worker thread ended without an answer.
    #[error("a worker thread failed: {0}")]
    Worker(#[source] tokio::task::JoinError),
}

impl Error {
    /// The code under which the error is reported.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Store(error) => error.code(),
            Self::Index(error) => error.code(),
            Self::Query(error) => error.code(),
            Self::Export(error) => error.code(),
            Self::Embed(error) => error.code(),
            Self::Source(error) => error.code,
            Self::Graph(error) => error.code(),
            Self::TooMuch { .. } => ErrorCode::LimitExceeded,
            Self::Pattern(_)
            | Self::NoGraphs { .. }
            | Self::KindMismatch { .. }
            | Self::NoFeatures { .. }
            | Self::NoVertexVectors { .. }
            | Self::NoAnchor
            | Self::AmbiguousColumn { .. }
            | Self::Dimension { .. }
            | Self::NoVector { .. }
            | Self::NoResidueVectors { .. }
            | Self::NoItemVectors { .. }
            | Self::NoPooledVectors { .. }
            | Self::NotPerResidue { .. }
            | Self::NotText { .. }
            | Self::EmptyQuery { .. } => ErrorCode::InvalidArgument,
            Self::EncoderMismatch { .. } | Self::HeadEncoder { .. } => ErrorCode::EncoderMismatch,
            Self::NoSuchColumn { .. }
            | Self::NoSuchRow { .. }
            | Self::NoSuchHead { .. }
            | Self::NoIndexes { .. } => ErrorCode::NotFound,
            Self::RowLabels { fault, .. } => fault.code(),
            Self::LabelledSequence { .. } => ErrorCode::InvalidData,
            Self::HeadExists { .. } => ErrorCode::AlreadyExists,
            Self::HeadDamaged { .. } => ErrorCode::Corrupt,
            Self::IndexMetric { .. }
            | Self::RerankKind { .. }
            | Self::RerankQuery { .. }
            | Self::RerankCandidates { .. }
            | Self::GroupSize { .. } => ErrorCode::InvalidArgument,
            Self::NoGroupColumn { .. } => ErrorCode::NotFound,
            Self::RerankBytes { .. } | Self::RerankWork { .. } => ErrorCode::LimitExceeded,
            Self::Rerank(error) => match error {
                RerankError::Cancelled => ErrorCode::Cancelled,
                RerankError::TooLong { .. } => ErrorCode::LimitExceeded,
                _ => ErrorCode::InvalidData,
            },
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Spool { source } if source.kind() == std::io::ErrorKind::StorageFull => {
                ErrorCode::StorageFull
            }
            Self::Worker(_) | Self::Spool { .. } => ErrorCode::Internal,
        }
    }
}
