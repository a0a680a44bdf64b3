//! Near-duplicates.

use axum::extract::State as Extract;
use penstock::index::duplicates::DuplicateRequest;
use penstock::store::VersionRef;
use penstock::{DuplicatesRequest as Ask, Task};
use penstock_openapi::{DuplicatesAnswer, DuplicatesRequest};
use penstock_types::TableName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{Json, Path, Result, named, word, word_option};
use crate::wire;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(duplicates))
}

/// Find near-duplicates
///
/// Clusters of rows whose vectors are within a distance of each other, chains included. Up to 50,000
/// rows are compared with each other; with more, the column's index has to be in memory.
///
///     curl -H 'Content-Type: application/json' -d '{"within": 0.05}' http://127.0.0.1:7370/v1/tables/proteins/duplicates
#[utoipa::path(post, path = "/v1/tables/{table}/duplicates", tag = "search",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = DuplicatesRequest,
    responses((status = 200, description = "The clusters", body = DuplicatesAnswer))
)]
async fn duplicates(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Json(request): Json<DuplicatesRequest>,
) -> Result<axum::Json<DuplicatesAnswer>> {
    let table: TableName = named("table", &table)?;
    let mut how = DuplicateRequest::new(String::new(), request.within);
    how.metric = word_option(request.metric.as_ref())?;
    how.tier = word_option(request.tier.as_ref())?;
    how.filter = request.filter;
    how.limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
    let at = request
        .version
        .as_ref()
        .map_or(Ok(VersionRef::Latest), |text| word(text))?;
    let ask = Ask {
        table: table.clone(),
        version: at,
        column: request.column,
        how,
    };
    let task = Task::default();
    // Dropped when the caller goes away: the comparison then stops.
    let _stop = task.cancel.clone().drop_guard();
    let answer = state.engine().duplicates(ask, &task).await?;
    Ok(axum::Json(wire::duplicates(&table, &answer)))
}
