//! Jobs, and how handlers answer with them.

use std::time::Duration;

use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderMap, HeaderName, StatusCode};
use penstock_openapi::{Job, JobParams, JobState, Jobs};
use penstock_types::ErrorCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Path, Query, Result};
use crate::jobs::JobRequest;

/// The longest that a request waits for its job.
pub(super) const MAX_WAIT: Duration = Duration::from_secs(300);

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs))
        .routes(routes!(get_job, cancel_job))
}

/// Jobs, newest first
///
/// Those of this server, and those that were stored when it started.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(JobParams), responses(
    (status = 200, description = "The jobs", body = Jobs)
))]
async fn list_jobs(
    Extract(state): Extract<State>,
    Query(params): Query<JobParams>,
) -> Result<axum::Json<Jobs>> {
    let limit = params.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::bad("`limit` must be between 1 and 1000"));
    }
    Ok(axum::Json(Jobs {
        jobs: state.jobs().list(params.state, limit as usize),
    }))
}

/// One job
///
/// With `Prefer: wait=N` the answer comes when the job is finished, or after N seconds.
#[utoipa::path(get, path = "/v1/jobs/{id}", tag = "jobs",
    params(
        ("id" = String, Path, description = "The job's id"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds"),
    ),
    responses((status = 200, description = "Where it stands", body = Job))
)]
async fn get_job(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<axum::Json<Job>> {
    if let Some(wait) = preferred_wait(&headers)
        && let Some(job) = state.jobs().wait(&id, wait).await
    {
        return Ok(axum::Json(job));
    }
    let job = state.jobs().get(&id).await?;
    job.map(axum::Json)
        .ok_or_else(|| ApiError::not_found("job", &id))
}

/// Cancel a job
///
/// A job that is finished stays as it is.
#[utoipa::path(delete, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, description = "Where it stands now", body = Job))
)]
async fn cancel_job(
    Extract(state): Extract<State>,
    Path(id): Path<String>,
) -> Result<axum::Json<Job>> {
    let job = state.jobs().cancel(&id).await?;
    job.map(axum::Json)
        .ok_or_else(|| ApiError::not_found("job", &id))
}

/// The caller's idempotency key.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=255).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(ApiError::bad(
            "an Idempotency-Key is 1 to 255 visible ASCII characters",
        )),
    }
}

/// `Prefer: wait=N` (RFC 7240), in seconds.
fn preferred_wait(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all("prefer")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.trim().split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .and_then(|(_, secs)| secs.trim().trim_matches('"').parse().ok())
        .map(|secs| Duration::from_secs(secs).min(MAX_WAIT))
}

/// Begins a job that needs no uploads, and answers with it.
pub(super) async fn begin(
    state: &State,
    headers: &HeaderMap,
    request: JobRequest,
) -> Result<Response> {
    let key = idempotency_key(headers)?;
    let job = state
        .jobs()
        .submit(state.jobs().ticket()?, request, key)
        .await?;
    answer(state, headers, job).await
}

/// 202 with the job; where the caller prefers to wait and the job ends in time, 200 with its
/// result, or its problem.
pub(super) async fn answer(state: &State, headers: &HeaderMap, job: Job) -> Result<Response> {
    let location = format!("/v1/jobs/{}", job.id);
    let job = match preferred_wait(headers) {
        Some(wait) if !job.state.is_final() => {
            state.jobs().wait(&job.id, wait).await.unwrap_or(job)
        }
        Some(_) => job,
        None => {
            return Ok((
                StatusCode::ACCEPTED,
                [(LOCATION, location)],
                axum::Json(job),
            )
                .into_response());
        }
    };
    let applied = (
        HeaderName::from_static("preference-applied"),
        "wait".to_owned(),
    );
    let headers = [(LOCATION, location), applied];
    match (job.state, job.result, job.error) {
        (JobState::Succeeded, Some(result), _) => {
            Ok((StatusCode::OK, headers, axum::Json(result)).into_response())
        }
        (JobState::Failed | JobState::Cancelled, _, error) => {
            let lost = || crate::problem::problem(ErrorCode::Internal, "the job failed");
            let problem = ApiError::from(error.unwrap_or_else(lost));
            Ok((headers, problem).into_response())
        }
        (state, result, error) => {
            let job = Job {
                state,
                result,
                error,
                ..job
            };
            Ok((StatusCode::ACCEPTED, headers, axum::Json(job)).into_response())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        for (text, expected) in [
            ("wait=5", Some(5)),
            ("respond-async, wait=\"10\"", Some(10)),
            ("return=minimal; Wait = 2", Some(2)),
            ("wait=100000", Some(300)),
            ("wait=-1", None),
            ("respond-async", None),
        ] {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static("prefer"),
                http::HeaderValue::from_static(text),
            )]);
            assert_eq!(
                preferred_wait(&headers).map(|wait| wait.as_secs()),
                expected,
                "{text}"
            );
        }
    }
}
