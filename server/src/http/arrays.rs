//! Blocks of an array, by rank or by range: what C and Fortran programs pull.

use std::ops::Range;

use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::Response;
use futures::TryStreamExt as _;
use http::{HeaderMap, HeaderName, Method};
use penstock::export::{BlockRequest, Order, Partition, Rank, RowBlock, Snapshot};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::State;
use super::conditional::{Representation, select};
use super::error::{ApiError, Path, Query, Result, word_option};
use super::snapshots::by_digest;
use super::zarr::CRC32C;

const FIRST_ROW: HeaderName = HeaderName::from_static("penstock-first-row");
const ROWS: HeaderName = HeaderName::from_static("penstock-rows");
const TOTAL_ROWS: HeaderName = HeaderName::from_static("penstock-total-rows");
const SHAPE: HeaderName = HeaderName::from_static("penstock-shape");
const DTYPE: HeaderName = HeaderName::from_static("penstock-dtype");
const ORDER: HeaderName = HeaderName::from_static("penstock-order");

pub(super) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new().routes(routes!(get_rows))
}

/// Which rows, and in what form.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Block {
    /// A rank's share, from 0; with `of`. For an array of a ragged column: the items of the rank's
    /// rows (for its offsets: one more than rows).
    rank: Option<u64>,
    /// How many ranks there are.
    of: Option<u64>,
    /// The first entry of the array; with `count`.
    start: Option<u64>,
    /// How many entries.
    count: Option<u64>,
    /// `chunk`: ranks begin and end at chunks of the array, so that no chunk is read twice.
    align: Option<String>,
    /// `bytes`: ranks get about the same number of items of the array's ragged column.
    balance: Option<String>,
    /// The partition vector itself: `of` + 1 row numbers from 0 to N, separated by commas.
    bounds: Option<String>,
    /// Element type, such as `float64`; left out: the array's own.
    dtype: Option<String>,
    /// `C` (row by row, as left out) or `F` (component by component).
    #[param(pattern = "^[CF]$")]
    order: Option<String>,
}

/// Rows of an array
///
/// Plain numbers, little-endian, without any frame. The headers say the first row, the number of
/// rows, shape, type, order and CRC-32C of the whole block. Rank r of n has N/n + (N mod n > r)
/// rows, contiguous, as PETSc deals them. A transfer that broke goes on with a Range.
#[utoipa::path(get, path = "/v1/snapshots/{snapshot}/arrays/{*array}", tag = "snapshots",
    params(
        ("snapshot" = String, Path, description = "Digest"),
        ("array" = String, Path, description = "Array, such as `ca_xyz/values`; may hold slashes"),
        Block,
        ("Range" = Option<String>, Header, description = "One range of bytes of the block"),
    ),
    responses(
        (status = 200, description = "The block", body = Vec<u8>, content_type = "application/octet-stream",
         headers(
            ("penstock-first-row" = u64, description = "First entry of the block"),
            ("penstock-rows" = u64, description = "Entries of the block"),
            ("penstock-total-rows" = u64, description = "Entries of the array"),
            ("penstock-shape" = String, description = "Shape of the block, separated by commas"),
            ("penstock-dtype" = String, description = "Element type"),
            ("penstock-order" = String, description = "C or F"),
            ("penstock-crc32c" = String, description = "CRC-32C of the whole block, in hexadecimal"),
         )),
        (status = 206, description = "A range of it", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 304, description = "As the caller has it"),
    )
)]
async fn get_rows(
    Extract(state): Extract<State>,
    method: Method,
    Path((text, rest)): Path<(String, String)>,
    Query(wanted): Query<Block>,
    headers: HeaderMap,
) -> Result<Response> {
    let Some(array) = rest.strip_suffix("/rows") else {
        return Err(ApiError::not_found("resource below arrays", &rest));
    };
    let snapshot = by_digest(&state, &text).await?;
    let order = match wanted.order.as_deref() {
        None | Some("C") => Order::C,
        Some("F") => Order::F,
        Some(other) => return Err(ApiError::bad(format!("`order` is C or F, not `{other}`"))),
    };
    let mut request = BlockRequest::new(array, entries(&snapshot, array, &wanted).await?);
    request.dtype = word_option(wanted.dtype.as_ref())?;
    request.order = order;
    let block = snapshot.block(&request)?;
    respond(&method, &headers, &snapshot, block).await
}

/// The entries that a request names.
async fn entries(snapshot: &Snapshot, array: &str, wanted: &Block) -> Result<Range<u64>> {
    let total = snapshot.array(array)?.rows();
    match (wanted.rank, wanted.of, wanted.start, wanted.count) {
        (Some(rank), Some(of), None, None) => {
            let partition = partition(snapshot, array, wanted)?;
            let rows = snapshot.partition(&partition, Rank::new(rank, of)?).await?;
            Ok(snapshot.entries(array, rows).await?)
        }
        (None, None, start, count) => {
            if wanted.align.is_some() || wanted.balance.is_some() || wanted.bounds.is_some() {
                return Err(ApiError::bad(
                    "`align`, `balance` and `bounds` go with `rank` and `of`",
                ));
            }
            let start = start.unwrap_or(0);
            let end = match count {
                Some(count) => start.saturating_add(count),
                None => total.max(start),
            };
            Ok(start..end)
        }
        _ => Err(ApiError::bad(
            "give `rank` and `of`, or `start` and `count`, or none of them",
        )),
    }
}

fn partition(snapshot: &Snapshot, array: &str, wanted: &Block) -> Result<Partition> {
    match (
        wanted.align.as_deref(),
        wanted.balance.as_deref(),
        wanted.bounds.as_deref(),
    ) {
        (None, None, None) => Ok(Partition::Petsc),
        (Some("chunk"), None, None) => Ok(Partition::AlignChunk {
            array: array.to_owned(),
        }),
        (None, Some("bytes"), None) => {
            let column = snapshot.array(array)?.column.clone();
            Ok(Partition::BalanceBytes { column })
        }
        (None, None, Some(bounds)) => {
            let bounds: Result<Vec<u64>, _> = bounds.split(',').map(str::parse).collect();
            let bounds = bounds.map_err(|_| ApiError::bad("`bounds` are numbers and commas"))?;
            Ok(Partition::Explicit(bounds))
        }
        _ => Err(ApiError::bad(
            "give one of `align=chunk`, `balance=bytes` and `bounds`",
        )),
    }
}

async fn respond(
    method: &Method,
    headers: &HeaderMap,
    snapshot: &Snapshot,
    block: RowBlock,
) -> Result<Response> {
    let entries = block.entries();
    let order = match block.order() {
        Order::C => "C",
        Order::F => "F",
    };
    let (length, dtype) = (block.bytes(), block.dtype());
    let etag = format!(
        "{}-{}-{}-{}-{dtype}-{order}",
        snapshot.digest(),
        block.array().name,
        entries.start,
        entries.end,
    );
    let selected = select(headers, &etag, length);
    let shape: Vec<String> = block.shape().iter().map(ToString::to_string).collect();
    let mut describing = vec![
        (FIRST_ROW, entries.start.to_string()),
        (ROWS, (entries.end - entries.start).to_string()),
        (TOTAL_ROWS, block.array().rows().to_string()),
        (SHAPE, shape.join(",")),
        (DTYPE, dtype.to_string()),
        (ORDER, order.to_owned()),
    ];
    let body = match selected.range(length) {
        Some(range) => {
            describing.push((CRC32C, format!("{:08x}", block.crc32c().await?)));
            if method == Method::HEAD {
                Body::empty()
            } else {
                // A damaged chunk ends the transfer short of its length: no client takes that for
                // the whole.
                Body::from_stream(block.stream(Some(range))?.inspect_err(|error| {
                    tracing::error!(%error, "a block broke off");
                }))
            }
        }
        None => Body::empty(),
    };
    Representation {
        content_type: "application/octet-stream",
        etag,
        length,
        headers: describing,
    }
    .respond(&selected, body)
}
