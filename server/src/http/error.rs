//! Failures of handlers, and extractors whose refusals are problems.

use axum::body::Bytes;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use penstock_openapi::{PROBLEM_JSON, Problem};
use penstock_types::ErrorCode;
use serde::de::DeserializeOwned;

use crate::problem::{of_error, problem, problem_with_status};

/// What a handler answers instead of its result.
#[derive(Debug, Clone)]
pub(super) struct ApiError(pub(super) Box<Problem>);

pub(super) type Result<T, E = ApiError> = std::result::Result<T, E>;

impl ApiError {
    pub(super) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        problem(code, detail).into()
    }

    pub(super) fn with_status(
        code: ErrorCode,
        status: StatusCode,
        detail: impl Into<String>,
    ) -> Self {
        problem_with_status(code, status, detail).into()
    }

    /// A word of the request that cannot be read.
    pub(super) fn bad(error: impl std::fmt::Display) -> Self {
        Self::new(ErrorCode::InvalidArgument, error.to_string())
    }

    pub(super) fn not_found(what: &str, name: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("there is no {what} `{name}`"))
    }
}

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl From<Box<Problem>> for ApiError {
    fn from(problem: Box<Problem>) -> Self {
        Self(problem)
    }
}

impl From<penstock::Error> for ApiError {
    fn from(error: penstock::Error) -> Self {
        of_error(&error).into()
    }
}

impl From<penstock::export::ExportError> for ApiError {
    fn from(error: penstock::export::ExportError) -> Self {
        penstock::Error::from(error).into()
    }
}

impl From<penstock::store::StoreError> for ApiError {
    fn from(error: penstock::store::StoreError) -> Self {
        penstock::Error::from(error).into()
    }
}

impl From<arrow::error::ArrowError> for ApiError {
    fn from(error: arrow::error::ArrowError) -> Self {
        tracing::error!(%error, "rows could not be written as JSON");
        Self::new(ErrorCode::Internal, "the rows could not be written")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // The request's number and path are filled in on the way out.
        response.extensions_mut().insert(self);
        response
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let (code, status) = match rejection.status() {
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                (ErrorCode::Unsupported, StatusCode::UNSUPPORTED_MEDIA_TYPE)
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                (ErrorCode::LimitExceeded, StatusCode::PAYLOAD_TOO_LARGE)
            }
            status => (ErrorCode::InvalidArgument, status),
        };
        Self::with_status(code, status, rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::bad(rejection.body_text())
    }
}

/// JSON of a request.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let given = request.headers().get(CONTENT_TYPE);
        if given.is_none_or(|given| given.as_bytes() != b"application/json") {
            let axum::Json(read) = axum::Json::from_request(request, state).await?;
            return Ok(Self(read));
        }
        let body = Bytes::from_request(request, state)
            .await
            .map_err(JsonRejection::from)?;
        // axum's reader keeps book of where it is, number by number of a vector. Only an error needs
        // that.
        match serde_json::from_slice(&body) {
            Ok(read) => Ok(Self(read)),
            Err(_) => {
                let axum::Json(read) = axum::Json::from_bytes(&body)?;
                Ok(Self(read))
            }
        }
    }
}

/// The query of a request.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ApiError))]
pub(super) struct Query<T>(pub(super) T);

/// The path of a request.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ApiError))]
pub(super) struct Path<T>(pub(super) T);

/// A segment of the path as a name that has been checked. A text that can be no name names nothing.
pub(super) fn named<T: std::str::FromStr>(what: &str, text: &str) -> Result<T> {
    text.parse().map_err(|_| ApiError::not_found(what, text))
}

/// A word of a body or query as a value.
pub(super) fn word<T>(text: &str) -> Result<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.parse().map_err(ApiError::bad)
}

/// The same where it may be left out.
pub(super) fn word_option<T>(text: Option<&String>) -> Result<Option<T>>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    text.map(|text| word(text)).transpose()
}
