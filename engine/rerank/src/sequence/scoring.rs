//! Alphabets, substitution scores and gap costs.

use crate::error::{RerankError, Result};
use crate::sequence::blosum;

/// What stands in a lane after the end of its target; it matches nothing.
pub(crate) const PAD: u8 = 31;
/// The score of [`PAD`] with anything: no alignment gets past it.
const NEVER: i8 = i8::MIN;
/// The most that a gap's first residue may cost: it is a positive number of eight bits.
const MOST: u8 = i8::MAX as u8;

/// Scores of pairs of letters, and with them the alphabet. Lower case is as upper case.
///
/// Amino acids: J (I or L), U (selenocysteine), O (pyrrolysine), `*` and everything that is no
/// letter are scored as X, the unknown residue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Matrix {
    /// BLOSUM45, for distant relatives.
    Blosum45,
    /// BLOSUM62, the usual one.
    Blosum62,
    /// BLOSUM80, for close relatives.
    Blosum80,
    /// DNA or RNA: U is T, and any letter but A, C, G, T is unknown.
    Nucleotide {
        /// For two equal letters; 1 to 60.
        same: i8,
        /// For two others, also for an unknown one with anything; -60 to 0.
        other: i8,
    },
}

/// Scores and gap costs as the kernels read them.
#[derive(Debug, Clone)]
pub(crate) struct Scoring {
    matrix: Matrix,
    table: [[i8; 32]; 32],
    codes: [u8; 256],
    letters: usize,
    gap_open: u8,
    gap_extend: u8,
}

impl Scoring {
    pub(crate) fn new(matrix: Matrix, gap_open: u8, gap_extend: u8) -> Result<Self> {
        if gap_extend == 0 || gap_open > MOST - gap_extend.min(MOST) {
            return Err(RerankError::Gaps {
                open: gap_open,
                extend: gap_extend,
            });
        }
        let mut table = [[NEVER; 32]; 32];
        let mut codes = [0; 256];
        let order: &[u8] = match matrix {
            Matrix::Blosum45 => fill(&mut table, &blosum::BLOSUM45),
            Matrix::Blosum62 => fill(&mut table, &blosum::BLOSUM62),
            Matrix::Blosum80 => fill(&mut table, &blosum::BLOSUM80),
            Matrix::Nucleotide { same, other } => {
                if !(1..=60).contains(&same) || !(-60..=0).contains(&other) {
                    return Err(RerankError::Matches { same, other });
                }
                for (i, row) in table.iter_mut().take(5).enumerate() {
                    for (j, score) in row.iter_mut().take(5).enumerate() {
                        *score = if i == j && i < 4 { same } else { other };
                    }
                }
                codes[usize::from(b'U')] = 3;
                codes[usize::from(b'u')] = 3;
                b"ACGTN"
            }
        };
        let unknown = order.len() - 1;
        for (byte, code) in codes.iter_mut().enumerate() {
            let upper = (byte as u8).to_ascii_uppercase();
            match order.iter().position(|letter| *letter == upper) {
                Some(at) => *code = at as u8,
                None if *code == 0 => *code = unknown as u8,
                None => {}
            }
        }
        Ok(Self {
            matrix,
            table,
            codes,
            letters: order.len(),
            gap_open,
            gap_extend,
        })
    }

    /// Codes of letters, under [`Scoring::letters`].
    pub(crate) fn encode(&self, text: &[u8]) -> Vec<u8> {
        text.iter().map(|b| self.codes[usize::from(*b)]).collect()
    }

    /// The other strand of encoded DNA.
    pub(crate) fn reverse_complement(letters: &[u8]) -> Vec<u8> {
        let other = |letter: &u8| if *letter < 4 { 3 - *letter } else { *letter };
        letters.iter().rev().map(other).collect()
    }

    pub(crate) fn matrix(&self) -> Matrix {
        self.matrix
    }

    pub(crate) fn table(&self) -> &[[i8; 32]; 32] {
        &self.table
    }

    #[inline]
    pub(crate) fn score(&self, a: u8, b: u8) -> i32 {
        self.table[usize::from(a & 31)][usize::from(b & 31)].into()
    }

    pub(crate) fn letters(&self) -> usize {
        self.letters
    }

    /// What the first residue of a gap costs.
    pub(crate) fn gap_first(&self) -> i16 {
        i16::from(self.gap_open) + i16::from(self.gap_extend)
    }

    /// What each further residue of a gap costs.
    pub(crate) fn gap_next(&self) -> i16 {
        self.gap_extend.into()
    }
}

fn fill(table: &mut [[i8; 32]; 32], triangle: &[i8]) -> &'static [u8] {
    let cells = (0..blosum::ORDER.len()).flat_map(|i| (0..=i).map(move |j| (i, j)));
    for ((i, j), score) in cells.zip(triangle) {
        table[i][j] = *score;
        table[j][i] = *score;
    }
    blosum::ORDER
}
