//! What a search is asked, and what it answers.

use arrow::array::RecordBatch;
use penstock_types::{FeatureSpec, Metric};

use crate::plan::{Plan, Tier};

/// The most hits that one search answers.
pub const MAX_K: usize = 10_000;

/// Who made the query vector: compared with what the column says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Encoder name with its version.
    pub encoder: String,
    /// Digest of the weights; `None` where the caller does not know it.
    pub weights: Option<String>,
}

impl From<&FeatureSpec> for Made {
    fn from(spec: &FeatureSpec) -> Self {
        Self {
            encoder: spec.encoder.clone(),
            weights: Some(spec.weights.clone()),
        }
    }
}

/// How hard to look. Every `None` is chosen from the index and `k`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchOptions {
    /// Partitions to search, at least.
    pub nprobes: Option<usize>,
    /// Candidates that the walk through a graph keeps.
    pub ef: Option<usize>,
    /// Candidates fetched per wanted hit, re-ranked by exact distance.
    pub refine: Option<usize>,
}

/// One nearest-neighbour search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRequest {
    /// The feature column.
    pub column: String,
    /// The query vector, as long as the column's vectors.
    pub vector: Vec<f32>,
    /// How many hits, from 1 to [`MAX_K`].
    pub k: usize,
    /// How to compare; cosine where `None`.
    pub metric: Option<Metric>,
    /// SQL predicate that every hit satisfies.
    pub filter: Option<String>,
    /// Compare with every row instead of asking the index.
    pub exact: bool,
    /// Columns of the answer, in this order; `distance` is added.
    pub columns: Vec<String>,
    /// Who made the query vector, where it is known.
    pub made: Option<Made>,
    /// The id of the row that the vector was taken from: first among equal distances.
    pub prefer_id: Option<String>,
    /// How hard to look.
    pub options: SearchOptions,
    /// Where candidates come from; chosen where `None`.
    pub tier: Option<Tier>,
    /// The recall to aim at, from 0 to 1; the index's setting, or 0.95, where `None`. It chooses
    /// among settings whose recall was measured; `options` go before it.
    pub min_recall: Option<f64>,
    /// Only rows at most so far away, in the metric's own terms (squared under L2).
    pub radius: Option<f32>,
    /// Count what a plan may leave open, for whoever wants to read it.
    pub explain: bool,
}

impl SearchRequest {
    /// A search with the defaults: cosine, no predicate, the index where there is one, and the
    /// column `id`.
    #[must_use]
    pub fn new(column: impl Into<String>, vector: Vec<f32>, k: usize) -> Self {
        Self {
            column: column.into(),
            vector,
            k,
            metric: None,
            filter: None,
            exact: false,
            columns: vec![penstock_types::columns::ID.to_owned()],
            made: None,
            prefer_id: None,
            options: SearchOptions::default(),
            tier: None,
            min_recall: None,
            radius: None,
            explain: false,
        }
    }
}

/// The hits, and how they were found.
#[derive(Debug, Clone)]
pub struct SearchAnswer {
    /// Version of the table that was searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// How vectors were compared.
    pub metric: Metric,
    /// How many hits were asked for.
    pub k: usize,
    /// Whether every row was compared, so that the answer is the true one.
    pub exact: bool,
    /// Rows that no index for this column and metric covers; they were compared one by one.
    pub unindexed_rows: u64,
    /// Distances computed to find the hits, in all tiers; of an index on the disk, exact ones.
    pub candidates: u64,
    /// Which way was taken, and why.
    pub plan: Plan,
    /// Whether a radius was asked for and more than `k` rows may lie within it.
    pub truncated: bool,
    /// One row per hit, nearest first: the requested columns and `distance` (Float32, not null).
    pub batch: RecordBatch,
}
