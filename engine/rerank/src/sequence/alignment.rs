//! The alignment of one pair, residue by residue.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use super::gotoh;
use super::kernel::Encoded;
use super::options::{Prepared, SequenceOptions};
use super::scoring::Scoring;
use crate::error::{RerankError, Result};

/// The best local alignment of two sequences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    /// Its score.
    pub score: u32,
    /// Residues of the query that it spans, counted from 0 along the strand that was given.
    pub query: Range<usize>,
    /// Residues of the target that it spans, counted from 0.
    pub target: Range<usize>,
    /// Whether the other strand of the query is aligned.
    pub reverse: bool,
    /// Columns of two equal residues.
    pub identities: usize,
    /// All columns, gaps included.
    pub columns: usize,
    /// Runs of columns along the target: `M` two residues, `I` a residue of the query alone, `D` a
    /// residue of the target alone. Empty where nothing aligns.
    pub cigar: String,
}

impl Alignment {
    /// Residues that stand in one column, as (query, target), ascending; for a reverse alignment
    /// descending in the query.
    #[must_use]
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        let mut pairs = Vec::with_capacity(self.columns);
        let (mut i, mut j, mut count) = (0, self.target.start, 0);
        for byte in self.cigar.bytes() {
            match byte {
                b'0'..=b'9' => {
                    count = count * 10 + usize::from(byte - b'0');
                    continue;
                }
                b'M' => {
                    for _ in 0..count {
                        let at = if self.reverse {
                            self.query.end - 1 - i
                        } else {
                            self.query.start + i
                        };
                        pairs.push((at, j));
                        (i, j) = (i + 1, j + 1);
                    }
                }
                b'I' => i += count,
                _ => j += count,
            }
            count = 0;
        }
        pairs
    }
}

/// Where a cell's score came from.
const STOP: u8 = 0;
const DIAGONAL: u8 = 1;
const INSERTION: u8 = 2;
const DELETION: u8 = 3;
/// The gap that leads to the next residue is a continued one, not one just opened.
const LONGER_INSERTION: u8 = 4;
const LONGER_DELETION: u8 = 8;

/// Aligns one pair, with a byte of memory per pair of residues. Among alignments of one score it
/// is the one that ends first in the target, then in the query, and prefers pairs to gaps.
///
/// # Errors
/// Options that are not possible, more pairs of residues than `options.trace_cells`, or a stop
/// asked for.
pub fn align_pair(
    query: &[u8],
    target: &[u8],
    options: &SequenceOptions,
    stop: &AtomicBool,
) -> Result<Alignment> {
    let prepared = Prepared::new(options)?;
    let scoring = &prepared.scoring;
    let cells = query.len() as u64 * target.len() as u64;
    if cells > options.trace_cells {
        return Err(RerankError::TooLong {
            cells,
            limit: options.trace_cells,
        });
    }
    let target = prepared.sequence(target);
    let forward = prepared.sequence(query);
    let found = trace(scoring, forward.encoded(), target.encoded(), stop)?;
    if !prepared.both_strands() {
        return Ok(found);
    }
    let backward = prepared.other_strand(&forward);
    let mut other = trace(scoring, backward.encoded(), target.encoded(), stop)?;
    if other.score <= found.score {
        return Ok(found);
    }
    other.reverse = true;
    other.query = query.len() - other.query.end..query.len() - other.query.start;
    Ok(other)
}

fn trace(
    scoring: &Scoring,
    query: Encoded<'_>,
    target: Encoded<'_>,
    stop: &AtomicBool,
) -> Result<Alignment> {
    let rows = query.letters.len();
    let first = i64::from(scoring.gap_first());
    let next = i64::from(scoring.gap_next());
    let mut from = vec![STOP; rows * target.letters.len()];
    // The score left of a cell, and the deletion that comes in.
    let mut state = vec![(0_i64, i64::MIN / 4); rows];
    let (mut best, mut end) = (0, (0, 0));
    for (j, b) in target.letters.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return Err(RerankError::Cancelled);
        }
        let (mut corner, mut insertion) = (0, i64::MIN / 4);
        let column = &mut from[j * rows..(j + 1) * rows];
        for (i, (left, a)) in state.iter_mut().zip(query.letters).enumerate() {
            let s =
                i64::from(scoring.score(*a, *b)) + gotoh::bias(query, i) + gotoh::bias(target, j);
            let (mut h, mut way) = (0, STOP);
            for (score, reason) in [
                (corner + s, DIAGONAL),
                (insertion, INSERTION),
                (left.1, DELETION),
            ] {
                if score > h {
                    (h, way) = (score, reason);
                }
            }
            if h > best {
                (best, end) = (h, (i, j));
            }
            corner = left.0;
            if left.1 - next > h - first {
                way |= LONGER_DELETION;
            }
            if insertion - next > h - first {
                way |= LONGER_INSERTION;
            }
            *left = (h, (left.1 - next).max(h - first));
            insertion = (insertion - next).max(h - first);
            column[i] = way;
        }
    }
    Ok(walk(query, target, &from, best, end))
}

/// Follows the ways back from the cell with the best score.
fn walk(
    query: Encoded<'_>,
    target: Encoded<'_>,
    from: &[u8],
    best: i64,
    end: (usize, usize),
) -> Alignment {
    let rows = query.letters.len();
    let mut runs: Vec<(char, usize)> = Vec::new();
    let mut push = |kind: char| match runs.last_mut() {
        Some((last, count)) if *last == kind => *count += 1,
        _ => runs.push((kind, 1)),
    };
    // Residues before the cell, so that the walk may end before the first.
    let (mut i, mut j) = if best > 0 {
        (end.0 + 1, end.1 + 1)
    } else {
        (0, 0)
    };
    let (query_end, target_end) = (i, j);
    let (mut identities, mut columns) = (0, 0);
    let mut way = if best > 0 {
        from[end.1 * rows + end.0] & 3
    } else {
        STOP
    };
    while way != STOP {
        columns += 1;
        match way {
            DIAGONAL => {
                identities += usize::from(query.letters[i - 1] == target.letters[j - 1]);
                push('M');
                (i, j) = (i - 1, j - 1);
                way = if i > 0 && j > 0 {
                    from[(j - 1) * rows + i - 1] & 3
                } else {
                    STOP
                };
            }
            INSERTION => {
                push('I');
                i -= 1;
                // The gap came from the cell above, which says whether it was open there.
                let above = from[(j - 1) * rows + i - 1];
                way = if above & LONGER_INSERTION == 0 {
                    above & 3
                } else {
                    INSERTION
                };
            }
            _ => {
                push('D');
                j -= 1;
                let left = from[(j - 1) * rows + i - 1];
                way = if left & LONGER_DELETION == 0 {
                    left & 3
                } else {
                    DELETION
                };
            }
        }
    }
    let mut cigar = String::new();
    for (kind, count) in runs.iter().rev() {
        // Writing to a string cannot fail.
        let _ = write!(cigar, "{count}{kind}");
    }
    Alignment {
        score: u32::try_from(best).unwrap_or(u32::MAX),
        query: i..query_end,
        target: j..target_end,
        reverse: false,
        identities,
        columns,
        cigar,
    }
}
