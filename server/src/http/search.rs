//! Nearest neighbours.

use axum::extract::{DefaultBodyLimit, FromRequest as _, Multipart, Request, State as Extract};
use penstock::SearchInput;
use penstock::store::VersionRef;
use penstock_openapi::{FileSearch, SearchAnswer, SearchRequest};
use penstock_types::TableName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Json, Path, Result, named};
use super::ingest::is_form;
use super::upload::{Budget, file_name, form_error, save_field, short, spool};
use crate::load::{Input, first_record};
use crate::wire;

/// A file to search with holds one record of interest.
const MAX_FILE_BYTES: u64 = 1 << 30;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(search))
}

/// Find the nearest rows
///
/// By a stored `id`, by `text` (a sequence), by `vector`; or by a file, as a form: the options as
/// JSON in a part `request`, and the file in a part `file`, whose first record is the query.
///
/// The way that costs least is chosen: every row, the index in memory (see `warm`) or the table's
/// own index. How hard to look follows from `min_recall` and what was measured of the index;
/// `explain` tells all of it.
///
///     curl -H 'Content-Type: application/json' -d '{"id": "d12asa_", "k": 5, "min_recall": 0.99, "explain": true}' http://127.0.0.1:7370/v1/tables/proteins/search
///     curl -F file=@query.stl http://127.0.0.1:7370/v1/tables/solids/search
#[utoipa::path(post, path = "/v1/tables/{table}/search", tag = "search",
    params(("table" = String, Path, description = "Name of the table")),
    request_body(content(
        (SearchRequest = "application/json"),
        (FileSearch = "multipart/form-data"),
    )),
    responses((status = 200, description = "The rows, nearest first", body = SearchAnswer))
)]
async fn search(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    request: Request,
) -> Result<axum::Json<SearchAnswer>> {
    let table: TableName = named("table", &table)?;
    let (wanted, input) = if is_form(request.headers()) {
        by_file(&state, &table, request).await?
    } else {
        let Json(mut wanted) = Json::<SearchRequest>::from_request(request, &state).await?;
        let input = wire::search_input(&mut wanted).map_err(ApiError::bad)?;
        (wanted, input)
    };
    let explain = wanted.explain;
    let search = wire::search_request(table, input, wanted).map_err(ApiError::bad)?;
    let answer = state.engine().search(search).await?;
    Ok(axum::Json(wire::search_answer(&answer, explain)?))
}

async fn by_file(
    state: &State,
    table: &TableName,
    mut request: Request,
) -> Result<(SearchRequest, SearchInput)> {
    // Refused before a byte of the file is read.
    let kind = state
        .engine()
        .table(table, &VersionRef::Latest)
        .await?
        .kind();
    DefaultBodyLimit::disable().apply(&mut request);
    let mut form = Multipart::from_request(request, state)
        .await
        .map_err(|error| ApiError::bad(error.body_text()))?;
    let limit = state.config().max_upload_bytes.min(MAX_FILE_BYTES);
    let mut budget = Budget::new(limit, state.config().upload_silence);
    let mut wanted = SearchRequest::default();
    let mut file = None;
    while let Some(field) = budget
        .patient(form.next_field())
        .await?
        .map_err(|error| form_error(&error))?
    {
        match field.name() {
            Some("request") => {
                let bytes = short(field, state.config().max_body_bytes).await?;
                wanted = serde_json::from_slice(&bytes)
                    .map_err(|error| ApiError::bad(format!("the part `request`: {error}")))?;
                if wanted.id.is_some() || wanted.text.is_some() || wanted.vector.is_some() {
                    return Err(ApiError::bad(
                        "a search by file takes no `id`, `text` or `vector`",
                    ));
                }
            }
            Some("file") if file.is_none() => {
                let name = field.file_name().and_then(file_name);
                let folder = tempfile::tempdir().map_err(spool)?;
                let path = folder.path().join("query");
                save_field(field, &path, &mut budget).await?;
                file = Some((name.unwrap_or_else(|| "upload".to_owned()), path, folder));
            }
            _ => return Err(ApiError::bad("the form takes one `request` and one `file`")),
        }
    }
    let Some((name, path, folder)) = file else {
        return Err(ApiError::bad("the form holds no `file`"));
    };
    let record = tokio::task::spawn_blocking(move || {
        let record = first_record(Input::Upload { name, path }, Some(kind));
        drop(folder);
        record
    })
    .await
    .map_err(penstock::Error::Worker)??;
    Ok((wanted, SearchInput::Records(record)))
}
