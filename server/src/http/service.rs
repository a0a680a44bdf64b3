//! The service itself: probes, metrics, documentation.

use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use penstock_openapi::{Service, Status};
use penstock_types::ErrorCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Result};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(root))
        .routes(routes!(livez))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
}

/// What this is
#[utoipa::path(get, path = "/", tag = "service", responses(
    (status = 200, description = "Name, version and where the documentation is", body = Service)
))]
async fn root() -> axum::Json<Service> {
    axum::Json(Service {
        name: "penstock".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        docs: "/docs/".to_owned(),
        openapi: "/openapi.json".to_owned(),
    })
}

/// Whether the process lives
#[utoipa::path(get, path = "/livez", tag = "service", responses(
    (status = 200, description = "It lives", body = Status)
))]
async fn livez() -> axum::Json<Status> {
    axum::Json(Status {
        status: "ok".to_owned(),
    })
}

/// Whether requests can be answered
///
/// The store is asked for the list of tables.
#[utoipa::path(get, path = "/readyz", tag = "service", responses(
    (status = 200, description = "The store answers", body = Status)
))]
async fn readyz(Extract(state): Extract<State>) -> Result<axum::Json<Status>> {
    match state.engine().store().table_names().await {
        Ok(_) => Ok(axum::Json(Status {
            status: "ok".to_owned(),
        })),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            Err(ApiError::new(
                ErrorCode::Unavailable,
                "the store does not answer",
            ))
        }
    }
}

/// Counters
#[utoipa::path(get, path = "/metrics", tag = "service", responses(
    (status = 200, description = "Counters in the text format of OpenMetrics",
     body = String, content_type = "application/openmetrics-text")
))]
async fn metrics(Extract(state): Extract<State>) -> Result<Response> {
    let text = state
        .metrics()
        .encode(state.jobs(), state.engine().searcher())
        .map_err(|_| ApiError::new(ErrorCode::Internal, "the counters could not be written"))?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
