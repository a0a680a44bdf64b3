//! Heads: which there are, fitting one, and the states that one predicts.

use axum::extract::State as Extract;
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::HeaderMap;
use penstock::store::VersionRef;
use penstock_openapi::{Head, Heads, Job, PredictAnswer, PredictRequest, TrainHeadRequest};
use penstock_types::{HeadName, TableName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{ApiError, Json, Path, Result, named, word, word_option};
use super::job::begin;
use super::rows::{self, Broken, Form};
use crate::jobs::{JobRequest, TrainHead};
use crate::{predict, wire};

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(list_heads))
        .routes(routes!(train_head))
        .routes(routes!(predict_states))
}

/// The trained heads
#[utoipa::path(get, path = "/v1/heads", tag = "heads", responses(
    (status = 200, description = "All heads, with what they were fitted on", body = Heads)
))]
async fn list_heads(Extract(state): Extract<State>) -> Result<axum::Json<Heads>> {
    let heads = state.engine().heads().await?;
    Ok(axum::Json(Heads {
        heads: heads.iter().map(wire::head).collect(),
    }))
}

/// Fit a head on a table's structures
///
/// The labels are helix, strand and coil by each row's C-alpha trace. (The command line also takes
/// them from a file.)
#[utoipa::path(post, path = "/v1/tables/{table}/heads", tag = "heads",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = TrainHeadRequest,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "The head, where the caller waited", body = Head),
    )
)]
async fn train_head(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    Json(request): Json<TrainHeadRequest>,
) -> Result<Response> {
    let name: TableName = named("table", &table)?;
    let version: Option<VersionRef> = word_option(request.version.as_ref())?;
    let table = state
        .engine()
        .table(&name, &version.unwrap_or_default())
        .await?;
    let defaults = penstock::HeadRequest::new(word(&request.name)?, name.clone());
    let head = TrainHead {
        name: defaults.name,
        table: name,
        version: table.version(),
        column: request.column,
        group: request.group,
        validation: request.validation.unwrap_or(defaults.validation),
        test: request.test.unwrap_or(defaults.test),
        split_seed: request.split_seed.unwrap_or(defaults.split_seed),
        options: wire::head_options(&request.options)?,
        replace: request.replace,
    };
    begin(&state, &headers, JobRequest::TrainHead(head)).await
}

/// Predict the states of residues
///
/// Of sequences that are sent, or of a table's rows; a table's own vectors are used where it has
/// those that the head reads. The answer is JSON, one object a line, or an Arrow stream with the
/// columns `id`, `states` and `probabilities`, and is sent as it is computed: one that breaks off
/// before its end is an error.
///
///     curl -H 'Content-Type: application/json' -d '{"head": "ss3", "sequences": ["MKTAYIAKQRQISFVK"]}' http://127.0.0.1:7370/v1/predict
#[utoipa::path(post, path = "/v1/predict", tag = "heads",
    params(("Accept" = Option<String>, Header, description = "Form of the answer")),
    request_body = PredictRequest,
    responses((status = 200, description = "The states", content(
        (PredictAnswer = "application/json"),
        (String = "application/x-ndjson"),
        (Vec<u8> = "application/vnd.apache.arrow.stream"),
    )))
)]
async fn predict_states(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    Json(request): Json<PredictRequest>,
) -> Result<Response> {
    let form = Form::of(&headers)?;
    let engine = state.engine();
    let name: HeadName = named("head", &request.head)?;
    let source = match (request.table, request.sequences.is_empty()) {
        (Some(table), true) => {
            let version: Option<VersionRef> = word_option(request.version.as_ref())?;
            predict::Source::Table(named("table", &table)?, version.unwrap_or_default())
        }
        (None, false) if request.version.is_none() => predict::Source::Sequences(request.sequences),
        _ => {
            return Err(ApiError::bad(
                "give `sequences`, or a `table` and perhaps its `version`",
            ));
        }
    };
    let head = engine.head(&name).await?;
    let mut batches = predict::stream(engine, &head, source).await?;
    // The first batch is waited for, so that what fails at once has a status of its own; it also
    // knows the schema.
    let first = batches
        .next()
        .await
        .transpose()?
        .ok_or_else(|| ApiError::bad("there is nothing to predict: the table has no rows"))?;
    let schema = first.schema();
    let batches = stream::iter([Ok(first)])
        .chain(batches)
        .map_err(|error| Broken::Source(Box::new(error)));
    let (before, after) = predict::around(&head);
    let around = (Bytes::from(before), Bytes::from_static(after.as_bytes()));
    rows::response(form, &schema, batches, around)
}
