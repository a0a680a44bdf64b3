//! Snapshots over Flight: one endpoint per rank, stateless tickets.

use std::pin::Pin;
use std::time::{Duration, SystemTime};

use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use futures::{Stream, StreamExt, TryStreamExt, stream};
use penstock::Engine;
use penstock::export::{Rank, Snapshot, partition};
use tonic::{Response, Status};

use super::status;
use super::ticket::{EndpointRange, SnapshotCommand, SnapshotTicket};

/// How long an endpoint is promised to work. A snapshot never changes, so this only makes DoGet
/// repeatable in the terms of the protocol.
const ENDPOINT_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// More endpoints than a FlightInfo message can carry under tonic's default limit of 4 MiB.
const MAX_RANKS: u64 = 10_000;

/// Body bytes of one message; tonic's default decode limit is 4 MiB with the header.
pub(super) const MAX_MESSAGE_BODY: usize = 3 << 20;

type Answer<T> = Result<Response<Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>>, Status>;

fn bad(what: &str, error: &serde_json::Error) -> Status {
    Status::invalid_argument(format!("{what}: {error}"))
}

pub(super) async fn info(
    engine: &Engine,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let command: SnapshotCommand = serde_json::from_slice(&descriptor.cmd)
        .map_err(|error| bad("the command is no snapshot command", &error))?;
    let snapshot = engine
        .snapshot(&command.snapshot)
        .await
        .map_err(|e| status::of(&e))?;
    flight_info(&snapshot, &command, descriptor).map(Response::new)
}

fn flight_info(
    snapshot: &Snapshot,
    command: &SnapshotCommand,
    descriptor: FlightDescriptor,
) -> Result<FlightInfo, Status> {
    if command.ranks == 0 || command.ranks > MAX_RANKS {
        return Err(Status::invalid_argument(format!(
            "ranks must be between 1 and {MAX_RANKS}; {} was given",
            command.ranks
        )));
    }
    let schema = snapshot
        .schema_of(command.columns.as_deref())
        .map_err(|error| status::of(&error.into()))?;
    let rows = snapshot.rows();
    let expires = prost_types::Timestamp::from(SystemTime::now() + ENDPOINT_LIFETIME);
    let mut info = FlightInfo::new()
        .try_with_schema(&schema)
        .map_err(|error| Status::internal(error.to_string()))?
        .with_descriptor(descriptor)
        .with_total_records(i64::try_from(rows).unwrap_or(-1))
        .with_total_bytes(-1)
        .with_ordered(true);
    for rank in 0..command.ranks {
        let range = partition::petsc(
            rows,
            Rank::new(rank, command.ranks).map_err(|error| status::of(&error.into()))?,
        );
        let ticket = SnapshotTicket {
            digest: snapshot.digest().to_string(),
            columns: command.columns.clone(),
            row0: range.start,
            row1: range.end,
        };
        let metadata = EndpointRange {
            rank,
            of: command.ranks,
            row0: range.start,
            row1: range.end,
        };
        info.endpoint.push(FlightEndpoint {
            ticket: Some(Ticket::new(to_json(&ticket))),
            location: Vec::new(),
            expiration_time: Some(expires),
            app_metadata: to_json(&metadata).into(),
        });
    }
    Ok(info)
}

fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    // Plain structs of text and numbers: there is nothing in them that JSON cannot say.
    serde_json::to_vec(value).unwrap_or_default()
}

pub(super) async fn get(engine: &Engine, ticket: &[u8]) -> Answer<FlightData> {
    let ticket: SnapshotTicket = serde_json::from_slice(ticket)
        .map_err(|error| bad("the ticket is no snapshot ticket", &error))?;
    let snapshot = engine
        .snapshot(&ticket.digest)
        .await
        .map_err(|e| status::of(&e))?;
    if ticket.row0 > ticket.row1 || ticket.row1 > snapshot.rows() {
        return Err(Status::out_of_range(format!(
            "rows {}..{} are outside the snapshot's {} rows",
            ticket.row0,
            ticket.row1,
            snapshot.rows()
        )));
    }
    let schema = snapshot
        .schema_of(ticket.columns.as_deref())
        .map_err(|error| status::of(&error.into()))?;
    let batches = snapshot
        .record_batches(ticket.columns.as_deref(), ticket.row0..ticket.row1)
        .map_err(|error| status::of(&error.into()))?
        .map_err(|error| FlightError::Tonic(Box::new(status::of(&error.into()))));
    let data = FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .with_max_flight_data_size(MAX_MESSAGE_BODY)
        .build(batches)
        .map_err(Status::from);
    Ok(Response::new(Box::pin(data)))
}

pub(super) async fn list(engine: &Engine) -> Answer<FlightInfo> {
    let entries = engine.snapshots().await.map_err(|e| status::of(&e))?;
    let engine = engine.clone();
    let infos = stream::iter(entries).then(move |entry| {
        let engine = engine.clone();
        async move {
            let command = SnapshotCommand {
                snapshot: entry.name.to_string(),
                columns: None,
                ranks: 1,
            };
            let snapshot = engine
                .snapshot(&command.snapshot)
                .await
                .map_err(|e| status::of(&e))?;
            flight_info(
                &snapshot,
                &command,
                FlightDescriptor::new_cmd(to_json(&command)),
            )
        }
    });
    Ok(Response::new(Box::pin(infos)))
}
