//! Rows as a response: JSON, one object a line, or an Arrow stream.

use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use penstock_types::ErrorCode;

use super::error::ApiError;
use crate::wire;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
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
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
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

/// Why an answer breaks off. The text goes to the log only: the head of the answer is long sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

type Batches = std::pin::Pin<Box<dyn Stream<Item = Result<RecordBatch, Broken>> + Send>>;

/// What stands before and after the rows of a JSON document.
pub(super) type Around = (Bytes, Bytes);

/// The rows alone.
pub(super) const ARRAY: Around = (Bytes::from_static(b"["), Bytes::from_static(b"]"));

/// Batches as a response, written as they come.
pub(super) fn response(
    form: Form,
    schema: &Schema,
    batches: impl Stream<Item = Result<RecordBatch, Broken>> + Send + 'static,
    around: Around,
) -> Result<Response, ApiError> {
    let body = match form {
        Form::Json => Body::from_stream(json(batches, around)),
        Form::Lines => Body::from_stream(batches.map(|batch| lines(&batch?)).inspect_err(log)),
        Form::Arrow => {
            let writer = StreamWriter::try_new(Vec::new(), schema)?;
            Body::from_stream(arrow_stream(writer, batches))
        }
    };
    Ok(([(CONTENT_TYPE, form.media_type())], body).into_response())
}

/// An answer that is there as a whole: as the object that `json` makes of it, or its rows alone.
pub(super) fn answer<T: serde::Serialize>(
    form: Form,
    batch: RecordBatch,
    json: impl FnOnce() -> Result<T, ArrowError>,
) -> Result<Response, ApiError> {
    if form == Form::Json {
        return Ok(axum::Json(json()?).into_response());
    }
    let schema = batch.schema();
    response(form, &schema, stream::iter([Ok(batch)]), ARRAY)
}

fn log(error: &Broken) {
    tracing::warn!(%error, "an answer broke off");
}

/// Objects with commas between them, and what stands around them.
fn json(
    batches: impl Stream<Item = Result<RecordBatch, Broken>> + Send + 'static,
    (before, after): Around,
) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
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
    let one = |bytes: Bytes| stream::once(async move { Ok(bytes) });
    one(before).chain(rows).chain(one(after)).inspect_err(log)
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
    batches: impl Stream<Item = Result<RecordBatch, Broken>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
    let batches: Batches = Box::pin(batches);
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
    use http::HeaderValue;

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
