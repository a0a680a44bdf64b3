//! How sequences are aligned, and sequences made ready for it.

use super::composition;
use super::kernel::Encoded;
use super::scoring::{Matrix, Scoring};
use super::statistics::KarlinAltschul;
use crate::error::{RerankError, Result};

/// How sequences are aligned. The default is that of protein BLAST: BLOSUM62, gaps 11 and 1.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceOptions {
    /// Scores of pairs of residues.
    pub matrix: Matrix,
    /// What opening a gap costs: a gap of `n` residues costs `gap_open + n * gap_extend`.
    pub gap_open: u8,
    /// What each residue of a gap costs.
    pub gap_extend: u8,
    /// Corrects scores for the composition of the neighbourhood. It guards against repeats and
    /// biased regions; between SCOPe domains, which have few, it changes little.
    pub composition: bool,
    /// Aligns the other strand of a query of DNA too, and takes the better. Proteins have one.
    pub both_strands: bool,
    /// Constants for E-values; those of BLAST for the matrix and gap costs where none are given.
    pub statistics: Option<KarlinAltschul>,
    /// Sequences of the database that the hits come from, for E-values; as many as there are
    /// targets where none is given.
    pub database_sequences: Option<u64>,
    /// The most pairs of residues that [`super::align_pair`] traces, at a byte each.
    pub trace_cells: u64,
}

impl Default for SequenceOptions {
    fn default() -> Self {
        Self {
            matrix: Matrix::Blosum62,
            gap_open: 11,
            gap_extend: 1,
            composition: false,
            both_strands: false,
            statistics: None,
            database_sequences: None,
            trace_cells: 1 << 28,
        }
    }
}

impl SequenceOptions {
    /// For DNA, as BLASTN has it: 2 for a match, -3 for a mismatch, gaps 5 and 2, both strands.
    #[must_use]
    pub fn dna() -> Self {
        Self {
            matrix: Matrix::Nucleotide { same: 2, other: -3 },
            gap_open: 5,
            gap_extend: 2,
            both_strands: true,
            ..Self::default()
        }
    }
}

/// Options as the kernels need them.
#[derive(Debug)]
pub(super) struct Prepared {
    pub scoring: Scoring,
    composition: bool,
    both_strands: bool,
}

impl Prepared {
    pub(super) fn new(options: &SequenceOptions) -> Result<Self> {
        let nucleotide = matches!(options.matrix, Matrix::Nucleotide { .. });
        Ok(Self {
            scoring: Scoring::new(options.matrix, options.gap_open, options.gap_extend)?,
            composition: options.composition,
            both_strands: options.both_strands && nucleotide,
        })
    }

    /// The constants to use.
    pub(super) fn statistics(options: &SequenceOptions) -> Result<KarlinAltschul> {
        let known = || KarlinAltschul::known(options.matrix, options.gap_open, options.gap_extend);
        let of = options.statistics.or_else(known);
        let of = of.ok_or(RerankError::NoStatistics {
            matrix: options.matrix,
            open: options.gap_open,
            extend: options.gap_extend,
        })?;
        let positive = [of.lambda, of.k, of.alpha]
            .iter()
            .all(|x| x.is_finite() && *x > 0.0);
        if positive && of.beta.is_finite() {
            Ok(of)
        } else {
            Err(RerankError::Statistics(of))
        }
    }

    pub(super) fn both_strands(&self) -> bool {
        self.both_strands
    }

    pub(super) fn sequence(&self, text: &[u8]) -> Sequence {
        self.finish(self.scoring.encode(text))
    }

    pub(super) fn other_strand(&self, of: &Sequence) -> Sequence {
        self.finish(Scoring::reverse_complement(&of.letters))
    }

    fn finish(&self, letters: Vec<u8>) -> Sequence {
        let bias = if self.composition {
            composition::bias(&self.scoring, &letters)
        } else {
            Vec::new()
        };
        Sequence { letters, bias }
    }
}

/// A sequence made ready: a byte per residue, two with the correction for composition.
#[derive(Debug)]
pub(super) struct Sequence {
    pub letters: Vec<u8>,
    bias: Vec<i8>,
}

impl Sequence {
    pub(super) fn encoded(&self) -> Encoded<'_> {
        Encoded {
            letters: &self.letters,
            bias: &self.bias,
        }
    }
}
