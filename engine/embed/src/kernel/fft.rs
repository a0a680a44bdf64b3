//! Fourier transforms of many channels side by side, for long convolutions.
//!
//! A point of a transform is a vector: [`CHANNELS`] real parts, then as many imaginary ones, so
//! that every instruction works on all channels and nothing is shuffled. Forward transforms take
//! the points in order and leave them in the order of their reversed digits, inverse ones the
//! other way round (decimation in frequency and in time; Cooley and Tukey 1965,
//! doi:10.1090/S0025-5718-1965-0178586-1), which a product of two spectra does not notice. Both
//! work in place and go down to parts that fit a cache before they go on to the next.

use super::isa::dispatch;
use super::lanes::Lanes;

/// Sequences that are transformed together.
pub(crate) const CHANNELS: usize = 16;

/// Numbers of a point.
pub(crate) const POINT: usize = 2 * CHANNELS;

/// Points of a part that all its levels are done on at once: 256 kB.
const CACHED: usize = 2048;

/// The transforms of one length.
#[derive(Debug)]
pub(crate) struct Fourier {
    length: usize,
    levels: Vec<Level>,
}

/// One step: parts of `size` points become `radix` parts of their own.
#[derive(Debug)]
struct Level {
    size: usize,
    radix: usize,
    /// For each point of a smaller part the powers 1 to `radix - 1` of its root, as cosine and
    /// sine of the forward transform.
    roots: Vec<f32>,
}

impl Fourier {
    /// The least length of `2^k` and `3 * 2^k` points that is not below `points`.
    pub(crate) fn length_for(points: usize) -> usize {
        let power = points.next_power_of_two().max(4);
        match power / 4 * 3 {
            three if three >= points && three > 3 => three,
            _ => power,
        }
    }

    /// `length` is one that [`Self::length_for`] gives.
    pub(crate) fn new(length: usize) -> Self {
        let mut levels = Vec::new();
        let mut size = length;
        while size > 1 {
            let radix = if size.is_multiple_of(3) {
                3
            } else if size.is_multiple_of(4) {
                4
            } else {
                2
            };
            let step = -std::f64::consts::TAU / size as f64;
            let roots = (0..size / radix)
                .flat_map(|j| (1..radix).map(move |power| step * (j * power) as f64))
                .flat_map(|angle| [angle.cos() as f32, angle.sin() as f32])
                .collect();
            levels.push(Level { size, radix, roots });
            size /= radix;
        }
        Self { length, levels }
    }

    /// `[length, POINT]` to its spectrum.
    pub(crate) fn forward(&self, points: &mut [f32]) {
        assert_eq!(points.len(), self.length * POINT, "another length");
        down(&self.levels, points);
    }

    /// A spectrum to `length` times the points it came from.
    pub(crate) fn inverse(&self, points: &mut [f32]) {
        assert_eq!(points.len(), self.length * POINT, "another length");
        up(&self.levels, points);
    }
}

fn down(levels: &[Level], points: &mut [f32]) {
    match levels {
        [] => {}
        [first, ..] if first.size <= CACHED => run_forward(points, levels),
        [first, rest @ ..] => {
            run_forward(points, &levels[..1]);
            for part in points.chunks_exact_mut(first.size / first.radix * POINT) {
                down(rest, part);
            }
        }
    }
}

fn up(levels: &[Level], points: &mut [f32]) {
    match levels {
        [] => {}
        [first, ..] if first.size <= CACHED => run_inverse(points, levels),
        [first, rest @ ..] => {
            for part in points.chunks_exact_mut(first.size / first.radix * POINT) {
                up(rest, part);
            }
            run_inverse(points, &levels[..1]);
        }
    }
}

dispatch! {
    /// The levels one after another on all parts.
    fn run_forward(points: &mut [f32], levels: &[Level]) = forward;
}

dispatch! {
    /// The levels from the last to the first on all parts.
    fn run_inverse(points: &mut [f32], levels: &[Level]) = inverse;
}

dispatch! {
    /// Multiplies spectra point by point.
    pub(crate) fn multiply(points: &mut [f32], by: &[f32]) = products;
}

/// Vectors of the channels of a point.
#[derive(Clone, Copy)]
struct Complex<S: Lanes> {
    re: S::V,
    im: S::V,
}

impl<S: Lanes> Complex<S> {
    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        unsafe {
            Self {
                re: S::load(at),
                im: S::load(at.add(CHANNELS)),
            }
        }
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        unsafe {
            S::store(at, self.re);
            S::store(at.add(CHANNELS), self.im);
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        unsafe {
            Self {
                re: S::add(self.re, other.re),
                im: S::add(self.im, other.im),
            }
        }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        unsafe {
            Self {
                re: S::sub(self.re, other.re),
                im: S::sub(self.im, other.im),
            }
        }
    }

    /// `self * i * factor`.
    #[inline(always)]
    unsafe fn turned(self, factor: f32) -> Self {
        unsafe {
            Self {
                re: S::mul(self.im, S::splat(-factor)),
                im: S::mul(self.re, S::splat(factor)),
            }
        }
    }

    /// `self + other * factor`.
    #[inline(always)]
    unsafe fn plus(self, other: Self, factor: f32) -> Self {
        unsafe {
            let factor = S::splat(factor);
            Self {
                re: S::fma(other.re, factor, self.re),
                im: S::fma(other.im, factor, self.im),
            }
        }
    }

    #[inline(always)]
    unsafe fn times(self, re: S::V, im: S::V) -> Self {
        unsafe {
            let minus = S::sub(S::zero(), im);
            Self {
                re: S::fma(self.im, minus, S::mul(self.re, re)),
                im: S::fma(self.im, re, S::mul(self.re, im)),
            }
        }
    }
}

/// The sine of a third of a turn.
const THIRD: f32 = 0.866_025_4;

/// `radix` values to the sums `sum of x[m] * exp(sign * 2 pi i m r / radix)` for each `r`.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
unsafe fn butterfly<S: Lanes>(x: &mut [Complex<S>; 4], radix: usize, sign: f32) {
    unsafe {
        let [a, b, c, d] = *x;
        match radix {
            2 => {
                x[0] = a.add(b);
                x[1] = a.sub(b);
            }
            3 => {
                let (sum, difference) = (b.add(c), b.sub(c).turned(sign * THIRD));
                let middle = a.plus(sum, -0.5);
                x[0] = a.add(sum);
                x[1] = middle.add(difference);
                x[2] = middle.sub(difference);
            }
            _ => {
                let (even, odd) = (a.add(c), a.sub(c));
                let (sum, turned) = (b.add(d), b.sub(d).turned(sign));
                x[0] = even.add(sum);
                x[1] = odd.add(turned);
                x[2] = even.sub(sum);
                x[3] = odd.sub(turned);
            }
        }
    }
}

/// # Safety
/// As for [`Lanes`]; `points` is a whole number of the first level's parts.
#[inline(always)]
unsafe fn forward<S: Lanes, const R: usize>(points: &mut [f32], levels: &[Level]) {
    for level in levels {
        for part in points.chunks_exact_mut(level.size * POINT) {
            // SAFETY: the part is as long as the level's size says.
            unsafe {
                match level.radix {
                    2 => step::<S, 2, false>(part, level),
                    3 => step::<S, 3, false>(part, level),
                    _ => step::<S, 4, false>(part, level),
                }
            }
        }
    }
}

/// # Safety
/// As for [`forward`].
#[inline(always)]
unsafe fn inverse<S: Lanes, const R: usize>(points: &mut [f32], levels: &[Level]) {
    for level in levels.iter().rev() {
        for part in points.chunks_exact_mut(level.size * POINT) {
            // SAFETY: the part is as long as the level's size says.
            unsafe {
                match level.radix {
                    2 => step::<S, 2, true>(part, level),
                    3 => step::<S, 3, true>(part, level),
                    _ => step::<S, 4, true>(part, level),
                }
            }
        }
    }
}

/// One level of one part. Forward, the roots are multiplied on after the sums; inverse, before.
///
/// # Safety
/// As for [`Lanes`]; `part` has the points of the level's size.
#[inline(always)]
unsafe fn step<S: Lanes, const RADIX: usize, const INVERSE: bool>(part: &mut [f32], level: &Level) {
    let quarter = level.size / RADIX;
    let (at, roots) = (part.as_mut_ptr(), level.roots.as_ptr());
    for j in 0..quarter {
        // SAFETY: `m * quarter + j` is below the size, lanes are within the point, and there are
        // `RADIX - 1` roots for every `j`.
        unsafe {
            let roots = roots.add(j * (RADIX - 1) * 2);
            for lane in (0..CHANNELS).step_by(S::WIDTH) {
                let place = |m: usize| at.add((m * quarter + j) * POINT + lane);
                let mut x = [Complex::<S>::load(place(0)); 4];
                for (m, x) in x.iter_mut().enumerate().take(RADIX).skip(1) {
                    *x = Complex::load(place(m));
                    if INVERSE {
                        let root = roots.add((m - 1) * 2);
                        *x = x.times(S::splat(*root), S::splat(-*root.add(1)));
                    }
                }
                butterfly(&mut x, RADIX, if INVERSE { 1.0 } else { -1.0 });
                x[0].store(place(0));
                for (m, x) in x.iter().enumerate().take(RADIX).skip(1) {
                    let mut y = *x;
                    if !INVERSE {
                        let root = roots.add((m - 1) * 2);
                        y = y.times(S::splat(*root), S::splat(*root.add(1)));
                    }
                    y.store(place(m));
                }
            }
        }
    }
}

/// # Safety
/// As for [`Lanes`].
#[inline(always)]
unsafe fn products<S: Lanes, const R: usize>(points: &mut [f32], by: &[f32]) {
    for (x, y) in points.chunks_exact_mut(POINT).zip(by.chunks_exact(POINT)) {
        for lane in (0..CHANNELS).step_by(S::WIDTH) {
            // SAFETY: both chunks are one point, and lanes are within it.
            unsafe {
                let y = Complex::<S>::load(y.as_ptr().add(lane));
                let product = Complex::<S>::load(x.as_ptr().add(lane)).times(y.re, y.im);
                product.store(x.as_mut_ptr().add(lane));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number that looks random.
    fn number(seed: usize) -> f32 {
        let x = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (x >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    #[test]
    fn there_and_back() {
        for length in [4, 6, 8, 12, 16, 24, 48, 64, 96, 2048, 3072, 8192, 12288] {
            assert_eq!(Fourier::length_for(length), length);
            let fourier = Fourier::new(length);
            let points: Vec<f32> = (0..length * POINT).map(number).collect();
            let mut given = points.clone();
            fourier.forward(&mut given);
            fourier.inverse(&mut given);
            for (x, y) in points.iter().zip(&given) {
                assert!(
                    (x - y / length as f32).abs() < 2e-6,
                    "{length}: {x} and {y}"
                );
            }
        }
    }

    #[test]
    fn spectra_are_those_of_the_definition() {
        for length in [4, 6, 8, 12, 16, 24, 96] {
            let mut points: Vec<f32> = (0..length * POINT).map(number).collect();
            let at = |n: usize, lane: usize| {
                let (re, im) = (n * POINT + lane, n * POINT + CHANNELS + lane);
                (f64::from(number(re)), f64::from(number(im)))
            };
            Fourier::new(length).forward(&mut points);
            for lane in [0, 5, 15] {
                // In whatever order: each value of the definition is there once.
                let mut left: Vec<(f32, f32)> = (0..length)
                    .map(|n| {
                        (
                            points[n * POINT + lane],
                            points[n * POINT + CHANNELS + lane],
                        )
                    })
                    .collect();
                for k in 0..length {
                    let (mut re, mut im) = (0.0, 0.0);
                    for n in 0..length {
                        let angle = -std::f64::consts::TAU * (n * k) as f64 / length as f64;
                        let (a, b) = at(n, lane);
                        re += a * angle.cos() - b * angle.sin();
                        im += a * angle.sin() + b * angle.cos();
                    }
                    let found = left.iter().position(|(x, y)| {
                        (f64::from(*x) - re).abs() < 1e-4 && (f64::from(*y) - im).abs() < 1e-4
                    });
                    left.swap_remove(found.unwrap_or_else(|| panic!("{length}: no {re} {im}")));
                }
            }
        }
    }

    #[test]
    fn lengths_are_enough_and_not_much_more() {
        for points in 1..5000 {
            let length = Fourier::length_for(points);
            assert!(
                length >= points && length <= (points * 3 / 2).max(4),
                "{points}"
            );
        }
    }
}
