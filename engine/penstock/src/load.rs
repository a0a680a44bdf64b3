//! Loading: batches of raw records in, one committed version out.
//!
//! Three stages run at once and are joined by bounded queues: the caller's iterator is drained on
//! one thread, the encoders run on another, and the store's writer awaits here. A failure or a
//! cancellation anywhere ends all three and commits nothing.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use penstock_embed::Encoder;
use penstock_store::{Load, LoadOptions, LoadOutcome};
use penstock_types::{Kind, TableName, columns};
use tokio::sync::mpsc;

use crate::error::SourceError;
use crate::parts::Parts;
use crate::{Engine, Error, Task};

/// Batches that may wait between two stages. Batches are bounded in bytes by whoever makes them.
const QUEUE: usize = 2;

/// Which feature columns a load fills.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Encoders {
    /// The descriptor that comes with the kind.
    #[default]
    Default,
    /// None: raw columns only.
    None,
    /// These.
    Named(Vec<String>),
}

/// What to load, and where.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    /// The table; created when there is none of that name.
    pub table: TableName,
    /// Kind of the records.
    pub kind: Kind,
    /// Feature columns to fill.
    pub encoders: Encoders,
    /// Idempotency key: a load whose key was committed before answers the first outcome again and
    /// writes nothing.
    pub key: Option<String>,
}

impl Engine {
    /// Loads records into a table, as one version or not at all.
    ///
    /// Every batch has the columns of [`columns::schema`] for the request's kind.
    ///
    /// # Errors
    /// What the source reports; an encoder of another kind; a table of another kind; values that
    /// are not finite; one id with two contents; and what the store reports.
    pub async fn load<I>(
        &self,
        request: LoadRequest,
        batches: I,
        task: &Task,
    ) -> Result<LoadOutcome, Error>
    where
        I: Iterator<Item = Result<RecordBatch, SourceError>> + Send + 'static,
    {
        let encoders = self.encoders_for(&request).await?;
        let schema = load_schema(request.kind, &encoders);
        let mut options = LoadOptions::default();
        options.key.clone_from(&request.key);
        let mut load = self
            .store()
            .load(&request.table, request.kind, Arc::clone(&schema), options)
            .await?;

        let (raw_sender, mut raw) = mpsc::channel(QUEUE);
        let (encoded_sender, mut encoded) = mpsc::channel(QUEUE);
        task.progress.set_stage("loading");
        let reader = tokio::task::spawn_blocking(move || {
            for batch in batches {
                let failed = batch.is_err();
                if raw_sender.blocking_send(batch).is_err() || failed {
                    break; // the other end gave up, or there is nothing good to come
                }
            }
        });
        let parts = Parts::of(&encoders, task);
        let encoder = tokio::task::spawn_blocking(move || {
            while let Some(batch) = raw.blocking_recv() {
                let batch = batch
                    .map_err(Error::from)
                    .and_then(|batch| encode_all(&batch, &schema, &parts));
                let failed = batch.is_err();
                if encoded_sender.blocking_send(batch).is_err() || failed {
                    break;
                }
            }
        });

        let written = push_all(&mut load, &mut encoded, task).await;
        // Closing the queue ends both threads at their next send.
        drop(encoded);
        encoder.await.map_err(Error::Worker)?;
        reader.await.map_err(Error::Worker)?;
        written?;
        task.progress.set_stage("committing");
        if task.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(load.commit().await?)
    }

    async fn encoders_for(&self, request: &LoadRequest) -> Result<Vec<Arc<dyn Encoder>>, Error> {
        let encoders = match &request.encoders {
            // What reads whole graphs makes nothing of a batch of rows.
            Encoders::Default => penstock_embed::default_for(request.kind)
                .filter(|encoder| encoder.kind() != Kind::Graph)
                .into_iter()
                .collect(),
            Encoders::None => Vec::new(),
            Encoders::Named(names) => {
                let mut encoders = Vec::with_capacity(names.len());
                for name in names {
                    encoders.push(crate::encode::find(self.registry(), name).await?);
                }
                encoders
            }
        };
        for encoder in &encoders {
            if encoder.kind() != request.kind {
                return Err(Error::KindMismatch {
                    table: request.table.clone(),
                    holds: request.kind,
                    given: encoder.kind(),
                });
            }
            if encoder.kind() == Kind::Graph {
                return Err(Error::Embed(penstock_embed::EmbedError::ReadsGraphs {
                    encoder: encoder.spec().encoder.clone(),
                }));
            }
        }
        Ok(encoders)
    }
}

async fn push_all(
    load: &mut Load,
    batches: &mut mpsc::Receiver<Result<RecordBatch, Error>>,
    task: &Task,
) -> Result<(), Error> {
    loop {
        let batch = tokio::select! {
            biased;
            () = task.cancel.cancelled() => return Err(Error::Cancelled),
            batch = batches.recv() => batch,
        };
        let Some(batch) = batch.transpose()? else {
            return Ok(());
        };
        let rows = batch.num_rows() as u64;
        tokio::select! {
            biased;
            () = task.cancel.cancelled() => return Err(Error::Cancelled),
            pushed = load.push(batch) => pushed?,
        }
        task.progress.add_rows(rows);
    }
}

fn load_schema(kind: Kind, encoders: &[Arc<dyn Encoder>]) -> SchemaRef {
    let raw = columns::schema(kind);
    let mut fields: Vec<_> = raw.fields().iter().cloned().collect();
    fields.extend(encoders.iter().map(|e| Arc::new(e.spec().field())));
    Arc::new(Schema::new_with_metadata(fields, raw.metadata().clone()))
}

fn encode_all(
    batch: &RecordBatch,
    schema: &SchemaRef,
    encoders: &[Parts],
) -> Result<RecordBatch, Error> {
    let mut arrays = batch.columns().to_vec();
    for encoder in encoders {
        arrays.push(encoder.encode(batch)?);
    }
    RecordBatch::try_new(Arc::clone(schema), arrays).map_err(|source| {
        Error::Source(SourceError {
            code: penstock_types::ErrorCode::InvalidData,
            source: Box::new(source),
        })
    })
}
