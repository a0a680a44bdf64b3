//! Message passing: what each vertex of a graph makes of its neighbours' rows.
//!
//! Rows of neighbours lie anywhere in memory, so the next ones are asked for while one is added.
//! A row is added in the order of its neighbours, whoever computes it.

use super::isa::dispatch;
use super::lanes::Lanes;
use super::math;
use crate::graph::Graph;
use crate::ops::Reduce;

/// How many edges ahead rows are asked for.
const AHEAD: usize = 8;

/// What becomes of the rows of a vertex's neighbours.
pub(crate) struct Neighbours<'a> {
    pub(crate) graph: &'a Graph,
    /// `[vertices, width]`.
    pub(crate) x: &'a [f32],
    pub(crate) width: usize,
    pub(crate) reduce: Reduce,
    /// The vertex's own row times this is added at last.
    pub(crate) own: Option<f32>,
}

/// Attention over a vertex's neighbours, by heads.
pub(crate) struct Attend<'a> {
    pub(crate) graph: &'a Graph,
    /// `[vertices, heads * channels]`.
    pub(crate) values: &'a [f32],
    pub(crate) heads: usize,
    pub(crate) channels: usize,
    pub(crate) scores: Scores<'a>,
    /// Slope of the scores' leaky ReLU below zero.
    pub(crate) slope: f32,
    /// Heads are averaged, else they lie side by side.
    pub(crate) mean: bool,
}

/// Where the score of an edge comes from.
#[derive(Clone, Copy)]
pub(crate) enum Scores<'a> {
    /// A part of the sender and one of the receiver: `[vertices, 2 * heads]`, senders' first.
    Parts(&'a [f32]),
    /// Of both rows together: the receivers' rows, as the values', and `[heads * channels]`.
    Pair(&'a [f32], &'a [f32]),
}

impl Attend<'_> {
    /// Numbers of a vertex's result.
    pub(crate) const fn outputs(&self) -> usize {
        match self.mean {
            true => self.channels,
            false => self.heads * self.channels,
        }
    }
}

/// Computes the rows of the vertices from `first` on, as many as `to` holds.
pub(crate) fn gather(job: &Neighbours<'_>, first: usize, to: &mut [f32]) {
    let vertices = job.graph.vertices();
    assert!(
        job.width > 0
            && job.x.len() == vertices * job.width
            && to.len().is_multiple_of(job.width)
            && first + to.len() / job.width <= vertices,
        "a graph's rows are too short"
    );
    run_gather(job, first, to);
}

/// Computes the rows of the vertices from `first` on, as many as `to` holds.
pub(crate) fn attend(job: &Attend<'_>, first: usize, to: &mut [f32]) {
    let (vertices, width) = (job.graph.vertices(), job.heads * job.channels);
    let scores = match job.scores {
        Scores::Parts(parts) => parts.len() == vertices * 2 * job.heads,
        Scores::Pair(receivers, weights) => {
            receivers.len() == vertices * width && weights.len() == width
        }
    };
    assert!(
        width > 0
            && scores
            && job.values.len() == vertices * width
            && to.len().is_multiple_of(job.outputs())
            && first + to.len() / job.outputs() <= vertices,
        "a graph's rows are too short"
    );
    run_attend(job, first, to);
}

dispatch! {
    fn run_gather(job: &Neighbours<'_>, first: usize, to: &mut [f32]) = gather_rows;
}

dispatch! {
    fn run_attend(job: &Attend<'_>, first: usize, to: &mut [f32]) = attend_rows;
}

/// Asks for the cache lines of a row.
#[inline(always)]
fn ask(row: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(16) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint; it reads nothing.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

#[inline(always)]
unsafe fn gather_rows<S: Lanes, const R: usize>(
    job: &Neighbours<'_>,
    first: usize,
    to: &mut [f32],
) {
    let (offsets, senders) = (job.graph.offsets(), job.graph.senders());
    let width = job.width;
    for (to, vertex) in to.chunks_exact_mut(width).zip(first..) {
        let (from, end) = (offsets[vertex] as usize, offsets[vertex + 1] as usize);
        for edge in from..end {
            if let Some(next) = senders.get(edge + AHEAD) {
                let at = *next as usize * width;
                ask(&job.x[at..at + width]);
            }
        }
        let list = &senders[from..end];
        let scale = match job.reduce {
            Reduce::Mean if !list.is_empty() => 1.0 / list.len() as f32,
            _ => 1.0,
        };
        let largest = job.reduce == Reduce::Max;
        let own = job.own.map(|by| (by, &job.x[vertex * width..][..width]));
        let mut column = 0;
        // SAFETY: `gather` checked that `x` has a row of `width` numbers for every vertex, a graph
        // holds vertices only, and the columns of a block are below `width`.
        unsafe {
            while column + 4 * S::WIDTH <= width {
                block::<S, 4>(
                    list,
                    &job.x[column..],
                    width,
                    largest,
                    scale,
                    &mut to[column..],
                );
                column += 4 * S::WIDTH;
            }
            while column + S::WIDTH <= width {
                block::<S, 1>(
                    list,
                    &job.x[column..],
                    width,
                    largest,
                    scale,
                    &mut to[column..],
                );
                column += S::WIDTH;
            }
        }
        for (to, k) in to[column..].iter_mut().zip(column..) {
            let mut row = list.iter().map(|v| job.x[*v as usize * width + k]);
            let Some(mut sum) = row.next() else {
                *to = 0.0;
                continue;
            };
            for x in row {
                sum = if largest { sum.max(x) } else { sum + x };
            }
            *to = sum * scale;
        }
        if let Some((by, own)) = own {
            for (to, x) in to.iter_mut().zip(own) {
                *to += by * x;
            }
        }
    }
}

/// `N` vectors of columns of one vertex.
///
/// # Safety
/// `x` is good for `N` vectors at `width` times every number of the list, and `to` for as many.
#[inline(always)]
unsafe fn block<S: Lanes, const N: usize>(
    list: &[u32],
    x: &[f32],
    width: usize,
    largest: bool,
    scale: f32,
    to: &mut [f32],
) {
    unsafe {
        let mut sums = [S::zero(); N];
        let at = |v: u32| x.as_ptr().add(v as usize * width);
        if let Some((head, rest)) = list.split_first() {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = S::load(at(*head).add(j * S::WIDTH));
            }
            for v in rest {
                for (j, sum) in sums.iter_mut().enumerate() {
                    let y = S::load(at(*v).add(j * S::WIDTH));
                    *sum = if largest {
                        S::max(*sum, y)
                    } else {
                        S::add(*sum, y)
                    };
                }
            }
        }
        for (j, sum) in sums.into_iter().enumerate() {
            S::store(
                to.as_mut_ptr().add(j * S::WIDTH),
                S::mul(sum, S::splat(scale)),
            );
        }
    }
}

#[inline(always)]
unsafe fn attend_rows<S: Lanes, const R: usize>(job: &Attend<'_>, first: usize, to: &mut [f32]) {
    let (offsets, senders) = (job.graph.offsets(), job.graph.senders());
    let (heads, channels) = (job.heads, job.channels);
    let width = heads * channels;
    // One number for each neighbour and head; as long as whole vectors.
    let mut weights: Vec<f32> = Vec::new();
    let (mut largest, mut wholes) = (vec![0.0_f32; heads], vec![0.0_f32; heads]);
    let share = if job.mean { 1.0 / heads as f32 } else { 1.0 };
    for (to, vertex) in to.chunks_exact_mut(job.outputs()).zip(first..) {
        let (from, end) = (offsets[vertex] as usize, offsets[vertex + 1] as usize);
        let list = &senders[from..end];
        let count = list.len() * heads;
        weights.clear();
        weights.resize(count.next_multiple_of(16), 0.0);
        for ((edge, weights), v) in (from..).zip(weights.chunks_exact_mut(heads)).zip(list) {
            if let Some(next) = senders.get(edge + 2 * AHEAD) {
                let at = *next as usize;
                if let Scores::Parts(parts) = job.scores {
                    ask(&parts[2 * heads * at..2 * heads * at + heads]);
                }
                ask(&job.values[at * width..(at + 1) * width]);
            }
            let v = *v as usize;
            for (h, weight) in weights.iter_mut().enumerate() {
                *weight = match job.scores {
                    Scores::Parts(parts) => {
                        let sum = parts[2 * heads * v + h] + parts[2 * heads * vertex + heads + h];
                        leaky(sum, job.slope)
                    }
                    Scores::Pair(receivers, weights) => {
                        let part = h * channels..(h + 1) * channels;
                        let sender = &job.values[v * width..][part.clone()];
                        let receiver = &receivers[vertex * width..][part.clone()];
                        // SAFETY: the processor has these lanes.
                        unsafe { pair::<S>(sender, receiver, &weights[part], job.slope) }
                    }
                };
            }
        }
        largest.fill(f32::NEG_INFINITY);
        for row in weights[..count].chunks_exact(heads) {
            for (largest, x) in largest.iter_mut().zip(row) {
                *largest = largest.max(*x);
            }
        }
        for row in weights[..count].chunks_exact_mut(heads) {
            for (x, largest) in row.iter_mut().zip(&largest) {
                *x -= largest;
            }
        }
        for chunk in weights.chunks_exact_mut(S::WIDTH) {
            // SAFETY: the chunk is one vector long.
            unsafe { S::store(chunk.as_mut_ptr(), math::exp::<S>(S::load(chunk.as_ptr()))) };
        }
        wholes.fill(0.0);
        for row in weights[..count].chunks_exact(heads) {
            for (whole, x) in wholes.iter_mut().zip(row) {
                *whole += x;
            }
        }
        // As torch_geometric's softmax guards its division.
        wholes
            .iter_mut()
            .for_each(|whole| *whole = share / (*whole + 1e-16));
        for row in weights[..count].chunks_exact_mut(heads) {
            for (x, by) in row.iter_mut().zip(&wholes) {
                *x *= by;
            }
        }
        to.fill(0.0);
        for (v, weights) in list.iter().zip(weights.chunks_exact(heads)) {
            let row = &job.values[*v as usize * width..][..width];
            // Of lengths that are known, the loops become plain vector instructions.
            match channels {
                4 => add_heads(to, row, weights, 4, job.mean),
                8 => add_heads(to, row, weights, 8, job.mean),
                16 => add_heads(to, row, weights, 16, job.mean),
                32 => add_heads(to, row, weights, 32, job.mean),
                64 => add_heads(to, row, weights, 64, job.mean),
                _ => add_heads(to, row, weights, channels, job.mean),
            }
        }
    }
}

/// Adds a neighbour's heads, each times its weight; one upon another or side by side.
#[inline(always)]
fn add_heads(to: &mut [f32], row: &[f32], weights: &[f32], channels: usize, mean: bool) {
    for (h, (part, weight)) in row.chunks_exact(channels).zip(weights).enumerate() {
        let at = if mean { 0 } else { h * channels };
        for (to, x) in to[at..at + channels].iter_mut().zip(part) {
            *to += weight * x;
        }
    }
}

fn leaky(x: f32, slope: f32) -> f32 {
    if x > 0.0 { x } else { slope * x }
}

/// The product of weights with the leaky ReLU of two rows' sum.
#[inline(always)]
unsafe fn pair<S: Lanes>(a: &[f32], b: &[f32], weights: &[f32], slope: f32) -> f32 {
    let whole = a.len() / S::WIDTH * S::WIDTH;
    let mut sum = 0.0;
    // SAFETY: all three are as long as `a`, of which these are the whole vectors.
    unsafe {
        if whole > 0 {
            let mut sums = S::zero();
            for at in (0..whole).step_by(S::WIDTH) {
                let x = S::add(S::load(a.as_ptr().add(at)), S::load(b.as_ptr().add(at)));
                let above = S::max(x, S::zero());
                let below = S::mul(S::min(x, S::zero()), S::splat(slope));
                let y = S::add(above, below);
                sums = S::fma(y, S::load(weights.as_ptr().add(at)), sums);
            }
            sum = S::sum(sums);
        }
    }
    for ((a, b), weight) in a.iter().zip(b).zip(weights).skip(whole) {
        sum += weight * leaky(a + b, slope);
    }
    sum
}
