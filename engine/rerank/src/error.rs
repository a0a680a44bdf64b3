//! What can be wrong with options and inputs.

use penstock_geometry::GeometryError;

use crate::sequence::{KarlinAltschul, Matrix};

/// Why hits could not be ranked again.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RerankError {
    /// Gap costs that the kernels cannot hold.
    #[error(
        "gap costs {open} and {extend}: a gap costs at least 1 per residue, and at most 127 for \
         the first"
    )]
    Gaps {
        /// For opening.
        open: u8,
        /// For each residue.
        extend: u8,
    },
    /// Scores of letters that the kernels cannot hold.
    #[error("scores {same} and {other}: equal letters score 1 to 60, others -60 to 0")]
    Matches {
        /// For equal letters.
        same: i8,
        /// For others.
        other: i8,
    },
    /// No constants for E-values are known for these costs, and none were given.
    #[error("no statistics are known for {matrix:?} with gap costs {open} and {extend}")]
    NoStatistics {
        /// Scores of letters.
        matrix: Matrix,
        /// For opening a gap.
        open: u8,
        /// For each residue of it.
        extend: u8,
    },
    /// Constants for E-values that are not positive numbers.
    #[error("{0:?} are no constants of a distribution of scores")]
    Statistics(KarlinAltschul),
    /// A traced alignment would take more memory than allowed.
    #[error("{cells} pairs of residues; at most {limit} are traced")]
    TooLong {
        /// Pairs of residues.
        cells: u64,
        /// The limit.
        limit: u64,
    },
    /// A candidate that is none of the sequences.
    #[error("candidate {candidate} of sequence {sequence} is not among {count} sequences")]
    Candidate {
        /// Whose candidate.
        sequence: usize,
        /// Its number.
        candidate: u32,
        /// How many sequences there are.
        count: usize,
    },
    /// Not one list of candidates per sequence, or more sequences than 32 bits can number.
    #[error("{lists} lists of candidates for {sequences} sequences")]
    Lists {
        /// Lists given.
        lists: usize,
        /// Sequences given.
        sequences: usize,
    },
    /// Corresponding residues that are not in their chains.
    #[error("residue {query} of the query and {target} of the target are not both there")]
    Pair {
        /// Position in the query.
        query: usize,
        /// Position in the target.
        target: usize,
    },
    /// A surface is to be sampled by no points.
    #[error("a surface needs at least one point")]
    NoPoints,
    /// A surface whose triangles have no area together.
    #[error("the surface has no area")]
    NoArea,
    /// A triangle of a vertex that is not there.
    #[error("triangle {triangle} has vertex {vertex}, which is not there")]
    Vertex {
        /// Number of the triangle, from 0.
        triangle: usize,
        /// Number of the vertex.
        vertex: u32,
    },
    /// A vertex with a coordinate that is NaN or infinite.
    #[error("vertex {vertex} is not finite")]
    NotFinite {
        /// Number of the vertex.
        vertex: u32,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// Points that cannot be compared.
    #[error(transparent)]
    Geometry(#[from] GeometryError),
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, RerankError>;
