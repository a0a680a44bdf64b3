//! Exact patterns in graphs.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Asks where a pattern occurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchRequest {
    /// The pattern: `vertices` with `label` (a name, a number, a list of them, or `*` for any) and
    /// `near` (`attribute`, `value`, `tolerance`, and `period` for angles); `edges` with `from`,
    /// `to`, `label`, `near`; `directed`.
    #[schema(value_type = Object, example = json!({
        "vertices": [{"label": "HIS"}, {"label": "ASP"}, {"label": "SER"}],
        "edges": [
            {"from": 0, "to": 1, "near": [{"attribute": "distance", "value": 6.5, "tolerance": 1}]},
            {"from": 0, "to": 2}
        ]
    }))]
    pub pattern: Value,
    /// Whether vertices that the pattern does not join must not be joined in the graph either.
    #[serde(default)]
    pub induced: bool,
    /// Stop when so many matches were found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Stop after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_secs: Option<f64>,
    /// Matches to name in the answer; the others are counted. 0 only counts, which is faster.
    #[serde(default = "thousand")]
    #[schema(default = 1000, maximum = 1_000_000)]
    pub keep: u64,
    /// Only in these graphs, by id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graphs: Option<Vec<String>>,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

const fn thousand() -> u64 {
    1_000
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MatchAnswer {
    /// The table.
    pub table: String,
    /// The version searched.
    pub version: u64,
    /// Matches: injective mappings of the pattern's vertices.
    pub count: u64,
    /// Whether there are no others.
    pub complete: bool,
    /// Why not, if not: `limit`, `deadline` or `cancelled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Graphs of the table.
    pub graphs: u64,
    /// Graphs that were searched: the others cannot hold the pattern.
    pub graphs_searched: u64,
    /// Vertices left after filtering, over all vertices of the pattern.
    pub candidates: u64,
    /// Time of reading, where the graphs were not in memory.
    pub load_seconds: f64,
    /// Time of the search.
    pub seconds: f64,
    /// The matches that are named.
    pub matches: Vec<Match>,
}

/// One occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Match {
    /// The id of the graph.
    pub graph: String,
    /// For each vertex of the pattern, the number of the graph's vertex: the row `GRAPH/NUMBER`.
    pub vertices: Vec<u32>,
}
