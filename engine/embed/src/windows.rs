//! Which tokens are computed together.
//!
//! A sequence longer than a model was trained for is cut into windows that overlap; where they
//! do, a token's vector is the mean of the windows'. Windows are sorted by length and packed into
//! batches, the longest first, so that threads that take one batch after another end at about the
//! same time.

use std::ops::Range;

use crate::model::Limits;

/// A stretch of one sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Window {
    /// Which sequence.
    pub(crate) sequence: usize,
    /// Its tokens, without the special ones.
    pub(crate) tokens: Range<usize>,
}

/// The windows of a sequence of `len` tokens: evenly spread, none longer than the limit,
/// neighbours sharing at least the overlap.
pub(crate) fn windows(sequence: usize, len: usize, limits: Limits) -> Vec<Window> {
    if len <= limits.window {
        return vec![Window {
            sequence,
            tokens: 0..len,
        }];
    }
    let step = limits.window - limits.overlap.min(limits.window - 1);
    let count = (len - limits.window).div_ceil(step) + 1;
    (0..count)
        .map(|i| {
            let start = (len - limits.window) * i / (count - 1);
            Window {
                sequence,
                tokens: start..start + limits.window,
            }
        })
        .collect()
}

/// How many of a sequence's windows, which are in order, hold each token of the one at `index`.
pub(crate) fn cover(windows: &[Window], index: usize) -> Vec<u32> {
    let own = &windows[index].tokens;
    let mut cover = vec![0; own.len()];
    // Only neighbours reach in: looking at all windows would take the square of their number.
    let before = windows[..index].iter().rev();
    let before = before.take_while(|window| window.tokens.end > own.start);
    let from = windows[index..].iter();
    let from = from.take_while(|window| window.tokens.start < own.end);
    for window in before.chain(from) {
        let start = window.tokens.start.max(own.start) - own.start;
        let end = window.tokens.end.min(own.end) - own.start;
        for count in &mut cover[start..end] {
            *count += 1;
        }
    }
    cover
}

/// How much goes into a batch.
pub(crate) struct Room<'a> {
    /// Special tokens of each window.
    pub(crate) around: usize,
    /// Whether each window takes as much as the longest of its batch.
    pub(crate) padded: bool,
    /// The tokens of a batch, special ones counted, by those of its longest window.
    pub(crate) tokens: Box<dyn Fn(usize) -> usize + Sync + 'a>,
}

/// Batches of windows of these lengths, as indices: the longest first, each batch of at least one
/// window and otherwise of at most as many tokens as there is room for.
pub(crate) fn batches(lens: &[usize], room: &Room<'_>) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..lens.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(lens[*i]));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let (mut left, mut longest) = (0, 0);
    for index in order {
        let own = lens[index] + room.around;
        let takes = if room.padded { longest } else { own };
        match batches.last_mut() {
            Some(batch) if takes <= left => {
                batch.push(index);
                left -= takes;
            }
            _ => {
                batches.push(vec![index]);
                longest = own;
                left = (room.tokens)(own).saturating_sub(own);
            }
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn windows_cover_every_token(len in 0_usize..5000, window in 1_usize..600, part in 0_usize..8) {
            let limits = Limits { window, overlap: window * part / 8 };
            let windows = windows(3, len, limits);
            prop_assert!(windows.iter().all(|w| w.tokens.len() <= window && w.sequence == 3));
            let mut counts = vec![0_u32; len];
            for count in windows.iter().flat_map(|w| w.tokens.clone()) {
                counts[count] += 1;
            }
            prop_assert!(counts.iter().all(|count| *count > 0));
            for (index, window) in windows.iter().enumerate() {
                prop_assert_eq!(&cover(&windows, index), &counts[window.tokens.clone()]);
            }
            for pair in windows.windows(2) {
                prop_assert!(pair[0].tokens.end >= pair[1].tokens.start + limits.overlap);
                prop_assert!(pair[0].tokens.start < pair[1].tokens.start);
            }
        }

        #[test]
        fn batches_hold_each_window_once(
            lens in prop::collection::vec(0_usize..900, 0..80),
            budget in 1_usize..3000,
            padded in any::<bool>(),
        ) {
            let tokens = Box::new(move |longest| budget + longest / 2);
            let batches = batches(&lens, &Room { around: 2, padded, tokens });
            let mut seen: Vec<usize> = batches.concat();
            seen.sort_unstable();
            prop_assert_eq!(seen, (0..lens.len()).collect::<Vec<_>>());
            for batch in &batches {
                let longest = batch.iter().map(|i| lens[*i] + 2).max().unwrap();
                let sum: usize = batch.iter().map(|i| lens[*i] + 2).sum();
                let tokens = if padded { batch.len() * longest } else { sum };
                prop_assert!(tokens <= budget + longest / 2 || batch.len() == 1);
            }
        }
    }
}
