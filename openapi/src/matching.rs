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

/// Asks for graphs of a table's records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphRequest {
    /// The table of records: structures, sequences or meshes.
    #[schema(example = "structures")]
    pub from: String,
    /// Its version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// SQL predicate of the records.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Residues whose C-alpha atoms are closer are in contact: 8 angstrom where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cutoff_angstrom: Option<f32>,
    /// Bases of a k-mer: odd, 21 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<u32>,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphOutcome {
    /// The table of graphs.
    pub table: String,
    /// Its version.
    pub version: u64,
    /// The table that was read.
    pub from: String,
    /// The version that was read.
    pub from_version: u64,
    /// Graphs added.
    pub graphs_added: u64,
    /// Graphs that changed.
    pub graphs_updated: u64,
    /// Graphs that were there as they are.
    pub graphs_unchanged: u64,
    /// Rows of vertices written.
    pub vertices_written: u64,
    /// Duration.
    pub seconds: f64,
}

/// Asks where a part of a stored graph recurs in space. Exactly one of `residues` and `vertices`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StructureRequest {
    /// The graph that has the motif, by id.
    #[schema(example = "1A8O")]
    pub graph: String,
    /// Its residues: chain, numbers, ranges.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "A:158,161-163")]
    pub residues: Option<String>,
    /// Its vertices by number: the faces of a patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vertices: Option<Vec<u32>>,
    /// Whether labels (residue names) do not count.
    #[serde(default)]
    pub any_label: bool,
    /// How far each distance may be from the motif's, in the unit of the positions: 1 where left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// The largest root mean square deviation, in the same unit: 1 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rmsd: Option<f64>,
    /// Occurrences in the answer, those of least deviation.
    #[serde(default = "hundred")]
    #[schema(default = 100)]
    pub limit: u64,
    /// Version, by number or tag; left out: the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

const fn hundred() -> u64 {
    100
}

/// Where it recurs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StructureAnswer {
    /// The table.
    pub table: String,
    /// The version searched.
    pub version: u64,
    /// Occurrences, those that the limit leaves out included.
    pub count: u64,
    /// Whether there are no others.
    pub complete: bool,
    /// Graphs searched.
    pub graphs: u64,
    /// Duration.
    pub seconds: f64,
    /// By ascending deviation.
    pub matches: Vec<StructureMatch>,
}

/// One occurrence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StructureMatch {
    /// The id of the graph.
    pub graph: String,
    /// Root mean square deviation after superposition.
    pub rmsd: f64,
    /// For each point of the motif, the name of the graph's vertex, such as `A:GLY45`.
    pub names: Vec<String>,
    /// For each point of the motif, the graph's vertex.
    pub vertices: Vec<u32>,
    /// Rows of the rotation that moves the motif onto the graph.
    pub rotation: [[f64; 3]; 3],
    /// Added after the rotation.
    pub translation: [f64; 3],
}
