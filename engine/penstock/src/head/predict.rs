//! Using a head: states and probabilities of residues, of vectors that are stored or made now.

use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, FixedSizeListArray, Float32Array, LargeStringBuilder, ListArray,
    RecordBatch,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use penstock_embed::Encoder;
use penstock_embed::head::{Head, most_probable};
use penstock_store::{Scan, VersionRef};
use penstock_types::{FeatureSpec, Pooling, TableName, columns};

use super::HeadRecord;
use super::rows::{Vectors, arrow};
use super::train::of_fault;
use crate::encode::VECTOR;
use crate::{Engine, Error};

/// The column of states in what a head predicts: LargeUtf8, a letter for each residue, null where
/// a record has no vectors.
pub const STATES: &str = "states";

/// The column of probabilities: List<FixedSizeList<Float32, classes>>, `[residues, classes]`.
pub const PROBABILITIES: &str = "probabilities";

/// Bytes of rows that are decoded at once.
const BATCH_BYTES: u64 = 4 << 20;
/// Rows that are encoded at once where a table has no vectors.
const ENCODED_ROWS: usize = 16;

/// A head of the store. Clones share the weights.
#[derive(Debug, Clone)]
pub struct StoredHead {
    record: Arc<HeadRecord>,
    head: Arc<Head>,
}

impl StoredHead {
    pub(super) fn new(record: HeadRecord, head: Head) -> Self {
        Self {
            record: Arc::new(record),
            head: Arc::new(head),
        }
    }

    /// What it is and how it came to be.
    #[must_use]
    pub fn record(&self) -> &HeadRecord {
        &self.record
    }

    /// Whether vectors of this kind are those that the head reads.
    #[must_use]
    pub fn reads(&self, spec: &FeatureSpec) -> bool {
        spec.encoder == self.record.encoder
            && spec.weights == self.record.encoder_weights
            && spec.pooling == Pooling::None
            && spec.dim.get() == self.record.shape.dim
    }

    /// The predictions for the vectors of a batch: `id`, where the batch has it, [`STATES`] and
    /// [`PROBABILITIES`]. `column` is a list of one vector per residue. Blocks until it is done.
    ///
    /// # Errors
    /// There is no such column, or its vectors have another length.
    pub fn predict(&self, batch: &RecordBatch, column: &str) -> Result<RecordBatch, Error> {
        let vectors = Vectors::of(batch, column)?;
        let classes = self.head.classes();
        let names = &self.record.shape.classes;
        let mut states = LargeStringBuilder::new();
        let (mut probabilities, mut lengths, mut valid) = (Vec::new(), Vec::new(), Vec::new());
        for row in 0..batch.num_rows() {
            let features = vectors.get(row);
            let found = self.head.apply(features.unwrap_or_default());
            let found = found.map_err(of_fault)?;
            lengths.push(found.len() / classes);
            valid.push(features.is_some());
            match features {
                None => states.append_null(),
                Some(_) => {
                    let letters = found.chunks_exact(classes);
                    let letters = letters.map(|row| names[most_probable(row)].as_str());
                    states.append_value(letters.collect::<String>());
                }
            }
            probabilities.extend_from_slice(&found);
        }
        let nulls = Some(NullBuffer::from(valid));
        let item = Arc::new(Field::new("item", DataType::Float32, true));
        let each = FixedSizeListArray::try_new(
            item,
            // A head has at most 255 classes.
            i32::try_from(classes).unwrap_or(i32::MAX),
            Arc::new(Float32Array::from(probabilities)),
            None,
        );
        let each = each.map_err(arrow)?;
        let item = Arc::new(Field::new("item", each.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let lists = ListArray::try_new(item, offsets, Arc::new(each), nulls).map_err(arrow)?;
        let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
        let schema = batch.schema();
        if let Some((at, id)) = schema.column_with_name(columns::ID) {
            fields.push(id.clone());
            arrays.push(Arc::clone(batch.column(at)));
        }
        fields.push(Field::new(STATES, DataType::LargeUtf8, true));
        arrays.push(Arc::new(states.finish()));
        fields.push(Field::new(PROBABILITIES, lists.data_type().clone(), true));
        arrays.push(Arc::new(lists));
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(arrow)
    }
}

impl Engine {
    /// The encoder whose vectors a head reads, with its weights in memory.
    ///
    /// # Errors
    /// There is none of that name, or it has other weights by now.
    pub async fn head_encoder(&self, head: &StoredHead) -> Result<Arc<dyn Encoder>, Error> {
        let record = head.record();
        let encoder = self.encoder(&record.encoder).await?;
        if head.reads(encoder.spec()) {
            return Ok(encoder);
        }
        Err(Error::HeadEncoder {
            name: record.name.clone(),
            encoder: record.encoder.clone(),
            weights: record.encoder_weights.clone(),
            found: encoder.spec().weights.clone(),
        })
    }

    /// What a head predicts for the rows of a table, in the order in which they are stored: by its
    /// column of the head's vectors where there is one (rows without a vector get a null), else by
    /// running the head's encoder.
    ///
    /// # Errors
    /// No such table or version; the table holds something else; the encoder is not there.
    pub async fn predict(
        &self,
        head: &StoredHead,
        table: &TableName,
        at: &VersionRef,
    ) -> Result<impl Stream<Item = Result<RecordBatch, Error>> + Send + use<>, Error> {
        let head = head.clone();
        let table = self.store().table_at(table, at).await?;
        let mut features = table.features().into_iter();
        let stored = features.find(|(_, spec)| head.reads(spec));
        let (mut scan, column, encoder) = match stored {
            Some((column, _)) => (Scan::columns([columns::ID, &column]), column, None),
            None => {
                let encoder = self.head_encoder(&head).await?;
                if encoder.kind() != table.kind() {
                    return Err(Error::KindMismatch {
                        table: table.name().clone(),
                        holds: table.kind(),
                        given: encoder.kind(),
                    });
                }
                let read = [columns::ID].iter().chain(encoder.columns()).copied();
                let mut scan = Scan::columns(read);
                scan.batch_rows = Some(ENCODED_ROWS);
                (scan, VECTOR.to_owned(), Some(encoder))
            }
        };
        scan.batch_bytes = Some(BATCH_BYTES);
        let batches = table.scan(scan).await?.map_err(Error::from);
        Ok(batches.then(move |batch| {
            let (head, encoder, column) = (head.clone(), encoder.clone(), column.clone());
            async move {
                let batch = batch?;
                tokio::task::spawn_blocking(move || match encoder {
                    Some(encoder) => {
                        let vectors = crate::embed(&*encoder, &batch)?;
                        head.predict(&vectors, &column)
                    }
                    None => head.predict(&batch, &column),
                })
                .await
                .map_err(Error::Worker)?
            }
        }))
    }
}
