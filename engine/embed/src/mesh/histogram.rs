//! Histograms whose bins share an observation, so that rounding at an edge moves nothing far.

/// A histogram over `[low, high]`. An observation is split between the two nearest bin centres in
/// proportion to its distance, so the counts are continuous in the observation. The first centre
/// is at `low` and the last at `high`; what lies outside counts there.
#[derive(Debug)]
pub(crate) struct Soft<const N: usize> {
    low: f64,
    per_unit: f64,
    mass: [f64; N],
}

impl<const N: usize> Soft<N> {
    pub(crate) fn new(low: f64, high: f64) -> Self {
        Self {
            low,
            per_unit: (N - 1) as f64 / (high - low),
            mass: [0.0; N],
        }
    }

    #[inline]
    pub(crate) fn add(&mut self, value: f64, weight: f64) {
        let at = ((value - self.low) * self.per_unit).clamp(0.0, (N - 1) as f64);
        let bin = (at as usize).min(N - 2);
        let share = at - bin as f64;
        self.mass[bin] += weight * (1.0 - share);
        self.mass[bin + 1] += weight * share;
    }

    pub(crate) const fn mass(&self) -> &[f64; N] {
        &self.mass
    }
}

/// A histogram of an angle from -pi to pi, where the two ends are one.
#[derive(Debug)]
pub(crate) struct Circular<const N: usize> {
    mass: [f64; N],
}

impl<const N: usize> Circular<N> {
    pub(crate) const fn new() -> Self {
        Self { mass: [0.0; N] }
    }

    #[inline]
    pub(crate) fn add(&mut self, angle: f64, weight: f64) {
        let turns = (angle / std::f64::consts::TAU + 0.5).clamp(0.0, 1.0);
        let at = turns * N as f64;
        let bin = at as usize;
        let share = at - bin as f64;
        self.mass[bin % N] += weight * (1.0 - share);
        self.mass[(bin + 1) % N] += weight * share;
    }

    pub(crate) const fn mass(&self) -> &[f64; N] {
        &self.mass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mass_is_kept_and_shared() {
        let mut soft = Soft::<5>::new(0.0, 4.0);
        soft.add(1.25, 2.0);
        soft.add(-3.0, 1.0);
        soft.add(9.0, 1.0);
        assert_eq!(soft.mass(), &[1.0, 1.5, 0.5, 0.0, 1.0]);
    }

    #[test]
    fn the_ends_of_the_circle_meet() {
        let pi = std::f64::consts::PI;
        let (mut left, mut right) = (Circular::<8>::new(), Circular::<8>::new());
        left.add(-pi, 1.0);
        right.add(pi, 1.0);
        assert_eq!(left.mass(), right.mass());
    }
}
