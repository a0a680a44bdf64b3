//! Loading of files that are sent.

use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State as Extract};
use axum::response::Response;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use penstock_openapi::{IngestParams, IngestResult, IngestUpload, Job};
use penstock_types::{Kind, TableName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Path, Query, Result, word, word_option};
use super::job::{answer, idempotency_key};
use super::upload::{Budget, file_name, form_error, save_body, save_field, spool};
use crate::jobs::{Ingest, JobRequest, Ticket};

/// Files of one request.
const MAX_FILES: usize = 10_000;

pub(super) fn routes() -> OpenApiRouter<State> {
    // Uploads have a bound of their own.
    OpenApiRouter::new()
        .routes(routes!(ingest))
        .layer(DefaultBodyLimit::disable())
}

/// Load files into a table
///
/// The body is one file, compressed or not, in any of the formats that are read; or a form with
/// several files. All of it becomes one version of the table, or nothing does. The table is made
/// when there is none of that name. The same file twice adds nothing.
///
///     curl --data-binary @proteins.fasta.gz 'http://127.0.0.1:7370/v1/tables/proteins/ingest?name=proteins.fasta.gz'
///     curl -F file=@a.stl -F file=@b.stl http://127.0.0.1:7370/v1/tables/solids/ingest
#[utoipa::path(post, path = "/v1/tables/{table}/ingest", tag = "tables",
    params(
        ("table" = String, Path, description = "Name of the table"),
        IngestParams,
        ("Idempotency-Key" = Option<String>, Header,
         description = "The same key again answers the same job; stored in the same transaction as the rows"),
        ("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the result"),
    ),
    request_body(content(
        (Vec<u8> = "application/octet-stream"),
        (IngestUpload = "multipart/form-data"),
    )),
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "What it did, where the caller waited", body = IngestResult),
    )
)]
async fn ingest(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Query(params): Query<IngestParams>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response> {
    let table: TableName = word(&table)?;
    let key = idempotency_key(&headers)?;
    let mut ingest = options(table, &params)?;
    for name in ingest.encoders.iter().flatten() {
        state
            .engine()
            .registry()
            .check(name)
            .map_err(penstock::Error::from)?;
    }
    if let Some(key) = &key
        && let Some(job) = state.jobs().by_key(key, None).await?
    {
        // The body was sent before: its names are not known yet, so only the table is compared.
        let same = job.kind == penstock_openapi::JobKind::Ingest
            && job.table.as_deref() == Some(ingest.table.as_str());
        return if same {
            answer(&state, &headers, job).await
        } else {
            Err(other_work())
        };
    }
    let ticket = state.jobs().ticket()?;
    let uploaded = receive(&state, &ticket, params.name.as_deref(), request).await;
    match uploaded {
        Ok(files) => ingest.files = files,
        Err(error) => {
            if let Err(error) = tokio::fs::remove_dir_all(&ticket.folder).await {
                tracing::debug!(%error, "half an upload is left to the next start");
            }
            return Err(error);
        }
    }
    let job = state
        .jobs()
        .submit(ticket, JobRequest::Ingest(ingest), key)
        .await?;
    answer(&state, &headers, job).await
}

fn other_work() -> ApiError {
    ApiError::new(
        penstock_types::ErrorCode::AlreadyExists,
        "the idempotency key was given to another request; use a new key for new work",
    )
}

fn options(table: TableName, params: &IngestParams) -> Result<Ingest> {
    let kind: Option<Kind> = word_option(params.kind.as_ref())?;
    let encoders = params.encoder.as_deref().map(|text| match text {
        "none" => Vec::new(),
        names => names
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect(),
    });
    let skip_errors = match params.on_error.as_deref() {
        None | Some("fail") => false,
        Some("skip") => true,
        Some(other) => {
            return Err(ApiError::bad(format!(
                "`on_error` is `fail` or `skip`, not `{other}`"
            )));
        }
    };
    Ok(Ingest {
        table,
        files: Vec::new(),
        kind,
        encoders,
        skip_errors,
        directed: params.directed.unwrap_or(false),
    })
}

/// Takes the files to the spool; answers their names.
async fn receive(
    state: &State,
    ticket: &Ticket,
    name: Option<&str>,
    request: Request,
) -> Result<Vec<String>> {
    tokio::fs::create_dir_all(&ticket.folder)
        .await
        .map_err(spool)?;
    let config = state.config();
    let mut budget = Budget::new(config.max_upload_bytes, config.upload_silence);
    if !is_form(request.headers()) {
        let name = match name {
            Some(given) => file_name(given)
                .ok_or_else(|| ApiError::bad("`name` cannot be the name of a file"))?,
            None => "upload".to_owned(),
        };
        save_body(request.into_body(), &ticket.folder.join("0"), &mut budget).await?;
        return Ok(vec![name]);
    }
    let mut form = Multipart::from_request(request, state)
        .await
        .map_err(|error| ApiError::bad(error.body_text()))?;
    let mut names = Vec::new();
    while let Some(field) = budget
        .patient(form.next_field())
        .await?
        .map_err(|error| form_error(&error))?
    {
        let name = field.file_name().and_then(file_name).ok_or_else(|| {
            ApiError::bad(
                "each part of the form must be a file with its name; options are in the query",
            )
        })?;
        if names.len() == MAX_FILES {
            return Err(ApiError::bad(format!(
                "more than {MAX_FILES} files in one request"
            )));
        }
        let path = ticket.folder.join(names.len().to_string());
        save_field(field, &path, &mut budget).await?;
        names.push(name);
    }
    if names.is_empty() {
        return Err(ApiError::bad("the form holds no file"));
    }
    Ok(names)
}

pub(super) fn is_form(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("multipart/form-data")
        })
}
