//! Late interaction.

use axum::extract::{DefaultBodyLimit, Request, State as Extract};
use axum::response::Response;
use penstock_openapi::{LateAnswer, LateParams, LateRequest};
use penstock_types::TableName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Path, Query, Result, named};
use super::queries::{Brought, MAX_BODY_BYTES, brought};
use super::rows::{self, Form};
use crate::wire;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(search_late))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// Find rows by a vector for each of their items
///
/// Late interaction: the score of a row is the sum, over the query's vectors, of the largest cosine
/// with one of the row's; the distance in the answer is 1 less its mean. The query is a stored
/// `id`, whose own vectors are taken, a `text` (a sequence), or `vectors`; these come as JSON, or as
/// an Arrow stream with a column `vector` of lists of Float32 and the options in the query. Every
/// row is scored, or with `candidates` those that a column of one vector per row leads to.
///
///     curl -H 'Content-Type: application/json' -d '{"id": "d12asa_", "k": 5, "candidates": 200}' http://127.0.0.1:7370/v1/tables/proteins/search-late
#[utoipa::path(post, path = "/v1/tables/{table}/search-late", tag = "search",
    params(
        ("table" = String, Path, description = "Name of the table"),
        ("Accept" = Option<String>, Header, description = "Form of the answer"),
        LateParams,
    ),
    request_body(content(
        (LateRequest = "application/json"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"),
    )),
    responses((status = 200, description = "The rows, nearest first", content(
        (LateAnswer = "application/json"),
        (String = "application/x-ndjson"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"),
    )))
)]
async fn search_late(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Query(params): Query<LateParams>,
    request: Request,
) -> Result<Response> {
    let table: TableName = named("table", &table)?;
    let form = Form::of(request.headers())?;
    let (wanted, vectors) = match brought(&state, request, &params).await? {
        Brought::Arrow(vectors) => (wire::late_of_params(params), Some(vectors)),
        Brought::Json(wanted) => (wanted, None),
    };
    let explain = wanted.explain;
    let search = wire::late_request(table.clone(), wanted, vectors).map_err(ApiError::bad)?;
    let answer = state.engine().late(search).await?;
    rows::answer(form, answer.batch.clone(), || {
        wire::late_answer(&table, &answer, explain)
    })
}
