//! The Zarr v3 tree of a snapshot.

use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::Response;
use http::{HeaderMap, HeaderName, Method};
use penstock::export::ZarrObject;
use penstock_types::Sha256Digest;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::conditional::{Representation, select};
use super::error::{ApiError, Path, Result};
use super::snapshots::{by_digest, document};

pub(super) const CRC32C: HeaderName = HeaderName::from_static("penstock-crc32c");

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(get_zarr))
}

/// A key of the Zarr tree
///
/// `zarr.json` documents and chunks (codecs `bytes`, little-endian, and `crc32c`), for
/// zarr-python, tensorstore and everything else that reads Zarr v3 over HTTP. Open
/// `/v1/snapshots/{digest}/zarr/raw`. HEAD; single, open and suffix ranges; strong ETags. A key
/// outside of the tree is 404; a chunk within an array's grid never is.
#[utoipa::path(get, path = "/v1/snapshots/{snapshot}/zarr/raw/{*key}", tag = "snapshots",
    params(
        ("snapshot" = String, Path, description = "Digest"),
        ("key" = String, Path, description = "Key, such as `ca_xyz/values/c/0/0`; may hold slashes"),
        ("Range" = Option<String>, Header, description = "One range of bytes"),
    ),
    responses(
        (status = 200, description = "The bytes", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "A range of them", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "As the caller has it"),
    )
)]
async fn get_zarr(
    Extract(state): Extract<State>,
    method: Method,
    Path((text, key)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response> {
    let snapshot = by_digest(&state, &text).await?;
    let digest = snapshot.digest();
    match snapshot.zarr_object(&key) {
        ZarrObject::Metadata(bytes) => {
            let sha256 = Sha256Digest::of(&bytes);
            document(&method, &headers, sha256.to_string(), bytes, sha256)
        }
        ZarrObject::Chunk {
            array,
            index,
            length,
            crc32c,
        } => {
            let etag = format!("{digest}-{array}-{index}");
            let selected = select(&headers, &etag, length);
            let body = match selected.range(length) {
                Some(range) if method != Method::HEAD => {
                    let bytes = snapshot.chunk(&array, index).await?;
                    Body::from(bytes.slice(range.start as usize..range.end as usize))
                }
                _ => Body::empty(),
            };
            Representation {
                content_type: "application/octet-stream",
                etag,
                length,
                headers: vec![(CRC32C, format!("{crc32c:08x}"))],
            }
            .respond(&selected, body)
        }
        ZarrObject::OutsideGrid | ZarrObject::Missing => Err(ApiError::not_found("key", &key)),
    }
}
