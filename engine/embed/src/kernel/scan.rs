//! The selective scan of a state-space model (Gu and Dao 2023, arXiv:2312.00752): for each channel
//! a handful of states, each a running sum that forgets at a rate set by the input,
//!
//! ```text
//! h[n] <- exp(dt * a[n]) * h[n] + dt * x * b[n]
//! y    =  sum over n of c[n] * h[n] + d * x
//! ```
//!
//! Vectors go across channels. A few states stay in registers while the rows go by.

use super::conv::{Direction, ROW};
use super::isa::dispatch;
use super::lanes::Lanes;
use super::math;

/// States that are carried through the rows together: with what each step needs beside them they
/// fit 16 registers.
const TOGETHER: usize = 8;

/// What of a scan does not depend on the input.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    states: usize,
    stride: usize,
    /// The rates `a`, `[states, stride]`, none above 0; zero beyond the channels.
    rates: Vec<f32>,
    /// The factors `d`, `[stride]`.
    skip: Vec<f32>,
}

/// What a scan reads of each row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScanInput<'a> {
    /// `[rows, stride]`.
    pub(crate) x: &'a [f32],
    /// Steps `dt`, `[rows, stride]`.
    pub(crate) steps: &'a [f32],
    /// Rows that lie `bc_stride` apart and hold, from `bc_first`, `b` and then `c`.
    pub(crate) bc: &'a [f32],
    pub(crate) bc_stride: usize,
    pub(crate) bc_first: usize,
}

impl Scan {
    /// `rates` is `[channels, states]`, `skip` is `[channels]`; rows will lie `stride` apart.
    pub(crate) fn new(rates: &[f32], skip: &[f32], states: usize, stride: usize) -> Self {
        let channels = skip.len();
        assert!(
            states > 0 && rates.len() == channels * states && channels <= stride,
            "a scan has another shape"
        );
        assert!(stride.is_multiple_of(ROW), "rows are whole vectors");
        let mut packed = vec![0.0; states * stride];
        for (channel, row) in rates.chunks_exact(states).enumerate() {
            for (state, rate) in row.iter().enumerate() {
                packed[state * stride + channel] = *rate;
            }
        }
        let mut padded = vec![0.0; stride];
        padded[..channels].copy_from_slice(skip);
        Self {
            states,
            stride,
            rates: packed,
            skip: padded,
        }
    }

    /// Numbers between rows.
    pub(crate) const fn stride(&self) -> usize {
        self.stride
    }

    /// Numbers of a state to carry from call to call; zero at the sequence's end where it begins.
    pub(crate) const fn carried(&self) -> usize {
        self.states * self.stride
    }

    /// Scans rows in the direction given, from `state` on, and writes `y` (`[rows, stride]`).
    pub(crate) fn apply(
        &self,
        input: ScanInput<'_>,
        direction: Direction,
        state: &mut [f32],
        y: &mut [f32],
    ) {
        let rows = y.len() / self.stride;
        assert!(
            y.len() == rows * self.stride
                && input.x.len() == y.len()
                && input.steps.len() == y.len()
                && state.len() == self.carried()
                && input.bc_first + 2 * self.states <= input.bc_stride
                && input.bc.len() >= rows * input.bc_stride,
            "a scan's operands are too short"
        );
        run(self, input, direction, state, y);
    }
}

dispatch! {
    fn run(
        scan: &Scan,
        input: ScanInput<'_>,
        direction: Direction,
        state: &mut [f32],
        y: &mut [f32],
    ) = scan_rows;
}

#[inline(always)]
unsafe fn scan_rows<S: Lanes, const R: usize>(
    scan: &Scan,
    input: ScanInput<'_>,
    direction: Direction,
    state: &mut [f32],
    y: &mut [f32],
) {
    for at in (0..scan.stride).step_by(S::WIDTH) {
        let mut first = 0;
        // SAFETY: `apply` checked that every row of the operands exists; `at` is below the stride,
        // a multiple of the vector's width, and the states of each group exist.
        unsafe {
            while first + TOGETHER <= scan.states {
                group::<S, TOGETHER>(scan, input, direction, state, y, at, first);
                first += TOGETHER;
            }
            while first < scan.states {
                group::<S, 1>(scan, input, direction, state, y, at, first);
                first += 1;
            }
        }
    }
}

/// `N` states from `first` on, of the channels of one vector, over all rows.
#[inline(always)]
unsafe fn group<S: Lanes, const N: usize>(
    scan: &Scan,
    input: ScanInput<'_>,
    direction: Direction,
    state: &mut [f32],
    y: &mut [f32],
    at: usize,
    first: usize,
) {
    let stride = scan.stride;
    let rows = y.len() / stride;
    unsafe {
        let mut h = [S::zero(); N];
        for (n, h) in h.iter_mut().enumerate() {
            *h = S::load(state.as_ptr().add((first + n) * stride + at));
        }
        let rates = scan.rates.as_ptr().add(first * stride + at);
        let skip = S::load(scan.skip.as_ptr().add(at));
        for step in 0..rows {
            let row = match direction {
                Direction::Forward => step,
                Direction::Backward => rows - 1 - step,
            };
            let here = row * stride + at;
            let x = S::load(input.x.as_ptr().add(here));
            let dt = S::load(input.steps.as_ptr().add(here));
            let drive = S::mul(dt, x);
            let bc = input.bc.as_ptr();
            let b = bc.add(row * input.bc_stride + input.bc_first + first);
            let c = b.add(scan.states);
            let to = y.as_mut_ptr().add(here);
            let mut sum = if first == 0 {
                S::mul(skip, x)
            } else {
                S::load(to)
            };
            for (n, h) in h.iter_mut().enumerate() {
                let kept = math::exp::<S>(S::mul(dt, S::load(rates.add(n * stride))));
                *h = S::fma(kept, *h, S::mul(drive, S::splat(*b.add(n))));
                sum = S::fma(*h, S::splat(*c.add(n)), sum);
            }
            S::store(to, sum);
        }
        for (n, h) in h.iter().enumerate() {
            S::store(state.as_mut_ptr().add((first + n) * stride + at), *h);
        }
    }
}

/// `softplus(x) = ln(1 + exp(x))` of each number; their count is a multiple of [`ROW`].
pub(crate) fn softplus(xs: &mut [f32]) {
    assert!(xs.len().is_multiple_of(ROW), "rows are whole vectors");
    run_softplus(xs);
}

dispatch! {
    fn run_softplus(xs: &mut [f32]) = softplus_all;
}

#[inline(always)]
unsafe fn softplus_all<S: Lanes, const R: usize>(xs: &mut [f32]) {
    for x in xs.chunks_exact_mut(S::WIDTH) {
        // SAFETY: the chunk is one vector long.
        unsafe { S::store(x.as_mut_ptr(), math::softplus::<S>(S::load(x.as_ptr()))) };
    }
}

/// `a <- (a + b) * silu(z)`, number by number; their count is a multiple of [`ROW`].
pub(crate) fn gate_sum(a: &mut [f32], b: &[f32], z: &[f32]) {
    assert!(
        a.len().is_multiple_of(ROW) && a.len() == b.len() && a.len() == z.len(),
        "a gate's operands differ in length"
    );
    run_gate_sum(a, b, z);
}

dispatch! {
    fn run_gate_sum(a: &mut [f32], b: &[f32], z: &[f32]) = gate_all;
}

#[inline(always)]
unsafe fn gate_all<S: Lanes, const R: usize>(a: &mut [f32], b: &[f32], z: &[f32]) {
    for at in (0..a.len()).step_by(S::WIDTH) {
        // SAFETY: `gate_sum` checked that all are whole vectors and equally long.
        unsafe {
            let sum = S::add(S::load(a.as_ptr().add(at)), S::load(b.as_ptr().add(at)));
            let gate = math::silu::<S>(S::load(z.as_ptr().add(at)));
            S::store(a.as_mut_ptr().add(at), S::mul(sum, gate));
        }
    }
}
