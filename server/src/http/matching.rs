//! Patterns in graphs, exact and similar.

use axum::extract::State as Extract;
use axum::response::Response;
use http::HeaderMap;
use penstock::graph::motif::LabelMatch;
use penstock::store::VersionRef;
use penstock::{MotifPart, StructureRequest as AskStructure, Task};
use penstock_openapi::{
    GraphOutcome, GraphRequest, Job, MatchAnswer, MatchRequest, SimilarAnswer, SimilarRequest,
    StructureAnswer, StructureRequest,
};
use penstock_types::TableName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Json, Path, Result, named, word};
use super::job::begin;
use crate::jobs::JobRequest;
use crate::wire::{self, LONGEST_MATCH, MatchFault};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(find))
        .routes(routes!(find_similar))
        .routes(routes!(find_structure))
        .routes(routes!(make))
}

/// Find a pattern in graphs
///
/// Finds every occurrence of a small graph in the graphs of a table, exactly; `complete` says
/// whether there are no others. It stops at `limit`, at the deadline, and when the caller goes away.
///
///     curl -H 'Content-Type: application/json' -d '{"pattern": {"vertices": [{"label": "GLY"}, {"label": "PRO"}], "edges": [{"from": 0, "to": 1}]}}' http://127.0.0.1:7370/v1/tables/contacts/match
#[utoipa::path(post, path = "/v1/tables/{table}/match", tag = "search",
    params(("table" = String, Path, description = "Name of a table of graphs")),
    request_body = MatchRequest,
    responses((status = 200, description = "What was found", body = MatchAnswer))
)]
async fn find(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Json(request): Json<MatchRequest>,
) -> Result<axum::Json<MatchAnswer>> {
    let ask =
        wire::match_request(named("table", &table)?, request).map_err(|fault| match fault {
            MatchFault::Pattern(error) => penstock::Error::from(error).into(),
            other => ApiError::bad(other),
        })?;
    let task = Task::default();
    // Dropped when the caller goes away: the search then stops.
    let _stop = task.cancel.clone().drop_guard();
    let answer = state.engine().match_pattern(ask, &task).await?;
    Ok(axum::Json(wire::match_answer(&answer)))
}

/// Find places in graphs that resemble a pattern
///
/// The rows whose vectors are nearest to those of some vertices of the pattern are where places
/// grow from; each is scored by what it has of the pattern, 1 where that is all, and the best are
/// answered. Ranked approximately: there may be better places that no row leads to. The table needs
/// vectors of its vertices, as `graph-sage-v1` makes them.
///
///     curl -H 'Content-Type: application/json' -d '{"graph": "1A8O", "residues": "A:158,161-163", "limit": 5}' http://127.0.0.1:7370/v1/tables/contacts/match-similar
#[utoipa::path(post, path = "/v1/tables/{table}/match-similar", tag = "search",
    params(("table" = String, Path, description = "Name of a table of graphs")),
    request_body = SimilarRequest,
    responses((status = 200, description = "What resembles it", body = SimilarAnswer))
)]
async fn find_similar(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Json(request): Json<SimilarRequest>,
) -> Result<axum::Json<SimilarAnswer>> {
    let mut ask = wire::similar_request(named("table", &table)?, request).map_err(ApiError::bad)?;
    ask.deadline = Some(ask.deadline.unwrap_or(LONGEST_MATCH).min(LONGEST_MATCH));
    let task = Task::default();
    let _stop = task.cancel.clone().drop_guard();
    let answer = state.engine().match_similar(ask, &task).await?;
    Ok(axum::Json(wire::similar_answer(&answer)))
}

/// Find where a part of a structure recurs
///
/// The motif is some residues of a stored structure, or faces of a stored mesh; every place with
/// the same labels and the same geometry is found, in a table of graphs made of structures or
/// meshes. Answers carry the vertices, the deviation and the superposition.
///
///     curl -H 'Content-Type: application/json' -d '{"graph": "1A8O", "residues": "A:158,161-163"}' http://127.0.0.1:7370/v1/tables/contacts/match-structure
#[utoipa::path(post, path = "/v1/tables/{table}/match-structure", tag = "search",
    params(("table" = String, Path, description = "Name of a table of graphs")),
    request_body = StructureRequest,
    responses((status = 200, description = "Where it recurs", body = StructureAnswer))
)]
async fn find_structure(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Json(request): Json<StructureRequest>,
) -> Result<axum::Json<StructureAnswer>> {
    let part = match (request.residues, request.vertices) {
        (Some(residues), None) => MotifPart::Residues(residues),
        (None, Some(vertices)) => MotifPart::Vertices(vertices),
        _ => {
            return Err(ApiError::bad(
                "give exactly one of `residues` and `vertices`",
            ));
        }
    };
    let mut ask = AskStructure::new(named("table", &table)?, request.graph, part);
    ask.version = request
        .version
        .as_ref()
        .map_or(Ok(VersionRef::Latest), |text| word(text))?;
    if request.any_label {
        ask.labels = LabelMatch::Any;
    }
    ask.tolerance = request.tolerance.unwrap_or(ask.tolerance);
    ask.max_rmsd = request.max_rmsd.unwrap_or(ask.max_rmsd);
    ask.limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let task = Task::default();
    let _stop = task.cancel.clone().drop_guard();
    let answer = state.engine().match_structure(ask, &task).await?;
    Ok(axum::Json(wire::structure_answer(&answer)))
}

/// Make graphs of a table's records
///
/// Of structures the contacts of residues, of sequences the unitigs of the compacted de Bruijn
/// graph, of meshes the faces that share a side: a graph for each record, under its id.
#[utoipa::path(post, path = "/v1/tables/{table}/graph", tag = "tables",
    params(("table" = String, Path, description = "Name of the table of graphs")),
    request_body = GraphRequest,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it did, where the caller waited", body = GraphOutcome),
    )
)]
async fn make(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    Json(request): Json<GraphRequest>,
) -> Result<Response> {
    let from: TableName = named("from", &request.from)?;
    let at = request
        .version
        .as_ref()
        .map_or(Ok(VersionRef::Latest), |text| word(text))?;
    let version = state.engine().table(&from, &at).await?.version();
    let request = JobRequest::Graph {
        table: named("table", &table)?,
        from,
        version,
        filter: request.filter,
        cutoff_angstrom: request.cutoff_angstrom,
        k: request.k,
    };
    begin(&state, &headers, request).await
}
