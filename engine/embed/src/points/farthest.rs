//! Farthest-point sampling.

use super::Points;
use crate::kernel::{farther, square_distances};

/// The point farthest from the mean; the lower index where two are as far.
pub(super) fn first(points: &Points) -> usize {
    let share = 1.0 / points.len() as f64;
    let mean = points.axes.each_ref().map(|axis| {
        let sum: f64 = axis.iter().map(|x| f64::from(*x)).sum();
        (sum * share) as f32
    });
    let mut distances = vec![0.0; points.len()];
    square_distances(
        points.axes.each_ref().map(Vec::as_slice),
        mean,
        &mut distances,
    );
    let mut best = 0;
    for (at, distance) in distances.iter().enumerate() {
        if *distance > distances[best] {
            best = at;
        }
    }
    best
}

/// Indices of `count` points: the first is the one farthest from the mean, each other the one
/// farthest from those before it; the lower index where two are as far (Eldar et al. 1997,
/// doi:10.1109/83.623193; section 3.2 of Qi et al. 2017, arXiv:1706.02413). The published codes
/// begin with a random point, or with the first. Where there are fewer than `count` places, the
/// first point comes again.
pub(crate) fn farthest(points: &Points, count: usize) -> Vec<u32> {
    if points.len() == 0 {
        return Vec::new();
    }
    let axes = points.axes.each_ref().map(Vec::as_slice);
    let mut distances = vec![f32::INFINITY; points.len()];
    let mut at = first(points);
    let mut chosen = Vec::with_capacity(count);
    for _ in 0..count {
        chosen.push(at as u32);
        at = farther(axes, points.get(at), &mut distances);
    }
    chosen
}
