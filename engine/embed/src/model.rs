//! Trained models: their layers, their vocabularies, their checkpoints.

mod caduceus;
mod clouds;
mod dgcnn;
mod dnabert2;
mod esm2;
mod esmc;
pub(crate) mod graph;
mod hyenadna;
mod long;
mod meshgraphnet;
mod nucleotide;
mod point_mae;
mod pointnet2;
pub(crate) mod sequence;
mod surface;
mod t5;
pub(crate) mod tokens;
pub(crate) mod transformer;
mod transolver;

use arrow::array::ArrayRef;
use arrow::record_batch::RecordBatch;
use candle_core::Device;
use penstock_types::{Kind, Pooling};

use crate::checkpoint::{Checkpoint, CheckpointFault, Family};
use crate::embedder::Embedder;
use crate::{EmbedError, Graph, Precision};

use meshgraphnet::{MeshGraphNet, MeshGraphNetConfig};
pub(crate) use sequence::{Limits, Parts};
use transolver::{Transolver, TransolverConfig};

/// A checkpoint in memory, ready to embed records. Shared between threads.
pub(crate) trait Model: Send + Sync {
    /// The kind of records that it reads.
    fn kind(&self) -> Kind;

    /// The columns that it reads.
    fn columns(&self) -> &'static [&'static str];

    /// The poolings that it has; the first is the usual one. Not empty.
    fn poolings(&self) -> &'static [Pooling];

    /// Numbers of a vector.
    fn width(&self, pooling: Pooling) -> usize;

    /// What it is, in a few words.
    fn about(&self) -> &str;

    /// BLAKE3 over the weights and what else decides the vectors, in hexadecimal.
    fn digest(&self) -> &str;

    /// One entry per row: `width` numbers, or with [`Pooling::None`] that many for each of its
    /// items; nothing where there is nothing to encode. Runs on the calling thread and rayon's.
    /// `encoder` is the name by which an error calls it.
    ///
    /// # Errors
    /// A column is missing or of another type, a record contradicts itself, the tensor library
    /// failed.
    fn embed(
        &self,
        encoder: &str,
        batch: &RecordBatch,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// Vectors of the vertices of one graph, as [`Encoder::vertices`](crate::Encoder::vertices)
    /// gives them.
    ///
    /// # Errors
    /// It reads records; there are not as many labels as vertices; the tensor library failed.
    fn vertices(
        &self,
        encoder: &str,
        _graph: &Graph,
        _labels: &[Option<&str>],
    ) -> Result<Vec<f32>, EmbedError> {
        Err(EmbedError::NoVertices {
            encoder: encoder.to_owned(),
        })
    }

    /// The probability of contact between every two residues of each row, as
    /// [`Encoder::contacts`](crate::Encoder::contacts) gives it.
    ///
    /// # Errors
    /// It has no contact head; as [`Self::embed`].
    fn contacts(&self, encoder: &str, _batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        Err(EmbedError::NoContacts {
            encoder: encoder.to_owned(),
            reason: "the ESM-2 checkpoints with a contact head do",
        })
    }
}

/// Loads the model of a checkpoint onto a device.
///
/// # Errors
/// The weights do not fit the configuration, or cannot be read; the model is not computed in this
/// precision here.
pub(crate) fn load(
    checkpoint: &Checkpoint,
    device: &Device,
    precision: Precision,
) -> Result<Box<dyn Model>, EmbedError> {
    let family = checkpoint
        .config()
        .family()
        .map_err(|fault| EmbedError::checkpoint(checkpoint.folder(), fault))?;
    if precision != Precision::F32 && !family.is_transformer() {
        return Err(EmbedError::NoPrecision {
            given: precision,
            known: "f32",
        });
    }
    match family {
        Family::Esm2
        | Family::NucleotideV1
        | Family::NucleotideV2
        | Family::EsmC
        | Family::T5
        | Family::DnaBert2 => Ok(Box::new(Embedder::load_on(checkpoint, device, precision)?)),
        Family::PointNet2 | Family::Dgcnn | Family::PointMae => {
            Ok(Box::new(clouds::CloudModel::load_on(checkpoint, device)?))
        }
        Family::Transolver => Ok(Box::new(Transolver::load(checkpoint, device)?)),
        Family::MeshGraphNet => Ok(Box::new(MeshGraphNet::load(checkpoint, device)?)),
        Family::HyenaDna | Family::Caduceus => {
            Ok(Box::new(long::LongModel::load(checkpoint, device)?))
        }
        Family::Graph(_) => Ok(Box::new(graph::GraphModel::load_on(checkpoint, device)?)),
    }
}

/// What a configuration says without its weights.
pub(crate) struct Summary {
    /// Numbers of a vector of the usual pooling.
    pub(crate) dim: usize,
    /// The usual pooling.
    pub(crate) pooling: Pooling,
    /// What it is, in a few words.
    pub(crate) about: String,
}

/// Describes a checkpoint; weights are not read.
pub(crate) fn summary(checkpoint: &Checkpoint) -> Result<Summary, CheckpointFault> {
    let family = checkpoint.config().family()?;
    match family {
        Family::Esm2
        | Family::NucleotideV1
        | Family::NucleotideV2
        | Family::EsmC
        | Family::T5
        | Family::DnaBert2 => {
            let config = checkpoint.config().transformer()?;
            Ok(Summary {
                dim: config.hidden_size,
                pooling: Pooling::Mean,
                about: format!("{family}, {} layers", config.num_hidden_layers),
            })
        }
        Family::PointNet2 | Family::Dgcnn | Family::PointMae => clouds::summary(checkpoint),
        Family::MeshGraphNet => {
            let config = MeshGraphNetConfig::read(checkpoint.config())?;
            Ok(Summary {
                dim: config.width(),
                pooling: Pooling::Mean,
                about: config.about(),
            })
        }
        Family::Transolver => {
            let config = TransolverConfig::read(checkpoint.config())?;
            Ok(Summary {
                dim: config.width(),
                pooling: Pooling::Mean,
                about: config.about(),
            })
        }
        Family::Graph(_) => {
            let (dim, about) = graph::summary(checkpoint)?;
            Ok(Summary {
                dim,
                pooling: match family.kind() {
                    Kind::Graph => Pooling::Whole,
                    _ => Pooling::Mean,
                },
                about,
            })
        }
        Family::HyenaDna | Family::Caduceus => {
            let (dim, about) = long::summary(checkpoint)?;
            Ok(Summary {
                dim,
                pooling: Pooling::Mean,
                about,
            })
        }
    }
}
