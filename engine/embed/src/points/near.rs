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
            groups.extend_last(Smallest::default().of(&distances, 1));
        }
    }
    groups
}

/// For each centre its `k` nearest points, nearest first, the lower index where two are as near;
/// all where there are fewer.
pub(crate) fn nearest(centres: &Points, points: &Points, k: usize) -> Groups {
    let mut groups = Groups::new(k.min(points.len()));
    let mut distances = vec![0.0; points.len()];
    let mut smallest = Smallest::default();
    for centre in centres.iter() {
        let axes = points.axes.each_ref().map(Vec::as_slice);
        square_distances(axes, centre, &mut distances);
        groups.push(smallest.of(&distances, k));
    }
    groups
}

/// Finds the smallest of many numbers; its buffers are kept.
#[derive(Debug, Default)]
pub(crate) struct Smallest {
    /// Order and index of those that may be among the smallest.
    found: Vec<(u32, u32)>,
    lowest: Vec<u32>,
}

/// Numbers that are looked at together.
const PIECE: usize = 16;

/// A number's place in the order of all numbers, NaN last.
#[inline]
fn order(x: f32) -> u32 {
    let bits = x.to_bits();
    match bits >> 31 {
        _ if x.is_nan() => u32::MAX,
        0 => bits | 1 << 31,
        // The two zeros are one number.
        _ if x == 0.0 => 1 << 31,
        _ => !bits,
    }
}

impl Smallest {
    /// The indices of the `k` smallest numbers, smallest first; the lower index where two are
    /// equal. All where there are fewer.
    ///
    /// The `k`-th smallest of the smallest of each piece is no less than the `k`-th smallest of
    /// all, so that only the few numbers up to it are sorted.
    pub(crate) fn of(&mut self, values: &[f32], k: usize) -> impl Iterator<Item = u32> + '_ {
        let k = k.min(values.len());
        self.lowest.clear();
        for piece in values.chunks(PIECE) {
            self.lowest.push(order(lowest(piece)));
        }
        let limit = if k == 0 || k > self.lowest.len() {
            u32::MAX
        } else {
            let mut lowest = std::mem::take(&mut self.found);
            lowest.clear();
            for low in &self.lowest {
                lowest.push((*low, 0));
            }
            lowest.select_nth_unstable(k - 1);
            let limit = lowest[k - 1].0;
            self.found = lowest;
            // A piece without a number counts as infinite: then all are looked at.
            if limit < order(f32::INFINITY) {
                limit
            } else {
                u32::MAX
            }
        };
        self.found.clear();
        for (piece, low) in self.lowest.iter().enumerate() {
            if *low <= limit {
                let from = piece * PIECE;
                let to = (from + PIECE).min(values.len());
                for (at, value) in (from as u32..).zip(&values[from..to]) {
                    let order = order(*value);
                    if order <= limit {
                        self.found.push((order, at));
                    }
                }
            }
        }
        self.found.sort_unstable();
        self.found.iter().take(k).map(|(_, at)| *at)
    }
}

/// The smallest of a piece; infinity where there is none.
#[inline]
fn lowest(piece: &[f32]) -> f32 {
    let lower = |a: f32, b: f32| if b < a { b } else { a };
    if let Some(piece) = piece.first_chunk::<PIECE>() {
        // Lanes that the compiler keeps in vectors.
        let mut lanes = [f32::INFINITY; 4];
        for part in 0..PIECE / 4 {
            for lane in 0..4 {
                lanes[lane] = lower(lanes[lane], piece[4 * part + lane]);
            }
        }
        return lower(lower(lanes[0], lanes[1]), lower(lanes[2], lanes[3]));
    }
    let mut least = f32::INFINITY;
    for x in piece {
        least = lower(least, *x);
    }
    least
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
            || (vec![0.0; points.len()], Smallest::default()),
            |(distances, smallest), (to, place)| {
                square_distances(axes, *place, distances);
                let near: Vec<(usize, f32)> = smallest
                    .of(distances, NEIGHBOURS)
                    .map(|at| (at as usize, 1.0 / (distances[at as usize] + APART)))
                    .collect();
                let total: f32 = near.iter().map(|(_, weight)| weight).sum();
                for (at, weight) in near {
                    let from = &vectors[at * width..][..width];
                    for (to, x) in to.iter_mut().zip(from) {
                        *to += weight / total * x;
                    }
                }
            },
        );
    result
}
