//! Distances between vectors.

use std::fmt;
use std::str::FromStr;

/// How two vectors are compared. Smaller is nearer, for every metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Metric {
    /// `1 - a.b / (|a| |b|)`, from 0 to 2.
    #[default]
    Cosine,
    /// The squared Euclidean distance (the convention of Lance and faiss).
    L2,
    /// `1 - a.b`: an inner-product similarity turned into a distance, as Lance does.
    Dot,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Cosine, Self::L2, Self::Dot];

    /// The word used in requests and index metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::L2 => "l2",
            Self::Dot => "dot",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word names no metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no metric; the metrics are cosine, l2 and dot")]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|metric| metric.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownMetric(word.to_owned()))
    }
}
