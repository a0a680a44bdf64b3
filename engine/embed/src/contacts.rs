//! Contact maps from attention, as ESM-2 has them (Rao et al. 2021, "Transformer protein language
//! models are unsupervised structure learners").
//!
//! Every head's attention between residues is made symmetric, the product of its row sums over its
//! total is taken away (average product correction), and a logistic regression over all heads of
//! all layers gives the probability that two residues are in contact (C-beta within 8 angstrom).

use std::ops::Range;

use crate::EmbedError;
use crate::checkpoint::Weights;
use crate::model::transformer::cpu::Watch;

const WEIGHT: &str = "contact_head.regression.weight";
const BIAS: &str = "contact_head.regression.bias";

/// The regression of a checkpoint.
#[derive(Debug)]
pub(crate) struct ContactHead {
    /// One per head, layer by layer.
    weights: Vec<f32>,
    bias: f32,
}

impl ContactHead {
    /// The head of a checkpoint, where it has one of this size.
    pub(crate) fn load(weights: &Weights, heads: usize) -> Result<Option<Self>, EmbedError> {
        if weights.shape(WEIGHT) != Some(vec![1, heads]) || weights.shape(BIAS) != Some(vec![1]) {
            return Ok(None);
        }
        let read = |name: &str| {
            weights
                .get(name)?
                .flatten_all()
                .and_then(|t| t.to_vec1::<f32>())
                .map_err(crate::error::tensor("reading the contact head"))
        };
        Ok(Some(Self {
            weights: read(WEIGHT)?,
            bias: read(BIAS)?.first().copied().unwrap_or(0.0),
        }))
    }
}

/// Adds up the logits of one sequence while its attention passes by.
pub(crate) struct Contacts<'a> {
    head: &'a ContactHead,
    /// The tokens that are residues.
    residues: Range<usize>,
    tokens: usize,
    logits: Vec<f32>,
    symmetric: Vec<f32>,
    sums: Vec<f32>,
}

impl<'a> Contacts<'a> {
    pub(crate) fn new(head: &'a ContactHead, tokens: usize, residues: Range<usize>) -> Self {
        let n = residues.len();
        Self {
            head,
            residues,
            tokens,
            logits: vec![head.bias; n * n],
            symmetric: vec![0.0; n * n],
            sums: vec![0.0; n],
        }
    }

    /// Probabilities, `[residues, residues]`.
    pub(crate) fn finish(self) -> Vec<f32> {
        let mut map = self.logits;
        for x in &mut map {
            *x = 1.0 / (1.0 + (-*x).exp());
        }
        map
    }
}

impl Watch for Contacts<'_> {
    fn wants_maps(&self) -> bool {
        true
    }

    fn maps(&mut self, layer: usize, _sequence: usize, maps: &[f32]) {
        let (n, tokens, first) = (self.residues.len(), self.tokens, self.residues.start);
        let heads = maps.len() / (tokens * tokens);
        for (head, map) in maps.chunks_exact(tokens * tokens).enumerate() {
            let at = |i: usize, j: usize| map[(first + i) * tokens + first + j];
            let mut total = 0.0;
            for i in 0..n {
                let row = &mut self.symmetric[i * n..(i + 1) * n];
                for (j, x) in row.iter_mut().enumerate() {
                    *x = at(i, j) + at(j, i);
                }
                self.sums[i] = row.iter().sum();
                total += self.sums[i];
            }
            let weight = self.head.weights[layer * heads + head];
            for i in 0..n {
                let share = self.sums[i] / total;
                let row = self.symmetric[i * n..(i + 1) * n].iter().zip(&self.sums);
                for (logit, (x, sum)) in self.logits[i * n..(i + 1) * n].iter_mut().zip(row) {
                    *logit += weight * (x - share * sum);
                }
            }
        }
    }
}
