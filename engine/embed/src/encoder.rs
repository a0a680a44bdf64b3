//! The encoders by name and by kind.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array as _, FixedSizeListArray, Float32Array, LargeStringArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use penstock_types::{FeatureSpec, Kind, columns};

use crate::{DnaKmer, EmbedError, MeshShape, ProteinKmer};

/// Turns records into vectors.
///
/// A vector depends on its record alone: not on the other rows of the batch, nor on the number of
/// threads, nor on the device. It is finite and has norm 1, or it is null.
pub trait Encoder: Send + Sync {
    /// What a vector is, as its column's metadata says it.
    fn spec(&self) -> &FeatureSpec;

    /// The kind of data that is read.
    fn kind(&self) -> Kind;

    /// The columns that are read; a batch may carry others.
    fn columns(&self) -> &'static [&'static str];

    /// One sentence for users.
    fn describe(&self) -> &str;

    /// One vector per row of the batch, `[rows, dim]`; null where a row has nothing to encode.
    /// Runs on the calling thread and on rayon's; it blocks until it is done.
    ///
    /// # Errors
    /// A column is missing or has another type than the contract, a mesh contradicts itself, or
    /// the tensor library failed.
    fn encode(&self, batch: &RecordBatch) -> Result<FixedSizeListArray, EmbedError>;
}

static ALL: LazyLock<[Arc<dyn Encoder>; 3]> = LazyLock::new(|| {
    [
        Arc::new(ProteinKmer::new()),
        Arc::new(DnaKmer::new()),
        Arc::new(MeshShape::new()),
    ]
});

/// Every encoder of this build.
#[must_use]
pub fn all() -> Vec<Arc<dyn Encoder>> {
    ALL.to_vec()
}

/// The encoder of this name.
///
/// # Errors
/// There is none; the error lists those that exist.
pub fn by_name(name: &str) -> Result<Arc<dyn Encoder>, EmbedError> {
    ALL.iter()
        .find(|encoder| encoder.spec().encoder == name)
        .cloned()
        .ok_or_else(|| EmbedError::UnknownEncoder {
            given: name.to_owned(),
            known: ALL
                .iter()
                .map(|encoder| encoder.spec().encoder.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The encoder that is used for a kind when the user names none.
#[must_use]
pub fn default_for(kind: Kind) -> Arc<dyn Encoder> {
    let at = match kind {
        Kind::Protein => 0,
        Kind::Dna => 1,
        Kind::Mesh => 2,
    };
    Arc::clone(&ALL[at])
}

/// The vector of one sequence, such as a query that a user typed. White space is left out and
/// letters become upper case. `Ok(None)`: there is nothing to encode.
///
/// # Errors
/// The encoder reads meshes, or the tensor library failed.
pub fn encode_sequence(
    encoder: &dyn Encoder,
    sequence: &str,
) -> Result<Option<Vec<f32>>, EmbedError> {
    if encoder.kind() == Kind::Mesh {
        return Err(EmbedError::NoText {
            kind: encoder.kind(),
        });
    }
    let text: String = sequence
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let field = Field::new(columns::SEQUENCE, DataType::LargeUtf8, false);
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(vec![field])),
        vec![Arc::new(LargeStringArray::from(vec![text]))],
    )?;
    let vectors = encoder.encode(&batch)?;
    if vectors.is_null(0) {
        return Ok(None);
    }
    let values = vectors.value(0);
    Ok(values
        .as_any()
        .downcast_ref::<Float32Array>()
        .map(|values| values.values().to_vec()))
}
