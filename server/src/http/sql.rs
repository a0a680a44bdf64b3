//! SQL over all tables.

use std::time::Duration;

use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use penstock::query::{Answer, QueryError};
use penstock_openapi::{Rows, SqlRequest};
use penstock_types::ErrorCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Json, Result};
use crate::wire;

const VERSIONS: HeaderName = HeaderName::from_static("penstock-versions");

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(sql))
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Lines,
    Arrow,
}

impl Form {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Lines => "application/x-ndjson",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// The first form of the Accept header that is known.
    fn of(headers: &HeaderMap) -> Result<Self> {
        let Some(accept) = headers.get(ACCEPT) else {
            return Ok(Self::Json);
        };
        let accept = accept.to_str().unwrap_or_default();
        accept
            .split(',')
            .map(|range| range.split(';').next().unwrap_or(range).trim())
            .find_map(|range| match range {
                "*/*" | "application/*" | "application/json" => Some(Self::Json),
                "application/x-ndjson" | "application/jsonl" => Some(Self::Lines),
                "application/vnd.apache.arrow.stream" => Some(Self::Arrow),
                _ => None,
            })
            .ok_or_else(|| {
                ApiError::with_status(
                    ErrorCode::Unsupported,
                    StatusCode::NOT_ACCEPTABLE,
                    "rows come as application/json, application/x-ndjson or \
                     application/vnd.apache.arrow.stream",
                )
            })
    }
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

    let body = match form {
        Form::Json => Body::from_stream(json(batches)),
        Form::Lines => Body::from_stream(batches.map(|batch| lines(&batch?))),
        Form::Arrow => {
            let writer = StreamWriter::try_new(Vec::new(), &schema)?;
            Body::from_stream(arrow_stream(writer, batches))
        }
    };
    let versions = serde_json::to_string(&versions).unwrap_or_default();
    let mut response = ([(CONTENT_TYPE, form.media_type())], body).into_response();
    if let Ok(versions) = HeaderValue::from_str(&versions) {
        response.headers_mut().insert(VERSIONS, versions);
    }
    Ok(response)
}

/// Why an answer breaks off. The text goes to the log only: the head of the answer is long sent.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Query(#[from] QueryError),
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

type Batches<'a> =
    std::pin::Pin<Box<dyn futures::Stream<Item = Result<RecordBatch, QueryError>> + Send + 'a>>;

fn log(error: &Broken) {
    tracing::warn!(%error, "the answer to a statement broke off");
}

/// `[`, objects with commas between them, `]`.
fn json(
    batches: impl futures::Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
) -> impl futures::Stream<Item = Result<Bytes, Broken>> + Send {
    let mut is_first = true;
    let rows = batches.map(move |batch| {
        let mut out = Vec::new();
        for row in wire::rows(&batch?)? {
            if !std::mem::take(&mut is_first) {
                out.push(b',');
            }
            serde_json::to_writer(&mut out, &row)?;
        }
        Ok(Bytes::from(out))
    });
    let one =
        |text: &'static str| stream::once(async move { Ok(Bytes::from_static(text.as_bytes())) });
    one("[").chain(rows).chain(one("]")).inspect_err(log)
}

fn lines(batch: &RecordBatch) -> Result<Bytes, Broken> {
    let mut out = Vec::new();
    for row in wire::rows(batch)? {
        serde_json::to_writer(&mut out, &row)?;
        out.push(b'\n');
    }
    Ok(out.into())
}

fn arrow_stream(
    writer: StreamWriter<Vec<u8>>,
    batches: impl futures::Stream<Item = Result<RecordBatch, QueryError>> + Send + 'static,
) -> impl futures::Stream<Item = Result<Bytes, Broken>> + Send {
    let batches: Batches<'static> = Box::pin(batches);
    stream::try_unfold(Some((writer, batches)), |open| async move {
        let Some((mut writer, mut batches)) = open else {
            return Ok(None);
        };
        match batches.next().await.transpose()? {
            Some(batch) => {
                writer.write(&batch)?;
                let bytes = std::mem::take(writer.get_mut());
                Ok(Some((Bytes::from(bytes), Some((writer, batches)))))
            }
            None => {
                writer.finish()?;
                let bytes = std::mem::take(writer.get_mut());
                Ok(Some((Bytes::from(bytes), None)))
            }
        }
    })
    .inspect_err(log)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (accept, expected) in [
            ("*/*", Some(Form::Json)),
            (
                "application/vnd.apache.arrow.stream, */*;q=0.1",
                Some(Form::Arrow),
            ),
            ("text/html, application/x-ndjson", Some(Form::Lines)),
            ("text/csv", None),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(Form::of(&headers).ok(), expected, "{accept}");
        }
        assert_eq!(Form::of(&HeaderMap::new()).ok(), Some(Form::Json));
    }
}
