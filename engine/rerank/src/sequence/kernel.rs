//! Local alignment scores of one query with many targets, a target per lane.
//!
//! Gotoh's recurrences (J. Mol. Biol. 162, 705, 1982, doi:10.1016/0022-2836(82)90398-9) in the
//! arrangement of Rognes (SWIPE, BMC Bioinformatics 12, 221, 2011, doi:10.1186/1471-2105-12-221):
//! each lane holds another target, so that no lane waits for its neighbour, and the scores of a
//! column's residues with all letters are looked up once for the whole query. A few columns are
//! computed together, which divides the loads and stores of the state by their number. Scores have
//! eight bits; a target whose score reaches the top is computed again with sixteen, and then with
//! thirty-two.
//!
//! Of the crates for this, block-aligner aligns globally or from an anchor and takes its
//! instruction set from the build; the bindings of parasail and SSW bring a C library without
//! AVX-512, whose striped kernels put one pair into a vector. On one core of an EPYC of the fourth
//! generation, with SCOPe domains (182 residues on the average), parasail's striped kernel does 3.6
//! billion cells a second, called from Python with its profile reused; this kernel does 32.

#![expect(
    unsafe_code,
    reason = "vector instructions, on memory that is addressed by lane"
)]

pub(crate) mod isa;
mod lanes;

use std::sync::atomic::{AtomicBool, Ordering};

use isa::Isa;
use lanes::Lanes;

use super::scoring::{PAD, Scoring};

/// Columns that are computed together: as many as the registers of AVX-512 hold. They are padded to
/// a multiple of it.
const COLUMNS: usize = 4;

/// A sequence as the kernel reads it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoded<'a> {
    /// Letters of the alphabet, under 32.
    pub letters: &'a [u8],
    /// What is added to each score of a residue; empty for nothing.
    pub bias: &'a [i8],
}

/// Memory that is used again from query to query.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    narrow: State<i8>,
    wide: State<i16>,
    columns: Columns,
}

#[derive(Debug, Default)]
struct State<E> {
    /// For each residue of the query, the score left of it and the gap that comes in.
    rows: Vec<E>,
    /// Scores of a few columns with every letter.
    profile: Vec<E>,
    best: Vec<E>,
}

/// Targets, interleaved: residue by residue, a lane each, padded to the longest.
#[derive(Debug, Default)]
pub(crate) struct Columns {
    letters: Vec<u8>,
    bias: Vec<i8>,
    count: usize,
}

/// Targets that are computed together.
pub(crate) fn width(isa: Isa) -> usize {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => lanes::Avx512x64::WIDTH,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => lanes::Avx2x32::WIDTH,
        Isa::Portable => lanes::Portable16::WIDTH,
    }
}

impl Columns {
    /// Interleaves at most [`width`] targets.
    pub(crate) fn fill(&mut self, isa: Isa, targets: &[Encoded<'_>]) {
        self.pack(width(isa), COLUMNS, targets);
    }

    fn pack(&mut self, width: usize, multiple: usize, targets: &[Encoded<'_>]) {
        let longest = targets.iter().map(|t| t.letters.len()).max().unwrap_or(0);
        self.count = longest.next_multiple_of(multiple);
        self.letters.clear();
        self.letters.resize(self.count * width, PAD);
        self.bias.clear();
        if targets.iter().any(|target| !target.bias.is_empty()) {
            self.bias.resize(self.count * width, 0);
        }
        for (lane, target) in targets.iter().enumerate() {
            for (at, letter) in target.letters.iter().enumerate() {
                self.letters[at * width + lane] = *letter;
            }
            for (at, bias) in target.bias.iter().enumerate() {
                self.bias[at * width + lane] = *bias;
            }
        }
    }
}

/// What all calls of a run have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    /// Instructions that the processor has.
    pub isa: Isa,
    pub scoring: &'a Scoring,
    /// Ends a call before its time; what it leaves is then of no use.
    pub stop: &'a AtomicBool,
}

/// Scores of a query with the targets of `columns`. A lane whose score does not fit eight bits is
/// left at `None`.
pub(crate) fn narrow(
    run: Run<'_>,
    query: Encoded<'_>,
    columns: &Columns,
    scratch: &mut Scratch,
    scores: &mut [Option<u32>],
) {
    isa::run_narrow(run, query, columns, &mut scratch.narrow);
    for (score, best) in scores.iter_mut().zip(&scratch.narrow.best) {
        *score = (*best < i8::MAX).then(|| (i32::from(*best) - i32::from(i8::MIN)) as u32);
    }
}

/// Scores of a query with targets whose scores did not fit: with sixteen bits, then one by one.
pub(crate) fn wide(
    run: Run<'_>,
    query: Encoded<'_>,
    targets: &[Encoded<'_>],
    scratch: &mut Scratch,
    scores: &mut Vec<u32>,
) {
    let width = match run.isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => lanes::Avx512x32::WIDTH,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => lanes::Avx2x16::WIDTH,
        Isa::Portable => lanes::Portable8::WIDTH,
    };
    scores.clear();
    let mut columns = std::mem::take(&mut scratch.columns);
    for targets in targets.chunks(width) {
        columns.pack(width, COLUMNS, targets);
        isa::run_wide(run, query, &columns, &mut scratch.wide);
        for (target, best) in targets.iter().zip(&scratch.wide.best) {
            scores.push(if *best < i16::MAX {
                (i32::from(*best) - i32::from(i16::MIN)) as u32
            } else {
                super::gotoh::score(run.scoring, query, *target, run.stop)
            });
        }
    }
    scratch.columns = columns;
}

/// All targets of `columns` with a query; the largest score of each lane goes to `state.best`.
///
/// # Safety
/// Runs in a function that enables the instructions of `L`, for which `columns` was packed.
#[inline(always)]
unsafe fn align<L: Lanes, const C: usize, const BIASED: bool>(
    run: Run<'_>,
    query: Encoded<'_>,
    columns: &Columns,
    state: &mut State<L::Element>,
) {
    let scoring = run.scoring;
    let rows = query.letters.len();
    unsafe {
        let floor = L::splat(L::FLOOR);
        let first = L::splat(scoring.gap_first());
        let next = L::splat(scoring.gap_next());
        let mut best = floor;
        state
            .rows
            .resize(rows * 2 * L::WIDTH, L::Element::default());
        let letters = scoring.letters();
        state
            .profile
            .resize(letters * C * L::WIDTH, L::Element::default());
        state.best.resize(L::WIDTH, L::Element::default());
        for row in state.rows.chunks_exact_mut(L::WIDTH) {
            L::store(row.as_mut_ptr(), floor);
        }
        let profile = state.profile.as_mut_ptr();
        for block in 0..columns.count / C {
            if run.stop.load(Ordering::Relaxed) {
                break;
            }
            for (letter, table) in scoring.table().iter().take(letters).enumerate() {
                for c in 0..C {
                    let at = (block * C + c) * L::WIDTH;
                    // SAFETY: `at` is a column of `columns`, which has a letter for each lane.
                    let mut s = L::look_up(table.as_ptr(), columns.letters.as_ptr().add(at));
                    if BIASED && !columns.bias.is_empty() {
                        s = L::add(s, L::widen(columns.bias.as_ptr().add(at)));
                    }
                    L::store(profile.add((letter * C + c) * L::WIDTH), s);
                }
            }
            let mut gap = [floor; C];
            let mut above = [floor; C];
            let mut corner = floor;
            let mut row = state.rows.as_mut_ptr();
            for i in 0..rows {
                // SAFETY: letters of a query are under `letters`; `Scoring` made them.
                let letter = usize::from(*query.letters.get_unchecked(i));
                let scores = profile.add(letter * C * L::WIDTH);
                let bias = if BIASED && !query.bias.is_empty() {
                    L::splat(i16::from(*query.bias.get_unchecked(i)))
                } else {
                    L::splat(0)
                };
                let mut diagonal = corner;
                corner = L::load(row);
                let mut come = L::load(row.add(L::WIDTH));
                let mut h = floor;
                for c in 0..C {
                    let mut s = L::load(scores.add(c * L::WIDTH));
                    if BIASED {
                        // Before the sum saturates.
                        s = L::add(s, bias);
                    }
                    h = L::max(L::max(L::add(diagonal, s), come), gap[c]);
                    best = L::max(best, h);
                    diagonal = above[c];
                    above[c] = h;
                    let open = L::sub(h, first);
                    come = L::max(L::sub(come, next), open);
                    gap[c] = L::max(L::sub(gap[c], next), open);
                }
                L::store(row, h);
                L::store(row.add(L::WIDTH), come);
                row = row.add(2 * L::WIDTH);
            }
        }
        L::store(state.best.as_mut_ptr(), best);
    }
}
