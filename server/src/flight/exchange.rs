//! DoExchange: records in, their vectors out, batch by batch.

use std::pin::Pin;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use penstock::Engine;
use penstock::encoding::Encoder;
use serde::Deserialize;
use tonic::{Request, Response, Status, Streaming};

use super::put::decode;
use super::snapshot::MAX_MESSAGE_BODY;
use super::status;

/// What the first message's descriptor asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmbedCommand {
    /// Name of the encoder.
    embed: String,
}

type Answer = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// Embeds what the client writes. A batch has the columns that the encoder reads (`sequence`, or
/// `vertices` and `faces`) and may have `id`; the answer to it has `id`, where there was one, and
/// `vector`.
pub(super) async fn exchange(
    engine: &Engine,
    request: Request<Streaming<FlightData>>,
) -> Result<Response<Answer>, Status> {
    let mut messages = request.into_inner();
    let first = messages
        .message()
        .await?
        .ok_or_else(|| Status::invalid_argument("DoExchange was given no message"))?;
    let command = first
        .flight_descriptor
        .as_ref()
        .and_then(|descriptor| serde_json::from_slice::<EmbedCommand>(&descriptor.cmd).ok())
        .ok_or_else(|| {
            Status::invalid_argument(
                "DoExchange takes a command descriptor {\"embed\": ENCODER} with its first message",
            )
        })?;
    let encoder = engine
        .encoder(&command.embed)
        .await
        .map_err(|error| status::of(&error))?;
    // Some clients send the descriptor by itself, ahead of the schema.
    let first = (!first.data_header.is_empty()).then_some(Ok(first));
    let batches = decode(stream::iter(first).chain(messages));
    let vectors = batches
        .and_then(move |batch| vectors(Arc::clone(&encoder), batch))
        .map_err(|status| FlightError::Tonic(Box::new(status)));
    let data = FlightDataEncoderBuilder::new()
        .with_max_flight_data_size(MAX_MESSAGE_BODY)
        .build(vectors)
        .map_err(Status::from);
    Ok(Response::new(Box::pin(data)))
}

async fn vectors(encoder: Arc<dyn Encoder>, batch: RecordBatch) -> Result<RecordBatch, Status> {
    tokio::task::spawn_blocking(move || penstock::embed(&*encoder, &batch))
        .await
        .map_err(|error| Status::internal(error.to_string()))?
        .map_err(|error| status::of(&error))
}
