//! Requests that bring vectors to search with: all in JSON, or the vectors as an Arrow stream and the
//! options in the query.

use std::io::Cursor;

use arrow::ipc::reader::StreamReader;
use axum::body::Bytes;
use axum::extract::{FromRequest as _, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use penstock_types::ErrorCode;
use serde::de::DeserializeOwned;

use super::State;
use super::error::{ApiError, Json, Result};
use crate::vectors::Vectors;

/// Bytes of a request: 65,000 vectors of 256 numbers as Arrow. They are held in memory.
pub(super) const MAX_BODY_BYTES: usize = 64 << 20;

const ARROW: &str = "application/vnd.apache.arrow.stream";

/// The body of a request.
pub(super) enum Brought<T> {
    /// Options, and vectors or what stands for them.
    Json(T),
    /// Vectors; the options are in the query.
    Arrow(Vectors),
}

/// Reads the body. `params` are the options in the query, of which a body in JSON takes none.
pub(super) async fn brought<T, P>(state: &State, request: Request, params: &P) -> Result<Brought<T>>
where
    T: DeserializeOwned,
    P: Default + PartialEq,
{
    if is_arrow(&request) {
        let body = Bytes::from_request(request, state)
            .await
            .map_err(too_large)?;
        return Ok(Brought::Arrow(arrow_vectors(body).await?));
    }
    if *params != P::default() {
        return Err(ApiError::bad(
            "the options of a search in JSON go into its body, those of one in Arrow into the query",
        ));
    }
    let Json(wanted) = Json::<T>::from_request(request, state).await?;
    Ok(Brought::Json(wanted))
}

fn is_arrow(request: &Request) -> bool {
    let given = request.headers().get(CONTENT_TYPE);
    let given = given
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    given.split(';').next().unwrap_or(given).trim() == ARROW
}

fn too_large(rejection: axum::extract::rejection::BytesRejection) -> ApiError {
    let code = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ErrorCode::LimitExceeded,
        _ => ErrorCode::InvalidArgument,
    };
    ApiError::new(code, rejection.body_text())
}

async fn arrow_vectors(body: Bytes) -> Result<Vectors> {
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
