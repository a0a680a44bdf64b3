//! Who is near whom.

use rayon::prelude::*;

use super::Points;
use crate::kernel::square_distances;
use crate::ops::Groups;

/// Added to a squared distance before it divides: the published code's.
const APART: f32 = 1e-8;

/// The points of a mesh's vertex are the mean of so many.
const NEIGHBOURS: usize = 3;

/// For each centre the first `samples` points within `radius` of it, in the order of the points
/// (section 3.3 of Qi et al. 2017, arXiv:1706.02413). The published code repeats the first until
/// there are `samples`, which changes no maximum over them. A centre is within its own ball; one
/// that is not a point and has none near gets the nearest.
pub(crate) fn ball(centres: &Points, points: &Points, radius: f64, samples: usize) -> Groups {
    let reach = (radius * radius) as f32;
    let mut groups = Groups::new(samples);
    let mut distances = vec![0.0; points.len()];
    for centre in centres.iter() {
        let axes = points.axes.each_ref().map(Vec::as_slice);
        square_distances(axes, centre, &mut distances);
        let near = (0_u32..).zip(&distances).filter(|(_, d)| **d <= reach);
        groups.push(near.map(|(at, _)| at).take(samples));
        if groups.last().is_empty() {
            let mut closest = Vec::new();
            smallest(&distances, 1, &mut closest);
            groups.extend_last(closest.iter().map(|(_, at)| *at));
        }
    }
    groups
}

/// For each centre its `k` nearest points, nearest first, the lower index where two are as near;
/// all where there are fewer.
pub(crate) fn nearest(centres: &Points, points: &Points, k: usize) -> Groups {
    let mut groups = Groups::new(k.min(points.len()));
    let mut distances = vec![0.0; points.len()];
    let mut best = Vec::new();
    for centre in centres.iter() {
        let axes = points.axes.each_ref().map(Vec::as_slice);
        square_distances(axes, centre, &mut distances);
        smallest(&distances, k, &mut best);
        groups.push(best.iter().map(|(_, at)| *at));
    }
    groups
}

/// The `k` smallest of some numbers with their indices, smallest first; the lower index where two
/// are equal.
pub(crate) fn smallest(values: &[f32], k: usize, best: &mut Vec<(f32, u32)>) {
    best.clear();
    if k == 0 {
        return;
    }
    let filled = values.len().min(k);
    best.extend(values[..filled].iter().copied().zip(0..));
    best.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Most of a long list is not among the best: whole pieces of it are looked at together.
    let mut from = filled;
    for piece in values[filled..].chunks(32) {
        let worst = best[best.len() - 1].0;
        let lowest = match piece.first_chunk::<32>() {
            Some(piece) => lowest(piece),
            None => f32::NEG_INFINITY,
        };
        if lowest < worst {
            for (value, at) in piece.iter().zip(from as u32..) {
                if *value < best[best.len() - 1].0 {
                    best.pop();
                    let place = best.partition_point(|(other, _)| other <= value);
                    best.insert(place, (*value, at));
                }
            }
        }
        from += piece.len();
    }
}

/// The smallest of a piece, in lanes that the compiler keeps in vectors.
#[inline]
fn lowest(piece: &[f32; 32]) -> f32 {
    let mut lanes = [f32::INFINITY; 8];
    for part in piece.chunks_exact(8) {
        for (lane, x) in lanes.iter_mut().zip(part) {
            *lane = if *x < *lane { *x } else { *lane };
        }
    }
    lanes.into_iter().fold(f32::INFINITY, f32::min)
}

/// Gives every place the mean of the vectors of the three points nearest to it, weighted by the
/// inverse of the squared distance (equation 2 of Qi et al. 2017, arXiv:1706.02413, with the
/// published code's 1e-8 against a division by zero). `vectors` is `[points, width]`, the result
/// `[places, width]`.
pub(crate) fn spread(
    places: &[[f32; 3]],
    points: &Points,
    vectors: &[f32],
    width: usize,
) -> Vec<f32> {
    let mut result = vec![0.0; places.len() * width];
    let axes = points.axes.each_ref().map(Vec::as_slice);
    result
        .par_chunks_mut(width.max(1))
        .zip(places)
        .with_min_len(64)
        .for_each_init(
            || (vec![0.0; points.len()], Vec::new()),
            |(distances, best), (to, place)| {
                square_distances(axes, *place, distances);
                smallest(distances, NEIGHBOURS, best);
                let weights = best.iter().map(|(d, _)| 1.0 / (d + APART));
                let total: f32 = weights.clone().sum();
                for (weight, (_, at)) in weights.zip(best.iter()) {
                    let from = &vectors[*at as usize * width..][..width];
                    for (to, x) in to.iter_mut().zip(from) {
                        *to += weight / total * x;
                    }
                }
            },
        );
    result
}
