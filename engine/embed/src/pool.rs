//! From the vectors of tokens to what is stored.

use std::ops::Range;

use penstock_types::Pooling;

use crate::windows::{Window, cover};

/// Where the tokens of a window stand among its rows of hidden states.
pub(crate) struct Rows<'a> {
    /// `[special tokens and tokens, width]`.
    pub(crate) hidden: &'a [f32],
    pub(crate) width: usize,
    /// The window is its whole sequence.
    pub(crate) whole: bool,
    /// The rows that are not special.
    pub(crate) tokens: Range<usize>,
}

impl Rows<'_> {
    fn row(&self, index: usize) -> &[f32] {
        &self.hidden[index * self.width..(index + 1) * self.width]
    }

    /// What one window adds to its sequence's result. `cover` counts the windows over each of
    /// this window's tokens.
    pub(crate) fn part(&self, pooling: Pooling, cover: &[u32]) -> Vec<f32> {
        match pooling {
            Pooling::Mean | Pooling::Whole => {
                let mut sum = vec![0.0; self.width];
                for (index, count) in self.tokens.clone().zip(cover) {
                    let share = 1.0 / *count as f32;
                    for (sum, x) in sum.iter_mut().zip(self.row(index)) {
                        *sum += x * share;
                    }
                }
                sum
            }
            Pooling::Cls => self.row(0).to_vec(),
            Pooling::Max if self.whole => self.largest(),
            Pooling::Max | Pooling::None => {
                let Range { start, end } = self.tokens;
                self.hidden[start * self.width..end * self.width].to_vec()
            }
        }
    }

    fn largest(&self) -> Vec<f32> {
        let mut largest = vec![f32::NEG_INFINITY; self.width];
        for index in self.tokens.clone() {
            raise(&mut largest, self.row(index));
        }
        largest
    }
}

fn raise(largest: &mut [f32], row: &[f32]) {
    for (largest, x) in largest.iter_mut().zip(row) {
        *largest = largest.max(*x);
    }
}

/// Puts the parts of a sequence's windows together, in the order of the windows: one vector, or
/// with [`Pooling::None`] one per token.
pub(crate) fn join(
    pooling: Pooling,
    len: usize,
    width: usize,
    windows: &[Window],
    parts: &[Vec<f32>],
) -> Vec<f32> {
    match pooling {
        Pooling::Mean | Pooling::Whole => {
            let mut mean = vec![0.0; width];
            for part in parts {
                for (mean, x) in mean.iter_mut().zip(part) {
                    *mean += x / len as f32;
                }
            }
            mean
        }
        Pooling::Cls => {
            let mut mean = vec![0.0; width];
            for part in parts {
                for (mean, x) in mean.iter_mut().zip(part) {
                    *mean += x / parts.len() as f32;
                }
            }
            mean
        }
        Pooling::Max if windows.len() == 1 => parts[0].clone(),
        Pooling::Max => {
            let all = overlay(len, width, windows, parts);
            let mut largest = vec![f32::NEG_INFINITY; width];
            for row in all.chunks_exact(width) {
                raise(&mut largest, row);
            }
            largest
        }
        Pooling::None if windows.len() == 1 => parts[0].clone(),
        Pooling::None => overlay(len, width, windows, parts),
    }
}

/// Every token's vector, the mean over the windows that hold it.
fn overlay(len: usize, width: usize, windows: &[Window], parts: &[Vec<f32>]) -> Vec<f32> {
    let mut all = vec![0.0; len * width];
    for (at, (window, part)) in windows.iter().zip(parts).enumerate() {
        let cover = cover(windows, at);
        let rows = part.chunks_exact(width).zip(cover);
        for (index, (row, count)) in window.tokens.clone().zip(rows) {
            let share = 1.0 / count as f32;
            for (to, x) in all[index * width..(index + 1) * width].iter_mut().zip(row) {
                *to += x * share;
            }
        }
    }
    all
}
