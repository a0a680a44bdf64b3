//! Arrow Flight and Flight SQL.
//!
//! One gRPC service answers both. A command or ticket that is JSON (its first byte is `{`) is
//! Penstock's own, see [`ticket`]; every other one is Flight SQL's protocol buffers.
//!
//! | call | what it takes | what it gives |
//! | --- | --- | --- |
//! | GetFlightInfo | command `{"snapshot": NAME_OR_DIGEST, "columns": [..], "ranks": N}` | N ordered endpoints, each with its row range in `app_metadata` |
//! | GetFlightInfo | command `{"match": {"table": TABLE, "pattern": {..}, ..}}`, as REST's `match` takes it | one endpoint, pinned to the version that is there |
//! | DoGet | a ticket from an endpoint | the rows, in messages of at most 4 MiB |
//! | DoGet | `{"match": {..}}` as above | the matches, with the columns of SQL's `match_pattern`; the schema's metadata has `penstock:complete`, `penstock:count`, `penstock:candidates` and the other fields of REST's answer |
//! | DoPut | path `[TABLE]` or `[TABLE, KIND]`; headers `idempotency-key`, `penstock-encoder` | one committed version |
//! | DoExchange | command `{"embed": ENCODER}`; batches with `sequence` (or a mesh), perhaps `id` | for each batch one with `id` and `vector` |
//! | DoExchange | command `{"search": {"table": TABLE, "k": 10, ..}}`; batches with `vector` | for each batch one with `query`, the columns asked for and `distance` |
//! | DoExchange | command `{"search_late": {"table": TABLE, "k": 10, ..}}`; batches with `vector`, each a query | for each batch one with the columns asked for and `distance` |
//! | ListFlights | | every snapshot |
//! | Flight SQL | statements, prepared statements, catalogs, schemas, tables | |

mod exchange;
mod fasta;
mod late;
mod matching;
mod put;
mod search;
mod service;
mod snapshot;
mod sql;
mod status;
pub mod ticket;

use std::io;
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use penstock::{CancellationToken, Engine};
use tokio::net::TcpListener;
use tonic::transport::server::TcpIncoming;

/// Largest message taken: a record batch of a DoPut client.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Serves until `shutdown` is cancelled; calls in flight are then finished.
///
/// # Errors
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    engine: Engine,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let service = FlightServiceServer::new(service::Service::new(engine))
        .max_decoding_message_size(MAX_MESSAGE_BYTES);
    // The builder's own `tcp_nodelay` is for listeners that it opens. Without it the second half of a
    // large answer waits for the client's delayed acknowledgement, 40 ms.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(30)))
        .http2_keepalive_timeout(Some(Duration::from_secs(20)))
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned())
        .await
        .map_err(io::Error::other)
}
