//! What stands around every request.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{MatchedPath, Request, State as Extract};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use penstock_types::ErrorCode;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use super::State;
use super::error::ApiError;
use super::job::MAX_WAIT;
use super::metrics::InFlight;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Routes that answer however busy the server is, and that are not logged at each call.
const PROBES: [&str; 3] = ["/livez", "/readyz", "/metrics"];

/// Routes whose answer may begin late by its nature: they read a body of any size, or have a bound
/// of their own.
const UNTIMED: [&str; 3] = ["/v1/tables/{table}/ingest", "/v1/sql", "/v1/embed"];

/// Numbers, logs, counts and bounds a request, and completes its answer.
pub(super) async fn observe(
    Extract(state): Extract<State>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let method = method_name(request.method());
    let path = request.uri().path().to_owned();
    let route = matched
        .as_ref()
        .map_or("unmatched", MatchedPath::as_str)
        .to_owned();
    let span = tracing::info_span!("request", %id, method, path, route);
    let in_flight = state.metrics().begin();
    let is_probe = PROBES.contains(&route.as_str());

    let answer = async {
        let permit = match std::sync::Arc::clone(&state.0.requests).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) if is_probe => None,
            Err(_) => {
                let busy = ApiError::new(ErrorCode::Unavailable, "too many requests at once");
                return (busy.into_response(), None);
            }
        };
        let wants_wait = request.headers().contains_key("prefer");
        let work = AssertUnwindSafe(next.run(request)).catch_unwind();
        let limit =
            state.config().request_timeout + if wants_wait { MAX_WAIT } else { Duration::ZERO };
        let answer = if UNTIMED.contains(&route.as_str()) {
            Ok(work.await)
        } else {
            tokio::time::timeout(limit, work).await
        };
        let response = match answer {
            Ok(Ok(response)) => response,
            Ok(Err(_panic)) => {
                // The panic hook has logged where.
                tracing::error!("a request handler panicked");
                ApiError::new(ErrorCode::Internal, "the server failed").into_response()
            }
            Err(_elapsed) => {
                let late = "the request took longer than the server allows";
                ApiError::new(ErrorCode::Unavailable, late).into_response()
            }
        };
        (response, permit)
    };
    let (response, permit) = answer.instrument(span.clone()).await;

    let mut response = complete(response, &id, &path);
    secure(&mut response, &id);
    let (status, took) = (response.status().as_u16(), started.elapsed());
    state.metrics().answered(method, &route, status, took);
    let latency_ms = took.as_micros() as f64 / 1000.0;
    span.in_scope(|| {
        if is_probe {
            tracing::debug!(status, latency_ms, "answered");
        } else {
            tracing::info!(status, latency_ms, "answered");
        }
    });
    response.map(|inner| {
        Body::new(Counted {
            inner,
            in_flight,
            _permit: permit,
        })
    })
}

/// The caller's number, where it is fit for a log; else a new one.
fn request_id(request: &Request) -> String {
    request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=128).contains(&id.len())
                && id
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
        })
        .map_or_else(new_id, str::to_owned)
}

/// A UUID of version 7, by the thread's generator: `Uuid::now_v7` asks the system for every one.
fn new_id() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = now.unwrap_or_default().as_millis() as u64; // enough for 584 million years
    uuid::Builder::from_unix_timestamp_millis(millis, &rand::random())
        .into_uuid()
        .to_string()
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::PATCH => "PATCH",
        _ => "other",
    }
}

/// Fills the request's number and path into a problem, and makes a problem of an error that came
/// from below the handlers.
fn complete(mut response: Response, id: &str, path: &str) -> Response {
    let status = response.status();
    let error = match response.extensions_mut().remove::<ApiError>() {
        Some(error) => error,
        None if status.is_client_error() || status.is_server_error() => {
            let code = match status {
                StatusCode::NOT_FOUND => ErrorCode::NotFound,
                StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::LimitExceeded,
                StatusCode::UNSUPPORTED_MEDIA_TYPE => ErrorCode::Unsupported,
                status if status.is_server_error() => ErrorCode::Internal,
                _ => ErrorCode::InvalidArgument,
            };
            let text = status
                .canonical_reason()
                .unwrap_or("the request was refused");
            ApiError::with_status(code, status, text)
        }
        None => return response,
    };
    let mut problem = error.0;
    problem.instance = Some(path.to_owned());
    problem.request_id = Some(id.to_owned());
    let completed = ApiError(problem).into_response();
    // Headers that say more about the error stay: Allow, Content-Range, Retry-After.
    let mut headers = std::mem::take(response.headers_mut());
    headers.remove(CONTENT_LENGTH);
    let (mut parts, body) = completed.into_parts();
    for (name, value) in &parts.headers {
        headers.insert(name, value.clone());
    }
    parts.headers = headers;
    parts.extensions.clear();
    Response::from_parts(parts, body)
}

fn secure(response: &mut Response, id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

/// A body whose bytes are counted, and which holds the request's place until its end.
struct Counted {
    inner: Body,
    in_flight: InFlight,
    _permit: Option<OwnedSemaphorePermit>,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = self.inner.frame().poll_unpin(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            self.in_flight.sent(data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
