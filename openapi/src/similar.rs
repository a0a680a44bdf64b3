//! Places in graphs that resemble a pattern.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::SearchPlan;

/// Asks for places that resemble a pattern: a `pattern`, or `graph` with one of `vertices` and
/// `residues`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimilarRequest {
    /// The pattern, as an exact search takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, example = json!({
        "vertices": [{"label": "HIS"}, {"label": "ASP"}, {"label": "SER"}],
        "edges": [{"from": 0, "to": 1}, {"from": 0, "to": 2}]
    }))]
    pub pattern: Option<Value>,
    /// Instead of a pattern the id of a stored graph, a part of which places should resemble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// Its vertices by number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vertices: Option<Vec<u32>>,
    /// Its residues: chain, numbers, ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residues: Option<String>,
    /// The feature column; may be left out where the table has only one, or the default encoder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Vertices of the pattern whose nearest rows are looked for.
    #[serde(default = "anchors")]
    #[schema(default = 4, minimum = 1, maximum = 64)]
    pub anchors: u64,
    /// Nearest rows of each of them, from which places grow.
    #[serde(default = "neighbours")]
    #[schema(default = 200, minimum = 1, maximum = 10_000)]
    pub neighbours: u64,
    /// Partial mappings that are followed at a time, from each row.
    #[serde(default = "beam")]
    #[schema(default = 8, minimum = 1, maximum = 65_536)]
    pub beam: u64,
    /// Neighbours of one vertex that are looked at in a step, those with a right label first: a
    /// place is missed if it leaves a hub by another edge.
    #[serde(default = "scan")]
    #[schema(default = 256, minimum = 1)]
    pub scan: u64,
    /// What a vertex with a wrong label counts, from 0 to less than 1.
    #[serde(default)]
    #[schema(default = 0)]
    pub mismatch: f64,
    /// Places below this score are left out, from 0 to 1.
    #[serde(default = "half")]
    #[schema(default = 0.5)]
    pub min_score: f64,
    /// Places in the answer, at most.
    #[serde(default = "twenty")]
    #[schema(default = 20, minimum = 1, maximum = 1_000_000)]
    pub limit: u64,
    /// SQL predicate that the rows of vertices must meet from which places grow.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Only in these graphs, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphs: Option<Vec<String>>,
    /// Compare vectors with every row, even where there is an index.
    #[serde(default)]
    pub exact: bool,
    /// Where the rows come from: `exact`, `hot` or `cold`; left out: the planner chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// The recall of the search by vectors to aim at, from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_recall: Option<f64>,
    /// Stop growing after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_secs: Option<f64>,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

const fn anchors() -> u64 {
    4
}

const fn neighbours() -> u64 {
    200
}

const fn beam() -> u64 {
    8
}

const fn scan() -> u64 {
    256
}

const fn half() -> f64 {
    0.5
}

const fn twenty() -> u64 {
    20
}

impl Default for SimilarRequest {
    fn default() -> Self {
        Self {
            pattern: None,
            graph: None,
            vertices: None,
            residues: None,
            column: None,
            anchors: anchors(),
            neighbours: neighbours(),
            beam: beam(),
            scan: scan(),
            mismatch: 0.0,
            min_score: half(),
            limit: twenty(),
            filter: None,
            graphs: None,
            exact: false,
            tier: None,
            min_recall: None,
            deadline_secs: None,
            version: None,
        }
    }
}

/// What was found, ranked approximately: there may be better places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SimilarAnswer {
    /// The table.
    pub table: String,
    /// The version searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// The metric of the distances.
    pub metric: String,
    /// How places were ranked: always `approximately`.
    #[schema(example = "approximately")]
    pub ranked: String,
    /// The way that the search by vectors took.
    pub plan: SearchPlan,
    /// Vertices and edges of the pattern: what the counts of a match are out of.
    pub pattern_vertices: u64,
    /// Edges of the pattern.
    pub pattern_edges: u64,
    /// The vertices of the pattern whose nearest rows were looked for.
    pub anchors: Vec<u32>,
    /// Rows near them.
    pub candidates: u64,
    /// Those from which a place grew that reaches the least score.
    pub grown: u64,
    /// Graphs with such rows.
    pub graphs_searched: u64,
    /// Why not all were grown, if not: `deadline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Time of the search by vectors.
    pub search_seconds: f64,
    /// Time of reading graphs that were not in memory.
    pub load_seconds: f64,
    /// Time of growing.
    pub grow_seconds: f64,
    /// By falling score, then rising distance. No two have the same vertices.
    pub matches: Vec<SimilarMatch>,
}

/// A place that resembles the pattern.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SimilarMatch {
    /// The id of the graph.
    pub graph: String,
    /// For each vertex of the pattern, the number of the graph's vertex: the row `GRAPH/NUMBER`.
    /// Null where nothing resembles it.
    pub vertices: Vec<Option<u32>>,
    /// `(vertices_matched + edges_matched + mismatch * vertices with a wrong label) /
    /// (vertices + edges of the pattern)`: 1 exactly where the whole pattern is there.
    #[schema(minimum = 0, maximum = 1)]
    pub score: f64,
    /// Vertices with an allowed label and attributes near enough.
    pub vertices_matched: u64,
    /// Edges that are there as the pattern wants them.
    pub edges_matched: u64,
    /// The vertex of the pattern that the place grew from.
    pub anchor: u32,
    /// The distance of its vector from its image's.
    pub distance: f64,
}
