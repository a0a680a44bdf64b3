//! The types of vector index.

use std::fmt;
use std::str::FromStr;

use crate::IndexError;

/// How an index partitions (IVF), walks (HNSW) and compresses (SQ, PQ, RQ) the vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum IndexKind {
    /// A graph per partition over vectors of 8 bits per number: the best recall for its speed.
    #[default]
    IvfHnswSq,
    /// A graph per partition over product-quantised vectors: a quarter of the size or less.
    IvfHnswPq,
    /// Product-quantised vectors, scanned: the smallest that is still accurate after re-ranking.
    IvfPq,
    /// The vectors themselves, scanned: exact within the partitions that are probed.
    IvfFlat,
    /// One bit per number (RaBitQ), scanned.
    IvfRq,
}

impl IndexKind {
    /// Every type.
    pub const ALL: [Self; 5] = [
        Self::IvfHnswSq,
        Self::IvfHnswPq,
        Self::IvfPq,
        Self::IvfFlat,
        Self::IvfRq,
    ];

    /// The word used in requests.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IvfHnswSq => "ivf_hnsw_sq",
            Self::IvfHnswPq => "ivf_hnsw_pq",
            Self::IvfPq => "ivf_pq",
            Self::IvfFlat => "ivf_flat",
            Self::IvfRq => "ivf_rq",
        }
    }

    /// Vectors that training needs at least: one per entry of a codebook of 8 bits.
    #[must_use]
    pub const fn min_rows(self) -> usize {
        match self {
            Self::IvfHnswPq | Self::IvfPq => 256,
            Self::IvfHnswSq | Self::IvfFlat | Self::IvfRq => 1,
        }
    }

    /// How many candidates to fetch per wanted hit before re-ranking by exact distance.
    ///
    /// The coarser the stored vector, the more: chosen so that recall@10 stays above 0.95 on
    /// clustered data, see the tests.
    pub(crate) const fn refine(self) -> usize {
        match self {
            Self::IvfFlat => 1,
            Self::IvfHnswSq => 3,
            Self::IvfHnswPq | Self::IvfPq => 10,
            Self::IvfRq => 20,
        }
    }

    pub(crate) const fn has_graph(self) -> bool {
        matches!(self, Self::IvfHnswSq | Self::IvfHnswPq)
    }
}

impl fmt::Display for IndexKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for IndexKind {
    type Err = IndexError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| IndexError::Kind {
                given: word.to_owned(),
                known: Self::ALL.map(Self::as_str).join(", "),
            })
    }
}
