//! Which transformer a checkpoint is, and what its file makes of it.

use penstock_types::Kind;

use super::tokens::Tokenizer;
use super::transformer::Source;
use super::{dnabert2, esm2, esmc, nucleotide, t5};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, Family, Weights};

/// What a model's file makes of a checkpoint.
pub(crate) struct Parts<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) limits: Limits,
    pub(crate) kind: Kind,
    /// What, beside the tensors, decides the vectors; part of the digest.
    pub(crate) recipe: String,
}

/// How long a sequence may be before it is cut into windows, in tokens without the special ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The longest window.
    pub(crate) window: usize,
    /// Tokens that neighbouring windows share.
    pub(crate) overlap: usize,
}

/// The tensors that this checkpoint's model has.
pub(crate) fn expected(checkpoint: &Checkpoint) -> Result<Expected, EmbedError> {
    let expected = || {
        let family = checkpoint.config().family()?;
        let config = &checkpoint.config().transformer()?;
        match family {
            Family::Esm2 => esm2::expected(config),
            Family::NucleotideV1 | Family::NucleotideV2 => nucleotide::expected(config),
            Family::EsmC => esmc::expected(config),
            Family::T5 => t5::expected(config),
            Family::DnaBert2 => dnabert2::expected(config),
            other => Err(no_sequences(other)),
        }
    };
    expected().map_err(|fault| EmbedError::checkpoint(checkpoint.folder(), fault))
}

/// The prefix that some files put before every name.
pub(crate) const fn prefix(family: Family) -> &'static str {
    match family {
        Family::Esm2 | Family::NucleotideV1 | Family::NucleotideV2 => "esm.",
        Family::DnaBert2 => "bert.",
        _ => "",
    }
}

/// Reads what is small and describes the layers.
pub(crate) fn parts<'a>(
    checkpoint: &Checkpoint,
    weights: &'a Weights,
) -> Result<Parts<'a>, EmbedError> {
    let family = checkpoint
        .config()
        .family()
        .map_err(|fault| EmbedError::checkpoint(checkpoint.folder(), fault))?;
    match family {
        Family::Esm2 => esm2::parts(checkpoint, weights),
        Family::NucleotideV1 | Family::NucleotideV2 => nucleotide::parts(checkpoint, weights),
        Family::EsmC => esmc::parts(checkpoint, weights),
        Family::T5 => t5::parts(checkpoint, weights),
        Family::DnaBert2 => dnabert2::parts(checkpoint, weights),
        other => Err(EmbedError::checkpoint(
            checkpoint.folder(),
            no_sequences(other),
        )),
    }
}

/// A model that reads other records.
fn no_sequences(family: Family) -> CheckpointFault {
    CheckpointFault::UnknownModel {
        given: family.to_string(),
        known: "models of sequences",
    }
}
