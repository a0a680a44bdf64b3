//! What can go wrong while encoding.

use std::path::{Path, PathBuf};

use penstock_types::{ErrorCode, Kind, Pooling};

use crate::checkpoint::CheckpointFault;
use crate::graph::GraphFault;
use crate::hub::HubFault;

/// An encoder refused its input, or the tensor library failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbedError {
    /// No encoder has this name.
    #[error(
        "there is no encoder `{given}`; the encoders are {known}. A trained model is named by its \
         folder, or by the folder's name under the one that PENSTOCK_CHECKPOINTS names"
    )]
    UnknownEncoder {
        /// The name that was asked for.
        given: String,
        /// The names that exist, separated by commas.
        known: String,
    },
    /// The batch lacks a column that the encoder reads.
    #[error("{encoder} reads the column `{column}`, which the batch does not have")]
    MissingColumn {
        /// The encoder.
        encoder: String,
        /// The column.
        column: &'static str,
    },
    /// A column has another type than the column contract says.
    #[error("{encoder} cannot read the column `{column}`: it is {given}, expected {expected}")]
    ColumnType {
        /// The encoder.
        encoder: String,
        /// The column.
        column: &'static str,
        /// The type that was found.
        given: String,
        /// The types that would do.
        expected: &'static str,
    },
    /// A mesh contradicts itself.
    #[error("row {row} of the batch{}: {reason}", id.as_ref().map(|id| format!(" (`{id}`)")).unwrap_or_default())]
    InvalidMesh {
        /// The row, from 0.
        row: usize,
        /// The record's id, where the batch carries it.
        id: Option<String>,
        /// What is wrong.
        reason: MeshFault,
    },
    /// The kind has no text form.
    #[error("a {kind} is not written as text; give a file instead")]
    NoText {
        /// The kind.
        kind: Kind,
    },
    /// A model of the hub that nobody downloaded.
    #[error(
        "`{name}` is not in the cache of the Hugging Face hub{}, and nothing is downloaded here \
         (--offline, HF_HUB_OFFLINE, or a server without --download). {}",
        at(cache.as_deref()),
        elsewhere(name)
    )]
    NotCached {
        /// The name on the hub.
        name: String,
        /// The cache, where whoever asks may know of it.
        cache: Option<PathBuf>,
    },
    /// A model of the hub cannot be downloaded.
    #[error("`{name}` cannot be downloaded: {fault}{}", beside(name, cache.as_deref(), fault))]
    Hub {
        /// The name on the hub.
        name: String,
        /// The cache, where whoever asks may know of it.
        cache: Option<PathBuf>,
        /// Why.
        #[source]
        fault: Box<HubFault>,
    },
    /// What follows the colon of an encoder's name.
    #[error(
        "`{given}` after an encoder's name is no form: mean, cls, max, whole or none; bf16 or int8 \
         to compute in; f32 or f16 to store"
    )]
    Form {
        /// The word that was given.
        given: String,
    },
    /// The model is not computed in these numbers here.
    #[error("there is no {given} of this model here: it has {known}")]
    NoPrecision {
        /// The numbers that were asked for.
        given: crate::Precision,
        /// What there is.
        known: &'static str,
    },
    /// A query needs one vector, and the encoder gives one per item.
    #[error("{encoder} gives a vector for each residue or base, and a query needs one")]
    NotPooled {
        /// The encoder.
        encoder: String,
    },
    /// The encoder predicts no contacts.
    #[error("{encoder} predicts no contacts here; {reason}")]
    NoContacts {
        /// The encoder.
        encoder: String,
        /// What would.
        reason: &'static str,
    },
    /// The encoder has no vectors of vertices.
    #[error("{encoder} reads records, not graphs")]
    NoVertices {
        /// The encoder.
        encoder: String,
    },
    /// The encoder makes nothing of a row alone.
    #[error(
        "{encoder} reads whole graphs and gives a vector to each vertex, not to a record alone; \
         load the graphs without it and fill its column with `penstock encode`"
    )]
    ReadsGraphs {
        /// The encoder.
        encoder: String,
    },
    /// The model has no such vectors.
    #[error("{encoder} does not give vectors of the form `{given}`; it has {known}")]
    NoPooling {
        /// The encoder.
        encoder: String,
        /// What was asked for.
        given: Pooling,
        /// What it has, separated by commas.
        known: String,
    },
    /// A sequence is longer than can be looked at as a whole.
    #[error("row {row} of the batch{} has {given} residues, and a contact map is made of at most {longest}", id.as_ref().map(|id| format!(" (`{id}`)")).unwrap_or_default())]
    TooLong {
        /// The row, from 0.
        row: usize,
        /// The record's id, where the batch carries it.
        id: Option<String>,
        /// Its residues.
        given: usize,
        /// The most that fit.
        longest: usize,
    },
    /// One window of a sequence takes more memory than there is for a batch.
    #[error(
        "computing {tokens} tokens at once takes {needed} bytes, and {budget} are there for that"
    )]
    NoRoom {
        /// Tokens of the window.
        tokens: usize,
        /// Bytes that all threads need for one such window each.
        needed: usize,
        /// Bytes that there are.
        budget: usize,
    },
    /// A process that runs a model failed.
    #[error("the worker for device {device} failed: {problem}")]
    Worker {
        /// The device that it was given.
        device: String,
        /// The code of the error that it met.
        code: ErrorCode,
        /// What it said last, or what is wrong with it.
        problem: String,
    },
    /// A record needs more memory than may be used.
    #[error(
        "row {row} of the batch{} needs {bytes} bytes, and {budget} are allowed \
         (memory_budget_bytes in the model's config.json)",
        id.as_ref().map(|id| format!(" (`{id}`)")).unwrap_or_default()
    )]
    TooMuchMemory {
        /// The row, from 0.
        row: usize,
        /// The record's id, where the batch carries it.
        id: Option<String>,
        /// What its layers need.
        bytes: usize,
        /// What is allowed.
        budget: usize,
    },
    /// A protein has not one C-alpha atom for each residue.
    #[error("row {row} of the batch{} has {residues} residues, {atoms} C-alpha positions and {marks} marks of their presence", id.as_ref().map(|id| format!(" (`{id}`)")).unwrap_or_default())]
    AtomCount {
        /// The row, from 0.
        row: usize,
        /// The record's id, where the batch carries it.
        id: Option<String>,
        /// Letters of its sequence.
        residues: usize,
        /// Positions in `ca_xyz`.
        atoms: usize,
        /// Truth values in `ca_present`.
        marks: usize,
    },
    /// What was given is no graph, or not one for this model.
    #[error(transparent)]
    Graph(#[from] GraphFault),
    /// A checkpoint cannot be used.
    #[error("the checkpoint `{}` cannot be used: {fault}", folder.display())]
    Checkpoint {
        /// Its folder.
        folder: PathBuf,
        /// What is wrong with it.
        #[source]
        fault: Box<CheckpointFault>,
    },
    /// The tensor library failed.
    #[error("the tensor library failed while {doing}")]
    Tensor {
        /// What was being done.
        doing: &'static str,
        /// Its error.
        #[source]
        source: candle_core::Error,
    },
    /// A head cannot be fitted, read or applied.
    #[error(transparent)]
    Head(#[from] crate::head::HeadFault),
    /// Arrow refused to build the result.
    #[error("the vectors could not be put into an Arrow array")]
    Arrow(#[from] arrow::error::ArrowError),
}

/// What is wrong with a mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshFault {
    /// A face names a vertex that does not exist.
    #[error("face {face} names vertex {vertex}, and the mesh has {vertices} vertices")]
    VertexIndex {
        /// The face, from 0.
        face: usize,
        /// The index it holds.
        vertex: i32,
        /// How many vertices there are.
        vertices: usize,
    },
    /// A coordinate is NaN or infinite.
    #[error("vertex {vertex} has a coordinate that is not finite")]
    NotFinite {
        /// The vertex, from 0.
        vertex: usize,
    },
    /// The model reads normals, and nothing gives them.
    #[error("the model reads normals, and a mesh without faces has none")]
    NoNormals,
    /// A position or triangle inside the list is null.
    #[error("a vertex or face is null")]
    Null,
}

/// Where the cache is.
fn at(cache: Option<&Path>) -> String {
    cache.map_or_else(String::new, |cache| format!(" at {}", cache.display()))
}

/// What to do without a network.
fn elsewhere(name: &str) -> String {
    format!(
        "Where there is a network, `penstock embed --encoder {name} --text MK` or `hf download {}` \
         puts it there; a copy of its folder can also be given by its path",
        name.replacen('@', " --revision ", 1)
    )
}

/// What else there is to say of a model that cannot be downloaded.
fn beside(name: &str, cache: Option<&Path>, fault: &HubFault) -> String {
    match fault {
        HubFault::Unreachable { .. } => format!(
            ", and it is not, or not all of it, in the cache{}. {}. With --offline \
             (HF_HUB_OFFLINE=1) nobody is asked",
            at(cache),
            elsewhere(name)
        ),
        // A path that is mistyped looks like a name on the hub.
        HubFault::NoModel { .. } if cache.is_some() => {
            ". There is no folder of that name here either".to_owned()
        }
        _ => String::new(),
    }
}

/// Says of an error of the tensor library what was being done.
pub(crate) fn tensor(doing: &'static str) -> impl Fn(candle_core::Error) -> EmbedError {
    move |source| EmbedError::Tensor { doing, source }
}

impl EmbedError {
    pub(crate) fn checkpoint(folder: &Path, fault: CheckpointFault) -> Self {
        Self::Checkpoint {
            folder: folder.to_owned(),
            fault: Box::new(fault),
        }
    }

    pub(crate) const fn no_room(tokens: usize, needed: usize, budget: usize) -> Self {
        Self::NoRoom {
            tokens,
            needed,
            budget,
        }
    }

    /// The device had no room for what was asked of it; less of it may fit.
    pub(crate) fn is_out_of_memory(&self) -> bool {
        match self {
            // Candle wraps the driver's error, and only its text tells.
            Self::Tensor { source, .. } => {
                let text = format!("{source:?}");
                text.contains("OUT_OF_MEMORY") || text.contains("out of memory")
            }
            _ => false,
        }
    }

    /// The code under which the server and the command line report it.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::UnknownEncoder { .. } | Self::NotCached { .. } => ErrorCode::NotFound,
            Self::MissingColumn { .. }
            | Self::ColumnType { .. }
            | Self::NoText { .. }
            | Self::Form { .. }
            | Self::NoPrecision { .. }
            | Self::NotPooled { .. }
            | Self::NoContacts { .. }
            | Self::NoVertices { .. }
            | Self::ReadsGraphs { .. }
            | Self::NoPooling { .. } => ErrorCode::InvalidArgument,
            Self::Head(fault) => fault.code(),
            Self::TooLong { .. } | Self::TooMuchMemory { .. } | Self::NoRoom { .. } => {
                ErrorCode::LimitExceeded
            }
            Self::InvalidMesh { .. }
            | Self::AtomCount { .. }
            | Self::Graph(_)
            | Self::Checkpoint { .. } => ErrorCode::InvalidData,
            Self::Worker { code, .. } => *code,
            Self::Hub { fault, .. } => fault.code(),
            Self::Tensor { .. } | Self::Arrow(_) => ErrorCode::Internal,
        }
    }
}
