//! What can go wrong.

use crate::layers::GraphFault;

/// Shorthand of this crate.
pub type Result<T, E = HnswError> = std::result::Result<T, E>;

/// Why an index was not built, searched, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HnswError {
    /// Vectors of no numbers, or of more than the sums of codes can hold.
    #[error("vectors of {dim} numbers; from 1 to {} are possible", crate::MAX_DIM)]
    Dim {
        /// What was given.
        dim: usize,
    },
    /// The numbers are no whole count of vectors.
    #[error("{numbers} numbers are no whole count of vectors of {dim}")]
    Ragged {
        /// Numbers given.
        numbers: usize,
        /// Numbers per vector.
        dim: usize,
    },
    /// More rows than an index numbers.
    #[error("{rows} rows; an index holds at most {}", crate::MAX_ROWS)]
    TooManyRows {
        /// What was given.
        rows: usize,
    },
    /// An option out of its range.
    #[error("option `{option}` is {value}; it must be from {least} to {most}")]
    Option {
        /// Its name.
        option: &'static str,
        /// What was given.
        value: usize,
        /// The least value.
        least: usize,
        /// The largest value.
        most: usize,
    },
    /// A vector holds NaN or infinity.
    #[error("row {row} holds NaN or infinity")]
    NotFinite {
        /// The row.
        row: usize,
    },
    /// Rows were put into groups that contradict each other: a fault of this crate.
    #[error("rows of the index were grouped wrongly; please report this")]
    Groups,
    /// A graph of another builder that makes no index.
    #[error("the graph makes no index: {0}")]
    Graph(#[source] GraphFault),
    /// A query holds NaN or infinity.
    #[error("query {query} holds NaN or infinity")]
    QueryNotFinite {
        /// Its position in the batch.
        query: usize,
    },
    /// A query has another length than the rows.
    #[error("a query has {got} numbers; the rows have {dim}")]
    QueryDim {
        /// Numbers of the query.
        got: usize,
        /// Numbers of a row.
        dim: usize,
    },
    /// A filter or a list of labels was made for another number of rows.
    #[error("{what} of {got} rows for an index of {rows}")]
    Rows {
        /// What was given.
        what: &'static str,
        /// Its rows.
        got: usize,
        /// Rows of the index.
        rows: usize,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Writing failed.
    #[error("writing section `{section}` of an index failed")]
    Write {
        /// The section.
        section: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Reading failed; a file that ends early is `UnexpectedEof`.
    #[error("reading section `{section}` of an index failed in the bytes from {offset} on")]
    Read {
        /// The section.
        section: &'static str,
        /// Where it starts.
        offset: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file does not start as an index does.
    #[error("no index: bytes 0 to 8 are not the magic of one")]
    Foreign,
    /// The file is of a version that this program does not read.
    #[error("index of format version {found}; this program reads {reads}")]
    Version {
        /// That of the file.
        found: u32,
        /// That of the program.
        reads: u32,
    },
    /// The bytes are not those that were written.
    #[error("section `{section}` at byte {offset} is damaged: its digest differs")]
    Digest {
        /// The section.
        section: &'static str,
        /// Where it starts.
        offset: u64,
    },
    /// The bytes are those that were written, but make no index.
    #[error("section `{section}` at byte {offset} makes no index: {problem}")]
    Malformed {
        /// The section.
        section: &'static str,
        /// Where the fault is.
        offset: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The index would need more memory than the caller allows.
    #[error("the index needs {needed} bytes of memory; {allowed} are allowed")]
    Memory {
        /// Bytes it needs.
        needed: u64,
        /// Bytes allowed.
        allowed: u64,
    },
}
