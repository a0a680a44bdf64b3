//! DNA: the compacted de Bruijn graph of a sequence.
//!
//! A k-mer and its reverse complement are one, written as the lesser of the two. Two k-mers follow
//! each other where they overlap by k - 1 bases, whether or not the sequence has them side by
//! side. A unitig is a longest run of k-mers without a branch; an edge joins unitigs of which one
//! may follow the other. With odd k no k-mer is its own reverse complement. All is derived from
//! the sorted set of k-mers, so a sequence and its reverse complement have the same graph.
//!
//! R. Chikhi, A. Limasset, P. Medvedev, Bioinformatics 32, i201 (2016),
//! doi:10.1093/bioinformatics/btw279.

mod kmers;

use std::sync::atomic::AtomicBool;

use arrow::array::Array;
use arrow::record_batch::RecordBatch;
use penstock_pattern::{Columns, GraphBuilder, Labels};

use self::kmers::{Set, Strand};
use super::take::{Heads, sequences};
use super::{Made, STRIDE, asked, refused, too_large};
use crate::error::{GraphError, Result};
use crate::named::Named;

/// The longest k-mer that 64 bits hold, odd.
pub const LONGEST: usize = 31;

/// Vertex attribute: bases of the unitig; exact below 2^24.
pub const LENGTH: &str = "length";
/// Vertex attribute: fraction of G and C among the bases.
pub const GC: &str = "gc";
/// Vertex attribute: how often, on average, the sequence has each k-mer of the unitig, on either
/// strand.
pub const COVERAGE: &str = "coverage";
/// Vertex attribute: 1 where the unitig may follow itself, as a circle does, else 0. Graphs have
/// no loops.
pub const REPEATS: &str = "repeats";

/// Edge label: both unitigs lie on the strand on which they are written.
pub const SAME: &str = "same";
/// Edge label: one follows the other's reverse complement.
pub const FLIPPED: &str = "flipped";
/// Edge label: they may follow each other either way.
pub const EITHER: &str = "either";

/// A run of k-mers without a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unitig {
    /// Bases, 0 to 3 for A, C, G, T; of the two strands the lesser.
    pub bases: Vec<u8>,
    /// How often the sequence has its k-mers, in all.
    pub count: u64,
}

/// Two unitigs of which one may follow the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// The lesser number.
    pub from: u32,
    /// The other, or the same.
    pub to: u32,
    /// Whether one is read as its reverse complement when the other is read as it is written.
    pub flipped: bool,
}

/// The unitigs of a sequence and which may follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Compacted {
    /// In the order of the least k-mers among those not in an earlier one.
    pub unitigs: Vec<Unitig>,
    /// Ascending, each once.
    pub links: Vec<Link>,
}

/// Compacts the de Bruijn graph of a sequence of letters; those other than A, C, G, T and U, in
/// either case, are in no k-mer. Takes at most 48 bytes per base of the sequence.
///
/// # Errors
/// `k` that is even or not from 3 to [`LONGEST`]; 2^31 bases or more; cancellation.
pub fn compact(sequence: &[u8], k: usize, cancelled: &AtomicBool) -> Result<Compacted> {
    check(k)?;
    if sequence.len() >= 1 << 31 {
        return Err(GraphError::Option {
            option: "sequence",
            wanted: "shorter than 2^31 bases",
        });
    }
    const NOBODY: u32 = u32::MAX;
    let set = Set::new(sequence, k);
    asked(cancelled)?;
    // The unitig of each k-mer, and whether it is written there as it is in the set.
    let mut owner = vec![NOBODY; set.len()];
    let mut along = vec![false; set.len()];
    let mut unitigs = Vec::new();
    // The first and last k-mer of each unitig, both read along it.
    let mut ends = Vec::new();
    for place in 0..set.len() as u32 {
        if (place as usize).is_multiple_of(STRIDE) {
            asked(cancelled)?;
        }
        if owner[place as usize] != NOBODY {
            continue;
        }
        let number = unitigs.len() as u32;
        let seed = Strand {
            place,
            forward: true,
        };
        // Back to the beginning; around a circle, that is the seed, its least k-mer.
        let mut run = Vec::new();
        let mut back = seed.flip();
        let mut circle = false;
        while let Some(before) = set.next(back) {
            if before.place == place {
                circle = true;
                break;
            }
            back = before;
            run.push(back.flip());
        }
        if circle {
            run.push(seed);
            run.reverse();
        } else {
            run.reverse();
            run.push(seed);
            // It ends: what follows is different for each strand, and the seed is on no circle.
            let mut last = seed;
            while let Some(next) = set.next(last) {
                run.push(next);
                last = next;
            }
        }
        let (first, last) = (run[0], run[run.len() - 1]);
        let mut bases: Vec<u8> = (0..k - 1)
            .rev()
            .map(|i| ((set.read(first) >> (2 * (i + 1))) & 3) as u8)
            .collect();
        bases.extend(run.iter().map(|at| (set.read(*at) & 3) as u8));
        let other: Vec<u8> = bases.iter().rev().map(|base| 3 - base).collect();
        let turned = other < bases;
        let (bases, first, last) = match turned {
            true => (other, last.flip(), first.flip()),
            false => (bases, first, last),
        };
        let mut count = 0;
        for at in run {
            owner[at.place as usize] = number;
            along[at.place as usize] = at.forward != turned;
            count += u64::from(set.count(at));
        }
        unitigs.push(Unitig { bases, count });
        ends.push((first, last));
    }
    let mut links = Vec::new();
    for (number, (first, last)) in (0_u32..).zip(&ends) {
        for (end, backward) in [(*last, false), (first.flip(), true)] {
            for next in set.following(end) {
                let other = owner[next.place as usize];
                let with = next.forward == along[next.place as usize];
                links.push(Link {
                    from: number.min(other),
                    to: number.max(other),
                    flipped: with == backward,
                });
            }
        }
    }
    links.sort_unstable();
    links.dedup();
    Ok(Compacted { unitigs, links })
}

fn check(k: usize) -> Result<()> {
    match k % 2 == 1 && (3..=LONGEST).contains(&k) {
        true => Ok(()),
        false => Err(GraphError::Option {
            option: "k",
            wanted: "odd and from 3 to 31",
        }),
    }
}

/// What unitigs are labelled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnitigLabel {
    /// The fifth that the GC fraction lies in: `gc0`, `gc20`, `gc40`, `gc60`, `gc80`, by its lower
    /// bound in percent; a fraction of 1 is in `gc80`.
    Gc,
    /// The greatest power of two that is no more than the bases: `len16`, `len32`, ...
    Length,
    /// Both: `gc40/len32`.
    #[default]
    GcLength,
}

/// How graphs of unitigs are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitigOptions {
    /// Bases of a k-mer: odd, from 3 to [`LONGEST`].
    pub k: usize,
    /// What unitigs are labelled with.
    pub label: UnitigLabel,
    /// Bases that a sequence may have. The work takes at most about 200 bytes for each where
    /// every k-mer is a unitig, and 48 where few are.
    pub max_bases: usize,
}

impl Default for UnitigOptions {
    fn default() -> Self {
        Self {
            k: 21,
            label: UnitigLabel::GcLength,
            max_bases: 1 << 28,
        }
    }
}

/// The graph of unitigs of each row of a dna table: undirected, one vertex per unitig with a label
/// of its class, a name (`u0`, `u1`, ...) and the attributes [`LENGTH`], [`GC`], [`COVERAGE`] and
/// [`REPEATS`]; edges labelled [`SAME`], [`FLIPPED`] or [`EITHER`]. There are no positions.
///
/// Rows without a k-mer are counted in [`Made::without`]. Needs the columns `id` and `sequence`;
/// uses `description` where it is.
///
/// # Errors
/// `k` out of bounds; columns that lack or have another type; a sequence longer than allowed;
/// cancellation.
pub fn unitigs(
    batch: &RecordBatch,
    options: &UnitigOptions,
    cancelled: &AtomicBool,
) -> Result<Made> {
    check(options.k)?;
    let heads = Heads::of(batch)?;
    let sequences = sequences(batch)?;
    let mut made = Made::default();
    for row in 0..batch.num_rows() {
        let id = heads.id(row);
        let sequence = match sequences.is_valid(row) {
            true => sequences.value(row).as_bytes(),
            false => &[],
        };
        if sequence.len() > options.max_bases {
            return Err(too_large(id, "more bases than allowed"));
        }
        let compacted = compact(sequence, options.k, cancelled)?;
        if compacted.unitigs.is_empty() {
            made.without += 1;
            continue;
        }
        let mut graph = graph(id, &compacted, options)?;
        graph.description = heads.description(row);
        made.graphs.push(graph);
    }
    Ok(made)
}

fn graph(id: &str, compacted: &Compacted, options: &UnitigOptions) -> Result<Named> {
    let unitigs = &compacted.unitigs;
    let mut names = Labels::default();
    let mut labels = Vec::with_capacity(unitigs.len());
    let (mut lengths, mut gcs, mut coverages) = (Vec::new(), Vec::new(), Vec::new());
    for unitig in unitigs {
        let bases = unitig.bases.len();
        let strong = unitig.bases.iter().filter(|b| matches!(b, 1 | 2)).count();
        labels.push(names.intern(&label(bases, strong, options.label)));
        lengths.push(bases as f32);
        gcs.push(strong as f32 / bases as f32);
        coverages.push((unitig.count as f64 / (bases + 1 - options.k) as f64) as f32);
    }
    let mut repeats = vec![0.0; unitigs.len()];
    let mut builder = GraphBuilder {
        labels,
        vertex_names: Some(names),
        edge_names: Some(Labels::from_iter([SAME, FLIPPED, EITHER])),
        ..GraphBuilder::default()
    };
    for ways in compacted
        .links
        .chunk_by(|a, b| (a.from, a.to) == (b.from, b.to))
    {
        let Link { from, to, flipped } = ways[0];
        if from == to {
            repeats[from as usize] = 1.0;
            continue;
        }
        builder.edge(from, to);
        builder.edge_labels.push(match ways.len() {
            1 => u32::from(flipped),
            _ => 2,
        });
    }
    let mut columns = Columns::default();
    columns.insert(LENGTH, lengths);
    columns.insert(GC, gcs);
    columns.insert(COVERAGE, coverages);
    columns.insert(REPEATS, repeats);
    builder.vertex_columns = columns;
    Ok(Named {
        id: id.to_owned(),
        description: None,
        graph: builder.build().map_err(refused(id))?,
        names: (0..unitigs.len()).map(|n| format!("u{n}")).collect(),
        positions: Vec::new(),
    })
}

fn label(bases: usize, strong: usize, kind: UnitigLabel) -> String {
    let fifth = 20 * (5 * strong / bases).min(4);
    let power = 1_usize << bases.ilog2();
    match kind {
        UnitigLabel::Gc => format!("gc{fifth}"),
        UnitigLabel::Length => format!("len{power}"),
        UnitigLabel::GcLength => format!("gc{fifth}/len{power}"),
    }
}
