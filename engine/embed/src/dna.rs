//! `dna-kmer-v1`: canonical k-mers of three lengths.
//!
//! A k-mer and its reverse complement count as one (the smaller of the two as a number), so a
//! sequence and its reverse complement have equal integer counts and hence the same vector, bit
//! for bit. A letter other than A, C, G, T (or U, which reads as T) breaks k-mers; so N and the
//! other IUPAC codes are neither guessed nor skipped over.
//!
//! | part of the vector | k | what |
//! | --- | --- | --- |
//! | 0..96 | 4 | the 136 canonical tetramers: counts against those of an even background, in standard deviations. The genome signature (Karlin and Burge 1995, doi:10.1016/S0168-9525(00)89076-9) that tells species apart, with GC content in it |
//! | 96..160 | 6 | signed counts of 2,080 canonical hexamers, hashed to 512 |
//! | 160..256 | 10 | signed counts of 524,800 canonical 10-mers, hashed to 512: what is shared between a read and the window that it comes from |
//!
//! Hashing with signs keeps inner products in expectation (count sketch: Charikar, Chen and
//! Farach-Colton 2002, doi:10.1007/3-540-45465-9_59). Each part is scaled to norm 1, projected by
//! seeded signs, scaled to its weight, and the whole is scaled to norm 1. A sequence shorter than
//! 10 bases has zeros where its k-mers are missing; one without a single valid tetramer is null.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use penstock_types::{DType, FeatureSpec, Kind, Pooling, columns};
use rayon::prelude::*;

use crate::input::Text;
use crate::vectors::{self, DIM, Projection};
use crate::weights::Constants;
use crate::{EmbedError, Encoder};

const NAME: &str = "dna-kmer-v1";
/// Word lengths, shortest first.
const K: [usize; 3] = [4, 6, 10];
/// Features of each part before the projection.
const FEATURES: [usize; 3] = [136, 512, 512];
/// Dimensions of each part.
const DIMS: [usize; 3] = [96, 64, 96];
/// Norm of each part.
const WEIGHTS: [f64; 3] = [0.7, 0.5, 0.6];
/// Seeds of the projections.
const SEEDS: [u64; 3] = [0x646e_6104, 0x646e_6106, 0x646e_610a];
/// Multiplier of the hash (Knuth 1998, vol. 3, 6.4: the golden ratio times 2^64).
const HASH: u64 = 0x9e37_79b9_7f4a_7c15;
/// Sequences that are encoded in one go; bounds the memory for features at 5 MiB.
const BLOCK: usize = 512;
const FEATURES_ALL: usize = FEATURES[0] + FEATURES[1] + FEATURES[2];

const BREAK: u8 = 4;

const CODES: [u8; 256] = {
    let mut codes = [BREAK; 256];
    let letters = *b"ACGT";
    let mut i = 0;
    while i < 4 {
        codes[letters[i] as usize] = i as u8;
        codes[letters[i].to_ascii_lowercase() as usize] = i as u8;
        i += 1;
    }
    codes[b'U' as usize] = 3;
    codes[b'u' as usize] = 3;
    codes
};

/// The encoder `dna-kmer-v1`; see the module.
#[derive(Debug)]
pub struct DnaKmer {
    spec: FeatureSpec,
    projections: [Projection; 3],
    tetramers: Vec<Tetramer>,
}

/// A canonical tetramer.
#[derive(Debug, Clone, Copy)]
struct Tetramer {
    code: usize,
    /// 1 for a palindrome, else 2: how many of the 256 tetramers it stands for.
    strands: f64,
}

fn reverse_complement(word: u64, k: usize) -> u64 {
    (0..k).fold(0, |out, i| (out << 2) | (3 - ((word >> (2 * i)) & 3)))
}

/// The slot and sign of a hashed word.
#[inline]
const fn hashed(word: u64, k: usize) -> (usize, i32) {
    // The word length enters so that parts do not collide in the same way.
    let mixed = (word + 1).wrapping_mul(HASH ^ ((k as u64) << 1));
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(HASH);
    let sign = 1 - 2 * ((mixed >> 63) as i32);
    (((mixed >> 40) & 511) as usize, sign)
}

#[derive(Clone)]
struct Counts {
    tetramers: Box<[u32; 256]>,
    hashed: [Box<[i32; 512]>; 2],
}

impl Counts {
    fn new() -> Self {
        Self {
            tetramers: Box::new([0; 256]),
            hashed: [Box::new([0; 512]), Box::new([0; 512])],
        }
    }

    /// Counts the canonical words of a sequence. Sums of 32 bits hold any sequence of under
    /// 2^31 bases; beyond that they saturate.
    fn count(&mut self, sequence: &[u8], tables: &Tables) {
        self.tetramers.fill(0);
        for table in &mut self.hashed {
            table.fill(0);
        }
        let [k4, k6, k10] = K;
        let (mut forward, mut reverse, mut run) = (0_u64, 0_u64, 0_usize);
        let mask = (1 << (2 * k10)) - 1;
        for &letter in sequence {
            let code = CODES[letter as usize];
            if code == BREAK {
                run = 0;
                continue;
            }
            forward = ((forward << 2) | u64::from(code)) & mask;
            reverse = (reverse >> 2) | (u64::from(3 - code) << (2 * (k10 - 1)));
            run += 1;
            if run < k4 {
                continue;
            }
            // The last k letters: low bits of `forward`, high bits of `reverse`.
            let word = |k: usize| {
                let f = forward & ((1 << (2 * k)) - 1);
                let r = reverse >> (2 * (k10 - k));
                f.min(r)
            };
            let slot = &mut self.tetramers[word(k4) as usize];
            *slot = slot.saturating_add(1);
            if run >= k6 {
                let (slot, sign) = tables.hexamers[word(k6) as usize];
                let slot = &mut self.hashed[0][slot as usize & 511];
                *slot = slot.saturating_add(i32::from(sign));
            }
            if run >= k10 {
                let (slot, sign) = hashed(word(k10), k10);
                let slot = &mut self.hashed[1][slot];
                *slot = slot.saturating_add(sign);
            }
        }
    }
}

/// Look-up tables that follow from the constants.
struct Tables {
    hexamers: Vec<(u16, i16)>,
}

static TABLES: std::sync::LazyLock<Tables> = std::sync::LazyLock::new(|| Tables {
    hexamers: (0..4096)
        .map(|word| {
            let (slot, sign) = hashed(word, K[1]);
            (slot as u16, sign as i16)
        })
        .collect(),
});

impl DnaKmer {
    /// Makes the encoder.
    #[must_use]
    pub fn new() -> Self {
        let tetramers: Vec<Tetramer> = (0..256_u64)
            .filter_map(|word| {
                let other = reverse_complement(word, K[0]);
                (word <= other).then_some(Tetramer {
                    code: word as usize,
                    strands: if word == other { 1.0 } else { 2.0 },
                })
            })
            .collect();
        debug_assert_eq!(tetramers.len(), FEATURES[0]);
        let projections = [0, 1, 2].map(|i| {
            let values = vectors::signs(SEEDS[i], FEATURES[i], DIMS[i]);
            Projection::new(values, FEATURES[i], DIMS[i])
        });
        let mut constants = Constants::new(NAME)
            .numbers("k", &K.map(|k| k as f64))
            .numbers("weights", &WEIGHTS)
            .numbers("unit", &[vectors::UNIT])
            .bytes("codes", &CODES)
            .bytes("hash", &HASH.to_le_bytes());
        for projection in &projections {
            constants = constants.numbers("projection", projection.values());
        }
        for word in 0..64 {
            let (slot, sign) = hashed(word * 8191, K[2]);
            constants = constants.numbers("hashed", &[slot as f64, f64::from(sign)]);
        }
        let spec = FeatureSpec {
            encoder: NAME.to_owned(),
            weights: constants.finish(),
            pooling: Pooling::Whole,
            dtype: DType::F32,
            licence: None,
            dim: vectors::DIMENSION,
        };
        Self {
            spec,
            projections,
            tetramers,
        }
    }

    /// Writes the features of one sequence; false where there is not one valid tetramer.
    fn features(&self, sequence: &[u8], counts: &mut Counts, out: &mut [f64]) -> bool {
        counts.count(sequence, &TABLES);
        let total: f64 = counts.tetramers.iter().map(|&c| f64::from(c)).sum();
        if total == 0.0 {
            out.fill(0.0);
            return false;
        }
        let (four, rest) = out.split_at_mut(FEATURES[0]);
        for (slot, tetramer) in four.iter_mut().zip(&self.tetramers) {
            let expected = total * tetramer.strands / 256.0;
            *slot = (f64::from(counts.tetramers[tetramer.code]) - expected) / expected.sqrt();
        }
        vectors::quantise(four);
        for (part, table) in rest.chunks_exact_mut(FEATURES[1]).zip(&counts.hashed) {
            for (slot, &count) in part.iter_mut().zip(table.iter()) {
                *slot = f64::from(count);
            }
            vectors::quantise(part);
        }
        true
    }
}

impl Default for DnaKmer {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder for DnaKmer {
    fn spec(&self) -> &FeatureSpec {
        &self.spec
    }

    fn kind(&self) -> Kind {
        Kind::Dna
    }

    fn columns(&self) -> &'static [&'static str] {
        &[columns::SEQUENCE]
    }

    fn describe(&self) -> &str {
        "canonical k-mers (k = 4, 6, 10); a sequence and its reverse complement have one vector"
    }

    fn encode(&self, batch: &RecordBatch) -> Result<ArrayRef, EmbedError> {
        let text = Text::of(NAME, batch, columns::SEQUENCE)?;
        let mut vectors = Vec::with_capacity(batch.num_rows());
        let mut features = vec![0.0; BLOCK.min(batch.num_rows()) * FEATURES_ALL];
        for start in (0..batch.num_rows()).step_by(BLOCK) {
            let rows = BLOCK.min(batch.num_rows() - start);
            let features = &mut features[..rows * FEATURES_ALL];
            let valid: Vec<bool> = features
                .par_chunks_exact_mut(FEATURES_ALL)
                .enumerate()
                .map_init(Counts::new, |counts, (i, out)| {
                    let sequence = text.get(start + i).unwrap_or_default();
                    self.features(sequence, counts, out)
                })
                .collect();
            let mut parts = Vec::with_capacity(K.len());
            let mut at = 0;
            for (projection, width) in self.projections.iter().zip(FEATURES) {
                let part: Vec<f64> = features
                    .chunks_exact(FEATURES_ALL)
                    .flat_map(|row| &row[at..at + width])
                    .copied()
                    .collect();
                parts.push(projection.apply(&part)?);
                at += width;
            }
            for (row, valid) in valid.into_iter().enumerate() {
                let mut vector = [0.0; DIM];
                let mut at = 0;
                for ((part, width), weight) in parts.iter().zip(DIMS).zip(WEIGHTS) {
                    let slot = &mut vector[at..at + width];
                    slot.copy_from_slice(&part[row * width..(row + 1) * width]);
                    vectors::scale_to(slot, weight);
                    at += width;
                }
                vectors.push(if valid { vectors::unit(&vector) } else { None });
            }
        }
        Ok(Arc::new(vectors::array(&vectors)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_words() {
        for k in K {
            let mut seen = std::collections::HashSet::new();
            for word in 0..1_u64 << (2 * k) {
                let other = reverse_complement(word, k);
                assert_eq!(reverse_complement(other, k), word);
                seen.insert(word.min(other));
            }
            let palindromes = 1 << k;
            assert_eq!(seen.len(), ((1 << (2 * k)) + palindromes) / 2);
        }
    }

    #[test]
    fn words_are_what_they_should_be() {
        let sequence = b"ACGTTGCANNACGTACGTTTAAC";
        let mut counts = Counts::new();
        counts.count(sequence, &TABLES);
        let mut expected = Counts::new();
        for run in sequence.split(|c| *c == b'N') {
            for (k, which) in [(4, 0), (6, 1), (10, 2)] {
                for word in run.windows(k) {
                    let code = word
                        .iter()
                        .fold(0, |w, c| (w << 2) | u64::from(CODES[*c as usize]));
                    let code = code.min(reverse_complement(code, k));
                    if which == 0 {
                        expected.tetramers[code as usize] += 1;
                    } else {
                        let (slot, sign) = hashed(code, k);
                        expected.hashed[which - 1][slot] += sign;
                    }
                }
            }
        }
        assert_eq!(counts.tetramers, expected.tetramers);
        assert_eq!(counts.hashed, expected.hashed);
    }
}
