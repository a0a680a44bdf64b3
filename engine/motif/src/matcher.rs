//! Finding a pattern in sequences.

use std::cmp::Ordering;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::filter::{BLOCK, Buffers};
use crate::literal::{Required, required};
use crate::pattern::Pattern;
use crate::program::Program;

/// The strand of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strand {
    /// The sequence as it is stored.
    Plus,
    /// Its reverse complement.
    Minus,
}

impl Strand {
    /// `+` or `-`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plus => "+",
            Self::Minus => "-",
        }
    }
}

impl fmt::Display for Strand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hit {
    /// First letter in the stored sequence, from 0, on either strand.
    pub start: usize,
    /// One past the last letter.
    pub end: usize,
    /// The strand that matches.
    pub strand: Strand,
}

/// Which of the hits that share letters are reported; for each strand by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overlaps {
    /// One for every start.
    #[default]
    Every,
    /// Not those that lie within a hit that starts earlier: the default of ScanProsite.
    NotIncluded,
    /// Not those that share a letter with a hit reported before.
    Disjoint,
}

/// How to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MatchOptions {
    /// Look for the reverse complement too. Without effect for proteins.
    pub both_strands: bool,
    /// Which of overlapping hits are reported.
    pub overlaps: Overlaps,
}

/// A pattern that is ready to be looked for. Cheap to share between threads.
#[derive(Debug, Clone)]
pub struct Motif {
    pattern: Pattern,
    /// The reverse complement, where it is looked for and another pattern.
    reverse: Option<Pattern>,
    plus: Program,
    minus: Option<Program>,
    overlaps: Overlaps,
}

/// Buffers of one thread, kept from sequence to sequence: some tens of kilobytes.
#[derive(Debug, Default)]
pub struct Scratch {
    buffers: Buffers,
    plus: Vec<(usize, usize)>,
    minus: Vec<(usize, usize)>,
}

impl Motif {
    /// Makes a pattern ready. Takes time and memory in proportion to the pattern's longest match,
    /// at most about 60 kB.
    #[must_use]
    pub fn new(pattern: Pattern, options: MatchOptions) -> Self {
        let reverse = pattern
            .reverse_complement()
            .filter(|reverse| options.both_strands && *reverse != pattern);
        Self {
            plus: Program::new(&pattern),
            minus: reverse.as_ref().map(Program::new),
            pattern,
            reverse,
            overlaps: options.overlaps,
        }
    }

    /// The pattern.
    #[must_use]
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Letters of the longest match.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.plus.max_len()
    }

    /// Literals of which every sequence with a hit contains at least one; see [`Required`].
    #[must_use]
    pub fn required(&self, max_alternatives: usize) -> Option<Required> {
        let Some(reverse) = &self.reverse else {
            return required(&self.pattern, max_alternatives);
        };
        let half = max_alternatives / 2;
        let (plus, minus) = (required(&self.pattern, half)?, required(reverse, half)?);
        Some(plus.or(minus))
    }

    /// Calls `visit` with every hit in a sequence of upper-case letters, ordered by start, end and
    /// strand, until it breaks. Looks at `cancelled` every few thousand letters and ends early when
    /// it is set.
    ///
    /// # Errors
    /// Breaks with [`Stopped`] where not the whole sequence was looked at.
    pub fn find(
        &self,
        sequence: &[u8],
        scratch: &mut Scratch,
        cancelled: &AtomicBool,
        mut visit: impl FnMut(Hit) -> ControlFlow<()>,
    ) -> ControlFlow<Stopped> {
        let mut reported = [(0, 0); 2];
        let Scratch {
            buffers,
            plus,
            minus,
        } = scratch;
        for from in (0..sequence.len()).step_by(BLOCK) {
            if cancelled.load(Relaxed) {
                return ControlFlow::Break(Stopped::Cancelled);
            }
            let range = from..sequence.len().min(from + BLOCK);
            plus.clear();
            minus.clear();
            self.plus.block(sequence, range.clone(), buffers, plus);
            if let Some(program) = &self.minus {
                program.block(sequence, range, buffers, minus);
            }
            for hit in merged(plus, minus) {
                let last = &mut reported[hit.strand as usize];
                let new = match self.overlaps {
                    Overlaps::Every => true,
                    Overlaps::NotIncluded => hit.end > last.1,
                    Overlaps::Disjoint => hit.start >= last.1,
                };
                if !new {
                    continue;
                }
                *last = (hit.start, hit.end);
                if visit(hit).is_break() {
                    return ControlFlow::Break(Stopped::Visitor);
                }
            }
        }
        ControlFlow::Continue(())
    }

    /// All hits in a sequence, in order. Memory grows with their number.
    #[must_use]
    pub fn find_all(&self, sequence: &[u8]) -> Vec<Hit> {
        let mut hits = Vec::new();
        let never = AtomicBool::new(false);
        let done = self.find(sequence, &mut Scratch::default(), &never, |hit| {
            hits.push(hit);
            ControlFlow::Continue(())
        });
        debug_assert!(done.is_continue());
        hits
    }
}

/// Why a search ended before the end of the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The visitor wanted no more.
    Visitor,
    /// The search was cancelled.
    Cancelled,
}

/// The hits of both strands by start and end; the same letters on both strands are one hit.
fn merged<'a>(
    plus: &'a [(usize, usize)],
    minus: &'a [(usize, usize)],
) -> impl Iterator<Item = Hit> + 'a {
    let (mut p, mut m) = (0, 0);
    std::iter::from_fn(move || {
        let order = match (plus.get(p), minus.get(m)) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(plus), Some(minus)) => plus.cmp(minus),
        };
        let ((start, end), strand) = match order {
            Ordering::Greater => (minus[m], Strand::Minus),
            _ => (plus[p], Strand::Plus),
        };
        p += usize::from(order.is_le());
        m += usize::from(order.is_ge());
        Some(Hit { start, end, strand })
    })
}
