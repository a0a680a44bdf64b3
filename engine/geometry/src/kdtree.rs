//! Nearest points by a k-d tree.
//!
//! J. L. Bentley, "Multidimensional binary search trees used for associative searching", Commun.
//! ACM 18, 509 (1975), doi:10.1145/361002.361007. The tree is implicit: points are sorted so that
//! the middle of each range divides it along the axis of its widest spread.

use crate::error::{GeometryError, Result};
use crate::transform::{Coordinate, check, squared_distance, widen};

/// Ranges of no more points are searched one by one.
const LEAF: usize = 8;

/// A point of a tree, as a search found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// Position of the point in the set that the tree was made of.
    pub index: usize,
    /// Its squared distance from the place asked for.
    pub squared_distance: f64,
}

/// Points `[n, 3]`, sorted for searches. Takes 29 bytes per point.
#[derive(Debug, Clone)]
pub struct KdTree {
    points: Vec<[f64; 3]>,
    indices: Vec<u32>,
    /// The axis that divides the range whose middle this is.
    axes: Vec<u8>,
}

impl KdTree {
    /// Sorts points, in `O(n log n)`.
    ///
    /// # Errors
    /// A set that is empty, not finite, or has more than 2^32 - 1 points.
    pub fn new<T: Coordinate>(points: &[[T; 3]]) -> Result<Self> {
        check(points)?;
        let count = u32::try_from(points.len()).map_err(|_| GeometryError::TooMany {
            points: points.len(),
            max: u32::MAX as usize,
        })?;
        let mut indices: Vec<u32> = (0..count).collect();
        let mut axes = vec![0; points.len()];
        divide(points, &mut indices, &mut axes);
        Ok(Self {
            points: indices.iter().map(|i| widen(points[*i as usize])).collect(),
            indices,
            axes,
        })
    }

    /// Points in the tree; never zero.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a tree is never empty")]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// The nearest point to a place; among equals the one that came first in its set. A place that
    /// is not finite has no nearest point: its squared distance is NaN or infinite.
    #[must_use]
    pub fn nearest<T: Coordinate>(&self, place: [T; 3]) -> Nearest {
        let place = widen(place);
        let mut best = Nearest {
            index: self.indices[0] as usize,
            squared_distance: squared_distance(self.points[0], place),
        };
        self.search(0, self.points.len(), place, &mut best);
        best
    }

    fn search(&self, from: usize, to: usize, place: [f64; 3], best: &mut Nearest) {
        if to - from <= LEAF {
            for i in from..to {
                self.look(i, place, best);
            }
            return;
        }
        let middle = from.midpoint(to);
        let axis = usize::from(self.axes[middle]);
        let off = place[axis] - self.points[middle][axis];
        self.look(middle, place, best);
        let (near, far) = if off < 0.0 {
            ((from, middle), (middle + 1, to))
        } else {
            ((middle + 1, to), (from, middle))
        };
        self.search(near.0, near.1, place, best);
        // Equal distances are looked at too: the first point of the set wins.
        if off * off <= best.squared_distance {
            self.search(far.0, far.1, place, best);
        }
    }

    #[inline]
    fn look(&self, i: usize, place: [f64; 3], best: &mut Nearest) {
        let d = squared_distance(self.points[i], place);
        let index = self.indices[i] as usize;
        if d < best.squared_distance || (d == best.squared_distance && index < best.index) {
            *best = Nearest {
                index,
                squared_distance: d,
            };
        }
    }
}

fn divide<T: Coordinate>(points: &[[T; 3]], indices: &mut [u32], axes: &mut [u8]) {
    if indices.len() <= LEAF {
        return;
    }
    let at = |i: u32, axis: usize| -> f64 { points[i as usize][axis].into() };
    let spread = |axis: usize| {
        let start = (f64::INFINITY, f64::NEG_INFINITY);
        let range = indices.iter().fold(start, |(low, high), i| {
            (low.min(at(*i, axis)), high.max(at(*i, axis)))
        });
        range.1 - range.0
    };
    let spreads = [spread(0), spread(1), spread(2)];
    let axis = (0..3).fold(0, |a, b| if spreads[b] > spreads[a] { b } else { a });
    let middle = indices.len() / 2;
    indices.select_nth_unstable_by(middle, |a, b| at(*a, axis).total_cmp(&at(*b, axis)));
    axes[middle] = axis as u8;
    let (left, right) = indices.split_at_mut(middle);
    let (left_axes, right_axes) = axes.split_at_mut(middle);
    divide(points, left, left_axes);
    divide(points, &mut right[1..], &mut right_axes[1..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Coordinates on a small lattice, so that many distances are equal.
        #[test]
        fn as_the_plain_scan(
            points in prop::collection::vec(prop::array::uniform3(-4..4_i8), 1..300),
            places in prop::collection::vec(prop::array::uniform3(-12..12_i8), 1..20),
        ) {
            let points: Vec<_> = points.iter().map(|p| p.map(f32::from)).collect();
            let tree = KdTree::new(&points).unwrap();
            for place in places {
                let place = place.map(|x| f64::from(x) / 2.0);
                let mut best = (f64::INFINITY, 0);
                for (i, p) in points.iter().enumerate() {
                    let d = squared_distance(widen(*p), place);
                    if d < best.0 {
                        best = (d, i);
                    }
                }
                let found = tree.nearest(place);
                prop_assert_eq!((found.squared_distance, found.index), best);
            }
        }
    }

    #[test]
    fn equal_points() {
        let tree = KdTree::new(&[[1.0_f64; 3]; 1000]).unwrap();
        assert_eq!(tree.len(), 1000);
        assert_eq!(tree.nearest([1.0, 1.0, 3.0]).index, 0);
    }
}
