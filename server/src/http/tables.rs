//! Tables, versions, tags, and the deletion of rows.

use axum::extract::State as Extract;
use http::{HeaderMap, StatusCode};
use penstock::store::VersionRef;
use penstock_openapi::{
    DeleteOutcome, DeleteRequest, SetTag, TableDescription, Tables, Tag, Tags, Versions,
};
use penstock_types::TableName;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::error::{Json, Path, Query, Result, named, word};
use super::job::idempotency_key;
use crate::wire;

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(list_tables))
        .routes(routes!(describe_table, drop_table))
        .routes(routes!(list_versions))
        .routes(routes!(list_tags))
        .routes(routes!(set_tag))
        .routes(routes!(delete_rows))
}

/// All tables
#[utoipa::path(get, path = "/v1/tables", tag = "tables", responses(
    (status = 200, description = "Every table at its latest version, by name", body = Tables)
))]
async fn list_tables(Extract(state): Extract<State>) -> Result<axum::Json<Tables>> {
    let tables = state.engine().tables().await?;
    Ok(axum::Json(Tables {
        tables: tables.iter().map(wire::table_summary).collect(),
    }))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct At {
    /// Number or tag of a version; left out: the latest.
    version: Option<String>,
}

fn version(text: Option<&String>) -> Result<VersionRef> {
    text.map_or(Ok(VersionRef::Latest), |text| word(text))
}

/// One table
///
/// Columns, feature columns, indexes, sizes and tags.
#[utoipa::path(get, path = "/v1/tables/{table}", tag = "tables",
    params(("table" = String, Path, description = "Name of the table"), At),
    responses((status = 200, description = "The table", body = TableDescription))
)]
async fn describe_table(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    Query(at): Query<At>,
) -> Result<axum::Json<TableDescription>> {
    let table: TableName = named("table", &table)?;
    let found = state
        .engine()
        .describe(&table, &version(at.version.as_ref())?)
        .await?;
    Ok(axum::Json(wire::table_description(&found)))
}

/// Remove a table with all its versions
///
/// Snapshots made from it stay.
#[utoipa::path(delete, path = "/v1/tables/{table}", tag = "tables",
    params(("table" = String, Path, description = "Name of the table")),
    responses((status = 204, description = "The table is gone"))
)]
async fn drop_table(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
) -> Result<StatusCode> {
    state.engine().drop_table(&named("table", &table)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The versions of a table
#[utoipa::path(get, path = "/v1/tables/{table}/versions", tag = "tables",
    params(("table" = String, Path, description = "Name of the table")),
    responses((status = 200, description = "All versions that can be read", body = Versions))
)]
async fn list_versions(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
) -> Result<axum::Json<Versions>> {
    let table: TableName = named("table", &table)?;
    let versions = state.engine().versions(&table).await?;
    Ok(axum::Json(wire::versions(&table, &versions)))
}

/// The tags of a table
#[utoipa::path(get, path = "/v1/tables/{table}/tags", tag = "tables",
    params(("table" = String, Path, description = "Name of the table")),
    responses((status = 200, description = "Versions by tag", body = Tags))
)]
async fn list_tags(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
) -> Result<axum::Json<Tags>> {
    let table: TableName = named("table", &table)?;
    let found = state
        .engine()
        .table(&table, &VersionRef::Latest)
        .await?
        .tags()
        .await?;
    let tags = found
        .iter()
        .map(|(tag, version)| (tag.to_string(), *version))
        .collect();
    Ok(axum::Json(Tags {
        table: table.to_string(),
        tags,
    }))
}

/// Name a version
///
/// A tag that names this version already is left as it is; one that names another is an error.
#[utoipa::path(put, path = "/v1/tables/{table}/tags/{tag}", tag = "tables",
    params(
        ("table" = String, Path, description = "Name of the table"),
        ("tag" = String, Path, description = "The tag"),
    ),
    request_body = SetTag,
    responses((status = 200, description = "The version has the tag", body = Tag))
)]
async fn set_tag(
    Extract(state): Extract<State>,
    Path((table, tag)): Path<(String, String)>,
    Json(request): Json<SetTag>,
) -> Result<axum::Json<Tag>> {
    let table: TableName = named("table", &table)?;
    let tag = word(&tag)?;
    let at = version(request.version.as_ref())?;
    let version = state.engine().tag(&table, &tag, &at).await?;
    Ok(axum::Json(Tag {
        table: table.to_string(),
        tag: tag.to_string(),
        version,
    }))
}

/// Delete rows
///
/// One new version without the rows that match.
#[utoipa::path(post, path = "/v1/tables/{table}/delete", tag = "tables",
    params(
        ("table" = String, Path, description = "Name of the table"),
        ("Idempotency-Key" = Option<String>, Header,
         description = "Makes a repetition safe: stored in the same transaction as the deletion"),
    ),
    request_body = DeleteRequest,
    responses((status = 200, description = "The rows are gone", body = DeleteOutcome))
)]
async fn delete_rows(
    Extract(state): Extract<State>,
    Path(table): Path<String>,
    headers: HeaderMap,
    Json(request): Json<DeleteRequest>,
) -> Result<axum::Json<DeleteOutcome>> {
    let table: TableName = named("table", &table)?;
    let key = idempotency_key(&headers)?;
    let outcome = state
        .engine()
        .delete(&table, &request.predicate, key)
        .await?;
    Ok(axum::Json(wire::delete_outcome(&table, &outcome)))
}
