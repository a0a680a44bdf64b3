//! The bit-parallel automaton.
//!
//! Shift-And (Baeza-Yates & Gonnet 1992, doi:10.1145/135239.135243) with optional characters by
//! one addition-like carry (Navarro & Raffinot 2003, doi:10.1089/106652703322756140). Bit 0 of a
//! state is the start, bit p + 1 that position p was read. A state has as many words as it needs.

use crate::pattern::Position;

/// An automaton over the positions in their order, of the smallest width that holds them.
#[derive(Debug, Clone)]
pub(crate) enum Automaton {
    One(Box<Words<1>>),
    Two(Box<Words<2>>),
    Four(Box<Words<4>>),
    Sixteen(Box<Words<16>>),
}

/// Calls a method on whatever width there is.
macro_rules! each {
    ($self:expr, $words:ident => $call:expr) => {
        match $self {
            Automaton::One($words) => $call,
            Automaton::Two($words) => $call,
            Automaton::Four($words) => $call,
            Automaton::Sixteen($words) => $call,
        }
    };
}

impl Automaton {
    pub(crate) fn new(positions: impl ExactSizeIterator<Item = Position>) -> Self {
        // One bit more than positions.
        match positions.len() {
            0..64 => Self::One(Box::new(Words::new(positions))),
            64..128 => Self::Two(Box::new(Words::new(positions))),
            128..256 => Self::Four(Box::new(Words::new(positions))),
            _ => Self::Sixteen(Box::new(Words::new(positions))),
        }
    }

    /// Reads from the first letter on. Calls `seen` after each letter with how many were read,
    /// whether all positions are matched, and whether all but the last are. Ends when nothing can
    /// match any more.
    #[inline]
    pub(crate) fn read(&self, letters: &[u8], seen: impl FnMut(usize, bool, bool)) {
        each!(self, words => words.read(letters, seen));
    }

    /// Reads from the last letter to the first, beginning anew at each; calls `found` with every
    /// place below `below` where a match ends, in descending order. Made of the positions in
    /// reverse, these are the places where a match of the pattern starts.
    #[inline]
    pub(crate) fn starts(&self, letters: &[u8], below: usize, found: impl FnMut(usize)) {
        each!(self, words => words.starts(letters, below, found));
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Words<const W: usize> {
    /// Row of `masks` for each byte.
    row: [u8; 256],
    /// For each letter the positions that it matches; row 0 is of all other bytes.
    masks: Vec<[u64; W]>,
    /// Positions that may be left out, the bits before runs of them, the last bits of the runs.
    optional: [u64; W],
    before: [u64; W],
    last: [u64; W],
    any_optional: bool,
    /// Bit of the last position.
    accept: usize,
}

impl<const W: usize> Words<W> {
    fn new(positions: impl ExactSizeIterator<Item = Position>) -> Self {
        let mut words = Self {
            row: [0; 256],
            masks: vec![[0; W]; 27],
            optional: [0; W],
            before: [0; W],
            last: [0; W],
            any_optional: false,
            accept: positions.len(),
        };
        for (row, letter) in (1..).zip(b'A'..=b'Z') {
            words.row[usize::from(letter)] = row;
        }
        let mut follows_optional = false;
        for (i, position) in positions.enumerate() {
            let bit = i + 1;
            for letter in position.letters.iter() {
                set(&mut words.masks[usize::from(letter - b'A') + 1], bit);
            }
            if position.optional {
                words.any_optional = true;
                set(&mut words.optional, bit);
                if !follows_optional {
                    set(&mut words.before, bit - 1);
                }
            } else if follows_optional {
                set(&mut words.last, bit - 1);
            }
            follows_optional = position.optional;
        }
        if follows_optional {
            let end = words.accept;
            set(&mut words.last, end);
        }
        words
    }

    fn has(state: &[u64; W], bit: usize) -> bool {
        state[bit / 64] >> (bit % 64) & 1 == 1
    }

    /// Reads one letter; `again` is 1 where a match may start at the next.
    #[inline(always)]
    fn step(&self, state: &mut [u64; W], letter: u8, again: u64) {
        let mask = &self.masks[usize::from(self.row[usize::from(letter)])];
        let mut carry = 0;
        for (word, mask) in state.iter_mut().zip(mask) {
            let shifted = *word << 1 | carry;
            carry = *word >> 63;
            *word = shifted & mask;
        }
        state[0] |= again;
        if self.any_optional {
            self.skip(state);
        }
    }

    /// Leaves optional positions out: in each run of them, all bits above the lowest set one are
    /// set. The subtraction borrows up to that one, so the bits above it stay as they were.
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "as four zipped iterators it is six times slower"
    )]
    fn skip(&self, state: &mut [u64; W]) {
        let mut borrow = false;
        for i in 0..W {
            let open = state[i] | self.last[i];
            let (less, under) = open.overflowing_sub(self.before[i]);
            let (less, again) = less.overflowing_sub(u64::from(borrow));
            borrow = under | again;
            state[i] |= self.optional[i] & (!less ^ open);
        }
    }

    fn begin(&self) -> [u64; W] {
        let mut state = [0; W];
        state[0] = 1;
        if self.any_optional {
            self.skip(&mut state);
        }
        state
    }

    #[inline]
    fn read(&self, letters: &[u8], mut seen: impl FnMut(usize, bool, bool)) {
        let mut state = self.begin();
        for (read, letter) in (1..).zip(letters) {
            self.step(&mut state, *letter, 0);
            if state == [0; W] {
                return;
            }
            seen(
                read,
                Self::has(&state, self.accept),
                Self::has(&state, self.accept - 1),
            );
        }
    }

    #[inline]
    fn starts(&self, letters: &[u8], below: usize, mut found: impl FnMut(usize)) {
        let mut state = self.begin();
        let (word, bit) = (self.accept / 64, self.accept % 64);
        for (place, letter) in letters.iter().enumerate().rev() {
            self.step(&mut state, *letter, 1);
            if state[word] >> bit & 1 == 1 && place < below {
                found(place);
            }
        }
    }
}

fn set<const W: usize>(words: &mut [u64; W], bit: usize) {
    words[bit / 64] |= 1 << (bit % 64);
}
