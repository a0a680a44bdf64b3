//! Work on whole tables: feature columns, indexes, upkeep. Each is a job.

use axum::body::Bytes;
use axum::extract::State as Extract;
use axum::response::Response;
use http::HeaderMap;
use penstock_openapi::{
    CompactOutcomes, EncodeOutcome, EncodeRequest, GcOutcomes, GcRequest, IndexOutcome,
    IndexRequest, Job, VerifyReports, VerifyRequest,
};
use penstock_types::TableName;
use serde::de::DeserializeOwned;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Json, Path, Result, named, word_option};
use super::job::begin;
use crate::jobs::JobRequest;

/// Versions younger than this stay where `gc` is told nothing else: readers may be at work on them.
const GC_AGE_SECS: u64 = 7 * 24 * 3600;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(encode))
        .routes(routes!(index))
        .routes(routes!(compact))
        .routes(routes!(gc))
        .routes(routes!(verify))
        .routes(routes!(compact_all))
        .routes(routes!(gc_all))
        .routes(routes!(verify_all))
}

/// A table that exists: what asks for work on none is told at once, and not by a failed job.
pub(super) async fn existing(state: &State, table: &str) -> Result<TableName> {
    let name: TableName = named("table", table)?;
    if state.engine().store().exists(&name).await? {
        Ok(name)
    } else {
        Err(ApiError::not_found("table", table))
    }
}

/// The options of a body that may be empty.
fn options<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| ApiError::bad(format!("the body: {error}")))
}

/// Fill a feature column
///
/// Fills the encoder's column in the rows where it is empty; makes it when there is none.
#[utoipa::path(post, path = "/v1/tables/{table}/encode", tag = "tables",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = EncodeRequest,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it did, where the caller waited", body = EncodeOutcome),
    )
)]
async fn encode(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    Json(request): Json<EncodeRequest>,
) -> Result<Response> {
    let table = existing(&state, &table).await?;
    let engine = state.engine();
    let encoder = match request.encoder {
        Some(encoder) => encoder,
        None => engine.default_encoder(&table).await?,
    };
    engine
        .registry()
        .check(&encoder)
        .map_err(penstock::Error::from)?;
    begin(&state, &headers, JobRequest::Encode { table, encoder }).await
}

/// Build an index
///
/// Of vectors, for searches; of `substrings`, for motifs; of `words`, for searches with words.
#[utoipa::path(post, path = "/v1/tables/{table}/index", tag = "tables",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = IndexRequest,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it did, where the caller waited", body = IndexOutcome),
    )
)]
async fn index(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    Json(request): Json<IndexRequest>,
) -> Result<Response> {
    let table = existing(&state, &table).await?;
    let request = JobRequest::Index {
        table,
        kind: word_option(request.kind.as_ref())?,
        metric: word_option(request.metric.as_ref())?,
        column: request.column,
    };
    begin(&state, &headers, request).await
}

/// Merge small data files
#[utoipa::path(post, path = "/v1/tables/{table}/compact", tag = "tables",
    params(("table" = String, Path, description = "Name of the table")),
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it did, where the caller waited", body = CompactOutcomes),
    )
)]
async fn compact(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let table = Some(existing(&state, &table).await?);
    begin(&state, &headers, JobRequest::Compact { table }).await
}

/// Merge small data files of all tables
#[utoipa::path(post, path = "/v1/compact", tag = "tables", responses(
    (status = 202, description = "The job", body = Job),
    (status = 200, description = "What it did, where the caller waited", body = CompactOutcomes),
))]
async fn compact_all(Extract(state): Extract<State>, headers: HeaderMap) -> Result<Response> {
    begin(&state, &headers, JobRequest::Compact { table: None }).await
}

/// Remove old versions
///
/// Versions that a tag or a snapshot names stay, and so does the latest.
#[utoipa::path(post, path = "/v1/tables/{table}/gc", tag = "tables",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = Option<GcRequest>,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it did, where the caller waited", body = GcOutcomes),
    )
)]
async fn gc(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let table = Some(existing(&state, &table).await?);
    begin(&state, &headers, gc_request(table, &body)?).await
}

/// Remove old versions of all tables
#[utoipa::path(post, path = "/v1/gc", tag = "tables",
    request_body = Option<GcRequest>,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it did, where the caller waited", body = GcOutcomes),
    )
)]
async fn gc_all(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    begin(&state, &headers, gc_request(None, &body)?).await
}

fn gc_request(table: Option<TableName>, body: &Bytes) -> Result<JobRequest> {
    let request: GcRequest = options(body)?;
    let older_than_secs = request.older_than_secs.unwrap_or(GC_AGE_SECS);
    Ok(JobRequest::Gc {
        table,
        older_than_secs,
    })
}

/// Compare data files with their digests
///
/// A damaged file is a finding: the job succeeds, and its result says what is wrong.
#[utoipa::path(post, path = "/v1/tables/{table}/verify", tag = "tables",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = Option<VerifyRequest>,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it found, where the caller waited", body = VerifyReports),
    )
)]
async fn verify(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let table = Some(existing(&state, &table).await?);
    let all_versions = options::<VerifyRequest>(&body)?.all_versions;
    begin(
        &state,
        &headers,
        JobRequest::Verify {
            table,
            all_versions,
        },
    )
    .await
}

/// Compare data files of all tables with their digests
#[utoipa::path(post, path = "/v1/verify", tag = "tables",
    request_body = Option<VerifyRequest>,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it found, where the caller waited", body = VerifyReports),
    )
)]
async fn verify_all(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response> {
    let all_versions = options::<VerifyRequest>(&body)?.all_versions;
    begin(
        &state,
        &headers,
        JobRequest::Verify {
            table: None,
            all_versions,
        },
    )
    .await
}
