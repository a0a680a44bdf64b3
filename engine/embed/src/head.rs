//! Small heads on stored vectors: a class for each residue, from its vector alone.
//!
//! A head is an affine map from a residue's vector to one score per class, or two with an
//! activation between; softmax makes probabilities of the scores. It is fitted by [`HeadTrainer`],
//! and its classes are whatever the labels are: [`states`] has those of secondary structure.

mod fault;
mod file;
mod metrics;
pub mod psea;
mod split;
pub mod states;
mod train;

#[cfg(test)]
mod tests;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use fault::HeadFault;
pub use metrics::{ClassMetrics, Metrics, Tally};
pub use split::{Split, Splits};
pub use train::{Epoch, HeadOptions, HeadTrainer, Trained, Training};

use crate::kernel::{self, Linear, Output};

/// The label of a residue that counts for nothing: disordered, or not observed.
pub const MASKED: u8 = u8::MAX;

/// Rows that one thread works on at a time.
const ROWS: usize = 256;

/// The function between the two layers of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadActivation {
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `x * Phi(x)`, by the error function.
    Gelu,
}

impl std::fmt::Display for HeadActivation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Relu => "relu",
            Self::Gelu => "gelu",
        })
    }
}

impl std::str::FromStr for HeadActivation {
    type Err = HeadFault;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "relu" => Ok(Self::Relu),
            "gelu" => Ok(Self::Gelu),
            _ => Err(HeadFault::Option {
                option: "activation",
                expected: "relu or gelu",
            }),
        }
    }
}

impl HeadActivation {
    const fn kernel(self) -> kernel::Activation {
        match self {
            Self::Relu => kernel::Activation::Relu,
            Self::Gelu => kernel::Activation::Gelu,
        }
    }
}

/// What a head looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadShape {
    /// The names of the classes, in the order of the scores.
    pub classes: Vec<String>,
    /// Numbers of one residue's vector.
    pub dim: usize,
    /// Width of the layer between; `None`: the head is linear.
    pub hidden: Option<usize>,
    /// The function after it.
    pub activation: HeadActivation,
}

/// One affine map, as it is stored and as the processor wants it.
#[derive(Debug, Clone)]
struct Layer {
    /// `[outputs, inputs]`.
    weight: Vec<f32>,
    /// `[outputs]`.
    bias: Vec<f32>,
    inputs: usize,
    packed: Linear,
}

impl Layer {
    fn new(weight: Vec<f32>, bias: Vec<f32>, inputs: usize) -> Self {
        let packed = Linear::new(&weight, Some(&bias), inputs, bias.len());
        Self {
            weight,
            bias,
            inputs,
            packed,
        }
    }
}

/// A trained head.
///
/// A residue's probabilities depend on its vector alone, bit for bit: not on the residues beside
/// it, nor on the number of threads.
#[derive(Debug, Clone)]
pub struct Head {
    shape: HeadShape,
    /// `[dim]`, what is taken off a vector before the first layer.
    mean: Vec<f32>,
    /// `[dim]`, what the rest is multiplied by.
    scale: Vec<f32>,
    /// One or two.
    layers: Vec<Layer>,
}

impl Head {
    /// What the head looks like.
    #[must_use]
    pub const fn shape(&self) -> &HeadShape {
        &self.shape
    }

    /// How many classes there are.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.shape.classes.len()
    }

    /// The probabilities of the classes, `[residues, classes]`, of vectors `[residues, dim]`. A
    /// vector that is not finite has NaN.
    ///
    /// # Errors
    /// The numbers are no whole number of vectors.
    pub fn apply(&self, features: &[f32]) -> Result<Vec<f32>, HeadFault> {
        let mut scores = self.log_probabilities(features)?;
        for score in &mut scores {
            *score = score.exp();
        }
        Ok(scores)
    }

    /// The natural logarithms of what [`Self::apply`] gives.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn log_probabilities(&self, features: &[f32]) -> Result<Vec<f32>, HeadFault> {
        let dim = self.shape.dim;
        if !features.len().is_multiple_of(dim) {
            return Err(HeadFault::Width {
                given: features.len(),
                dim,
            });
        }
        let classes = self.classes();
        let mut scores = vec![0.0; features.len() / dim * classes];
        scores
            .par_chunks_mut(ROWS * classes)
            .zip(features.par_chunks(ROWS * dim))
            .for_each(|(scores, features)| self.score(features, scores));
        Ok(scores)
    }

    fn score(&self, features: &[f32], scores: &mut [f32]) {
        let rows = scores.len() / self.classes();
        let mut x = features.to_vec();
        standardise(&mut x, &self.mean, &self.scale);
        for (at, layer) in self.layers.iter().enumerate() {
            let outputs = layer.bias.len();
            let output = match at + 1 < self.layers.len() {
                true => Output::Activate(self.shape.activation.kernel()),
                false => Output::Store,
            };
            let mut y = vec![0.0; rows * outputs];
            kernel::matmul(
                &x,
                layer.inputs,
                rows,
                &layer.packed,
                &mut y,
                outputs,
                output,
            );
            x = y;
        }
        scores.copy_from_slice(&x);
        for row in scores.chunks_exact_mut(self.classes()) {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = row.iter().map(|x| (x - top).exp()).sum();
            let log_sum = top + sum.ln();
            row.iter_mut().for_each(|x| *x -= log_sum);
        }
    }
}

/// `(x - mean) * scale` for rows of `mean.len()` numbers.
fn standardise(rows: &mut [f32], mean: &[f32], scale: &[f32]) {
    for row in rows.chunks_exact_mut(mean.len()) {
        for ((x, mean), scale) in row.iter_mut().zip(mean).zip(scale) {
            *x = (*x - mean) * scale;
        }
    }
}

/// The class with the highest probability, or logarithm of one; the first of equal ones.
#[must_use]
pub fn most_probable(row: &[f32]) -> usize {
    let mut best = 0;
    for (class, value) in row.iter().enumerate() {
        if *value > row[best] {
            best = class;
        }
    }
    best
}
