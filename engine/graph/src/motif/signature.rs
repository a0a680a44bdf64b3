//! What pairs of labels a structure has at which distance, as bits.
//!
//! A pair of vertices sets the bit of (label, label, distance bin); labels are hashed by name, so
//! that signatures of different tables compare. A motif asks, for each pair of its points, for a
//! bit of a bin that its distance may fall into, tolerance included. Where none is set the motif
//! cannot occur: every occurrence has such a pair and would have set the bit. Collisions of hashes
//! only let more through.

use super::{Motif, MotifPoint};
use crate::error::{GraphError, Result};
use crate::make::contacts::contacts_of;
use crate::named::Named;

/// How signatures are made. Only those of equal options compare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignatureOptions {
    /// Width of a bin of distances, in the unit of the positions: 1 angstrom for residues.
    pub bin: f64,
    /// Pairs closer than this count: 16 angstrom for residues. Time grows with its cube.
    pub reach: f64,
    /// Words of 64 bits, from 1 to 65,536. More let less through.
    pub words: usize,
}

impl Default for SignatureOptions {
    fn default() -> Self {
        Self {
            bin: 1.0,
            reach: 16.0,
            words: 64,
        }
    }
}

/// The pairs of a structure: `8 * words` bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Signature {
    options: SignatureOptions,
    words: Vec<u64>,
}

impl Signature {
    /// The signature of a graph with positions and named labels.
    ///
    /// # Errors
    /// Options that make no sense.
    pub fn of(target: &Named, options: &SignatureOptions) -> Result<Self> {
        options.check()?;
        let graph = &target.graph;
        let names = graph.vertex_names();
        let count = names.map_or(0, |names| names.len()) as u32;
        let hashes: Vec<u64> = (0..count)
            .map(|label| names.and_then(|n| n.name(label)).map_or(0, hash))
            .collect();
        let labels: Vec<u64> = graph
            .labels()
            .iter()
            .map(|label| hashes.get(*label as usize).copied().unwrap_or(0))
            .collect();
        let mut signature = Self {
            options: *options,
            words: vec![0; options.words],
        };
        contacts_of(&target.positions, options.reach, |a, b, squared| {
            let pair = (labels[a as usize], labels[b as usize]);
            let bit = options.bit(pair, options.bin_of(squared.sqrt()));
            signature.words[bit / 64] |= 1 << (bit % 64);
            true
        });
        Ok(signature)
    }

    /// A signature that was stored; `None` where the words are not as many as the options say.
    #[must_use]
    pub fn from_words(words: Vec<u64>, options: &SignatureOptions) -> Option<Self> {
        let fits = options.check().is_ok() && words.len() == options.words;
        fits.then_some(Self {
            options: *options,
            words,
        })
    }

    /// The bits: `[words]`.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// Whether a motif may occur in the structure. `false` proves that
    /// [`find`](super::find) finds nothing with that tolerance or a lesser one. Pairs of points
    /// with any label, and pairs that may be out of reach, say nothing.
    #[must_use]
    pub fn may_contain(&self, motif: &Motif, tolerance: f64) -> bool {
        let points = motif.points();
        let pairs = (1..points.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        pairs
            .into_iter()
            .all(|(a, b)| self.may_have(&points[a], &points[b], motif.distance(a, b), tolerance))
    }

    fn may_have(&self, a: &MotifPoint, b: &MotifPoint, distance: f64, tolerance: f64) -> bool {
        let (Some(first), Some(second)) = (&a.labels, &b.labels) else {
            return true;
        };
        // A rounding wider, so that what is found at the very bound is not dismissed.
        let high = (distance + tolerance) * (1.0 + 1e-9);
        let low = (distance - tolerance).max(0.0) * (1.0 - 1e-9);
        if high.is_nan() || high >= self.options.reach {
            return true;
        }
        let bins = self.options.bin_of(low)..=self.options.bin_of(high);
        let set = |bit: usize| self.words[bit / 64] >> (bit % 64) & 1 == 1;
        bins.into_iter().any(|bin| {
            first.iter().any(|first| {
                let first = hash(first);
                second
                    .iter()
                    .any(|second| set(self.options.bit((first, hash(second)), bin)))
            })
        })
    }
}

impl SignatureOptions {
    fn check(&self) -> Result<()> {
        let positive = |x: f64| x > 0.0 && x.is_finite();
        let lengths =
            positive(self.bin) && positive(self.reach) && self.reach / self.bin <= 65_536.0;
        match (lengths, (1..=65_536).contains(&self.words)) {
            (false, _) => Err(GraphError::Option {
                option: "bin, reach",
                wanted: "positive, and at most 65,536 bins",
            }),
            (_, false) => Err(GraphError::Option {
                option: "words",
                wanted: "from 1 to 65,536",
            }),
            _ => Ok(()),
        }
    }

    fn bin_of(&self, distance: f64) -> u64 {
        (distance / self.bin) as u64
    }

    fn bit(&self, (a, b): (u64, u64), bin: u64) -> usize {
        let pair = mix(a.min(b) ^ mix(a.max(b)));
        (mix(pair ^ bin) % (64 * self.words as u64)) as usize
    }
}

/// FNV-1a (draft-eastlake-fnv), mixed.
fn hash(name: &str) -> u64 {
    mix(name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    }))
}

/// SplitMix64's finaliser (Steele, Lea, Flood 2014, doi:10.1145/2660193.2660195).
fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
