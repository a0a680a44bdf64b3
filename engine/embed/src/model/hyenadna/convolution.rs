//! The long causal convolution, by Fourier transforms.
//!
//! Both sides are turned by an angle that grows to a right one over the length of the transform,
//! so that what wraps around comes out as imaginary numbers and what does not as real ones
//! ("right-angle" convolution: Crandall and Fagin 1994, doi:10.1090/S0025-5718-1994-1185244-1).
//! So a transform of complex numbers needs no more points than the sequence has tokens. Spectra
//! of the filter are kept for the lengths that came lately, as far as memory allows; for a longer
//! sequence they are made anew, which is half as much work again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::filter::{BLOCK, Features, Filter};
use crate::kernel::{CHANNELS, Fourier, POINT, multiply};

/// Bytes of spectra that a layer keeps.
const KEPT: usize = 128 << 20;

/// What goes through a transform together.
const _: () = assert!(BLOCK == CHANNELS);

/// Spectra of all channels by the length of their transform, `[blocks, length, POINT]`.
type Spectra = HashMap<usize, Arc<Vec<f32>>>;

pub(super) struct Convolution {
    filter: Filter,
    width: usize,
    plans: Mutex<HashMap<usize, Arc<Plan>>>,
    kept: Mutex<Spectra>,
}

/// Both transforms of one length.
struct Plan {
    length: usize,
    fourier: Fourier,
    /// Cosine and sine by which a point is turned.
    turns: Vec<[f32; 2]>,
}

/// Buffers of one thread.
#[derive(Default)]
struct Room {
    points: Vec<f32>,
    rows: Vec<f32>,
    /// The filter's, of one channel block, where it is not kept.
    taps: Vec<f32>,
    of_filter: Vec<f32>,
}

/// The filter's spectra of a block: at hand, or to be made.
enum Source {
    Kept(Arc<Vec<f32>>),
    Made(Features),
}

impl Plan {
    fn new(length: usize) -> Self {
        let step = std::f64::consts::FRAC_PI_2 / length as f64;
        let turn = |n: usize| {
            let (sin, cos) = (step * n as f64).sin_cos();
            [cos as f32, sin as f32]
        };
        Self {
            length,
            fourier: Fourier::new(length),
            turns: (0..length).map(turn).collect(),
        }
    }

    /// Numbers of a block's transform.
    const fn size(&self) -> usize {
        self.length * POINT
    }
}

/// `[length, POINT]`: the rows, turned; zeros behind them.
fn turned<'a>(turns: &[[f32; 2]], rows: impl Iterator<Item = &'a [f32]>, to: &mut [f32]) {
    let mut points = to.chunks_exact_mut(POINT);
    for ((row, [cos, sin]), point) in rows.zip(turns).zip(points.by_ref()) {
        let (re, im) = point.split_at_mut(CHANNELS);
        for (re, x) in re.iter_mut().zip(row) {
            *re = x * cos;
        }
        for (im, x) in im.iter_mut().zip(row) {
            *im = x * sin;
        }
        re[row.len()..].fill(0.0);
        im[row.len()..].fill(0.0);
    }
    points.for_each(|point| point.fill(0.0));
}

impl Convolution {
    pub(super) fn new(filter: Filter, width: usize) -> Self {
        Self {
            filter,
            width,
            plans: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    fn plan(&self, tokens: usize) -> Arc<Plan> {
        let length = Fourier::length_for(tokens);
        // Plans are put in whole.
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plans.entry(length);
        Arc::clone(plan.or_insert_with(|| Arc::new(Plan::new(length))))
    }

    /// Convolves `from`, `[tokens, width]`, with the filter. Writes blocks of channels one after
    /// another, `[blocks, tokens, BLOCK]`.
    pub(super) fn apply(&self, from: &[f32], to: &mut Vec<f32>) {
        let width = self.width;
        let tokens = from.len() / width;
        let plan = self.plan(tokens);
        let source = self.source(&plan);
        to.resize(width.div_ceil(BLOCK) * tokens * BLOCK, 0.0);
        to.par_chunks_mut(tokens * BLOCK).enumerate().for_each_init(
            Room::default,
            |room, (block, to)| {
                self.block(&plan, &source, room, block, from, to);
            },
        );
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
        let channels = (self.width - block * BLOCK).min(BLOCK);
        room.points.resize(plan.size(), 0.0);
        let of_filter = match source {
            Source::Kept(all) => &all[block * plan.size()..(block + 1) * plan.size()],
            Source::Made(features) => {
                let mut made = std::mem::take(&mut room.of_filter);
                made.resize(plan.size(), 0.0);
                self.spectrum(plan, features, block, room, &mut made);
                room.of_filter = made;
                &room.of_filter
            }
        };
        let rows = from.chunks_exact(self.width);
        let rows = rows.map(|row| &row[block * BLOCK..block * BLOCK + channels]);
        turned(&plan.turns, rows, &mut room.points);
        plan.fourier.forward(&mut room.points);
        multiply(&mut room.points, of_filter);
        plan.fourier.inverse(&mut room.points);
        for ((row, point), [cos, sin]) in to
            .chunks_exact_mut(BLOCK)
            .zip(room.points.chunks_exact(POINT))
            .zip(&plan.turns)
        {
            let (re, im) = point.split_at(CHANNELS);
            for ((y, re), im) in row.iter_mut().zip(re).zip(im) {
                *y = re * cos + im * sin;
            }
        }
    }

    /// The spectrum of a block's filters over the transform's length: `[length, POINT]`.
    fn spectrum(
        &self,
        plan: &Plan,
        features: &Features,
        block: usize,
        room: &mut Room,
        to: &mut [f32],
    ) {
        let positions = self.positions(plan);
        let channels = (self.width - block * BLOCK).min(BLOCK);
        room.taps.resize(BLOCK * positions, 0.0);
        self.filter
            .taps(features, block, &mut room.rows, &mut room.taps);
        let share = 1.0 / plan.length as f32;
        for tap in &mut room.taps {
            *tap *= share;
        }
        let rows = room.taps.chunks_exact(BLOCK);
        turned(&plan.turns, rows.map(|row| &row[..channels]), to);
        plan.fourier.forward(to);
    }

    /// Taps that a transform needs: no sequence of its length is longer.
    fn positions(&self, plan: &Plan) -> usize {
        plan.length.min(self.filter.longest())
    }

    fn source(&self, plan: &Plan) -> Source {
        let lock = || self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spectra) = lock().get(&plan.length) {
            return Source::Kept(Arc::clone(spectra));
        }
        // Not under the lock: a thread that waits for others may take up another sequence.
        let features = self.filter.features(self.positions(plan));
        let size = |length: usize| self.width.div_ceil(BLOCK) * length * POINT * size_of::<f32>();
        if size(plan.length) > KEPT {
            return Source::Made(features);
        }
        let mut all = vec![0.0; size(plan.length) / size_of::<f32>()];
        all.par_chunks_mut(plan.size()).enumerate().for_each_init(
            Room::default,
            |room, (block, to)| {
                self.spectrum(plan, &features, block, room, to);
            },
        );
        let all = Arc::new(all);
        let mut kept = lock();
        let taken: usize = kept.keys().map(|length| size(*length)).sum();
        if taken + size(plan.length) > KEPT {
            // Sequences come sorted by length, so what was kept is not what comes next.
            kept.clear();
        }
        kept.insert(plan.length, Arc::clone(&all));
        Source::Kept(all)
    }
}
