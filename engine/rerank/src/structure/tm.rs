//! The TM-score of paired residues.
//!
//! Y. Zhang and J. Skolnick, Proteins 57, 702 (2004), doi:10.1002/prot.20264: the mean over the
//! residues of one chain of `1 / (1 + (d / d0)^2)`, where `d` is the distance of a pair after the
//! superposition that makes the sum largest. That superposition is searched: from fragments of
//! several lengths, each time with the pairs that lie near, until they stay the same.

use penstock_geometry::{Transform, superpose};

/// Rounds of choosing the pairs that lie near.
const ROUNDS: usize = 20;
/// The shortest fragment that a search starts from, in pairs.
const SHORTEST: usize = 4;

/// Distance at which a pair counts half, in angstrom, for a chain of so many residues:
/// `1.24 (n - 15)^(1/3) - 1.8`, and at least 0.5.
#[must_use]
pub fn d0(residues: usize) -> f64 {
    if residues <= 21 {
        return 0.5;
    }
    (1.24 * (residues as f64 - 15.0).cbrt() - 1.8).max(0.5)
}

/// Pairs of points, as the search for a superposition sees them.
#[derive(Debug, Default)]
pub(super) struct Search {
    near_moving: Vec<[f64; 3]>,
    near_fixed: Vec<[f64; 3]>,
    near: Vec<usize>,
    last: Vec<usize>,
    distances: Vec<f64>,
}

/// What a search looks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aim {
    /// Where a pair counts half, in angstrom.
    pub d0: f64,
    /// Residues that the sum is divided by.
    pub residues: usize,
    /// Only every so many fragments are tried.
    pub step: usize,
    /// Fragments no shorter than this share of the pairs (a half, a quarter, ...) are tried.
    pub halvings: usize,
}

pub(super) fn squared(a: [f64; 3], b: [f64; 3]) -> f64 {
    let d = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
}

/// The sum of a pair.
#[inline]
pub(super) fn term(squared_distance: f64, d0: f64) -> f64 {
    1.0 / (1.0 + squared_distance / (d0 * d0))
}

impl Search {
    /// The superposition of paired points with the largest score, and the score.
    pub(super) fn best(
        &mut self,
        moving: &[[f64; 3]],
        fixed: &[[f64; 3]],
        aim: Aim,
    ) -> (Transform, f64) {
        let pairs = moving.len();
        let mut best = (Transform::IDENTITY, 0.0);
        let mut length = pairs;
        for _ in 0..=aim.halvings {
            let length_now = length.max(SHORTEST.min(pairs));
            let starts = pairs - length_now;
            let mut start = 0;
            while start <= starts {
                self.near.clear();
                self.near.extend(start..start + length_now);
                self.refine(moving, fixed, aim, &mut best);
                start += if start == starts {
                    1
                } else {
                    aim.step.min(starts - start).max(1)
                };
            }
            if length <= SHORTEST {
                break;
            }
            length /= 2;
        }
        best
    }

    /// From the pairs in `near`, until they stay the same.
    fn refine(
        &mut self,
        moving: &[[f64; 3]],
        fixed: &[[f64; 3]],
        aim: Aim,
        best: &mut (Transform, f64),
    ) {
        let reach = aim.d0.clamp(4.5, 8.0);
        self.last.clear();
        for round in 0..=ROUNDS {
            if self.near.is_empty() || self.near == self.last {
                break;
            }
            self.near_moving.clear();
            self.near_fixed.clear();
            self.near_moving
                .extend(self.near.iter().map(|i| moving[*i]));
            self.near_fixed.extend(self.near.iter().map(|i| fixed[*i]));
            // Coordinates were checked before, so that this has an answer.
            let Ok(found) = superpose(&self.near_moving, &self.near_fixed) else {
                break;
            };
            let score = self.score(&found.transform, moving, fixed, aim);
            if score > best.1 {
                *best = (found.transform, score);
            }
            std::mem::swap(&mut self.near, &mut self.last);
            // The first fragment may lie elsewhere: strict at first, wider afterwards.
            let mut cutoff = if round == 0 { reach - 1.0 } else { reach + 1.0 };
            let enough = 3.min(moving.len());
            loop {
                let limit = cutoff * cutoff;
                self.near.clear();
                let near = self
                    .distances
                    .iter()
                    .enumerate()
                    .filter(|(_, d)| **d < limit);
                self.near.extend(near.map(|(i, _)| i));
                if self.near.len() >= enough || cutoff > 1e6 {
                    break;
                }
                cutoff = cutoff * 1.1 + 0.5;
            }
        }
    }

    /// The score of a superposition; the squared distances stay in `distances`.
    fn score(
        &mut self,
        transform: &Transform,
        moving: &[[f64; 3]],
        fixed: &[[f64; 3]],
        aim: Aim,
    ) -> f64 {
        self.distances.clear();
        let pairs = moving.iter().zip(fixed);
        self.distances
            .extend(pairs.map(|(a, b)| squared(transform.apply(*a), *b)));
        let sum: f64 = self.distances.iter().map(|d| term(*d, aim.d0)).sum();
        sum / aim.residues as f64
    }
}
