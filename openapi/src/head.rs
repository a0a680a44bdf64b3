//! Heads: small models that say the secondary structure of each residue from its vector.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::EmbedSequence;

/// A trained head, and how it came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Head {
    /// Its name.
    #[schema(example = "ss3")]
    pub name: String,
    /// The classes, in the order of the probabilities.
    pub classes: Vec<String>,
    /// Length of the vectors that it reads.
    pub dim: u64,
    /// Width of the layer between; null: it is linear.
    pub hidden: Option<u64>,
    /// The function after that layer: `relu` or `gelu`.
    pub activation: String,
    /// BLAKE3 of its weights, in hexadecimal.
    pub weights: String,
    /// The encoder of the vectors, with its form.
    pub encoder: String,
    /// BLAKE3 of the encoder's weights, in hexadecimal.
    pub encoder_weights: String,
    /// The licence of the encoder's weights, where it is known.
    pub licence: Option<String>,
    /// What it was fitted on.
    pub lineage: HeadLineage,
    /// How it was fitted.
    pub options: HeadOptions,
    /// Every epoch.
    pub epochs: Vec<HeadEpoch>,
    /// The epoch whose weights these are, from 1.
    pub best_epoch: u64,
    /// How it does on the records that chose the epoch.
    pub validation: HeadMetrics,
    /// How it does on the records that nothing else looked at.
    pub test: HeadMetrics,
    /// The version of the program that made it.
    pub program: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created: String,
}

/// What a head was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeadLineage {
    /// The table.
    pub table: String,
    /// Its version.
    pub version: u64,
    /// The column of vectors.
    pub column: String,
    /// Where the labels came from.
    pub labels: HeadLabels,
    /// What decided about a record's split: `sequence`, a column, or the groups of a label file.
    pub split_by: String,
    /// The share of records for validation.
    pub validation: f64,
    /// The share of records for the test.
    pub test: f64,
    /// Seed of the splits.
    pub split_seed: u64,
    /// Rows by what became of them.
    pub rows: HeadRows,
}

/// Where labels came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum HeadLabels {
    /// The stored C-alpha traces, by P-SEA.
    Structure,
    /// A file.
    File {
        /// Its name.
        name: String,
        /// Its BLAKE3, in hexadecimal.
        digest: String,
        /// Letters that were taken for "not observed".
        mask_letters: String,
    },
}

/// Rows by what became of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeadRows {
    /// Learned from.
    pub training: HeadSplit,
    /// Chose the epoch.
    pub validation: HeadSplit,
    /// Judged the head.
    pub test: HeadSplit,
    /// Without vectors.
    pub unencoded: u64,
    /// Without labels.
    pub unlabelled: u64,
    /// Left out because their labels do not fit.
    pub misfits: u64,
}

/// The rows of one split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeadSplit {
    /// Rows.
    pub rows: u64,
    /// Labelled residues.
    pub residues: u64,
    /// Residues that are masked.
    pub masked: u64,
}

/// How a head is fitted. What is left out has the value that is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HeadOptions {
    /// Width of the layer between; null: the head is linear.
    pub hidden: Option<u64>,
    /// The function after that layer: `relu` or `gelu`.
    #[schema(example = "relu")]
    pub activation: String,
    /// Epochs at most.
    #[schema(example = 50)]
    pub epochs: u64,
    /// Epochs without a lower validation loss after which it ends.
    #[schema(example = 5)]
    pub patience: u64,
    /// Step length of AdamW.
    #[schema(example = 0.001)]
    pub learning_rate: f64,
    /// Decay of the weights.
    #[schema(example = 0.01)]
    pub weight_decay: f64,
    /// Residues per step.
    #[schema(example = 512)]
    pub batch: u64,
    /// Whether each class weighs the same, however rare it is.
    #[schema(example = false)]
    pub balanced: bool,
    /// Decides the first weights and the order of residues.
    #[schema(example = 0)]
    pub seed: u64,
}

impl Default for HeadOptions {
    fn default() -> Self {
        Self {
            hidden: None,
            activation: "relu".to_owned(),
            epochs: 50,
            patience: 5,
            learning_rate: 1e-3,
            weight_decay: 1e-2,
            batch: 512,
            balanced: false,
            seed: 0,
        }
    }
}

/// What one epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeadEpoch {
    /// Its number, from 1.
    pub epoch: u64,
    /// Mean loss while it learned.
    pub training_loss: f64,
    /// Mean loss of the validation split after it.
    pub validation_loss: f64,
    /// Share of validation residues that are right after it.
    pub validation_q3: f64,
}

/// How a head does on one split. Shares are between 0 and 1; masked residues count for nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeadMetrics {
    /// Records with at least one labelled residue.
    pub records: u64,
    /// Labelled residues.
    pub residues: u64,
    /// Share of residues whose class is right.
    pub q3: f64,
    /// The mean over records of each one's share.
    pub q3_per_record: f64,
    /// The share that the most frequent class of the training split would get.
    pub baseline_q3: f64,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// By class.
    pub classes: Vec<HeadClass>,
    /// Residues by true class (rows) and by predicted class.
    pub confusion: Vec<Vec<u64>>,
}

/// How well one class does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeadClass {
    /// The class.
    pub class: String,
    /// Residues that have it.
    pub residues: u64,
    /// Share of those said to have it that do; null where it is never said.
    pub precision: Option<f64>,
    /// Share of those that have it and are said to; null where no residue has it.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
}

/// All heads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Heads {
    /// By name.
    pub heads: Vec<Head>,
}

/// Asks for a head to be fitted on a table's structures: helix, strand and coil by the C-alpha
/// trace of each row (P-SEA), masked where a residue has no C-alpha.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainHeadRequest {
    /// Its name.
    #[schema(example = "ss3")]
    pub name: String,
    /// The column of vectors, one per residue; may be left out where there is only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The version of the table: a number, a tag or `latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// A column whose value decides about a row's split in place of its sequence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// The share of records for validation; 0.1 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f64>,
    /// The share of records for the test; 0.1 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<f64>,
    /// Seed of the splits; 0 where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_seed: Option<u64>,
    /// How it is fitted.
    #[serde(default)]
    pub options: HeadOptions,
    /// Whether a head of this name is replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replace: bool,
}

/// Asks for the states of residues: of sequences, or of a table's rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictRequest {
    /// Name of the head.
    #[schema(example = "ss3")]
    pub head: String,
    /// Sequences, each alone or with an id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequences: Vec<EmbedSequence>,
    /// A table in place of sequences.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// The version of the table: a number, a tag or `latest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// States of residues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PredictAnswer {
    /// The head.
    pub head: String,
    /// The encoder of the vectors.
    pub encoder: String,
    /// The classes, in the order of the probabilities.
    pub classes: Vec<String>,
    /// In the order of the records.
    pub predictions: Vec<Prediction>,
}

/// The states of one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Prediction {
    /// The record's id.
    pub id: String,
    /// A letter for each residue; null where there is no vector.
    pub states: Option<String>,
    /// The probabilities of the classes for each residue; null where there is no vector.
    pub probabilities: Option<Vec<Vec<f32>>>,
}
