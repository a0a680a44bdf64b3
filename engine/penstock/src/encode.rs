//! Feature columns: which encoders there are, and filling a column of a stored table.

mod graphs;
mod spool;

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use penstock_embed::{Encoder, Registry};
use penstock_store::FeatureOptions;
use penstock_types::{DType, Kind, Pooling, TableName, column_of, columns};

use crate::parts::Parts;
use crate::{Engine, Error, Task};

/// Rows encoded at once where each gets a vector per residue or base.
const ITEMS_ROWS: usize = 64;

/// Rows whose vectors a trained model makes before they are kept: what an interruption loses.
const MODEL_ROWS: usize = 256;

/// One encoder, as `encoders` lists it.
#[derive(Debug, Clone)]
pub struct EncoderInfo {
    /// The name by which it is asked for.
    pub name: String,
    /// Kind of records it reads.
    pub kind: Kind,
    /// Vector length.
    pub dim: usize,
    /// Element type.
    pub dtype: DType,
    /// How items become one vector.
    pub pooling: Pooling,
    /// BLAKE3 of its weights or constants; none for a checkpoint that is not loaded.
    pub weights: Option<String>,
    /// Where its tensors are computed.
    pub device: String,
    /// What it computes, in a sentence.
    pub description: String,
    /// The licence of its weights, where it is known.
    pub licence: Option<String>,
    /// Whether loads use it when they name none.
    pub is_default: bool,
}

impl EncoderInfo {
    /// The column that it fills.
    #[must_use]
    pub fn column(&self) -> String {
        column_of(&self.name)
    }
}

/// What `encode` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodeOutcome {
    /// The version that has the column filled.
    pub version: u64,
    /// The column.
    pub column: String,
    /// Rows that got a vector.
    pub rows_encoded: u64,
    /// Rows without one: nothing in them can be encoded.
    pub rows_empty: u64,
}

/// The encoders of a registry: those that need no download, then its checkpoints. No store is
/// needed to know them, and no weights are read.
#[must_use]
pub fn encoders(registry: &Registry) -> Vec<EncoderInfo> {
    let descriptors = penstock_embed::all().into_iter().map(|encoder| {
        let spec = encoder.spec();
        EncoderInfo {
            name: spec.encoder.clone(),
            kind: encoder.kind(),
            dim: spec.dim.get(),
            dtype: spec.dtype,
            pooling: spec.pooling,
            weights: Some(spec.weights.clone()),
            device: device_name(),
            description: encoder.describe().to_owned(),
            licence: None,
            is_default: penstock_embed::default_for(encoder.kind())
                .is_some_and(|default| default.spec() == spec),
        }
    });
    let checkpoints = registry.available().into_iter().map(|found| EncoderInfo {
        name: found.name,
        kind: found.kind,
        dim: found.dim,
        dtype: DType::F32,
        pooling: found.pooling,
        weights: found.weights,
        device: device_name(),
        description: found.about,
        licence: found.licence,
        is_default: false,
    });
    descriptors.chain(checkpoints).collect()
}

/// The column of vectors in what [`embed`] gives.
pub const VECTOR: &str = "vector";

/// The column of maps in what [`contacts`] gives.
pub const CONTACTS: &str = "contacts";

/// Embeds records that are in no table: their `id`, where they have one, and a column `vector` of
/// the type of the encoder's field, with its metadata. Blocks until it is done.
///
/// # Errors
/// The records lack what the encoder reads.
pub fn embed(encoder: &dyn Encoder, records: &RecordBatch) -> Result<RecordBatch, Error> {
    let vectors = encoder.encode(records)?;
    beside_ids(records, encoder.spec().field().with_name(VECTOR), vectors)
}

/// The contact maps of records that are in no table: their `id`, where they have one, and a column
/// `contacts`, a list of rows of probabilities. Blocks until it is done.
///
/// # Errors
/// The encoder has no contact head, or a sequence is too long for it.
pub fn contacts(encoder: &dyn Encoder, records: &RecordBatch) -> Result<RecordBatch, Error> {
    let maps = encoder.contacts(records)?;
    let field = Field::new(CONTACTS, maps.data_type().clone(), false);
    beside_ids(records, field, maps)
}

fn beside_ids(records: &RecordBatch, field: Field, column: ArrayRef) -> Result<RecordBatch, Error> {
    let schema = records.schema();
    let (mut fields, mut arrays) = (Vec::new(), Vec::new());
    if let Some((at, id)) = schema.column_with_name(columns::ID) {
        fields.push(id.clone());
        arrays.push(Arc::clone(records.column(at)));
    }
    fields.push(field);
    arrays.push(column);
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::from(penstock_embed::EmbedError::from(error)))
}

/// An encoder by name. Loading weights takes a while, so it happens on a thread that may block.
pub(crate) async fn find(registry: &Arc<Registry>, name: &str) -> Result<Arc<dyn Encoder>, Error> {
    let (registry, name) = (Arc::clone(registry), name.to_owned());
    Ok(tokio::task::spawn_blocking(move || registry.get(&name))
        .await
        .map_err(Error::Worker)??)
}

impl Engine {
    /// The encoders that can be asked for.
    #[must_use]
    pub fn encoders(&self) -> Vec<EncoderInfo> {
        encoders(self.registry())
    }

    /// An encoder by name, with its weights in memory.
    ///
    /// # Errors
    /// There is none of that name, or its checkpoint cannot be used.
    pub async fn encoder(&self, name: &str) -> Result<Arc<dyn Encoder>, Error> {
        find(self.registry(), name).await
    }

    /// The name of the encoder that is used for a table when the user names none.
    ///
    /// # Errors
    /// No such table; there is no encoder for what it holds.
    pub async fn default_encoder(&self, name: &TableName) -> Result<String, Error> {
        let table = self.store().table(name).await?;
        let encoder = penstock_embed::default_for(table.kind());
        let encoder = encoder.ok_or_else(|| Error::NoFeatures {
            table: name.clone(),
        })?;
        Ok(encoder.spec().encoder.clone())
    }

    /// Fills the encoder's column in the rows where it is empty; makes the column when there is
    /// none. No other column is rewritten.
    ///
    /// In a table of graphs each vertex gets a vector, made of its graph, and the rows of graphs
    /// have none. A graph of which a vertex lacks its vector is read again; one that was loaded
    /// meanwhile waits for the next call. Graphs and their vectors take at most 1.25 times
    /// [`EngineOptions::graph_bytes`](crate::EngineOptions::graph_bytes) in memory (96 bytes a
    /// vertex, 40 an edge, 12 a number of a vector), and 8 + 4 * dim bytes a vertex in the store's
    /// temporary folder.
    ///
    /// # Errors
    /// No such encoder or table; an encoder of another kind; another writer was faster too often;
    /// a graph that needs more memory than it may, or whose rows contradict each other; the task
    /// was cancelled.
    pub async fn encode(
        &self,
        name: &TableName,
        encoder: &str,
        task: &Task,
    ) -> Result<EncodeOutcome, Error> {
        let encoder = find(self.registry(), encoder).await?;
        let table = self.store().table(name).await?;
        if table.kind() != encoder.kind() {
            return Err(Error::KindMismatch {
                table: name.clone(),
                holds: table.kind(),
                given: encoder.kind(),
            });
        }
        task.progress.set_stage("encoding");
        let outcome = if encoder.kind() == Kind::Graph {
            graphs::fill(self, (name, &table), &encoder, task).await?
        } else {
            self.store()
                .add_feature(
                    name,
                    encoder.spec(),
                    encoder.columns(),
                    encode_fn(&encoder, task),
                    feature_options(task, &*encoder),
                )
                .await
                .map_err(|error| match task.cancel.is_cancelled() {
                    true => Error::Cancelled,
                    false => error.into(),
                })?
        };
        Ok(EncodeOutcome {
            version: outcome.version,
            column: outcome.column,
            rows_encoded: outcome.rows_filled,
            rows_empty: outcome.rows_null,
        })
    }
}

fn device_name() -> String {
    format!("{:?}", penstock_embed::device().location()).to_ascii_lowercase()
}

fn encode_fn(encoder: &Arc<dyn Encoder>, task: &Task) -> Arc<penstock_store::EncodeFn> {
    let parts = Parts::new(encoder, task);
    Arc::new(move |batch| parts.encode(batch).map_err(Into::into))
}

fn feature_options(task: &Task, encoder: &dyn Encoder) -> FeatureOptions {
    let progress = Arc::clone(&task.progress);
    FeatureOptions {
        resumable: encoder.is_model(),
        batch_rows: match encoder.spec().pooling {
            Pooling::None => ITEMS_ROWS,
            _ if encoder.is_model() => MODEL_ROWS,
            _ => FeatureOptions::default().batch_rows,
        },
        progress: Some(Arc::new(move |done, all| progress.set_rows(done, all))),
        cancel: Some(task.cancel_fn()),
        ..FeatureOptions::default()
    }
}
