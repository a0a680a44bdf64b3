//! Snapshots.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, Method};
use penstock::export::Snapshot;
use penstock::store::VersionRef;
use penstock_openapi::{self as wire_types, CreateSnapshot, Job, Snapshots};
use penstock_types::{Sha256Digest, SnapshotName, TableName};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::conditional::{Representation, select};
use super::error::{ApiError, Json, Path, Result, named, word};
use super::job::begin;
use crate::jobs::JobRequest;
use crate::wire;

pub(super) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// Open snapshots that are kept: their manifests are read once and not at each request.
const CACHED: usize = 64;

/// The snapshots opened last. They never change, so nothing here is ever stale.
#[derive(Default)]
pub(super) struct Cache(Mutex<VecDeque<Snapshot>>);

impl Cache {
    fn get(&self, digest: Sha256Digest) -> Option<Snapshot> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = open
            .iter()
            .position(|snapshot| snapshot.digest() == digest)?;
        let found = open.remove(at)?;
        open.push_back(found.clone());
        Some(found)
    }

    fn put(&self, snapshot: Snapshot) {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= CACHED {
            open.pop_front();
        }
        open.push_back(snapshot);
    }
}

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(list_snapshots, create_snapshot))
        .routes(routes!(get_snapshot))
        .routes(routes!(get_manifest))
}

/// The digest that a path names directly.
fn digest_of(text: &str) -> Option<Sha256Digest> {
    let bare = text
        .strip_prefix("sha256:")
        .or_else(|| text.strip_prefix("sha256-"));
    bare.unwrap_or(text).parse().ok()
}

async fn open(state: &State, digest: Sha256Digest) -> Result<Snapshot> {
    if let Some(snapshot) = state.0.snapshots.get(digest) {
        return Ok(snapshot);
    }
    let snapshot = state.engine().snapshot(&digest.to_string()).await?;
    state.0.snapshots.put(snapshot.clone());
    Ok(snapshot)
}

/// The snapshot of a path whose bytes are cached for ever: it must be named by its digest. A name
/// is answered with the digest that it stands for, and not with a redirect, which some readers do
/// not follow and others cache.
pub(super) async fn by_digest(state: &State, text: &str) -> Result<Snapshot> {
    if let Some(digest) = digest_of(text) {
        return open(state, digest).await;
    }
    let digest = Snapshot::resolve(state.engine().store(), text).await?;
    Err(ApiError::bad(format!(
        "`{text}` is a name and may come to stand for another snapshot; now it is \
         {digest}: read /v1/snapshots/{digest}/ instead"
    )))
}

async fn by_name(state: &State, text: &str) -> Result<(Option<String>, Snapshot)> {
    match digest_of(text) {
        Some(digest) => Ok((None, open(state, digest).await?)),
        None => {
            let entry = Snapshot::named(state.engine().store(), text).await?;
            Ok((
                Some(entry.name.to_string()),
                open(state, entry.digest).await?,
            ))
        }
    }
}

/// All snapshots
#[utoipa::path(get, path = "/v1/snapshots", tag = "snapshots", responses(
    (status = 200, description = "All names with their digests", body = Snapshots)
))]
async fn list_snapshots(Extract(state): Extract<State>) -> Result<axum::Json<Snapshots>> {
    Ok(axum::Json(wire::snapshots(state.engine()).await?))
}

/// Make a snapshot
///
/// Pins rows and columns of a table version under a name and a digest, as chunked arrays. The same
/// request again answers the same snapshot.
#[utoipa::path(post, path = "/v1/snapshots", tag = "snapshots",
    params(("Prefer" = Option<String>, Header, description = "`wait=N`: wait up to N seconds for the result")),
    request_body = CreateSnapshot,
    responses(
        (status = 202, description = "The job", body = Job),
        (status = 200, description = "The snapshot, where the caller waited", body = wire_types::Snapshot),
    )
)]
async fn create_snapshot(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    Json(request): Json<CreateSnapshot>,
) -> Result<Response> {
    let name: SnapshotName = word(&request.name)?;
    let table: TableName = named("table", &request.table)?;
    let at = request
        .version
        .as_ref()
        .map_or(Ok(VersionRef::Latest), |text| word(text))?;
    let version = state.engine().table(&table, &at).await?.version();
    let request = JobRequest::Snapshot {
        name,
        table,
        version,
        columns: request.columns,
        filter: request.filter,
    };
    begin(&state, &headers, request).await
}

/// One snapshot
///
/// By name, by `latest`, or by digest. The digest in the answer is the name under which the
/// snapshot's bytes are served.
#[utoipa::path(get, path = "/v1/snapshots/{snapshot}", tag = "snapshots",
    params(("snapshot" = String, Path, description = "Name or digest")),
    responses((status = 200, description = "The snapshot", body = wire_types::Snapshot))
)]
async fn get_snapshot(
    Extract(state): Extract<State>,
    Path(text): Path<String>,
) -> Result<axum::Json<wire_types::Snapshot>> {
    let (name, snapshot) = by_name(&state, &text).await?;
    Ok(axum::Json(wire::snapshot(name.as_deref(), &snapshot)))
}

/// The manifest of a snapshot
///
/// The bytes whose SHA-256 is the digest: columns, arrays, and length and CRC-32C of each chunk.
#[utoipa::path(get, path = "/v1/snapshots/{snapshot}/manifest.json", tag = "snapshots",
    params(("snapshot" = String, Path, description = "Digest")),
    responses(
        (status = 200, description = "The manifest", body = Object, content_type = "application/json"),
        (status = 304, description = "As the caller has it"),
    )
)]
async fn get_manifest(
    Extract(state): Extract<State>,
    method: Method,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Response> {
    let snapshot = by_digest(&state, &text).await?;
    let bytes = snapshot.manifest_bytes().clone();
    document(
        &method,
        &headers,
        snapshot.digest().to_string(),
        bytes,
        snapshot.digest(),
    )
}

/// A JSON document that never changes.
pub(super) fn document(
    method: &Method,
    headers: &HeaderMap,
    etag: String,
    bytes: bytes::Bytes,
    sha256: Sha256Digest,
) -> Result<Response> {
    let length = bytes.len() as u64;
    let selected = select(headers, &etag, length);
    let body = match selected.range(length) {
        Some(range) if method != Method::HEAD => {
            Body::from(bytes.slice(range.start as usize..range.end as usize))
        }
        _ => Body::empty(),
    };
    let digest = format!("sha-256=:{}:", BASE64_STANDARD.encode(sha256.as_bytes()));
    Representation {
        content_type: "application/json",
        etag,
        length,
        headers: vec![(REPR_DIGEST, digest)],
    }
    .respond(&selected, body)
}
