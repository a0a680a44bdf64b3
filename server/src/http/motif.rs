//! Motifs.

use axum::extract::State as Extract;
use penstock::store::VersionRef;
use penstock_openapi::{MotifAnswer, MotifRequest};
use penstock_types::TableName;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{Json, Path, Result, named, word_option};
use crate::wire;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(motif))
}

/// Find the occurrences of a pattern
///
/// Exact: all of them, overlapping ones too, whether or not there is an index of substrings, which
/// only saves time. The pattern is written as in PROSITE: `A` this letter, `x` any, `[ST]` one of
/// these, `{P}` any but these, `x(2,4)` repeated, `<` and `>` the ends of the sequence. Positions
/// count from 0, and `end` is one past the last letter.
///
///     curl -H 'Content-Type: application/json' -d '{"pattern": "[AG]-x(4)-G-K-[ST]"}' http://127.0.0.1:7370/v1/tables/proteins/motif
#[utoipa::path(post, path = "/v1/tables/{table}/motif", tag = "search",
    params(("table" = String, Path, description = "Name of the table")),
    request_body = MotifRequest,
    responses((status = 200, description = "The occurrences", body = MotifAnswer))
)]
async fn motif(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Json(wanted): Json<MotifRequest>,
) -> Result<axum::Json<MotifAnswer>> {
    let table: TableName = named("table", &table)?;
    let at = word_option(wanted.version.as_ref())?.unwrap_or(VersionRef::Latest);
    let request = wire::motif_request(wanted);
    let answer = state.engine().motif(&table, &at, &request).await?;
    Ok(axum::Json(wire::motif_answer(&table, &answer)))
}
