//! Vectors of records that go into no table, as a stream: read, embedded and handed on batch by
//! batch, with a short queue between the threads.

use std::sync::Arc;

use arrow::array::{LargeStringArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use futures::Stream;
use penstock::encoding::Encoder;
use penstock_openapi::EmbedSequence;
use penstock_types::{Kind, Pooling, columns};
use tokio::sync::mpsc;

use crate::load::{self, Input};

/// Batches that wait for their reader.
const QUEUE: usize = 2;

/// Sequences of a request that are embedded together.
const BATCH: usize = 1024;

/// What to embed.
pub enum Source {
    /// Sequences that were sent.
    Sequences(Vec<EmbedSequence>),
    /// The records of files; with a folder that goes away when they are read.
    Files(Vec<Input>, Option<tempfile::TempDir>),
}

/// What to make of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Its vector, or its items' vectors.
    Vectors,
    /// The probability of contact between every two residues.
    Contacts,
}

impl Output {
    /// The column of the batches that [`stream`] gives, beside `id`.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::Vectors => penstock::VECTOR,
            Self::Contacts => penstock::CONTACTS,
        }
    }

    fn of(
        self,
        encoder: &dyn Encoder,
        batch: &RecordBatch,
    ) -> Result<RecordBatch, penstock::Error> {
        match self {
            Self::Vectors => penstock::embed(encoder, batch),
            Self::Contacts => penstock::contacts(encoder, batch),
        }
    }

    /// The head and the end of a JSON document with what [`stream`] gives as an array between.
    #[must_use]
    pub fn around(self, encoder: &dyn Encoder) -> (String, &'static str) {
        let spec = encoder.spec();
        let name = serde_json::Value::from(spec.encoder.as_str());
        let head = match self {
            Self::Vectors => format!(
                "{{\"encoder\": {name}, \"dim\": {}, \"pooling\": \"{}\", \"vectors\": [",
                spec.dim, spec.pooling
            ),
            Self::Contacts => format!("{{\"encoder\": {name}, \"contacts\": ["),
        };
        (head, "]}")
    }
}

/// The batches of ids and vectors or maps, in the order of the records. Dropping the stream ends the work
/// after the batch at hand.
pub fn stream(
    encoder: Arc<dyn Encoder>,
    source: Source,
    output: Output,
) -> impl Stream<Item = Result<RecordBatch, penstock::Error>> + Send {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let worker = tokio::task::spawn_blocking(move || {
        let each = |batch: Result<RecordBatch, penstock::Error>| {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    // Nobody is left to be told where this fails.
                    let _ = sender.blocking_send(Err(error));
                    return false;
                }
            };
            parts(&batch, rows_at_once(&*encoder, output)).all(|part| {
                let made = output.of(&*encoder, &part);
                let failed = made.is_err();
                sender.blocking_send(made).is_ok() && !failed
            })
        };
        match source {
            Source::Sequences(_) if encoder.kind() == Kind::Mesh => {
                let error = penstock::encoding::EmbedError::NoText { kind: Kind::Mesh };
                each(Err(error.into()));
            }
            Source::Sequences(sequences) => {
                let mut at = 0;
                while at < sequences.len() {
                    let end = (at + BATCH).min(sequences.len());
                    if !each(batch(&sequences[at..end], at)) {
                        break;
                    }
                    at = end;
                }
            }
            Source::Files(inputs, folder) => {
                match load::records(inputs, encoder.kind()) {
                    Ok(mut batches) => {
                        batches.all(|batch| each(batch.map_err(Into::into)));
                    }
                    Err(error) => {
                        each(Err(error));
                    }
                }
                drop(folder);
            }
        }
    });
    futures::stream::unfold(Some((receiver, worker)), |open| async move {
        let (mut receiver, worker) = open?;
        if let Some(batch) = receiver.recv().await {
            return Some((batch, Some((receiver, worker))));
        }
        // The end of the queue is the end of the work only if the worker says so.
        let failed = worker.await.err()?;
        Some((Err(penstock::Error::Worker(failed)), None))
    })
}

/// Rows that are computed before the first of them is sent: few where each takes long or its
/// result is large.
fn rows_at_once(encoder: &dyn Encoder, output: Output) -> usize {
    match output {
        Output::Contacts => 1,
        Output::Vectors if encoder.spec().pooling == Pooling::None => 16,
        Output::Vectors if encoder.is_model() => 64,
        Output::Vectors => BATCH,
    }
}

fn parts(batch: &RecordBatch, rows: usize) -> impl Iterator<Item = RecordBatch> + '_ {
    (0..batch.num_rows())
        .step_by(rows)
        .map(move |at| batch.slice(at, rows.min(batch.num_rows() - at)))
}

fn batch(sequences: &[EmbedSequence], first: usize) -> Result<RecordBatch, penstock::Error> {
    let (mut ids, mut letters) = (Vec::new(), Vec::new());
    for (at, sequence) in sequences.iter().enumerate() {
        let (id, text) = match sequence {
            EmbedSequence::Plain(text) => ((first + at + 1).to_string(), text),
            EmbedSequence::Named { id, sequence } => (id.clone(), sequence),
        };
        ids.push(id);
        // As `search --text` takes it.
        letters.push(
            text.chars()
                .filter(|c| !c.is_whitespace())
                .map(|c| c.to_ascii_uppercase())
                .collect::<String>(),
        );
    }
    let schema = Schema::new(vec![
        Field::new(columns::ID, DataType::Utf8, false),
        Field::new(columns::SEQUENCE, DataType::LargeUtf8, false),
    ]);
    RecordBatch::try_new(
        Arc::new(schema),
        vec![
            Arc::new(StringArray::from(ids)),
            Arc::new(LargeStringArray::from(letters)),
        ],
    )
    .map_err(|error| penstock::encoding::EmbedError::from(error).into())
}
