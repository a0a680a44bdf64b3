//! Searches with many vectors.

use std::io::Cursor;

use arrow::ipc::reader::StreamReader;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State as Extract};
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use penstock_openapi::{SearchBatchAnswer, SearchBatchParams, SearchBatchRequest};
use penstock_types::{ErrorCode, TableName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Json, Path, Query, Result, named};
use super::rows::{self, Form};
use crate::vectors::Vectors;
use crate::wire;

/// Bytes of a request: 65,000 vectors of 256 numbers as Arrow. They are held in memory.
pub(super) const MAX_BODY_BYTES: usize = 64 << 20;

const ARROW: &str = "application/vnd.apache.arrow.stream";

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
    let (wanted, vectors) = if is_arrow(&request) {
        let body = Bytes::from_request(request, &state)
            .await
            .map_err(too_large)?;
        (wire::batch_of_params(params), arrow_vectors(body).await?)
    } else {
        if params != SearchBatchParams::default() {
            return Err(ApiError::bad(
                "the options of a batch in JSON go into its body, those of one in Arrow into the query",
            ));
        }
        let Json(mut wanted) = Json::<SearchBatchRequest>::from_request(request, &state).await?;
        let mut vectors = Vectors::default();
        for vector in std::mem::take(&mut wanted.vectors) {
            vectors.push(&vector).map_err(ApiError::bad)?;
        }
        (wanted, vectors)
    };
    let explain = wanted.explain;
    let (dim, values) = vectors.into_parts().map_err(ApiError::bad)?;
    let search = wire::batch_request(table.clone(), wanted).map_err(ApiError::bad)?;
    let answer = state.engine().search_many(search, dim, values).await?;
    if form == Form::Json {
        let answer = wire::batch_answer(&table, &answer, explain)?;
        return Ok(axum::Json(answer).into_response());
    }
    let schema = answer.batch.schema();
    let batches = stream::iter([Ok(answer.batch)]);
    rows::response(form, &schema, batches, rows::ARRAY)
}

pub(super) fn is_arrow(request: &Request) -> bool {
    let given = request.headers().get(CONTENT_TYPE);
    let given = given
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    given.split(';').next().unwrap_or(given).trim() == ARROW
}

pub(super) fn too_large(rejection: axum::extract::rejection::BytesRejection) -> ApiError {
    let code = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::LimitExceeded,
        _ => ErrorCode::InvalidArgument,
    };
    ApiError::new(code, rejection.body_text())
}

pub(super) async fn arrow_vectors(body: Bytes) -> Result<Vectors> {
    let read = move || {
        let mut vectors = Vectors::default();
        let batches = StreamReader::try_new(Cursor::new(body), None).map_err(ApiError::bad)?;
        for batch in batches {
            vectors
                .push_batch(&batch.map_err(ApiError::bad)?)
                .map_err(ApiError::bad)?;
        }
        Ok(vectors)
    };
    // Arrow's reader may panic on bytes that are no stream; the task catches that.
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read,
        Err(failed) if failed.is_panic() => {
            Err(ApiError::bad("the body is no well-formed Arrow stream"))
        }
        Err(failed) => Err(penstock::Error::Worker(failed).into()),
    }
}
