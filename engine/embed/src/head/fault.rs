//! What is wrong with a head or with what it is fitted on.

use penstock_types::ErrorCode;

/// A head cannot be fitted, read or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadFault {
    /// An option makes no sense.
    #[error("`{option}` of a head must be {expected}")]
    Option {
        /// The option.
        option: &'static str,
        /// What would do.
        expected: &'static str,
    },
    /// The numbers are no whole number of vectors.
    #[error("{given} numbers are no vectors of {dim}")]
    Width {
        /// How many numbers there are.
        given: usize,
        /// The head's vectors.
        dim: usize,
    },
    /// There are more or fewer labels than vectors.
    #[error("{labels} labels for {items} residues")]
    Labels {
        /// Labels.
        labels: usize,
        /// Vectors.
        items: usize,
    },
    /// A label is no class.
    #[error("{given} is no class: there are {classes}")]
    Class {
        /// The label.
        given: u8,
        /// Classes.
        classes: usize,
    },
    /// A letter that stands for no state.
    #[error("`{}` at residue {} is no state of secondary structure: H, E, C, or one of DSSP's", letter.escape_default(), at + 1)]
    Letter {
        /// The letter.
        letter: char,
        /// The residue, from 0.
        at: usize,
    },
    /// A letter that says nothing of whether a residue counts.
    #[error("`{}` at residue {} of a mask is none of 0, X, 1, -, . and a blank", letter.escape_default(), at + 1)]
    Mark {
        /// The letter.
        letter: char,
        /// The residue, from 0.
        at: usize,
    },
    /// Nothing in a split is labelled.
    #[error(
        "the {split} split has no labelled residue; there are too few different sequences, or \
         another seed or larger shares would do"
    )]
    Empty {
        /// The split.
        split: &'static str,
    },
    /// A class never occurs where the head learns.
    #[error("no residue that the head learns from is labelled `{class}`")]
    NoExample {
        /// The class.
        class: String,
    },
    /// The loss became infinite or no number.
    #[error("the loss is not finite in epoch {epoch}: a smaller learning rate may help")]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
    },
    /// A file of a head does not hold one.
    #[error("the head's weights cannot be read: {reason}")]
    File {
        /// What is wrong.
        reason: FileFault,
    },
    /// The tensor library failed.
    #[error("the tensor library failed while fitting a head")]
    Tensor(#[from] candle_core::Error),
}

/// What is wrong with the weights of a head.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// It is no safetensors file.
    #[error("{0}")]
    Format(#[from] safetensors::SafeTensorError),
    /// A tensor has another shape or type.
    #[error("`{name}` is {given}, expected F32 {expected:?}")]
    Shape {
        /// The tensor.
        name: &'static str,
        /// Type and shape that were found.
        given: String,
        /// The shape by the head's description.
        expected: Vec<usize>,
    },
}

impl From<FileFault> for HeadFault {
    fn from(reason: FileFault) -> Self {
        Self::File { reason }
    }
}

impl HeadFault {
    /// The code under which the server and the command line report it.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Option { .. } | Self::Width { .. } | Self::Diverged { .. } => {
                ErrorCode::InvalidArgument
            }
            Self::Labels { .. }
            | Self::Class { .. }
            | Self::Letter { .. }
            | Self::Mark { .. }
            | Self::Empty { .. }
            | Self::NoExample { .. } => ErrorCode::InvalidData,
            Self::File { .. } => ErrorCode::Corrupt,
            Self::Tensor(_) => ErrorCode::Internal,
        }
    }
}
