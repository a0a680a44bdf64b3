//! Models of long DNA sequences, whose layers are no transformer's.
//!
//! They read a base a token and up to a million of them. A sequence is computed by itself, so
//! there is nothing to pad; what takes the time runs in this crate's kernels on the CPU, on
//! whatever device other models run.

mod read;
mod work;

use std::sync::OnceLock;

use arrow::record_batch::RecordBatch;
use candle_core::Device;
use penstock_types::{Kind, Pooling, columns};

use super::tokens::{Letters, Specials, Tokenizer};
use super::{Limits, Model, caduceus, hyenadna};
use crate::EmbedError;
use crate::checkpoint::{Checkpoint, CheckpointFault, Expected, Family, Weights};
use crate::input::Text;
use crate::pool::{Rows, join};
use crate::windows::{Window, cover, windows};

pub(crate) use read::{in_blocks, linear, norm, numbers, rows_at_once};

/// Layers that turn the tokens of one sequence into hidden states.
pub(crate) trait Backbone: Send + Sync {
    /// Numbers of a hidden state.
    fn width(&self) -> usize;

    /// Memory that a sequence takes while it is computed, in bytes a token.
    fn bytes_per_token(&self) -> usize;

    /// The last hidden states of a sequence: `[tokens, width]`. Runs on the calling thread and
    /// rayon's; their number changes no bit of the result.
    fn forward(&self, tokens: &[u32]) -> Vec<f32>;
}

/// What a model's file makes of a checkpoint.
pub(crate) struct LongParts {
    pub(crate) backbone: Box<dyn Backbone>,
    pub(crate) specials: Specials,
    pub(crate) limits: Limits,
    /// What, beside the tensors, decides the vectors; part of the digest.
    pub(crate) recipe: String,
}

/// The character tokens that both models have, as their tokenizers number them.
pub(crate) const SEPARATOR: u32 = 1;
const UNKNOWN: u32 = 6;
const LETTERS: &[u8; 5] = b"ACGTN";
const FIRST_LETTER: u32 = 7;
/// Tokens of that vocabulary.
pub(crate) const VOCABULARY: usize = 12;

/// The token of an upper-case letter.
pub(crate) fn token(letter: u8) -> Option<u32> {
    let at = LETTERS.iter().position(|known| *known == letter)?;
    Some(FIRST_LETTER + at as u32)
}

/// A model of long sequences in memory. Shared between threads.
pub(crate) struct LongModel {
    backbone: Box<dyn Backbone>,
    tokenizer: Tokenizer,
    limits: Limits,
    about: String,
    digest: String,
}

impl LongModel {
    pub(crate) fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self, EmbedError> {
        let fault = |fault| EmbedError::checkpoint(checkpoint.folder(), fault);
        let family = checkpoint.config().family().map_err(fault)?;
        let prefix = match family {
            Family::Caduceus => "caduceus.",
            _ => "hyena.",
        };
        let mut weights = Weights::open(checkpoint.weights(), prefix).map_err(fault)?;
        let expected = match family {
            Family::Caduceus => caduceus::expected(checkpoint, &mut weights),
            _ => hyenadna::expected(checkpoint, &mut weights),
        };
        let expected = expected.map_err(fault)?;
        weights.check(&expected).map_err(fault)?;
        let parts = match family {
            Family::Caduceus => caduceus::parts(checkpoint, &weights),
            _ => hyenadna::parts(checkpoint, &weights),
        }?;
        let mut about = summary(checkpoint).map_err(fault)?.1;
        if !device.is_cpu() {
            about.push_str(", on the CPU");
        }
        Ok(Self {
            backbone: parts.backbone,
            tokenizer: Tokenizer::Letters(Letters::new(UNKNOWN, parts.specials, token)),
            limits: parts.limits,
            about,
            digest: digest(&parts.recipe, &weights, &expected),
        })
    }

    /// Vectors of sequences, as [`Model::embed`] gives them.
    pub(crate) fn embed_all(&self, sequences: &[&[u8]], pooling: Pooling) -> Vec<Vec<f32>> {
        let tokens: Vec<Vec<u32>> = sequences
            .iter()
            .map(|sequence| self.tokenizer.encode(sequence))
            .collect();
        let mut all = Vec::new();
        let mut ranges = Vec::with_capacity(tokens.len());
        for (index, tokens) in tokens.iter().enumerate() {
            let first = all.len();
            if !tokens.is_empty() {
                all.extend(windows(index, tokens.len(), self.limits));
            }
            ranges.push(first..all.len());
        }
        let parts: Vec<OnceLock<Vec<f32>>> = all.iter().map(|_| OnceLock::new()).collect();
        let lengths: Vec<usize> = all.iter().map(|window| window.tokens.len()).collect();
        work::share_out(&lengths, self.backbone.bytes_per_token(), |index| {
            let window = &all[index];
            let of = &all[ranges[window.sequence].clone()];
            let at = index - ranges[window.sequence].start;
            // Each window is computed once.
            let _ = parts[index].set(self.part(&tokens[window.sequence], of, at, pooling));
        });
        let parts: Vec<Vec<f32>> = parts
            .into_iter()
            .map(|part| part.into_inner().unwrap_or_default())
            .collect();
        let width = self.backbone.width();
        ranges
            .into_iter()
            .zip(&tokens)
            .map(|(range, tokens)| match range.is_empty() {
                true => Vec::new(),
                false => join(
                    pooling,
                    tokens.len(),
                    width,
                    &all[range.clone()],
                    &parts[range],
                ),
            })
            .collect()
    }

    /// What one of a sequence's windows adds to its result.
    fn part(&self, tokens: &[u32], of: &[Window], at: usize, pooling: Pooling) -> Vec<f32> {
        let range = of[at].tokens.clone();
        let specials = self.tokenizer.specials();
        let mut input = specials.before.clone();
        input.extend_from_slice(&tokens[range.clone()]);
        input.extend_from_slice(&specials.after);
        let before = specials.before.len();
        let rows = Rows {
            hidden: &self.backbone.forward(&input),
            width: self.backbone.width(),
            whole: range.len() == tokens.len(),
            tokens: before..before + range.len(),
        };
        rows.part(pooling, &cover(of, at))
    }
}

impl Model for LongModel {
    fn kind(&self) -> Kind {
        Kind::Dna
    }

    fn columns(&self) -> &'static [&'static str] {
        &[columns::SEQUENCE]
    }

    /// Neither model has a token that stands for the whole sequence.
    fn poolings(&self) -> &'static [Pooling] {
        &[Pooling::Mean, Pooling::Max, Pooling::None]
    }

    fn width(&self, _pooling: Pooling) -> usize {
        self.backbone.width()
    }

    fn about(&self) -> &str {
        &self.about
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn embed(
        &self,
        encoder: &str,
        batch: &RecordBatch,
        pooling: Pooling,
    ) -> Result<Vec<Vec<f32>>, EmbedError> {
        let text = Text::of(encoder, batch, columns::SEQUENCE)?;
        let rows: Vec<&[u8]> = (0..batch.num_rows())
            .map(|row| text.get(row).unwrap_or_default())
            .collect();
        Ok(self.embed_all(&rows, pooling))
    }
}

/// Width and description of a checkpoint, from its configuration.
pub(crate) fn summary(checkpoint: &Checkpoint) -> Result<(usize, String), CheckpointFault> {
    match checkpoint.config().family()? {
        Family::Caduceus => caduceus::summary(checkpoint),
        _ => hyenadna::summary(checkpoint),
    }
}

fn digest(recipe: &str, weights: &Weights, expected: &Expected) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(recipe.as_bytes());
    weights.digest(expected, &mut hasher);
    hasher.finalize().to_hex().to_string()
}

/// Refuses a number that makes no model.
pub(crate) fn positive(keys: &[(&'static str, usize)]) -> Result<(), CheckpointFault> {
    match keys.iter().find(|(_, value)| *value == 0) {
        None => Ok(()),
        Some((key, _)) => Err(CheckpointFault::Config {
            key,
            given: "0".into(),
            expected: "a positive number",
        }),
    }
}

#[cfg(test)]
pub(crate) mod tests;
