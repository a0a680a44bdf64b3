//! `protein-kmer-v1`: composition, correlations along the chain, its profile, and a spectrum.
//!
//! Residues are described by nineteen scales, the eigenvectors of substitution in BLOSUM62
//! (Henikoff and Henikoff 1992): what evolution keeps longest comes first, and the first ones are
//! hydropathy and size (correlation 0.63 with AAindex KYTJ820101 and 0.61 with the van der Waals
//! volume FAUJ880103). Using them in place of single AAindex scales gives each part the most that
//! two relatives can be expected to share.
//!
//! | part of the vector | dimensions | what |
//! | --- | --- | --- |
//! | composition | 19 | mean of each scale |
//! | correlations | 96 | for 12 distances along the chain, mean products of 8 pairs of scales: smoothed spectra of spaced pairs (auto cross covariance: Wold et al. 1993, doi:10.1016/0003-2670(93)80437-P) |
//! | profile | 100 | the first 10 cosine coefficients, over the length of the chain, of 10 scales |
//! | length | 16 | residues, on a logarithmic scale from 16 to 4096, each spread over its neighbours |
//! | spectrum | 25 | square-rooted 3-mer counts over Murphy's ten-letter alphabet less those expected from background frequencies, projected by seeded signs |
//!
//! The profile and the length describe the chain as a whole: the vector finds relatives of a
//! domain of about the same extent, and is no local alignment. Nothing was fitted to labelled
//! data; the weights of the five parts were chosen on SCOPe 40 (`examples/scope40.rs`).
//!
//! Unknown residues (X, B, Z, J) count for the length and the positions of the others, nothing
//! else; U reads as C and O as K; signs that are no letters (`*`, `-`, `.`) are left out. A
//! sequence without one known residue is null.

mod tables;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use penstock_types::{DType, FeatureSpec, Kind, Pooling, columns};
use rayon::prelude::*;

use self::tables::{BACKGROUND, CORRELATIONS, GROUPS, RESIDUES, SCALE_UNIT, SCALES};
use crate::input::Text;
use crate::vectors::{self, DIM, Projection};
use crate::weights::Constants;
use crate::{EmbedError, Encoder};

const NAME: &str = "protein-kmer-v1";
const SCALE_COUNT: usize = 19;
/// Pairs of scales whose products are taken: those with the largest product of correlations.
const PAIRS: [(usize, usize); 8] = [
    (0, 0),
    (0, 1),
    (1, 0),
    (2, 0),
    (0, 2),
    (3, 0),
    (0, 3),
    (1, 1),
];
/// Distances along the chain, from 1.
const LAGS: usize = 12;
/// Scales that occur in [`PAIRS`].
const PAIR_SCALES: usize = 4;
/// Cosine coefficients of the profile, from the first above the mean.
const WAVES: usize = 10;
const WAVE_SCALES: usize = 10;
const LENGTHS: usize = 16;
/// log2 of the shortest and longest length told apart.
const LENGTH_RANGE: (f64, f64) = (4.0, 12.0);
/// The 3-mers of ten letters, and their dimensions after the projection.
const WORDS: usize = 1000;
const WORD_DIMS: usize = 25;
const SEED: u64 = 0x7072_6f74_3130;
/// Weights: composition, correlations, profile, length, spectrum.
const WEIGHTS: [f64; 5] = [1.5, 1.0, 1.6, 0.25, 0.15];
/// Sequences that are encoded in one go; bounds the memory for features at 4 MiB.
const BLOCK: usize = 512;

const CORRELATION_DIMS: usize = LAGS * PAIRS.len();
/// Dimensions that need no projection.
const DIRECT: usize = SCALE_COUNT + CORRELATION_DIMS + WAVES * WAVE_SCALES + LENGTHS;
const _: () = assert!(DIRECT + WORD_DIMS == DIM);

/// Marks in the table of letters.
const UNKNOWN: u8 = 20;
const NO_RESIDUE: u8 = 21;

/// The encoder `protein-kmer-v1`; see the module.
#[derive(Debug)]
pub struct ProteinKmer {
    spec: FeatureSpec,
    projection: Projection,
    letters: [u8; 256],
    groups: [u16; 20],
    /// The scales as numbers, and those of [`PAIRS`] divided by the root of their correlation;
    /// the last row, of unknown residues, is zero.
    scales: [[f64; SCALE_COUNT]; 21],
    paired: [[f64; PAIR_SCALES]; 21],
    /// Roots of the words' background probabilities.
    expected: Vec<f64>,
}

/// Memory that is used again from sequence to sequence.
#[derive(Default)]
struct Scratch {
    residues: Vec<u8>,
}

fn letters() -> [u8; 256] {
    let mut letters = [NO_RESIDUE; 256];
    for letter in b'A'..=b'Z' {
        let read_as = match letter {
            b'U' => b'C',
            b'O' => b'K',
            other => other,
        };
        let code = RESIDUES
            .iter()
            .position(|r| *r == read_as)
            .map_or(UNKNOWN, |i| i as u8);
        letters[letter as usize] = code;
        letters[letter.to_ascii_lowercase() as usize] = code;
    }
    letters
}

impl ProteinKmer {
    /// Makes the encoder.
    #[must_use]
    pub fn new() -> Self {
        let letters = letters();
        let mut groups = [0; 20];
        let mut share = [0.0; 10];
        let total: f64 = BACKGROUND.iter().map(|&p| f64::from(p)).sum();
        for (group, members) in GROUPS.iter().enumerate() {
            for member in *members {
                let residue = letters[*member as usize] as usize;
                groups[residue] = group as u16;
                share[group] += f64::from(BACKGROUND[residue]) / total;
            }
        }
        let expected = (0..WORDS)
            .map(|word| (share[word / 100] * share[word / 10 % 10] * share[word % 10]).sqrt())
            .collect();
        let mut scales = [[0.0; SCALE_COUNT]; 21];
        let mut paired = [[0.0; PAIR_SCALES]; 21];
        for (residue, row) in SCALES.iter().enumerate() {
            scales[residue] = row.map(|v| f64::from(v) / SCALE_UNIT);
            for k in 0..PAIR_SCALES {
                paired[residue][k] = scales[residue][k] / CORRELATIONS[k].sqrt();
            }
        }
        let projection = Projection::new(vectors::signs(SEED, WORDS, WORD_DIMS), WORDS, WORD_DIMS);
        let pairs: Vec<f64> = PAIRS
            .iter()
            .flat_map(|&(a, b)| [a as f64, b as f64])
            .collect();
        let weights = Constants::new(NAME)
            .bytes("letters", &letters)
            .numbers("background", &BACKGROUND.map(f64::from))
            .numbers("groups", &groups.map(f64::from))
            .numbers("scales", &scales.concat())
            .numbers("correlations", &CORRELATIONS)
            .numbers("pairs", &pairs)
            .numbers(
                "sizes",
                &[LAGS, WAVES, WAVE_SCALES, LENGTHS, WORD_DIMS].map(|n| n as f64),
            )
            .numbers("lengths", &[LENGTH_RANGE.0, LENGTH_RANGE.1])
            .numbers("weights", &WEIGHTS)
            .numbers("unit", &[vectors::UNIT])
            .numbers("projection", projection.values())
            .finish();
        Self {
            spec: FeatureSpec {
                encoder: NAME.to_owned(),
                weights,
                pooling: Pooling::Whole,
                dtype: DType::F32,
                licence: None,
                dim: vectors::DIMENSION,
            },
            projection,
            letters,
            groups,
            scales,
            paired,
            expected,
        }
    }

    /// Writes the direct part of the vector and the features of the spectrum; false where no
    /// residue is known.
    fn features(
        &self,
        sequence: &[u8],
        scratch: &mut Scratch,
        direct: &mut [f64],
        words: &mut [f64],
    ) -> bool {
        scratch.residues.clear();
        scratch.residues.extend(
            sequence
                .iter()
                .map(|letter| self.letters[*letter as usize])
                .filter(|code| *code != NO_RESIDUE),
        );
        let residues = scratch.residues.as_slice();
        let known = residues.iter().filter(|r| **r != UNKNOWN).count();
        direct.fill(0.0);
        words.fill(0.0);
        if known == 0 {
            return false;
        }
        let (composition, rest) = direct.split_at_mut(SCALE_COUNT);
        let (correlations, rest) = rest.split_at_mut(CORRELATION_DIMS);
        let (profile, lengths) = rest.split_at_mut(WAVES * WAVE_SCALES);
        self.composition(residues, known, composition);
        for (lag, out) in correlations.chunks_exact_mut(PAIRS.len()).enumerate() {
            self.correlation(residues, lag + 1, out);
        }
        self.profile(residues, known, profile);
        length(residues.len(), lengths);
        self.spectrum(residues, words);
        true
    }

    fn composition(&self, residues: &[u8], known: usize, out: &mut [f64]) {
        let mut counts = [0_u64; 21];
        for residue in residues {
            counts[*residue as usize] += 1;
        }
        for (count, scales) in counts.iter().zip(&self.scales) {
            for (slot, scale) in out.iter_mut().zip(scales) {
                *slot += *count as f64 * scale;
            }
        }
        for slot in out {
            *slot *= WEIGHTS[0] / known as f64;
        }
    }

    fn correlation(&self, residues: &[u8], lag: usize, out: &mut [f64]) {
        let mut sums = [0.0; PAIRS.len()];
        let mut known = 0_usize;
        for (a, b) in residues.iter().zip(residues.iter().skip(lag)) {
            let (x, y) = (&self.paired[*a as usize], &self.paired[*b as usize]);
            known += usize::from(*a != UNKNOWN && *b != UNKNOWN);
            for (sum, (i, j)) in sums.iter_mut().zip(PAIRS) {
                *sum += x[i] * y[j];
            }
        }
        if known > 0 {
            for (slot, sum) in out.iter_mut().zip(sums) {
                *slot = WEIGHTS[1] * sum / known as f64;
            }
        }
    }

    fn profile(&self, residues: &[u8], known: usize, out: &mut [f64]) {
        let mut sums = [[0.0; WAVE_SCALES]; WAVES];
        let step = std::f64::consts::PI / residues.len() as f64;
        for (i, residue) in residues.iter().enumerate() {
            let scales = &self.scales[*residue as usize];
            let cos = (step * (i as f64 + 0.5)).cos();
            // Chebyshev: cos((k + 1) t) = 2 cos(t) cos(k t) - cos((k - 1) t).
            let (mut before, mut here) = (1.0, cos);
            for sums in &mut sums {
                for (sum, scale) in sums.iter_mut().zip(scales) {
                    *sum += here * scale;
                }
                (before, here) = (here, 2.0 * cos * here - before);
            }
        }
        let scale = WEIGHTS[2] * std::f64::consts::SQRT_2 / known as f64;
        for (slot, sum) in out.iter_mut().zip(sums.as_flattened()) {
            *slot = scale * sum;
        }
    }

    fn spectrum(&self, residues: &[u8], words: &mut [f64]) {
        let mut total = 0.0_f64;
        for word in residues.windows(3) {
            if word.contains(&UNKNOWN) {
                continue;
            }
            let [a, b, c] = [word[0], word[1], word[2]].map(|r| self.groups[r as usize] as usize);
            words[a * 100 + b * 10 + c] += 1.0;
            total += 1.0;
        }
        let root = total.sqrt();
        for (word, expected) in words.iter_mut().zip(&self.expected) {
            *word = word.sqrt() - root * expected;
        }
        vectors::quantise(words);
    }
}

fn length(residues: usize, out: &mut [f64]) {
    let (low, high) = LENGTH_RANGE;
    let step = (high - low) / (LENGTHS - 1) as f64;
    let at = (residues as f64).log2().clamp(low, high);
    for (i, slot) in out.iter_mut().enumerate() {
        let away = (at - (low + step * i as f64)) / step;
        *slot = WEIGHTS[3] * (-away * away).exp();
    }
}

impl Default for ProteinKmer {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder for ProteinKmer {
    fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    fn kind(&self) -> Kind {
        Kind::Protein
    }

    fn columns(&self) -> &'static [&'static str] {
        &[columns::SEQUENCE]
    }

    fn describe(&self) -> &str {
        "composition, correlations along the chain, profile, length and a reduced-alphabet 3-mer \
         spectrum of a protein"
    }

    fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        let text = Text::of(NAME, batch, columns::SEQUENCE)?;
        let mut vectors = Vec::with_capacity(batch.num_rows());
        let most = BLOCK.min(batch.num_rows());
        let mut direct = vec![0.0; most * DIRECT];
        let mut words = vec![0.0; most * WORDS];
        for start in (0..batch.num_rows()).step_by(BLOCK) {
            let rows = BLOCK.min(batch.num_rows() - start);
            let (direct, words) = (&mut direct[..rows * DIRECT], &mut words[..rows * WORDS]);
            let valid: Vec<bool> = direct
                .par_chunks_exact_mut(DIRECT)
                .zip(words.par_chunks_exact_mut(WORDS))
                .enumerate()
                .map_init(Scratch::default, |scratch, (i, (direct, words))| {
                    let sequence = text.get(start + i).unwrap_or_default();
                    self.features(sequence, scratch, direct, words)
                })
                .collect();
            let mut projected = self.projection.apply(words)?;
            let rows = direct
                .chunks_exact(DIRECT)
                .zip(projected.chunks_exact_mut(WORD_DIMS));
            for ((direct, spectrum), valid) in rows.zip(valid) {
                vectors::scale_to(spectrum, WEIGHTS[4]);
                let mut vector = [0.0; DIM];
                vector[..DIRECT].copy_from_slice(direct);
                vector[DIRECT..].copy_from_slice(spectrum);
                vectors.push(if valid { vectors::unit(&vector) } else { None });
            }
        }
        Ok(Arc::new(vectors::array(&vectors)?))
    }
}
