//! SQL over all tables.

use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::Response;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderMap, HeaderName, HeaderValue};
use penstock::query::Answer;
use penstock_openapi::{Rows, SqlRequest};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{Json, Result};
use super::rows::{self, ARRAY, Broken, Form};

const VERSIONS: HeaderName = HeaderName::from_static("penstock-versions");

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(sql))
}

/// Run a read-only statement
///
/// Every table is a table of the statement; `at('table', 'version or tag')` reads an older version,
/// and `vector_search('table', 'column', 'id or sequence', k)` is a table of nearest rows. Rows are
/// streamed as they are found: an answer that breaks off before its end is an error.
///
///     curl -H 'Content-Type: application/json' -d '{"sql": "SELECT count(*) FROM proteins"}' http://127.0.0.1:7370/v1/sql
#[utoipa::path(post, path = "/v1/sql", tag = "sql",
    params(("Accept" = Option<String>, Header, description = "Form of the rows")),
    request_body = SqlRequest,
    responses((status = 200, description = "The rows", content(
        (Rows = "application/json"),
        (String = "application/x-ndjson"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"),
    )))
)]
async fn sql(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    Json(request): Json<SqlRequest>,
) -> Result<Response> {
    let form = Form::of(&headers)?;
    let mut limits = state.engine().sql_limits().clone();
    limits.rows = request
        .max_rows
        .map_or(limits.rows, |rows| rows.min(limits.rows));
    limits.time = request.timeout_secs.map_or(limits.time, |secs| {
        Duration::from_secs(secs).min(limits.time)
    });
    let Answer {
        schema,
        versions,
        mut batches,
    } = state.engine().sql(&request.sql, Some(&limits)).await?;
    // The first rows are waited for, so that what fails at once has a status of its own.
    let first = batches
        .next()
        .await
        .transpose()
        .map_err(penstock::Error::from)?;
    let batches = stream::iter(first.map(Ok)).chain(batches);

    let batches = batches.map_err(|error| Broken::Source(Box::new(error)));
    let mut response = rows::response(form, &schema, batches, ARRAY)?;
    let versions = serde_json::to_string(&versions).unwrap_or_default();
    if let Ok(versions) = HeaderValue::from_str(&versions) {
        response.headers_mut().insert(VERSIONS, versions);
    }
    Ok(response)
}
