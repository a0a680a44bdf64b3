//! Patterns in graphs over Flight: the request is the command of GetFlightInfo and the ticket of
//! DoGet.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use arrow::datatypes::Schema;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use futures::{Stream, TryStreamExt as _, stream};
use penstock::{Engine, MatchAnswer, MatchRequest, Task};
use penstock_types::TableName;
use serde_json::Value;
use tonic::{Response, Status};

use super::snapshot::MAX_MESSAGE_BODY;
use super::status;
use super::ticket::MatchCommand;
use crate::wire;

/// Matches of a batch.
const ROWS: usize = 16_384;

fn invalid(error: &impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

fn read(bytes: &[u8]) -> Result<MatchCommand, Status> {
    serde_json::from_slice(bytes).map_err(|error| invalid(&error))
}

/// What a command or ticket asks for.
fn request(command: MatchCommand) -> Result<MatchRequest, Status> {
    let mut fields = command.wanted;
    let Some(Value::String(table)) = fields.remove("table") else {
        return Err(invalid(&"a search for a pattern names its `table`"));
    };
    let table: TableName = table.parse().map_err(|error| invalid(&error))?;
    let wanted = serde_json::from_value(Value::Object(fields)).map_err(|error| invalid(&error))?;
    wire::match_request(table, wanted).map_err(|error| invalid(&error))
}

/// One endpoint, whose ticket names the version that is there now. Nothing is searched yet.
pub(super) async fn info(
    engine: &Engine,
    descriptor: FlightDescriptor,
) -> Result<Response<FlightInfo>, Status> {
    let mut command = read(&descriptor.cmd)?;
    let ask = request(command.clone())?;
    let table = engine.table(&ask.table, &ask.version).await;
    let version = table.map_err(|error| status::of(&error))?.version();
    let version = Value::from(version.to_string());
    command.wanted.insert("version".to_owned(), version);
    // JSON that was read is written again.
    let ticket = serde_json::to_vec(&command).unwrap_or_default();
    let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
    let info = FlightInfo::new()
        .try_with_schema(&MatchAnswer::schema())
        .map_err(|error| Status::internal(error.to_string()))?
        .with_descriptor(descriptor)
        .with_endpoint(endpoint)
        .with_total_records(-1)
        .with_total_bytes(-1)
        .with_ordered(true);
    Ok(Response::new(info))
}

/// Searches, and sends the matches that are kept. The schema's metadata says what was found.
pub(super) async fn get(
    engine: &Engine,
    ticket: &[u8],
) -> Result<Response<Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>>, Status> {
    let ask = request(read(ticket)?)?;
    let task = Task::default();
    // Dropped when the caller goes away: the search then stops.
    let _stop = task.cancel.clone().drop_guard();
    let answer = engine.match_pattern(ask, &task).await;
    let answer = answer.map_err(|error| status::of(&error))?;
    let schema = Schema::clone(&MatchAnswer::schema()).with_metadata(metadata(&answer));
    let rows = answer.matches.len();
    let ranges = (0..rows).step_by(ROWS).map(move |first| Range {
        start: first,
        end: (first + ROWS).min(rows),
    });
    let batches = ranges.map(move |range| answer.batch(range).map_err(FlightError::from));
    let batches = stream::iter(batches);
    let data = FlightDataEncoderBuilder::new()
        .with_schema(Arc::new(schema))
        .with_max_flight_data_size(MAX_MESSAGE_BODY)
        .build(batches)
        .map_err(Status::from);
    Ok(Response::new(Box::pin(data)))
}

/// All of a REST answer but its matches: each field as JSON, under `penstock:` and its name.
fn metadata(answer: &MatchAnswer) -> std::collections::HashMap<String, String> {
    let mut found = wire::match_answer(answer);
    found.matches = Vec::new();
    let Ok(Value::Object(fields)) = serde_json::to_value(found) else {
        return Default::default(); // a struct of numbers and words is an object
    };
    fields
        .into_iter()
        .filter(|(name, _)| name != "matches")
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            (format!("penstock:{name}"), text)
        })
        .collect()
}
