//! The long causal convolution, by Fourier transforms.
//!
//! A transform of twice the length, so that nothing wraps around, turns a convolution into a
//! product. Its length depends on that of the sequence alone. Spectra of the filter are kept for
//! the lengths that came lately, as far as memory allows; for a longer sequence they are made
//! anew, which is a third more work.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::filter::{BLOCK, Features, Filter};

/// Bytes of spectra that a layer keeps.
const KEPT: usize = 128 << 20;

/// Spectra of all channels by the length of their transform, each `[width, length / 2 + 1]`.
type Spectra = HashMap<usize, Arc<Vec<Complex32>>>;

pub(super) struct Convolution {
    filter: Filter,
    width: usize,
    planner: Mutex<RealFftPlanner<f32>>,
    kept: Mutex<Spectra>,
}

/// Both transforms of one length.
struct Plan {
    length: usize,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

/// Buffers of one thread.
#[derive(Default)]
struct Room {
    columns: Vec<f32>,
    rows: Vec<f32>,
    time: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    /// The filter's, of one channel block, where it is not kept.
    taps: Vec<f32>,
    of_filter: Vec<Complex32>,
}

/// The filter's spectra of a block: at hand, or to be made.
enum Source {
    Kept(Arc<Vec<Complex32>>),
    Made(Features),
}

/// The transform for a sequence: the least of `2^k` and `3 * 2^k` that is twice as long.
fn transform_length(tokens: usize) -> usize {
    let power = (2 * tokens).next_power_of_two().max(32);
    match power / 4 * 3 {
        three if three >= 2 * tokens => three,
        _ => power,
    }
}

impl Plan {
    /// The spectrum of `room.time`'s first `n` numbers, zeros behind them, into `to`.
    fn forward(&self, n: usize, time: &mut [f32], scratch: &mut [Complex32], to: &mut [Complex32]) {
        time[n..].fill(0.0);
        let result = self.forward.process_with_scratch(time, to, scratch);
        assert!(result.is_ok(), "buffers are as long as the transform");
    }
}

impl Convolution {
    pub(super) fn new(filter: Filter, width: usize) -> Self {
        Self {
            filter,
            width,
            planner: Mutex::new(RealFftPlanner::new()),
            kept: Mutex::default(),
        }
    }

    fn plan(&self, length: usize) -> Plan {
        // A planner that a panic left is a cache of plans, each whole.
        let mut planner = self.planner.lock().unwrap_or_else(PoisonError::into_inner);
        Plan {
            length,
            forward: planner.plan_fft_forward(length),
            inverse: planner.plan_fft_inverse(length),
        }
    }

    /// Convolves `from`, `[tokens, width]`, with the filter. Writes blocks of channels one after
    /// another, `[blocks, tokens, BLOCK]`.
    pub(super) fn apply(&self, from: &[f32], to: &mut Vec<f32>) {
        let width = self.width;
        let tokens = from.len() / width;
        let plan = self.plan(transform_length(tokens));
        let source = self.source(&plan);
        to.resize(width.div_ceil(BLOCK) * tokens * BLOCK, 0.0);
        to.par_chunks_mut(tokens * BLOCK).enumerate().for_each_init(
            Room::default,
            |room, (block, to)| {
                self.block(&plan, &source, room, block, from, to);
            },
        );
    }

    fn channels(&self, block: usize) -> usize {
        (self.width - block * BLOCK).min(BLOCK)
    }

    fn block(
        &self,
        plan: &Plan,
        source: &Source,
        room: &mut Room,
        block: usize,
        from: &[f32],
        to: &mut [f32],
    ) {
        let (width, channels) = (self.width, self.channels(block));
        let tokens = from.len() / width;
        let points = plan.length / 2 + 1;
        room.prepare(plan);
        let of_filter = match source {
            Source::Kept(all) => {
                let first = block * BLOCK * points;
                &all[first..first + channels * points]
            }
            Source::Made(features) => {
                room.of_filter
                    .resize(channels * points, Complex32::default());
                let mut made = std::mem::take(&mut room.of_filter);
                self.spectra(plan, features, block, room, &mut made);
                room.of_filter = made;
                &room.of_filter[..channels * points]
            }
        };
        let columns = &mut room.columns;
        columns.resize(BLOCK * tokens, 0.0);
        for (token, row) in from.chunks_exact(width).enumerate() {
            for (channel, x) in row[block * BLOCK..].iter().take(channels).enumerate() {
                columns[channel * tokens + token] = *x;
            }
        }
        for (column, of_filter) in columns
            .chunks_exact_mut(tokens)
            .zip(of_filter.chunks_exact(points))
        {
            room.time[..tokens].copy_from_slice(column);
            plan.forward(
                tokens,
                &mut room.time,
                &mut room.scratch,
                &mut room.spectrum,
            );
            for (x, y) in room.spectrum.iter_mut().zip(of_filter) {
                *x *= y;
            }
            // Of a real sequence these two are real.
            room.spectrum[0].im = 0.0;
            room.spectrum[points - 1].im = 0.0;
            let result = plan.inverse.process_with_scratch(
                &mut room.spectrum,
                &mut room.time,
                &mut room.scratch,
            );
            assert!(result.is_ok(), "buffers are as long as the transform");
            column.copy_from_slice(&room.time[..tokens]);
        }
        for (token, row) in to.chunks_exact_mut(BLOCK).enumerate() {
            for (channel, y) in row.iter_mut().take(channels).enumerate() {
                *y = columns[channel * tokens + token];
            }
        }
    }

    /// The spectra of a block's filters, `[channels, length / 2 + 1]`, over the transform's length.
    fn spectra(
        &self,
        plan: &Plan,
        features: &Features,
        block: usize,
        room: &mut Room,
        to: &mut [Complex32],
    ) {
        let points = plan.length / 2 + 1;
        let positions = self.positions(plan);
        room.taps.resize(BLOCK * positions, 0.0);
        self.filter
            .taps(features, block, &mut room.rows, &mut room.taps);
        let share = 1.0 / plan.length as f32;
        for (taps, to) in room
            .taps
            .chunks_exact(positions)
            .zip(to.chunks_exact_mut(points))
        {
            for (x, tap) in room.time.iter_mut().zip(taps) {
                *x = tap * share;
            }
            plan.forward(positions, &mut room.time, &mut room.scratch, to);
        }
    }

    /// Taps that a transform needs: no sequence of its length is longer.
    fn positions(&self, plan: &Plan) -> usize {
        (plan.length / 2).min(self.filter.longest())
    }

    fn source(&self, plan: &Plan) -> Source {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spectra) = lock().get(&plan.length) {
            return Source::Kept(Arc::clone(spectra));
        }
        // Not under the lock: a thread that waits for others may take up another sequence.
        let features = self.filter.features(self.positions(plan));
        let points = plan.length / 2 + 1;
        let size = |points: usize| self.width * points * size_of::<Complex32>();
        if size(points) > KEPT {
            return Source::Made(features);
        }
        let mut all = vec![Complex32::default(); self.width * points];
        all.par_chunks_mut(BLOCK * points)
            .enumerate()
            .for_each_init(Room::default, |room, (block, to)| {
                room.prepare(plan);
                self.spectra(plan, &features, block, room, to);
            });
        let all = Arc::new(all);
        let mut kept = lock();
        let taken: usize = kept.keys().map(|length| size(length / 2 + 1)).sum();
        if taken + size(points) > KEPT {
            // Sequences come sorted by length, so what was kept is not what comes next.
            kept.clear();
        }
        kept.insert(plan.length, Arc::clone(&all));
        Source::Kept(all)
    }
}

impl Room {
    fn prepare(&mut self, plan: &Plan) {
        self.time.resize(plan.length, 0.0);
        self.spectrum
            .resize(plan.length / 2 + 1, Complex32::default());
        let scratch = plan
            .forward
            .get_scratch_len()
            .max(plan.inverse.get_scratch_len());
        self.scratch.resize(scratch, Complex32::default());
    }
}

#[cfg(test)]
mod tests {
    use super::transform_length;

    #[test]
    fn transforms_are_twice_as_long_and_not_much_more() {
        for tokens in 1..5000 {
            let length = transform_length(tokens);
            assert!(length >= 2 * tokens && length.is_multiple_of(2));
            assert!(length <= (3 * tokens).max(32));
        }
    }
}
