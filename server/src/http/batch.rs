//! Searches with many vectors.

use axum::extract::{DefaultBodyLimit, Request, State as Extract};
use axum::response::Response;
use penstock_openapi::{SearchBatchAnswer, SearchBatchParams, SearchBatchRequest};
use penstock_types::TableName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Path, Query, Result, named};
use super::queries::{Brought, MAX_BODY_BYTES, brought};
use super::rows::{self, Form};
use crate::vectors::Vectors;
use crate::wire;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(search_batch))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// Find the rows nearest to each of many vectors
///
/// One request instead of many: rows are read once for all vectors. As JSON, or the vectors as an
/// Arrow stream with a column `vector` of lists of Float32 and the options in the query. The answer
/// is JSON, one hit a line, or an Arrow stream with the column `query` (which vector, from 0), the
/// columns asked for and `distance`. At most 64 MiB of vectors and 4,000,000 hits.
///
///     curl -H 'Content-Type: application/json' -d '{"vectors": [[0.1, 0.2], [0.3, 0.4]], "k": 2, "column": "v"}' http://127.0.0.1:7370/v1/tables/points/search-batch
///     curl -H 'Content-Type: application/vnd.apache.arrow.stream' -H 'Accept: application/vnd.apache.arrow.stream' --data-binary @queries.arrows 'http://127.0.0.1:7370/v1/tables/points/search-batch?k=2&columns=id'
#[utoipa::path(post, path = "/v1/tables/{table}/search-batch", tag = "search",
    params(
        ("table" = String, Path, description = "Name of the table"),
        ("Accept" = Option<String>, Header, description = "Form of the answer"),
        SearchBatchParams,
    ),
    request_body(content(
        (SearchBatchRequest = "application/json"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"),
    )),
    responses((status = 200, description = "The rows, vector by vector, nearest first", content(
        (SearchBatchAnswer = "application/json"),
        (String = "application/x-ndjson"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"),
    )))
)]
async fn search_batch(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Query(params): Query<SearchBatchParams>,
    request: Request,
) -> Result<Response> {
    let table: TableName = named("table", &table)?;
    let form = Form::of(request.headers())?;
    let brought = brought::<SearchBatchRequest, _>(&state, request, &params).await?;
    let (wanted, vectors) = match brought {
        Brought::Arrow(vectors) => (wire::batch_of_params(params), vectors),
        Brought::Json(mut wanted) => {
            let mut vectors = Vectors::default();
            for vector in std::mem::take(&mut wanted.vectors) {
                vectors.push(&vector).map_err(ApiError::bad)?;
            }
            (wanted, vectors)
        }
    };
    let explain = wanted.explain;
    let (dim, values) = vectors.into_parts().map_err(ApiError::bad)?;
    let search = wire::batch_request(table.clone(), wanted).map_err(ApiError::bad)?;
    let answer = state.engine().search_many(search, dim, values).await?;
    rows::answer(form, answer.batch.clone(), || {
        wire::batch_answer(&table, &answer, explain)
    })
}
