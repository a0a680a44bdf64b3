//! Distances between vectors.

use std::fmt;
use std::str::FromStr;

/// How two vectors are compared. Smaller is nearer, for every metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Metric {
    /// `1 - a.b / (|a| |b|)`, from 0 to 2.
    #[default]
    Cosine,
    /// The squared Euclidean distance (the convention of Lance and faiss).
    L2,
    /// `1 - a.b`: an inner-product similarity turned into a distance, as Lance does.
    Dot,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Cosine, Self::L2, Self::Dot];

    /// The word used in requests and index metadata.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::L2 => "l2",
            Self::Dot => "dot",
        }
    }
}

/// A query vector with what its metric needs of it computed once.
///
/// Every distance that Penstock reports is computed here, whichever way the row was found: sums are
/// kept in `f64`, so that equal vectors are at distance 0 and equal distances tie exactly.
#[derive(Debug, Clone)]
pub struct Probe<'q> {
    metric: Metric,
    query: &'q [f32],
    norm_squared: f64,
}

/// Under cosine, what is nearer than rounding can tell (2^-40) is at distance 0.
const COSINE_ROUNDING: f64 = 1e-12;

impl<'q> Probe<'q> {
    /// Prepares a query vector.
    #[must_use]
    pub fn new(metric: Metric, query: &'q [f32]) -> Self {
        let norm_squared = match metric {
            Metric::Cosine => dot(query, query),
            Metric::L2 | Metric::Dot => 0.0,
        };
        Self {
            metric,
            query,
            norm_squared,
        }
    }

    /// The distance to a vector of the same length.
    ///
    /// `None` where there is no such number: one of the vectors has no direction (all zero) under
    /// cosine, the lengths differ, or the vectors hold NaN or infinity.
    #[must_use]
    pub fn distance(&self, vector: &[f32]) -> Option<f32> {
        if vector.len() != self.query.len() {
            return None;
        }
        let distance = match self.metric {
            Metric::L2 => l2(self.query, vector),
            Metric::Dot => 1.0 - dot(self.query, vector),
            Metric::Cosine => {
                let (product, norm_squared) = dot_and_norm(self.query, vector);
                let norms = (self.norm_squared * norm_squared).sqrt();
                if norms == 0.0 {
                    return None;
                }
                let distance = 1.0 - product / norms;
                if distance < COSINE_ROUNDING {
                    0.0
                } else {
                    distance.min(2.0)
                }
            }
        };
        distance.is_finite().then_some(distance as f32)
    }
}

/// Lanes that the compiler keeps in vector registers.
const LANES: usize = 8;

fn fold<const SUMS: usize>(
    a: &[f32],
    b: &[f32],
    step: impl Fn(f64, f64) -> [f64; SUMS],
) -> [f64; SUMS] {
    let mut lanes = [[0.0_f64; LANES]; SUMS];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..LANES {
            let terms = step(f64::from(a[lane]), f64::from(b[lane]));
            for (sum, term) in lanes.iter_mut().zip(terms) {
                sum[lane] += term;
            }
        }
    }
    let mut sums = lanes.map(|lanes| lanes.iter().sum::<f64>());
    for (a, b) in a_rest.iter().zip(b_rest) {
        for (sum, term) in sums.iter_mut().zip(step(f64::from(*a), f64::from(*b))) {
            *sum += term;
        }
    }
    sums
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let [dot] = fold(a, b, |a, b| [a * b]);
    dot
}

fn l2(a: &[f32], b: &[f32]) -> f64 {
    let [l2] = fold(a, b, |a, b| [(a - b) * (a - b)]);
    l2
}

fn dot_and_norm(a: &[f32], b: &[f32]) -> (f64, f64) {
    let [dot, norm] = fold(a, b, |a, b| [a * b, b * b]);
    (dot, norm)
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The word names no metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no metric; the metrics are cosine, l2 and dot")]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|metric| metric.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| UnknownMetric(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distance(metric: Metric, a: &[f32], b: &[f32]) -> Option<f32> {
        Probe::new(metric, a).distance(b)
    }

    #[test]
    fn definitions() {
        let (a, b) = ([3.0, 4.0, 0.0], [0.0, 4.0, 3.0]);
        assert_eq!(distance(Metric::L2, &a, &b), Some(18.0));
        assert_eq!(distance(Metric::Dot, &a, &b), Some(-15.0));
        assert_eq!(
            distance(Metric::Cosine, &a, &b),
            Some((1.0 - 16.0 / 25.0_f64) as f32)
        );
    }

    #[test]
    fn every_length_counts_every_element() {
        for n in 1..40 {
            let a = vec![1.0_f32; n];
            let b = vec![3.0_f32; n];
            assert_eq!(distance(Metric::L2, &a, &b), Some(4.0 * n as f32));
            assert_eq!(distance(Metric::Dot, &a, &b), Some(1.0 - 3.0 * n as f32));
        }
    }

    #[test]
    fn same_direction_is_zero_and_no_direction_is_none() {
        let a: Vec<f32> = (0..256).map(|i| ((i * 37 % 101) as f32).sin()).collect();
        let b: Vec<f32> = a.iter().map(|x| x * 4.0).collect();
        assert_eq!(distance(Metric::Cosine, &a, &b), Some(0.0));
        assert_eq!(distance(Metric::L2, &a, &a), Some(0.0));
        assert_eq!(distance(Metric::Cosine, &a, &[0.0; 256]), None);
        assert_eq!(distance(Metric::L2, &a, &[0.0; 255]), None);
        assert_eq!(distance(Metric::L2, &[f32::NAN], &[0.0]), None);
    }
}
