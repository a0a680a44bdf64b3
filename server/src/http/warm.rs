//! Indexes in memory, and how well indexes find what is there.

use axum::extract::State as Extract;
use axum::response::Response;
use http::HeaderMap;
use penstock_openapi::{
    CoolOutcome, CoolParams, Job, MeasureRequest, VectorIndexes, WarmOutcome, WarmRequest,
};
use penstock_types::TableName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{Json, Path, Query, Result, word_option};
use super::job::begin;
use super::maintain::existing;
use crate::jobs::JobRequest;
use crate::wire;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(warm, cool))
        .routes(routes!(measure))
        .routes(routes!(list_indexes))
}

/// Bring the index of a column into memory
///
/// From where it was saved beside the table, or by building it; then searches of the column take
/// it. Rows that come later are found all the same, and become part of it in the background. The
/// server's `--memory` bounds what all such indexes take.
#[utoipa::path(post, path = "/v1/tables/{table}/warm", tag = "indexes",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = WarmRequest,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it did, where the caller waited", body = WarmOutcome),
    )
)]
async fn warm(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    Json(request): Json<WarmRequest>,
) -> Result<Response> {
    let request = JobRequest::Warm {
        table: existing(&state, &table).await?,
        metric: word_option(request.metric.as_ref())?,
        column: request.column,
    };
    begin(&state, &headers, request).await
}

/// Let indexes in memory go
///
/// What is saved beside the table stays, so that they come back quickly.
#[utoipa::path(delete, path = "/v1/tables/{table}/warm", tag = "indexes",
    params(("table" = String, Path, description = "Name of the table"), CoolParams),
    responses((status = 200, description = "How many there were", body = CoolOutcome))
)]
async fn cool(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Query(params): Query<CoolParams>,
) -> Result<axum::Json<CoolOutcome>> {
    let table: TableName = existing(&state, &table).await?;
    let indexes = state.engine().cool(&table, params.column.as_deref());
    Ok(axum::Json(CoolOutcome {
        table: table.to_string(),
        indexes: indexes as u64,
    }))
}

/// Measure the indexes of a column
///
/// Compares each with the exact answer at settings of growing effort; searches then take the
/// cheapest setting whose recall is as high as they want. `min_recall` sets what they want where
/// they do not say.
#[utoipa::path(post, path = "/v1/tables/{table}/measure", tag = "indexes",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = MeasureRequest,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "The indexes, where the caller waited", body = VectorIndexes),
    )
)]
async fn measure(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    Json(request): Json<MeasureRequest>,
) -> Result<Response> {
    let request = JobRequest::Measure {
        table: existing(&state, &table).await?,
        column: request.column,
        min_recall: request.min_recall,
        measure: request.measure,
    };
    begin(&state, &headers, request).await
}

/// Vector indexes
///
/// Those in memory and the tables' own, with what was measured of them.
#[utoipa::path(get, path = "/v1/indexes", tag = "indexes", responses(
    (status = 200, description = "The indexes, by table and column", body = VectorIndexes)
))]
async fn list_indexes(Extract(state): Extract<State>) -> Result<axum::Json<VectorIndexes>> {
    let engine = state.engine();
    let indexes = engine.vector_indexes(None).await?;
    let budget = engine.searcher().hot().budget();
    Ok(axum::Json(wire::vector_indexes(&indexes, budget)))
}
