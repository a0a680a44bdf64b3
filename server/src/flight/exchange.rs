//! DoExchange: records in, their vectors out; or vectors in, rows near to them out.

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
use serde_json::{Map, Value};
use tonic::{Request, Response, Status, Streaming};

use super::late::LateSearches;
use super::put::decode;
use super::search::Searches;
use super::snapshot::MAX_MESSAGE_BODY;
use super::status;

/// What the first message's descriptor asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
enum Command {
    /// Vectors of records, by the encoder of this name.
    Embed(String),
    /// Rows near to vectors: a table, and the options of a batch of searches.
    Search(Map<String, Value>),
    /// Rows by a vector for each of their items: a table, and the options of such a search.
    SearchLate(Map<String, Value>),
}

type Answer = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;
type Batches = Pin<Box<dyn Stream<Item = Result<RecordBatch, Status>> + Send>>;

/// Answers each batch that the client writes with one.
///
/// To be embedded, a batch has the columns that the encoder reads (`sequence`, or `vertices` and
/// `faces`) and may have `id`; the answer has `id`, where there was one, and `vector`. To be
/// searched with, it has `vector`; the answer has `query`, the columns asked for and `distance`. In
/// a search by late interaction a batch is one query, and the answer has no `query`.
pub(super) async fn exchange(
    engine: &Engine,
    request: Request<Streaming<FlightData>>,
) -> Result<Response<Answer>, Status> {
    let mut messages = request.into_inner();
    let first = messages
        .message()
        .await?
        .ok_or_else(|| Status::invalid_argument("DoExchange was given no message"))?;
    let command = first.flight_descriptor.as_ref();
    let command = command.map_or(&[][..], |descriptor| &descriptor.cmd);
    let command: Command = serde_json::from_slice(command).map_err(|error| {
        Status::invalid_argument(format!(
            "DoExchange takes a command descriptor {{\"embed\": ENCODER}}, {{\"search\": \
             {{\"table\": TABLE, ..}}}} or {{\"search_late\": {{\"table\": TABLE, ..}}}} with its \
             first message: {error}"
        ))
    })?;
    // Some clients send the descriptor by itself, ahead of the schema.
    let first = (!first.data_header.is_empty()).then_some(Ok(first));
    let batches = decode(stream::iter(first).chain(messages));
    let answers: Batches = match command {
        Command::Embed(encoder) => {
            let encoder = engine
                .encoder(&encoder)
                .await
                .map_err(|error| status::of(&error))?;
            Box::pin(batches.and_then(move |batch| vectors(Arc::clone(&encoder), batch)))
        }
        Command::Search(command) => {
            let searches = Searches::new(engine, command).await?;
            let open = (Box::pin(batches), searches);
            Box::pin(stream::try_unfold(
                open,
                |(mut batches, mut searches)| async move {
                    match batches.try_next().await? {
                        None => Ok(None),
                        Some(batch) => {
                            let answer = searches.answer(&batch).await?;
                            Ok(Some((answer, (batches, searches))))
                        }
                    }
                },
            ))
        }
        Command::SearchLate(command) => {
            let searches = Arc::new(LateSearches::new(engine, command).await?);
            Box::pin(batches.and_then(move |batch| {
                let searches = Arc::clone(&searches);
                async move { searches.answer(&batch).await }
            }))
        }
    };
    let answers = answers.map_err(|status| FlightError::Tonic(Box::new(status)));
    let data = FlightDataEncoderBuilder::new()
        .with_max_flight_data_size(MAX_MESSAGE_BODY)
        .build(answers)
        .map_err(Status::from);
    Ok(Response::new(Box::pin(data)))
}

async fn vectors(encoder: Arc<dyn Encoder>, batch: RecordBatch) -> Result<RecordBatch, Status> {
    tokio::task::spawn_blocking(move || penstock::embed(&*encoder, &batch))
        .await
        .map_err(|error| Status::internal(error.to_string()))?
        .map_err(|error| status::of(&error))
}
