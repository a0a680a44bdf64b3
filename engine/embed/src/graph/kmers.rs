//! DNA: the compacted de Bruijn graph of a sequence.
//!
//! A k-mer and its reverse complement are one, written as the lesser of the two. Two k-mers follow
//! each other where they overlap by k - 1 bases, whether or not the sequence has them side by side.
//! A unitig, a vertex of the graph, is a longest run of k-mers without a branch; an edge joins
//! unitigs of which one may follow the other on either strand. With odd k no k-mer is its own
//! reverse complement. All is derived from the sorted set of k-mers, so a sequence and its reverse
//! complement have the same graph, bit for bit.
//!
//! Chikhi, Limasset and Medvedev 2016, doi:10.1093/bioinformatics/btw279.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use serde::Deserialize;

use super::{Featured, Graph, GraphFault};

/// The longest k-mer that 64 bits hold, odd.
pub(crate) const LONGEST: usize = 31;

/// Classes of three bases that are one on both strands.
const TRIMERS: usize = 32;

/// What is known of a unitig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feature {
    /// Shares of the 32 trimers (the lesser of both strands, ascending) in its bases.
    Composition,
    /// Share of G and C in its bases.
    Gc,
    /// ln of the number of its k-mers.
    Length,
    /// ln of how often, on average, the sequence has each of its k-mers.
    Coverage,
    /// ln(1 + neighbours).
    Degree,
}

impl Feature {
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Composition => TRIMERS,
            Self::Gc | Self::Length | Self::Coverage | Self::Degree => 1,
        }
    }
}

/// A run of k-mers without a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unitig {
    /// Bases, 0 to 3 for A, C, G, T; of the two strands the lesser.
    pub(crate) bases: Vec<u8>,
    /// How often the sequence has its k-mers, in all.
    pub(crate) count: u64,
}

/// The unitigs of a sequence and which may follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compacted {
    pub(crate) unitigs: Vec<Unitig>,
    /// The lesser number first, ascending, each pair once; a unitig may follow itself.
    pub(crate) pairs: Vec<(u32, u32)>,
}

/// Mixes the bits of a k-mer; the order of the map is never looked at.
#[derive(Default)]
struct Mixing(u64);

impl Hasher for Mixing {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }
    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }
}

type Places = HashMap<u64, u32, BuildHasherDefault<Mixing>>;

/// A k-mer on one strand: its place in the sorted set, and whether it is read as written there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Strand {
    place: u32,
    forward: bool,
}

impl Strand {
    const fn flip(self) -> Self {
        Self {
            place: self.place,
            forward: !self.forward,
        }
    }
}

const fn code(letter: u8) -> Option<u64> {
    match letter {
        b'A' | b'a' => Some(0),
        b'C' | b'c' => Some(1),
        b'G' | b'g' => Some(2),
        b'T' | b't' | b'U' | b'u' => Some(3),
        _ => None,
    }
}

/// The reverse complement of `k` bases, two bits each.
fn reverse(kmer: u64, k: usize) -> u64 {
    // Complement, then swap pairs of bits, then nibbles, then bytes.
    let mut x = !kmer;
    x = ((x >> 2) & 0x3333_3333_3333_3333) | ((x & 0x3333_3333_3333_3333) << 2);
    x = ((x >> 4) & 0x0f0f_0f0f_0f0f_0f0f) | ((x & 0x0f0f_0f0f_0f0f_0f0f) << 4);
    x.swap_bytes() >> (64 - 2 * k)
}

/// The k-mers of a sequence, each as the lesser of its strands; letters other than the four bases
/// are in none.
pub(crate) fn canonical(sequence: &[u8], k: usize) -> Vec<u64> {
    let mask = (1_u64 << (2 * k)) - 1;
    let (mut kmer, mut known) = (0_u64, 0);
    let mut all = Vec::with_capacity(sequence.len().saturating_sub(k - 1));
    for letter in sequence {
        match code(*letter) {
            None => known = 0,
            Some(base) => {
                kmer = ((kmer << 2) | base) & mask;
                known += 1;
                if known >= k {
                    all.push(kmer.min(reverse(kmer, k)));
                }
            }
        }
    }
    all
}

/// The set of k-mers, and how to walk along it.
struct Set {
    k: usize,
    /// Ascending.
    kmers: Vec<u64>,
    counts: Vec<u64>,
    places: Places,
}

impl Set {
    fn new(sequence: &[u8], k: usize) -> Self {
        let mut all = canonical(sequence, k);
        all.sort_unstable();
        let (mut kmers, mut counts) = (Vec::new(), Vec::new());
        for run in all.chunk_by(|a, b| a == b) {
            kmers.push(run[0]);
            counts.push(run.len() as u64);
        }
        let places = kmers
            .iter()
            .zip(0..)
            .map(|(kmer, at)| (*kmer, at))
            .collect();
        Self {
            k,
            kmers,
            counts,
            places,
        }
    }

    fn read(&self, at: Strand) -> u64 {
        let kmer = self.kmers[at.place as usize];
        if at.forward {
            kmer
        } else {
            reverse(kmer, self.k)
        }
    }

    /// The k-mers that may follow, by their last base.
    fn following(&self, at: Strand) -> impl Iterator<Item = Strand> {
        let mask = (1_u64 << (2 * self.k)) - 1;
        let stem = (self.read(at) << 2) & mask;
        (0..4).filter_map(move |base| {
            let next = stem | base;
            let lesser = next.min(reverse(next, self.k));
            let place = *self.places.get(&lesser)?;
            Some(Strand {
                place,
                forward: lesser == next,
            })
        })
    }

    fn only(&self, at: Strand) -> Option<Strand> {
        let mut following = self.following(at);
        let only = following.next()?;
        following.next().is_none().then_some(only)
    }

    /// The next k-mer of the same unitig: neither side has another choice.
    fn next(&self, at: Strand) -> Option<Strand> {
        let next = self.only(at)?;
        // Turning back on the other strand would write the same k-mer twice.
        (next.place != at.place && self.only(next.flip()) == Some(at.flip())).then_some(next)
    }
}

/// Compacts the de Bruijn graph of a sequence. `k` is odd and from 3 to [`LONGEST`].
pub(crate) fn compact(sequence: &[u8], k: usize) -> Compacted {
    let set = Set::new(sequence, k);
    const NOBODY: u32 = u32::MAX;
    let mut owner = vec![NOBODY; set.kmers.len()];
    let mut unitigs = Vec::new();
    // The first and last k-mer of each unitig, both read along it.
    let mut ends = Vec::new();
    for place in 0..set.kmers.len() as u32 {
        if owner[place as usize] != NOBODY {
            continue;
        }
        let number = unitigs.len() as u32;
        let seed = Strand {
            place,
            forward: true,
        };
        // Back to the beginning; around a circle, that is the seed, its least k-mer.
        let mut back = seed.flip();
        while let Some(before) = set.next(back).filter(|before| before.place != place) {
            back = before;
        }
        let circle = set.next(back).is_some();
        let first = if circle { seed } else { back.flip() };
        let read = set.read(first);
        let mut bases: Vec<u8> = (0..k)
            .rev()
            .map(|i| ((read >> (2 * i)) & 3) as u8)
            .collect();
        let (mut last, mut count) = (first, 0);
        loop {
            owner[last.place as usize] = number;
            count += set.counts[last.place as usize];
            match set.next(last).filter(|next| next.place != first.place) {
                Some(next) => {
                    bases.push((set.read(next) & 3) as u8);
                    last = next;
                }
                None => break,
            }
        }
        let other: Vec<u8> = bases.iter().rev().map(|base| 3 - base).collect();
        unitigs.push(Unitig {
            bases: bases.min(other),
            count,
        });
        ends.push((first, last));
    }
    let mut pairs = Vec::new();
    for (number, (first, last)) in (0_u32..).zip(&ends) {
        for end in [*last, first.flip()] {
            for next in set.following(end) {
                let other = owner[next.place as usize];
                pairs.push((number.min(other), number.max(other)));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    Compacted { unitigs, pairs }
}

/// The graph of the unitigs of a sequence, undirected.
pub(crate) fn build(
    sequence: &[u8],
    k: usize,
    features: &[Feature],
) -> Result<Featured, GraphFault> {
    let Compacted { unitigs, pairs } = compact(sequence, k);
    let graph = Graph::undirected(unitigs.len(), &pairs, None)?;
    let width: usize = features.iter().map(|f| f.width()).sum();
    let classes = trimers();
    let mut values = Vec::with_capacity(unitigs.len() * width);
    for (at, unitig) in unitigs.iter().enumerate() {
        let kmers = unitig.bases.len() - k + 1;
        for feature in features {
            match feature {
                Feature::Composition => {
                    let mut counts = [0_u32; TRIMERS];
                    for three in unitig.bases.windows(3) {
                        let code = three
                            .iter()
                            .fold(0, |code, base| code * 4 + usize::from(*base));
                        counts[usize::from(classes[code])] += 1;
                    }
                    let all = (unitig.bases.len() - 2) as f32;
                    values.extend(counts.map(|count| count as f32 / all));
                }
                Feature::Gc => {
                    let strong = unitig.bases.iter().filter(|b| matches!(**b, 1 | 2)).count();
                    values.push(strong as f32 / unitig.bases.len() as f32);
                }
                Feature::Length => values.push((kmers as f32).ln()),
                Feature::Coverage => values.push((unitig.count as f32 / kmers as f32).ln()),
                Feature::Degree => {
                    let degree = graph.neighbours(at as u32).len();
                    values.push((degree as f32).ln_1p());
                }
            }
        }
    }
    Ok(Featured {
        graph,
        features: values,
        items: None,
    })
}

/// The class of each of the 64 trimers.
fn trimers() -> [u8; 64] {
    let mut classes = [0; 64];
    let mut next = 0;
    for code in 0..64_u64 {
        let other = reverse(code, 3);
        classes[code as usize] = match other < code {
            true => classes[other as usize],
            false => {
                next += 1;
                next - 1
            }
        };
    }
    classes
}
