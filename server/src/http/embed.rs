//! Vectors of sequences and files that are sent.

use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State as Extract};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use penstock_openapi::{EmbedAnswer, EmbedRequest, EmbedUpload};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Json, Result};
use super::ingest::is_form;
use super::rows::{self, Broken, Form};
use super::upload::{Budget, file_name, form_error, save_field, short, spool};
use crate::embed::{self, Output, Source};
use crate::load::Input;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(embed_records))
}

/// Embed sequences or a file
///
/// Nothing is stored. Vectors (or contact maps, with `contacts`) come in the order of the records,
/// as JSON, one object a line, or an Arrow stream with the columns `id` and `vector` (or
/// `contacts`); they are sent as they are computed, so an
/// answer that breaks off before its end is an error. A file comes as a form: the options as JSON
/// in a part `request`, and the file in a part `file`.
///
///     curl -H 'Content-Type: application/json' -d '{"encoder": "protein-kmer-v1", "sequences": ["MKTAYIAKQRQISFVK"]}' http://127.0.0.1:7370/v1/embed
///     curl -F 'request={"encoder": "mesh-shape-v1"}' -F file=@wing.stl http://127.0.0.1:7370/v1/embed
#[utoipa::path(post, path = "/v1/embed", tag = "encoders",
    params(("Accept" = Option<String>, Header, description = "Form of the vectors")),
    request_body(content(
        (EmbedRequest = "application/json"),
        (EmbedUpload = "multipart/form-data"),
    )),
    responses((status = 200, description = "The vectors", content(
        (EmbedAnswer = "application/json"),
        (String = "application/x-ndjson"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"),
    )))
)]
async fn embed_records(Extract(state): Extract<State>, request: Request) -> Result<Response> {
    let form = Form::of(request.headers())?;
    let (wanted, source) = if is_form(request.headers()) {
        by_file(&state, request).await?
    } else {
        let Json(mut wanted) = Json::<EmbedRequest>::from_request(request, &state).await?;
        let sequences = std::mem::take(&mut wanted.sequences);
        (wanted, Source::Sequences(sequences))
    };
    let encoder = state.engine().encoder(&wanted.encoder).await?;
    let output = if wanted.contacts {
        Output::Contacts
    } else {
        Output::Vectors
    };
    let (head, end) = output.around(&*encoder);
    let mut batches = Box::pin(embed::stream(encoder, source, output));
    // The first batch is waited for, so that what fails at once has a status of its own; it also
    // knows the schema.
    let first =
        batches.next().await.transpose()?.ok_or_else(|| {
            ApiError::bad("there is nothing to embed: give `sequences` or a file")
        })?;
    let schema = first.schema();
    let batches = stream::iter([Ok(first)])
        .chain(batches)
        .map_err(|error| Broken::Source(Box::new(error)));
    let around = (Bytes::from(head), Bytes::from_static(end.as_bytes()));
    rows::response(form, &schema, batches, around)
}

async fn by_file(state: &State, mut request: Request) -> Result<(EmbedRequest, Source)> {
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, state)
        .await
        .map_err(|error| ApiError::bad(error.body_text()))?;
    let config = state.config();
    let mut budget = Budget::new(config.max_upload_bytes, config.upload_silence);
    let mut wanted = None;
    let folder = tempfile::tempdir().map_err(spool)?;
    let mut inputs = Vec::new();
    while let Some(field) = budget
        .patient(form.next_field())
        .await?
        .map_err(|error| form_error(&error))?
    {
        match field.name() {
            Some("request") if wanted.is_none() => {
                let bytes = short(field, config.max_body_bytes).await?;
                let request: EmbedRequest = serde_json::from_slice(&bytes)
                    .map_err(|error| ApiError::bad(format!("the part `request`: {error}")))?;
                if !request.sequences.is_empty() {
                    return Err(ApiError::bad("a form with a file takes no `sequences`"));
                }
                state
                    .engine()
                    .registry()
                    .check(&request.encoder)
                    .map_err(penstock::Error::from)?;
                wanted = Some(request);
            }
            Some("file") if inputs.is_empty() => {
                let name = field.file_name().and_then(file_name);
                let path = folder.path().join("records");
                save_field(field, &path, &mut budget).await?;
                inputs.push(Input::Upload {
                    name: name.unwrap_or_else(|| "upload".to_owned()),
                    path,
                });
            }
            _ => return Err(ApiError::bad("the form takes one `request` and one `file`")),
        }
    }
    match (wanted, inputs.is_empty()) {
        (Some(wanted), false) => Ok((wanted, Source::Files(inputs, Some(folder)))),
        _ => Err(ApiError::bad("the form takes one `request` and one `file`")),
    }
}
