//! Attention of one sequence with itself.
//!
//! One head at a time: its keys and values are packed into panels, then a few rows of scores are
//! computed, normalised and multiplied by the values while they lie in the first-level cache. The
//! scores of a sequence are never all in memory.

use super::isa::dispatch;
use super::lanes::Lanes;
use super::math;
use super::product::{Aligned, lane_width, padded, tile};

/// Cosines and sines of rotary positions: `[positions, head_dim / 2]`, computed in double
/// precision whatever the model's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rotary {
    base: f64,
    half: usize,
    positions: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotary {
    /// Angles `position * base^(-2 i / head_dim)`; dimension `i` turns with `i + head_dim / 2`.
    pub(crate) fn new(base: f64, head_dim: usize) -> Self {
        Self {
            base,
            half: head_dim / 2,
            ..Self::default()
        }
    }

    /// Extends the table to this many positions.
    pub(crate) fn reserve(&mut self, positions: usize) {
        for position in self.positions..positions {
            for i in 0..self.half {
                // The reference rounds the frequency and the angle to single precision.
                let frequency = (1.0 / self.base.powf(i as f64 / self.half as f64)) as f32;
                let angle = f64::from(position as f32 * frequency);
                self.cos.push(angle.cos() as f32);
                self.sin.push(angle.sin() as f32);
            }
        }
        self.positions = self.positions.max(positions);
    }

    /// Turns one row of one head by its position, times `scale`.
    fn turn(&self, row: &[f32], position: usize, scale: f32, to: &mut [f32]) {
        let half = self.half;
        let at = position * half;
        let (cos, sin) = (&self.cos[at..at + half], &self.sin[at..at + half]);
        for i in 0..half {
            let (a, b) = (row[i] * scale, row[half + i] * scale);
            to[i] = a * cos[i] - b * sin[i];
            to[half + i] = b * cos[i] + a * sin[i];
        }
    }
}

/// A number added to the score of every pair of positions, depending on the head and on how far
/// apart they are: T5's learned buckets, or ALiBi's slopes.
#[derive(Debug, Clone, Default)]
pub(crate) struct RelativeBias {
    /// `[heads, 2 * reach - 1]`: the bias for key - query from `1 - reach` to `reach - 1`.
    values: Vec<f32>,
    heads: usize,
    reach: usize,
}

impl RelativeBias {
    /// A table for sequences of up to `reach` tokens, from the bias of a head at an offset.
    pub(crate) fn new(heads: usize, reach: usize, bias: impl Fn(usize, isize) -> f32) -> Self {
        let mut values = Vec::with_capacity(heads * (2 * reach).saturating_sub(1));
        for head in 0..heads {
            for offset in 1 - reach as isize..reach as isize {
                values.push(bias(head, offset));
            }
        }
        Self {
            values,
            heads,
            reach,
        }
    }

    /// The biases of one query with keys 0..tokens.
    fn row(&self, head: usize, query: usize, tokens: usize) -> &[f32] {
        debug_assert!(head < self.heads && tokens <= self.reach);
        let start = head * (2 * self.reach - 1) + self.reach - 1 - query;
        &self.values[start..start + tokens]
    }
}

/// The shape of an attention layer and what it adds to the scores.
#[derive(Debug)]
pub(crate) struct Attention<'a> {
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
    /// Scores are multiplied by it.
    pub(crate) scale: f32,
    pub(crate) rotary: Option<&'a Rotary>,
    pub(crate) bias: Option<&'a RelativeBias>,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(crate) struct AttentionScratch {
    queries: Aligned,
    keys: Aligned,
    values: Aligned,
    scores: Aligned,
}

#[cfg(test)]
impl AttentionScratch {
    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        [&self.queries, &self.keys, &self.values, &self.scores]
            .map(Aligned::bytes)
            .iter()
            .sum()
    }
}

impl Attention<'_> {
    /// Attends within one sequence. `qkv` holds `tokens` rows of queries, keys and values, each
    /// `heads * head_dim` numbers; `to` gets `tokens` rows of `heads * head_dim`. With `maps`, the
    /// normalised scores are written there too: `[heads, tokens, tokens]`.
    pub(crate) fn apply(
        &self,
        qkv: &[f32],
        tokens: usize,
        to: &mut [f32],
        maps: Option<&mut [f32]>,
        scratch: &mut AttentionScratch,
    ) {
        let width = self.heads * self.head_dim;
        assert!(
            qkv.len() == tokens * 3 * width && to.len() == tokens * width,
            "a sequence's rows have another size"
        );
        if let Some(maps) = &maps {
            assert_eq!(maps.len(), self.heads * tokens * tokens);
        }
        if let Some(rotary) = self.rotary {
            assert!(rotary.positions >= tokens && 2 * rotary.half == self.head_dim);
        }
        if let Some(bias) = self.bias {
            assert!(bias.reach >= tokens && bias.heads == self.heads);
        }
        if tokens == 0 || width == 0 {
            return;
        }
        run(self, qkv, tokens, to, maps, scratch);
    }

    /// Queries, keys and values of one head: the first as rows, the others in panels.
    fn pack(&self, head: usize, qkv: &[f32], tokens: usize, scratch: &mut AttentionScratch) {
        let (dim, lanes) = (self.head_dim, lane_width());
        let width = self.heads * dim;
        let (key_columns, value_columns) = (padded(tokens, lanes), padded(dim, lanes));
        scratch.queries.resize(tokens * dim);
        scratch.keys.resize(key_columns * dim);
        scratch.values.resize(value_columns * tokens);
        let queries = scratch.queries.as_mut_slice();
        let keys = scratch.keys.as_mut_slice();
        let values = scratch.values.as_mut_slice();
        let mut turned = [0.0_f32; 1024];
        let turned = &mut turned[..dim.min(1024)];
        for (position, row) in qkv.chunks_exact(3 * width).enumerate() {
            let at = head * dim;
            let query = &row[at..at + dim];
            let key = &row[width + at..width + at + dim];
            let value = &row[2 * width + at..2 * width + at + dim];
            let query_to = &mut queries[position * dim..(position + 1) * dim];
            let key = match self.rotary {
                Some(rotary) => {
                    rotary.turn(query, position, self.scale, query_to);
                    rotary.turn(key, position, 1.0, turned);
                    &*turned
                }
                None => {
                    for (to, x) in query_to.iter_mut().zip(query) {
                        *to = x * self.scale;
                    }
                    key
                }
            };
            let first = position / (2 * lanes) * (2 * lanes);
            let panel = (key_columns - first).min(2 * lanes);
            let base = first * dim + (position - first);
            for (k, x) in key.iter().enumerate() {
                keys[base + k * panel] = *x;
            }
            let mut column = 0;
            while column < value_columns {
                let panel = (value_columns - column).min(2 * lanes);
                let here = (dim - column).min(panel);
                let base = column * tokens + position * panel;
                let to = &mut values[base..base + panel];
                to[..here].copy_from_slice(&value[column..column + here]);
                to[here..].fill(0.0);
                column += panel;
            }
        }
        // Keys over the end are computed and not used; they must only be finite.
        for position in tokens..key_columns {
            let first = position / (2 * lanes) * (2 * lanes);
            let panel = (key_columns - first).min(2 * lanes);
            for k in 0..dim {
                keys[first * dim + (position - first) + k * panel] = 0.0;
            }
        }
    }
}

dispatch! {
    fn run(
        attention: &Attention<'_>,
        qkv: &[f32],
        tokens: usize,
        to: &mut [f32],
        maps: Option<&mut [f32]>,
        scratch: &mut AttentionScratch,
    ) = attend;
}

#[inline(always)]
unsafe fn attend<S: Lanes, const R: usize>(
    attention: &Attention<'_>,
    qkv: &[f32],
    tokens: usize,
    to: &mut [f32],
    mut maps: Option<&mut [f32]>,
    scratch: &mut AttentionScratch,
) {
    let dim = attention.head_dim;
    let width = attention.heads * dim;
    let columns = padded(tokens, S::WIDTH);
    scratch.scores.resize(R * columns);
    for head in 0..attention.heads {
        attention.pack(head, qkv, tokens, scratch);
        let queries = scratch.queries.as_slice();
        let keys = scratch.keys.as_slice();
        let values = scratch.values.as_slice();
        let scores = scratch.scores.as_mut_slice();
        let mut row = 0;
        while row < tokens {
            let here = (tokens - row).min(R);
            let mut inverse = [0.0_f32; R];
            // SAFETY: rows over the end repeat the last one; panels and scores are padded to whole
            // vectors; only rows that exist are written.
            unsafe {
                let from: [*const f32; R] =
                    std::array::from_fn(|i| queries.as_ptr().add((row + i.min(here - 1)) * dim));
                score_rows::<S, R>(&from, dim, keys, columns, scores);
                for (i, inverse) in inverse.iter_mut().enumerate().take(here) {
                    let scores = &mut scores[i * columns..(i + 1) * columns];
                    if let Some(bias) = attention.bias {
                        let bias = bias.row(head, row + i, tokens);
                        for (score, bias) in scores.iter_mut().zip(bias) {
                            *score += bias;
                        }
                    }
                    *inverse = 1.0 / softmax::<S>(scores, tokens);
                }
                let from: [*const f32; R] =
                    std::array::from_fn(|i| scores.as_ptr().add(i.min(here - 1) * columns));
                let to = to.as_mut_ptr().add(row * width + head * dim);
                weigh::<S, R>(&from, tokens, values, dim, &inverse, to, width, here);
            }
            if let Some(maps) = maps.as_deref_mut() {
                for (i, inverse) in inverse.iter().enumerate().take(here) {
                    let at = (head * tokens + row + i) * tokens;
                    for (to, score) in maps[at..at + tokens].iter_mut().zip(&scores[i * columns..])
                    {
                        *to = score * inverse;
                    }
                }
            }
            row += here;
        }
    }
}

/// Scores of `R` queries with all keys: `[R, columns]`.
#[inline(always)]
unsafe fn score_rows<S: Lanes, const R: usize>(
    queries: &[*const f32; R],
    dim: usize,
    keys: &[f32],
    columns: usize,
    scores: &mut [f32],
) {
    unsafe {
        let mut column = 0;
        while column < columns {
            let panel = (columns - column).min(2 * S::WIDTH);
            let b = keys[column * dim..].as_ptr();
            let to = scores.as_mut_ptr().add(column);
            if panel == 2 * S::WIDTH {
                let mut sums = [[S::zero(); 2]; R];
                tile::<S, R, 2>(dim, queries, b, &mut sums);
                for (i, sums) in sums.iter().enumerate() {
                    S::store(to.add(i * columns), sums[0]);
                    S::store(to.add(i * columns + S::WIDTH), sums[1]);
                }
            } else {
                let mut sums = [[S::zero(); 1]; R];
                tile::<S, R, 1>(dim, queries, b, &mut sums);
                for (i, sums) in sums.iter().enumerate() {
                    S::store(to.add(i * columns), sums[0]);
                }
            }
            column += panel;
        }
    }
}

/// Replaces the first `n` scores by `exp(score - largest)`, those after them by 0, and gives the
/// sum.
#[inline(always)]
unsafe fn softmax<S: Lanes>(scores: &mut [f32], n: usize) -> f32 {
    unsafe {
        // What pads the row must not win and must not count.
        scores[n..].fill(f32::NEG_INFINITY);
        let at = scores.as_mut_ptr();
        let len = scores.len();
        let mut largest = S::load(at);
        for i in (S::WIDTH..len).step_by(S::WIDTH) {
            largest = S::max(largest, S::load(at.add(i)));
        }
        let shift = S::splat(S::largest(largest));
        let mut sum = S::zero();
        for i in (0..n / S::WIDTH * S::WIDTH).step_by(S::WIDTH) {
            let y = math::exp::<S>(S::sub(S::load(at.add(i)), shift));
            sum = S::add(sum, y);
            S::store(at.add(i), y);
        }
        let mut total = S::sum(sum);
        let whole = n / S::WIDTH * S::WIDTH;
        if whole < len {
            let y = math::exp::<S>(S::sub(S::load(at.add(whole)), shift));
            S::store(at.add(whole), y);
            for (i, score) in scores.iter_mut().enumerate().skip(whole) {
                if i < n {
                    total += *score;
                } else {
                    *score = 0.0;
                }
            }
        }
        total
    }
}

/// `scores * values`, divided by each row's sum.
#[expect(
    clippy::too_many_arguments,
    reason = "one tile of one product, inlined"
)]
#[inline(always)]
unsafe fn weigh<S: Lanes, const R: usize>(
    scores: &[*const f32; R],
    tokens: usize,
    values: &[f32],
    dim: usize,
    inverse: &[f32; R],
    to: *mut f32,
    ldc: usize,
    rows: usize,
) {
    unsafe {
        let columns = padded(dim, S::WIDTH);
        let mut column = 0;
        while column < columns {
            let panel = (columns - column).min(2 * S::WIDTH);
            let b = values[column * tokens..].as_ptr();
            let here = (dim - column).min(panel);
            let to = to.add(column);
            if panel == 2 * S::WIDTH {
                let mut sums = [[S::zero(); 2]; R];
                tile::<S, R, 2>(tokens, scores, b, &mut sums);
                put::<S, R, 2>(&sums, inverse, to, ldc, rows, here);
            } else {
                let mut sums = [[S::zero(); 1]; R];
                tile::<S, R, 1>(tokens, scores, b, &mut sums);
                put::<S, R, 1>(&sums, inverse, to, ldc, rows, here);
            }
            column += panel;
        }
    }
}

#[inline(always)]
unsafe fn put<S: Lanes, const R: usize, const N: usize>(
    sums: &[[S::V; N]; R],
    inverse: &[f32; R],
    to: *mut f32,
    ldc: usize,
    rows: usize,
    columns: usize,
) {
    unsafe {
        for (i, (sums, inverse)) in sums.iter().zip(inverse).enumerate().take(rows) {
            for (j, sum) in sums.iter().enumerate() {
                let at = j * S::WIDTH;
                let left = columns.saturating_sub(at).min(S::WIDTH);
                let y = S::mul(*sum, S::splat(*inverse));
                let to = to.add(i * ldc + at);
                if left == S::WIDTH {
                    S::store(to, y);
                } else {
                    let mut numbers = [0.0_f32; 16];
                    S::store(numbers.as_mut_ptr(), y);
                    std::ptr::copy_nonoverlapping(numbers.as_ptr(), to, left);
                }
            }
        }
    }
}
