//! States of residues as a stream, by a head of the store.

use std::pin::Pin;

use arrow::record_batch::RecordBatch;
use futures::{Stream, StreamExt as _};
use penstock::store::VersionRef;
use penstock::{Engine, Error, StoredHead};
use penstock_openapi::EmbedSequence;
use penstock_types::TableName;

use crate::embed::{self, Output};
use crate::load::Input;

/// What to predict for.
pub enum Source {
    /// The rows of a table.
    Table(TableName, VersionRef),
    /// Sequences that were sent.
    Sequences(Vec<EmbedSequence>),
    /// The records of files.
    Files(Vec<Input>),
}

/// Batches of `id`, `states` and `probabilities`.
pub type Predictions = Pin<Box<dyn Stream<Item = Result<RecordBatch, Error>> + Send>>;

/// The head and the end of a JSON document with predictions as an array between.
#[must_use]
pub fn around(head: &StoredHead) -> (String, &'static str) {
    let record = head.record();
    let text = format!(
        "{{\"head\": {}, \"encoder\": {}, \"classes\": {}, \"predictions\": [",
        serde_json::Value::from(record.name.as_str()),
        serde_json::Value::from(record.encoder.as_str()),
        serde_json::Value::from(record.shape.classes.clone()),
    );
    (text, "]}")
}

/// The predictions in the order of the records.
///
/// # Errors
/// No such table or version; the head's encoder is not there, or has other weights.
pub async fn stream(
    engine: &Engine,
    head: &StoredHead,
    source: Source,
) -> Result<Predictions, Error> {
    let source = match source {
        Source::Table(table, version) => {
            return Ok(engine.predict(head, &table, &version).await?.boxed());
        }
        Source::Sequences(sequences) => embed::Source::Sequences(sequences),
        Source::Files(inputs) => embed::Source::Files(inputs, None),
    };
    let encoder = engine.head_encoder(head).await?;
    let head = head.clone();
    let vectors = embed::stream(encoder, source, Output::Vectors);
    Ok(vectors
        .then(move |batch| {
            let head = head.clone();
            async move {
                let batch = batch?;
                tokio::task::spawn_blocking(move || head.predict(&batch, penstock::VECTOR))
                    .await
                    .map_err(Error::Worker)?
            }
        })
        .boxed())
}
