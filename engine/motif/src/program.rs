//! A pattern, ready to be looked for on one strand.

use std::ops::Range;

use crate::automaton::Automaton;
use crate::filter::{BLOCK, Buffers, Filter};
use crate::pattern::{End, Pattern, Position};

/// Once a filter lets more places of a block through, the automaton is faster.
const DENSE: usize = BLOCK / 16;

#[derive(Debug, Clone)]
pub(crate) struct Program {
    positions: Vec<Position>,
    min_len: usize,
    max_len: usize,
    at_start: bool,
    end: End,
    forward: Automaton,
    backward: Automaton,
    filter: Option<Filter>,
}

impl Program {
    pub(crate) fn new(pattern: &Pattern) -> Self {
        let positions = pattern.positions();
        Self {
            min_len: pattern.min_len(),
            max_len: pattern.max_len(),
            at_start: pattern.at_start,
            end: pattern.end,
            forward: Automaton::new(positions.iter().copied()),
            backward: Automaton::new(positions.iter().rev().copied()),
            filter: Filter::new(&positions, pattern.alphabet),
            positions,
        }
    }

    /// All starts in the range where the pattern matches, ascending, each with its furthest end.
    /// The range is not longer than [`BLOCK`].
    pub(crate) fn block(
        &self,
        letters: &[u8],
        range: Range<usize>,
        buffers: &mut Buffers,
        out: &mut Vec<(usize, usize)>,
    ) {
        let Some(last) = letters.len().checked_sub(self.min_len) else {
            return;
        };
        let to = range.end.min(last + 1);
        if self.at_start {
            if range.start == 0 && to > 0 {
                self.test(letters, 0, out);
            }
            return;
        }
        // Only starts from here on can reach the end of the sequence.
        let tail = letters.len().saturating_sub(self.max_len).max(range.start);
        match self.end {
            End::Anywhere => self.anywhere(letters, range.start..to, buffers, out),
            End::AtEnd => (tail..to).for_each(|start| self.test(letters, start, out)),
            End::LastOrEnd => {
                self.anywhere(letters, range.start..to.min(tail), buffers, out);
                (tail..to).for_each(|start| self.test(letters, start, out));
            }
        }
    }

    fn anywhere(
        &self,
        letters: &[u8],
        range: Range<usize>,
        buffers: &mut Buffers,
        out: &mut Vec<(usize, usize)>,
    ) {
        if range.is_empty() {
            return;
        }
        let known = out.len();
        if let Some(filter) = &self.filter {
            let (fewest, most) = filter.before;
            let mut next = range.start;
            let mut tested = 0;
            filter.places(
                letters,
                range.start + fewest,
                range.end + most,
                buffers,
                |place| {
                    // Each start is tested once, though several places may speak for it.
                    let from = next.max(place.saturating_sub(most));
                    let to = range.end.min(place - fewest + 1);
                    if tested > DENSE || from >= to {
                        return;
                    }
                    tested += to - from;
                    if tested <= DENSE {
                        (from..to).for_each(|start| self.test(letters, start, out));
                        next = to;
                    }
                },
            );
            if tested <= DENSE {
                return;
            }
            out.truncate(known);
        }
        let reach = letters.len().min(range.end - 1 + self.max_len);
        let below = range.len();
        self.backward
            .starts(&letters[range.start..reach], below, |place| {
                out.push((range.start + place, 0));
            });
        out[known..].reverse();
        for (start, end) in &mut out[known..] {
            *end = match self.min_len == self.max_len {
                true => *start + self.max_len,
                false => self.furthest_end(letters, *start).unwrap_or(*start),
            };
        }
    }

    fn test(&self, letters: &[u8], start: usize, out: &mut Vec<(usize, usize)>) {
        if let Some(end) = self.furthest_end(letters, start) {
            out.push((start, end));
        }
    }

    /// The furthest end of a match that starts here.
    fn furthest_end(&self, letters: &[u8], start: usize) -> Option<usize> {
        let reach = letters.len().min(start + self.max_len);
        let here = &letters[start..reach];
        if self.min_len == self.max_len {
            let all = here.len() == self.max_len
                && (self.end == End::Anywhere || reach == letters.len())
                && here
                    .iter()
                    .zip(&self.positions)
                    .all(|(letter, position)| position.letters.contains(*letter));
            return all.then_some(reach);
        }
        let mut end = None;
        self.forward.read(here, |read, all, all_but_last| {
            let at_end = start + read == letters.len();
            let is = match self.end {
                End::Anywhere => all,
                End::AtEnd => all && at_end,
                End::LastOrEnd => all || (all_but_last && at_end),
            };
            if is {
                end = Some(start + read);
            }
        });
        end
    }

    /// Letters of the longest match.
    pub(crate) fn max_len(&self) -> usize {
        self.max_len
    }
}
