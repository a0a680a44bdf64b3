//! What can be wrong with points.

/// Why a computation on points has no answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryError {
    /// Points of two sets are paired by position, and one set is longer.
    #[error("{moving} points cannot be paired with {fixed}")]
    Unpaired {
        /// Points of the set that moves.
        moving: usize,
        /// Points of the set that stays.
        fixed: usize,
    },
    /// A set has no points.
    #[error("a set has no points")]
    Empty,
    /// A coordinate is NaN or infinite.
    #[error("point {index} is not finite")]
    NotFinite {
        /// Position of the point in its set.
        index: usize,
    },
    /// There is not one weight per point.
    #[error("{weights} weights for {points} points")]
    Weights {
        /// Weights given.
        weights: usize,
        /// Points given.
        points: usize,
    },
    /// A weight is negative or not finite.
    #[error("weight {index} is {weight}; weights are finite and not negative")]
    Weight {
        /// Position of the weight.
        index: usize,
        /// The weight.
        weight: f64,
    },
    /// All weights are zero.
    #[error("all weights are zero")]
    NoWeight,
    /// Coordinates are so large that their squares overflow.
    #[error("coordinates are too large for double precision")]
    TooLarge,
    /// More points than 32 bits can number.
    #[error("{points} points; at most {max} can be indexed")]
    TooMany {
        /// Points given.
        points: usize,
        /// The most that a tree holds.
        max: usize,
    },
}

/// A result of this crate.
pub type Result<T> = std::result::Result<T, GeometryError>;
