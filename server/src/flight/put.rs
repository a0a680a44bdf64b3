//! DoPut: a stream of record batches becomes one committed version.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use arrow::datatypes::Schema;
use arrow::ipc::{MessageHeader, root_as_message};
use arrow::record_batch::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::server::PeekableFlightDataStream;
use arrow_flight::{FlightData, PutResult};
use futures::{FutureExt, StreamExt, TryStreamExt};
use penstock::store::LoadOutcome;
use penstock::types::columns;
use penstock::types::{ErrorCode, Kind, TableName};
use penstock::{Encoders, Engine, LoadRequest, SourceError, Task};
use penstock_ingest::{ReadOptions, Source};
use tokio::sync::mpsc;
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use super::{fasta, status};

/// Header bytes of one message: a schema of thousands of columns fits.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// Header naming the Idempotency-Key.
const KEY_HEADER: &str = "idempotency-key";

/// Header naming the encoders to run, separated by commas; `none` for none.
const ENCODER_HEADER: &str = "penstock-encoder";

type PutStream = Pin<Box<dyn futures::Stream<Item = Result<PutResult, Status>> + Send>>;

/// A put whose descriptor has a path.
pub(super) async fn put(
    engine: &Engine,
    request: Request<PeekableFlightDataStream>,
) -> Result<Response<PutStream>, Status> {
    let (metadata, _, mut stream) = request.into_parts();
    let descriptor = match stream.peek().await {
        Some(Ok(first)) => first.flight_descriptor.clone(),
        Some(Err(error)) => return Err(error.clone()),
        None => None,
    };
    let path = descriptor.map(|d| d.path).unwrap_or_default();
    let (table, kind) = match path.as_slice() {
        [table] => (table, None),
        [table, kind] => (table, Some(kind.as_str())),
        _ => {
            return Err(Status::invalid_argument(
                "DoPut takes a path descriptor [TABLE] or [TABLE, KIND]",
            ));
        }
    };
    let outcome = load(engine, table, kind, &metadata, stream).await?;
    let answer = serde_json::to_vec(&outcome).map_err(|e| Status::internal(e.to_string()))?;
    let answer = PutResult {
        app_metadata: answer.into(),
    };
    Ok(Response::new(Box::pin(futures::stream::iter([Ok(answer)]))))
}

/// Loads the batches of a put into a table. Used by DoPut and by Flight SQL's bulk ingest.
pub(super) async fn load(
    engine: &Engine,
    table: &str,
    kind: Option<&str>,
    metadata: &MetadataMap,
    stream: PeekableFlightDataStream,
) -> Result<LoadOutcome, Status> {
    let invalid = |error: &dyn std::fmt::Display| Status::invalid_argument(error.to_string());
    let table: TableName = table.parse().map_err(|e| invalid(&e))?;
    let mut kind = match kind {
        Some(kind) => Some(kind.parse::<Kind>().map_err(|e| invalid(&e))?),
        None => None,
    };
    if kind.is_none()
        && engine
            .store()
            .exists(&table)
            .await
            .map_err(|e| status::of(&e.into()))?
    {
        let existing = engine
            .store()
            .table(&table)
            .await
            .map_err(|e| status::of(&e.into()))?;
        kind = Some(existing.kind());
    }

    let mut batches = Box::pin(decode(stream));
    let first = batches.next().await.transpose()?;
    let kind = kind
        .or_else(|| columns::kind_of(first.as_ref()?.schema_ref()))
        .ok_or_else(|| {
            Status::invalid_argument(
                "a new table needs its kind: put to the path [TABLE, KIND], with KIND one of \
                 protein, dna, mesh",
            )
        })?;
    let request = LoadRequest {
        table,
        kind,
        encoders: encoders(metadata),
        key: header(metadata, KEY_HEADER).map(str::to_owned),
    };

    let Some(first) = first else {
        return Err(Status::invalid_argument("DoPut was given no rows"));
    };
    let as_fasta = fasta::accepts(first.schema_ref());
    if !as_fasta {
        check_contract(first.schema_ref(), kind)?;
    }

    // The engine drains an iterator on a thread of its own; the queue joins it to the socket.
    let (sender, mut receiver) = mpsc::channel::<Result<RecordBatch, Status>>(2);
    let pump = async move {
        let mut all = futures::stream::iter([Ok(first)]).chain(batches);
        while let Some(batch) = all.next().await {
            let failed = batch.is_err();
            if sender.send(batch).await.is_err() || failed {
                break;
            }
        }
    };
    let received = std::iter::from_fn(move || receiver.blocking_recv());
    let task = Task::default();
    let loading = async {
        if as_fasta {
            let text = fasta::FastaText::new(received.map(|b| b.map_err(std::io::Error::other)));
            let source = Source::reader("flight.fasta", Box::new(text));
            let options = ReadOptions {
                kind: Some(kind),
                ..ReadOptions::default()
            };
            // Opening looks at the first rows, which waits for the socket.
            let reader =
                tokio::task::spawn_blocking(move || penstock_ingest::open(source, &options))
                    .await
                    .map_err(|error| Status::internal(error.to_string()))?
                    .map_err(|error| status::of_code(error.code(), &error.to_string()))?;
            let rows = reader.map(|batch| {
                batch.map_err(|error| SourceError {
                    code: error.code(),
                    source: Box::new(error),
                })
            });
            engine
                .load(request, rows, &task)
                .await
                .map_err(|error| status::of(&error))
        } else {
            let rows = received.map(|batch| {
                batch.map_err(|status| SourceError {
                    code: ErrorCode::InvalidData,
                    source: status.message().to_owned().into(),
                })
            });
            engine
                .load(request, rows, &task)
                .await
                .map_err(|error| status::of(&error))
        }
    };
    let (outcome, ()) = tokio::join!(loading, pump);
    outcome
}

/// Rows that are not `id`, `sequence`, `description` must have every column of the contract.
fn check_contract(schema: &Schema, kind: Kind) -> Result<(), Status> {
    let contract = columns::schema(kind);
    let missing: Vec<&str> = contract
        .fields()
        .iter()
        .filter(|field| schema.field_with_name(field.name()).is_err())
        .map(|field| field.name().as_str())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Status::invalid_argument(format!(
        "DoPut takes `id`, `sequence` and perhaps `description` for proteins and DNA, or every \
         column of the {kind} contract; missing here: {}",
        missing.join(", ")
    )))
}

fn header<'a>(metadata: &'a MetadataMap, name: &str) -> Option<&'a str> {
    metadata.get(name).and_then(|value| value.to_str().ok())
}

fn encoders(metadata: &MetadataMap) -> Encoders {
    match header(metadata, ENCODER_HEADER) {
        None => Encoders::Default,
        Some("none") => Encoders::None,
        Some(names) => Encoders::Named(
            names
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect(),
        ),
    }
}

/// Decodes a client's messages. arrow-ipc trusts its input: it allocates what a compressed body
/// claims and panics on some malformed messages. So compressed bodies and huge headers are
/// refused before it sees them, and a panic in it becomes an error of this call.
pub(super) fn decode(
    stream: impl futures::Stream<Item = Result<FlightData, Status>> + Send + 'static,
) -> impl futures::Stream<Item = Result<RecordBatch, Status>> + Send {
    let checked = stream.map(|data| {
        let data = data.map_err(|status| FlightError::Tonic(Box::new(status)))?;
        check(&data).map_err(|status| FlightError::Tonic(Box::new(status)))?;
        Ok(data)
    });
    let batches = FlightRecordBatchStream::new_from_flight_data(checked);
    futures::stream::try_unfold(batches, |mut batches| async move {
        let next = AssertUnwindSafe(batches.try_next()).catch_unwind().await;
        match next {
            Ok(Ok(Some(batch))) => Ok(Some((batch, batches))),
            Ok(Ok(None)) => Ok(None),
            Ok(Err(FlightError::Tonic(status))) => Err(*status),
            Ok(Err(error)) => Err(Status::invalid_argument(error.to_string())),
            Err(_) => Err(Status::invalid_argument("malformed Arrow message")),
        }
    })
}

fn check(data: &FlightData) -> Result<(), Status> {
    if data.data_header.len() > MAX_HEADER_BYTES {
        return Err(Status::invalid_argument(format!(
            "a message header of {} bytes; at most {MAX_HEADER_BYTES} are taken",
            data.data_header.len()
        )));
    }
    if data.data_header.is_empty() {
        return Ok(()); // metadata only
    }
    let message = root_as_message(&data.data_header)
        .map_err(|error| Status::invalid_argument(format!("malformed Arrow message: {error}")))?;
    let body = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message
            .header_as_dictionary_batch()
            .and_then(|batch| batch.data()),
        _ => None,
    };
    if body.is_some_and(|body| body.compression().is_some()) {
        return Err(Status::invalid_argument(
            "compressed Arrow bodies are not taken; send them uncompressed",
        ));
    }
    Ok(())
}
