//! Hits that differ from one another.

use penstock_types::{Metric, Probe};

use crate::{IndexError, Result};

/// How to choose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiverseOptions {
    /// How many to choose.
    pub k: usize,
    /// From 1, the nearest only, to 0, only the farthest from one another (after the nearest).
    pub lambda: f32,
    /// The metric of the distances.
    pub metric: Metric,
}

impl Default for DiverseOptions {
    fn default() -> Self {
        Self {
            k: 10,
            lambda: 0.5,
            metric: Metric::Cosine,
        }
    }
}

/// Maximal marginal relevance (Carbonell & Goldstein 1998, doi:10.1145/290941.291025), in
/// distances: the nearest candidate first, then again and again the one with the greatest
/// `(1 - lambda) * (distance to the nearest chosen) - lambda * (distance to the query)`. With a
/// similarity of `c - distance` this is the published measure up to a constant. Equals are taken in
/// the order given.
///
/// `distances[i]` is candidate i's distance to the query and `vectors[i]` its vector. Answers the
/// positions of the chosen, in the order in which they were chosen. Takes `n * k` distances.
///
/// A pair without a distance (a vector of zeros has no cosine) counts as the farthest there is.
///
/// # Errors
/// `lambda` is not from 0 to 1, a distance is not finite, or there are not as many vectors as
/// distances, all of one length.
pub fn diversify(
    distances: &[f32],
    vectors: &[&[f32]],
    options: DiverseOptions,
) -> Result<Vec<usize>> {
    let DiverseOptions { k, lambda, metric } = options;
    if !(0.0..=1.0).contains(&lambda) {
        return Err(IndexError::Number {
            option: "lambda",
            given: f64::from(lambda),
            expected: "from 0 to 1",
        });
    }
    if let Some(position) = distances.iter().position(|distance| !distance.is_finite()) {
        return Err(IndexError::NotFinite {
            position,
            value: distances[position],
        });
    }
    let dim = vectors.first().map_or(0, |vector| vector.len());
    if vectors.len() != distances.len() || vectors.iter().any(|vector| vector.len() != dim) {
        return Err(IndexError::Candidates);
    }
    let mut chosen: Vec<usize> = Vec::with_capacity(k.min(distances.len()));
    let mut open: Vec<usize> = (0..distances.len()).collect();
    let mut nearest_chosen = vec![f32::INFINITY; distances.len()];
    while chosen.len() < k && !open.is_empty() {
        let gain = |i: usize| {
            if chosen.is_empty() {
                -distances[i]
            } else {
                gain(lambda, distances[i], nearest_chosen[i])
            }
        };
        let (mut best, mut most) = (0, gain(open[0]));
        for (at, i) in open.iter().enumerate().skip(1) {
            let gain = gain(*i);
            if gain > most {
                (best, most) = (at, gain);
            }
        }
        // In order, so that equals stay in the order given.
        let last = open.remove(best);
        chosen.push(last);
        let probe = Probe::new(metric, vectors[last]);
        for i in &open {
            let distance = probe.distance(vectors[*i]).unwrap_or(f32::MAX);
            nearest_chosen[*i] = nearest_chosen[*i].min(distance);
        }
    }
    Ok(chosen)
}

fn gain(lambda: f32, to_query: f32, to_chosen: f32) -> f32 {
    // Zero times the farthest is zero.
    (1.0 - lambda) * to_chosen - lambda * to_query
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distances of every candidate to every chosen one, anew in each round.
    fn naive(distances: &[f32], vectors: &[&[f32]], options: DiverseOptions) -> Vec<usize> {
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < options.k.min(distances.len()) {
            let gain = |i: usize| {
                let nearest = chosen
                    .iter()
                    .map(|j| {
                        Probe::new(options.metric, vectors[*j])
                            .distance(vectors[i])
                            .unwrap()
                    })
                    .fold(f32::INFINITY, f32::min);
                match chosen.is_empty() {
                    true => -distances[i],
                    false => (1.0 - options.lambda) * nearest - options.lambda * distances[i],
                }
            };
            let open = (0..distances.len()).filter(|i| !chosen.contains(i));
            let next = open
                .reduce(|a, b| if gain(b) > gain(a) { b } else { a })
                .unwrap();
            chosen.push(next);
        }
        chosen
    }

    fn random(seed: &mut u64) -> f32 {
        *seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    #[test]
    fn as_the_naive_one() {
        let mut seed = 7;
        for round in 0..60 {
            let (n, dim) = (round % 23, 1 + round % 5);
            // Whole numbers, so that there are ties.
            let vectors: Vec<Vec<f32>> = (0..n)
                .map(|_| {
                    (0..dim)
                        .map(|_| (random(&mut seed) * 3.0).round() + 4.0)
                        .collect()
                })
                .collect();
            let vectors: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
            let query = vec![1.0; dim];
            for metric in Metric::ALL {
                let probe = Probe::new(metric, &query);
                let distances: Vec<f32> =
                    vectors.iter().map(|v| probe.distance(v).unwrap()).collect();
                for (k, lambda) in [(0, 0.5), (1, 0.5), (5, 0.0), (5, 0.3), (50, 0.7), (50, 1.0)] {
                    let options = DiverseOptions { k, lambda, metric };
                    let found = diversify(&distances, &vectors, options).unwrap();
                    assert_eq!(found, naive(&distances, &vectors, options));
                    if lambda == 1.0 {
                        assert!(found.is_sorted_by(|a, b| distances[*a] <= distances[*b]));
                    }
                }
            }
        }
    }

    #[test]
    fn twins_are_left_for_later() {
        let vectors: [&[f32]; 4] = [&[1.0, 0.0], &[1.0, 0.0], &[0.9, 0.5], &[0.0, 0.0]];
        let options = DiverseOptions {
            k: 4,
            lambda: 0.3,
            metric: Metric::L2,
        };
        let found = diversify(&[0.0, 0.0, 0.26, 1.0], &vectors, options).unwrap();
        assert_eq!(found, [0, 3, 2, 1]);
        // Under cosine the zero vector is far from everything, and no panic.
        let options = DiverseOptions {
            k: 2,
            ..DiverseOptions::default()
        };
        assert_eq!(
            diversify(&[0.0, 0.0, 0.26, 1.0], &vectors, options).unwrap(),
            [0, 3]
        );
    }

    #[test]
    fn what_does_not_fit() {
        let one: [&[f32]; 1] = [&[1.0]];
        let options = DiverseOptions::default();
        for (distances, vectors, lambda) in [
            (&[0.0][..], &one[..], 1.5),
            (&[0.0], &one, f32::NAN),
            (&[f32::NAN], &one, 0.5),
            (&[0.0, 1.0], &one, 0.5),
            (&[0.0, 1.0], &[&[1.0][..], &[1.0, 2.0]], 0.5),
        ] {
            let options = DiverseOptions { lambda, ..options };
            assert!(diversify(distances, vectors, options).is_err());
        }
        assert!(diversify(&[], &[], options).unwrap().is_empty());
    }
}
