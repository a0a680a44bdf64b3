//! Nearest neighbours.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Asks for the rows nearest to one of `id`, `text` and `vector`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    /// A stored row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A sequence, encoded by the column's own encoder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// A vector of the column's dimension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Vec<f32>>,
    /// Rows wanted.
    #[serde(default = "ten")]
    #[schema(default = 10, minimum = 1)]
    pub k: u32,
    /// The feature column; may be left out where the table has only one, or the default encoder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// `cosine`, `l2` (the squared distance) or `dot`; left out: the index's, or cosine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// SQL predicate that rows must meet; applied before the search.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Compare with every row, even where there is an index.
    #[serde(default)]
    pub exact: bool,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Columns of the hits; left out: id, name, description and size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// Where candidates come from: `exact` (every row), `hot` (the index in memory) or `cold` (the
    /// table's own index); left out: the one that costs least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "hot")]
    pub tier: Option<String>,
    /// The share of the true nearest rows to aim at; left out: the column's setting, or 0.95. The
    /// cheapest way to search whose measured recall is as high is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.0, maximum = 1.0, example = 0.95)]
    pub min_recall: Option<f64>,
    /// Only rows at most so far away, in the metric's own terms (`l2`: squared).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius: Option<f32>,
    /// Candidates that the walk through a graph keeps; goes before `min_recall`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub ef: Option<u32>,
    /// Partitions of the table's own index that are searched, at least; goes before `min_recall`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub nprobes: Option<u32>,
    /// Candidates of the table's own index per wanted row, ranked again by exact distance; goes
    /// before `min_recall`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub refine: Option<u32>,
    /// Whether the answer says which way was taken, and why.
    #[serde(default)]
    pub explain: bool,
    /// Ranks candidates again by an exact score of their domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerank: Option<Rerank>,
    /// Chooses rows that differ from one another (maximal marginal relevance): from 1, the best
    /// only, to 0, only the farthest from one another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0.0, maximum = 1.0, example = 0.5)]
    pub diversity: Option<f32>,
    /// Keeps only the best rows of each value of this column; `k` still counts rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "parent")]
    pub group_by: Option<String>,
    /// Rows that are kept of each value; 1 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub group_size: Option<u32>,
    /// Words that names and descriptions should hold. Rows are ranked by vector and by words, and
    /// the two rankings fused (reciprocal rank fusion). Needs an index of words on `description` or
    /// `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "serine kinase")]
    pub words: Option<String>,
}

/// Which score candidates are ranked by, and how many are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rerank {
    /// `alignment` (E-value of the Smith-Waterman alignment; proteins and DNA; hits get
    /// `alignment_score`, `alignment_bits`, `evalue`, and for DNA `alignment_strand`), `tm`
    /// (TM-score of structures; proteins with coordinates; `tm_score`, `tm_score_target`, `rmsd`,
    /// `aligned`) or `chamfer` (distance of surfaces scaled to one size; meshes; `chamfer`,
    /// `hausdorff`). The query must be a stored row or a file, or, for `alignment`, a text.
    #[schema(example = "alignment")]
    pub by: String,
    /// Candidates that are ranked again, from `k` to 10,000; ten times `k`, and 100 at least, where
    /// left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10000)]
    pub candidates: Option<u32>,
}

const fn ten() -> u32 {
    10
}

impl Default for SearchRequest {
    fn default() -> Self {
        Self {
            id: None,
            text: None,
            vector: None,
            k: ten(),
            column: None,
            metric: None,
            filter: None,
            exact: false,
            version: None,
            columns: None,
            tier: None,
            min_recall: None,
            radius: None,
            ef: None,
            nprobes: None,
            refine: None,
            explain: false,
            rerank: None,
            diversity: None,
            group_by: None,
            group_size: None,
            words: None,
        }
    }
}

/// A search by file: a part `file`, and the options as JSON in a part `request` before it.
#[derive(Debug, Clone, ToSchema)]
pub struct FileSearch {
    /// The options; none of `id`, `text` and `vector`.
    pub request: Option<SearchRequest>,
    /// A file whose first record is the query.
    #[schema(value_type = Vec<u8>, content_media_type = "application/octet-stream")]
    pub file: Vec<u8>,
}

/// The rows found, nearest first; or in the order of what ranks them again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchAnswer {
    /// The table.
    pub table: String,
    /// The version searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// The metric of the distances.
    pub metric: String,
    /// Rows asked for.
    pub k: u64,
    /// Whether every row was compared.
    pub exact: bool,
    /// Rows that no index covers yet; they were compared one by one.
    pub unindexed_rows: u64,
    /// Where candidates came from: `exact`, `hot` or `cold`.
    #[serde(default)]
    #[schema(example = "hot")]
    pub tier: String,
    /// Distances computed.
    #[serde(default)]
    pub candidates: u64,
    /// The share of the true nearest rows that this way found when it was last measured; 1 where
    /// every row was compared; null where it was not measured.
    #[serde(default)]
    pub recall: Option<f64>,
    /// Whether more than `k` rows may lie within the `radius`.
    #[serde(default)]
    pub truncated: bool,
    /// Rows that words, re-ranking, groups and diversity chose from, where one was asked for: ten
    /// times `k`, 100 at least (for diversity alone five times `k`, 50 at least), or as many as
    /// `rerank` says; fewer where the table has fewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub considered: Option<u64>,
    /// The way that was taken, where `explain` asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<SearchPlan>,
    /// The rows.
    pub hits: Vec<Hit>,
}

/// The way that a search took, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SearchPlan {
    /// Where candidates came from: `exact`, `hot` or `cold`.
    #[schema(example = "hot")]
    pub tier: String,
    /// Why, in a sentence.
    #[schema(example = "an index of the column is in memory")]
    pub reason: String,
    /// Rows of the version.
    pub rows: u64,
    /// Rows that meet the predicate, counted or estimated; null without one.
    pub matching: Option<u64>,
    /// The type of the index; null where none was used.
    #[schema(example = "hnsw_sq")]
    pub index: Option<String>,
    /// Rows that the index does not have; they were compared one by one.
    pub unindexed_rows: u64,
    /// Candidates that the walk through a graph kept.
    pub ef: Option<u64>,
    /// Partitions that were searched, at least.
    pub nprobes: Option<u64>,
    /// Candidates per wanted row that were ranked again by exact distance.
    pub refine: Option<u64>,
    /// The recall that these settings had when they were last measured; null where they were not.
    pub recall: Option<f64>,
}

/// A row found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// The row's id.
    pub id: String,
    /// Its distance from the query; smaller is nearer. Null where only words found the row.
    pub distance: Option<f64>,
    /// The other columns asked for, and those that words and re-ranking add.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub columns: Map<String, Value>,
}
