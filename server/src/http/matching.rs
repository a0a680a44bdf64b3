//! Exact patterns in graphs.

use std::time::Duration;

use axum::extract::State as Extract;
use penstock::pattern::format::json;
use penstock::store::VersionRef;
use penstock::{MatchRequest as Ask, Task};
use penstock_openapi::{MatchAnswer, MatchRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Json, Path, Result, named, word};
use crate::wire;

/// The longest that a search may take, and what it takes where nothing is said.
const LONGEST: Duration = Duration::from_secs(600);

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(find))
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
    let pattern = json::from_value(&request.pattern).map_err(penstock::Error::from)?;
    let mut ask = Ask::new(named("table", &table)?, pattern);
    ask.version = request
        .version
        .as_ref()
        .map_or(Ok(VersionRef::Latest), |text| word(text))?;
    ask.induced = request.induced;
    ask.limit = request.limit;
    let deadline = request
        .deadline_secs
        .map(Duration::try_from_secs_f64)
        .transpose();
    let deadline = deadline.map_err(|error| ApiError::bad(format!("deadline_secs: {error}")))?;
    ask.deadline = Some(deadline.unwrap_or(LONGEST).min(LONGEST));
    ask.keep = usize::try_from(request.keep).unwrap_or(usize::MAX);
    ask.graphs = request.graphs;
    let task = Task::default();
    // Dropped when the caller goes away: the search then stops.
    let _stop = task.cancel.clone().drop_guard();
    let answer = state.engine().match_pattern(ask, &task).await?;
    Ok(axum::Json(wire::match_answer(&answer)))
}
