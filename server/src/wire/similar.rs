//! Places that resemble a pattern: what is asked, and what was found.

use std::time::{Duration, TryFromFloatSecsError};

use penstock::index::{IndexError, Tier};
use penstock::pattern::PatternError;
use penstock::pattern::format::json;
use penstock::store::VersionRef;
use penstock::{MotifPart, SimilarAnswer, SimilarPattern, SimilarRequest};
use penstock_openapi as wire;
use penstock_types::{NameError, TableName};

use super::search::plan;
use super::stopped;

/// Why a request asks for nothing that can be looked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimilarFault {
    /// It has no pattern, or several.
    #[error("give a `pattern`, or `graph` with exactly one of `vertices` and `residues`")]
    What,
    /// The pattern cannot be read.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// It asks for every row to be compared, and for an index.
    #[error("`exact` and the tier `{tier}` exclude each other")]
    Exact {
        /// The tier.
        tier: Tier,
    },
    /// The tier is none.
    #[error(transparent)]
    Tier(#[from] IndexError),
    /// The version is none.
    #[error(transparent)]
    Version(#[from] NameError),
    /// The deadline is no time.
    #[error("deadline_secs: {0}")]
    Deadline(#[from] TryFromFloatSecsError),
}

/// A request as the engine takes it.
///
/// # Errors
/// Not exactly one pattern is given; a pattern or a word cannot be read; two options exclude each
/// other.
pub fn similar_request(
    table: TableName,
    wanted: wire::SimilarRequest,
) -> Result<SimilarRequest, SimilarFault> {
    let part = match (wanted.vertices, wanted.residues) {
        (Some(vertices), None) => Some(MotifPart::Vertices(vertices)),
        (None, Some(residues)) => Some(MotifPart::Residues(residues)),
        (None, None) => None,
        _ => return Err(SimilarFault::What),
    };
    let pattern = match (&wanted.pattern, wanted.graph, part) {
        (Some(pattern), None, None) => SimilarPattern::Pattern(json::from_value(pattern)?),
        (None, Some(graph), Some(part)) => SimilarPattern::Part { graph, part },
        _ => return Err(SimilarFault::What),
    };
    let tier = wanted.tier.as_deref().map(str::parse::<Tier>).transpose()?;
    if let Some(tier) = tier
        && wanted.exact
        && tier != Tier::Exact
    {
        return Err(SimilarFault::Exact { tier });
    }
    let version = wanted.version.as_deref().map(str::parse).transpose()?;
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let mut request = SimilarRequest::new(table, pattern);
    request.version = version.unwrap_or(VersionRef::Latest);
    request.column = wanted.column;
    request.anchors = count(wanted.anchors);
    request.neighbours = count(wanted.neighbours);
    request.beam = count(wanted.beam);
    request.scan = count(wanted.scan);
    request.mismatch = wanted.mismatch;
    request.min_score = wanted.min_score;
    request.limit = count(wanted.limit);
    request.filter = wanted.filter;
    request.graphs = wanted.graphs;
    request.exact = wanted.exact;
    request.tier = tier;
    request.min_recall = wanted.min_recall;
    let deadline = wanted.deadline_secs.map(Duration::try_from_secs_f64);
    request.deadline = deadline.transpose()?;
    Ok(request)
}

/// What was found.
#[must_use]
pub fn similar_answer(answer: &SimilarAnswer) -> wire::SimilarAnswer {
    let matches = answer.matches.iter().map(|found| wire::SimilarMatch {
        graph: found.graph.clone(),
        vertices: found.vertices.clone(),
        score: found.score,
        vertices_matched: found.vertices_matched.into(),
        edges_matched: found.edges_matched.into(),
        anchor: found.anchor,
        distance: f64::from(found.distance),
    });
    wire::SimilarAnswer {
        table: answer.table.to_string(),
        version: answer.version,
        column: answer.column.clone(),
        metric: answer.metric.to_string(),
        ranked: "approximately".to_owned(),
        plan: plan(&answer.plan),
        pattern_vertices: answer.pattern.vertices().len() as u64,
        pattern_edges: answer.pattern.edges().len() as u64,
        anchors: answer.anchors.clone(),
        candidates: answer.candidates,
        grown: answer.grown,
        graphs_searched: answer.graphs_searched,
        stopped: answer.stopped.map(stopped),
        search_seconds: answer.search_seconds,
        load_seconds: answer.load_seconds,
        grow_seconds: answer.grow_seconds,
        matches: matches.collect(),
    }
}
