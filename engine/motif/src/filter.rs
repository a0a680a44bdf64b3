//! Places where a match could be, found faster than by an automaton.
//!
//! A run of positions that none may be left out of lies at fixed distances from its first. Of the
//! run that is rarest by the letters' shares, either the literal in it is looked for, or up to
//! eight of its positions are compared at all places at once: one table look-up per letter gives a
//! byte with a bit per position, and bytes at the positions' distances are combined sixteen at a
//! time by what the compiler makes of plain loops.

mod lookup;

use lookup::{Table, look_up};
use memchr::memmem::Finder;

use crate::alphabet::Alphabet;
use crate::pattern::Position;

/// Places looked at in one go: their bytes stay in the innermost cache.
pub(crate) const BLOCK: usize = 4_096;

/// A filter lets through at most this share of all places, or is not worth it.
const WORTH_SHARE: f64 = 0.02;
/// Further positions are not compared once so few places are left.
const ENOUGH_SHARE: f64 = 1e-7;
/// A literal that is at most this common is looked for by itself: each place where it is found
/// costs a call.
const LITERAL_SHARE: f64 = 5e-4;

#[derive(Debug, Clone)]
pub(crate) struct Filter {
    /// Fewest and most letters of a match before the run.
    pub(crate) before: (usize, usize),
    /// Letters of the run.
    span: usize,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    /// The literal and its distance from the run's first position.
    Literal(Box<Finder<'static>>, usize),
    Classes(Box<Classes>),
}

#[derive(Debug, Clone)]
struct Classes {
    /// For each letter the positions that it matches.
    bits: Table,
    /// Distances of the positions from the first, in the order of their bits.
    distances: Vec<usize>,
}

/// Buffers of a filter.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    bits: Vec<u8>,
    all: Vec<u8>,
}

struct Run<'a> {
    before: (usize, usize),
    positions: &'a [Position],
}

/// The runs of positions that none may be left out of.
fn runs(positions: &[Position]) -> Vec<Run<'_>> {
    let mut runs = Vec::new();
    let (mut fewest, mut most) = (0, 0);
    for part in positions.chunk_by(|a, b| a.optional == b.optional) {
        most += part.len();
        if !part[0].optional {
            runs.push(Run {
                before: (fewest, most - part.len()),
                positions: part,
            });
            fewest += part.len();
        }
    }
    runs
}

impl Filter {
    /// The best filter of these positions; `None` where none is worth it.
    pub(crate) fn new(positions: &[Position], alphabet: Alphabet) -> Option<Self> {
        let share = |position: &Position| alphabet.share(position.letters);
        let chosen = |run: &Run<'_>| {
            let mut order: Vec<usize> = (0..run.positions.len()).collect();
            order.sort_by(|a, b| share(&run.positions[*a]).total_cmp(&share(&run.positions[*b])));
            let (mut left, mut used) = (1.0, Vec::new());
            for i in order.into_iter().take(8) {
                let share = share(&run.positions[i]);
                if left < ENOUGH_SHARE || share > 0.9 {
                    break;
                }
                left *= share;
                used.push(i);
            }
            (left, used)
        };
        let (run, (left, used)) = runs(positions)
            .into_iter()
            .map(|run| {
                let chosen = chosen(&run);
                (run, chosen)
            })
            .min_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b))?;
        if left > WORTH_SHARE {
            return None;
        }
        let literal = run
            .positions
            .iter()
            .enumerate()
            .collect::<Vec<_>>()
            .chunk_by(|a, b| a.1.letters.len() == 1 && b.1.letters.len() == 1)
            .filter(|part| part[0].1.letters.len() == 1)
            .max_by_key(|part| part.len())
            .filter(|part| {
                let shares = part.iter().map(|(_, position)| share(position));
                shares.product::<f64>() <= LITERAL_SHARE
            })
            .map(|part| {
                let letters = part
                    .iter()
                    .flat_map(|(_, position)| position.letters.iter());
                (part[0].0, letters.collect::<Vec<u8>>())
            });
        let how = match literal {
            Some((distance, literal)) => {
                How::Literal(Box::new(Finder::new(&literal).into_owned()), distance)
            }
            None => {
                let mut bits = [0; 32];
                for (bits, letter) in bits[1..].iter_mut().zip(b'A'..=b'Z') {
                    for (bit, i) in used.iter().enumerate() {
                        *bits |= u8::from(run.positions[*i].letters.contains(letter)) << bit;
                    }
                }
                How::Classes(Box::new(Classes {
                    bits,
                    distances: used,
                }))
            }
        };
        Some(Self {
            before: run.before,
            span: run.positions.len(),
            how,
        })
    }

    /// Calls `found` with the places from `from` to before `to`, ascending, where the run may be;
    /// all of it lies within the letters.
    pub(crate) fn places(
        &self,
        letters: &[u8],
        from: usize,
        to: usize,
        buffers: &mut Buffers,
        mut found: impl FnMut(usize),
    ) {
        let to = to.min((letters.len() + 1).saturating_sub(self.span));
        if from >= to {
            return;
        }
        match &self.how {
            How::Literal(finder, distance) => {
                let mut at = from + distance;
                let last = to - 1 + distance + finder.needle().len();
                while let Some(offset) = finder.find(&letters[at..last]) {
                    found(at + offset - distance);
                    at += offset + 1;
                }
            }
            How::Classes(classes) => {
                classes.fill(&letters[from..to - 1 + self.span], to - from, buffers);
                for offset in memchr::memchr_iter(u8::MAX, &buffers.all) {
                    found(from + offset);
                }
            }
        }
    }
}

impl Classes {
    /// Makes `all[i]` 255 where every position matches at its distance from place i.
    fn fill(&self, letters: &[u8], places: usize, buffers: &mut Buffers) {
        let Buffers { bits, all } = buffers;
        bits.resize(letters.len(), 0);
        look_up(&self.bits, letters, bits);
        all.clear();
        all.resize(places, u8::MAX);
        for (bit, distance) in self.distances.iter().enumerate() {
            let others = !(1_u8 << bit);
            for (all, bits) in all.iter_mut().zip(&bits[*distance..]) {
                *all &= bits | others;
            }
        }
    }
}
