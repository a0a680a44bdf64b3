//! The encoders by name and by kind.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array as _, ArrayRef, AsArray as _, LargeStringArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use penstock_types::{FeatureSpec, Kind, columns};

use crate::{DnaKmer, EmbedError, Graph, GraphSage, MeshShape, ProteinKmer};

/// Turns records into vectors.
///
/// A vector depends on its record alone, or on the graph that its vertex is in: not on the other
/// rows of the batch, nor on the number of threads. It is finite, or it is null. A descriptor's has norm 1 and the same bits on every
/// device.
pub trait Encoder: Send + Sync {
    /// What a vector is, as its column's metadata says it.
    fn spec(&self) -> &FeatureSpec;

    /// The kind of data that is read.
    fn kind(&self) -> Kind;

    /// The columns that are read; a batch may carry others.
    fn columns(&self) -> &'static [&'static str];

    /// One sentence for users.
    fn describe(&self) -> &str;

    /// Whether it runs a trained model, which takes longer than reading its results.
    fn is_model(&self) -> bool {
        false
    }

    /// An array of the type of the spec's field: one vector per row of the batch, `[rows, dim]`,
    /// or with [`Pooling::None`](penstock_types::Pooling::None) a list of one vector per item.
    /// Null where a row has nothing to encode. Runs on the calling thread and on rayon's; it
    /// blocks until it is done.
    ///
    /// # Errors
    /// A column is missing or has another type than the contract, a mesh contradicts itself, the
    /// encoder reads graphs ([`Self::vertices`]), or the tensor library failed.
    fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError>;

    /// The probability of contact between every two residues of each row, `[residues, residues]`
    /// as a list of lists of f32.
    ///
    /// # Errors
    /// The encoder has no contact head, a sequence is longer than its window, or as
    /// [`Self::encode`].
    fn contacts(&self, _batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        Err(EmbedError::NoContacts {
            encoder: self.spec().encoder.clone(),
            reason: "the ESM-2 checkpoints with a contact head do",
        })
    }

    /// Vectors of the vertices of one graph, `[vertices, dim]`, row after row, in single precision
    /// whatever the column stores. Of encoders whose kind is [`Kind::Graph`], and of no others.
    ///
    /// `graph` has both directions of every edge: a directed graph is read as if its edges had
    /// none, each pair of vertices once. `labels` has one entry for each vertex; `None` is any
    /// label, such as a wildcard of a pattern, whose label features are zero. Runs on the calling
    /// thread and on rayon's. A trained model may give what is not finite; a column then has null.
    ///
    /// # Errors
    /// The encoder reads records; there are not as many labels as vertices; the tensor library
    /// failed.
    fn vertices(&self, _graph: &Graph, _labels: &[Option<&str>]) -> Result<Vec<f32>, EmbedError> {
        Err(EmbedError::NoVertices {
            encoder: self.spec().encoder.clone(),
        })
    }
}

static ALL: LazyLock<[Arc<dyn Encoder>; 4]> = LazyLock::new(|| {
    [
        Arc::new(ProteinKmer::new()),
        Arc::new(DnaKmer::new()),
        Arc::new(MeshShape::new()),
        Arc::new(GraphSage::new()),
    ]
});

/// The encoders that need no download.
#[must_use]
pub fn all() -> Vec<Arc<dyn Encoder>> {
    ALL.to_vec()
}

/// The encoder of this name that needs no download.
pub(crate) fn descriptor(name: &str) -> Option<Arc<dyn Encoder>> {
    ALL.iter()
        .find(|encoder| encoder.spec().encoder == name)
        .cloned()
}

/// The encoder that is used for a kind when the user names none. That of graphs reads whole graphs,
/// so a load does not use it.
#[must_use]
pub fn default_for(kind: Kind) -> Option<Arc<dyn Encoder>> {
    let at = match kind {
        Kind::Protein => 0,
        Kind::Dna => 1,
        Kind::Mesh => 2,
        Kind::Graph => 3,
    };
    Some(Arc::clone(&ALL[at]))
}

/// The vector of one sequence, such as a query that a user typed. White space is left out and
/// letters become upper case. `Ok(None)`: there is nothing to encode.
///
/// # Errors
/// The encoder reads meshes or graphs, or gives a vector per item, or the tensor library failed.
pub fn encode_sequence(
    encoder: &dyn Encoder,
    sequence: &str,
) -> Result<Option<Vec<f32>>, EmbedError> {
    let Some(vectors) = encode_items(encoder, sequence)? else {
        return Ok(None);
    };
    let Some(vectors) = vectors.as_fixed_size_list_opt() else {
        return Err(EmbedError::NotPooled {
            encoder: encoder.spec().encoder.clone(),
        });
    };
    let values = cast(&vectors.value(0), &DataType::Float32)?;
    Ok(Some(values.as_primitive::<Float32Type>().values().to_vec()))
}

/// The vectors of one sequence's items: one row of the type that the encoder's column has, a list
/// where its pooling is `none`. The sequence is read as by [`encode_sequence`].
///
/// # Errors
/// The encoder reads meshes or graphs, or the tensor library failed.
pub fn encode_items(encoder: &dyn Encoder, sequence: &str) -> Result<Option<ArrayRef>, EmbedError> {
    if matches!(encoder.kind(), Kind::Mesh | Kind::Graph) {
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
    Ok(vectors.is_valid(0).then_some(vectors))
}
