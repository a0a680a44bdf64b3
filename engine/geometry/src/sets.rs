//! How far apart two sets of points are.

use crate::error::{GeometryError, Result};
use crate::kdtree::KdTree;
use crate::transform::{Coordinate, check};

/// Distances between two sets `A` and `B`, all symmetric. `d(a, B)` is the distance from `a` to
/// the nearest point of `B`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SetDistances {
    /// Chamfer distance: half of (mean of `d(a, B)` + mean of `d(b, A)`), in the unit of the
    /// coordinates.
    pub chamfer: f64,
    /// Chamfer distance of squares: mean of `d(a, B)^2` + mean of `d(b, A)^2`. It is the loss of
    /// Fan, Su and Guibas (arXiv:1612.00603) with means in place of their sums.
    pub chamfer_squared: f64,
    /// Hausdorff distance: the largest of all `d(a, B)` and `d(b, A)`.
    pub hausdorff: f64,
}

/// Compares sets `[n, 3]` and `[m, 3]`, in `O((n + m) log(n + m))` for points that are spread.
///
/// # Errors
/// Sets that are empty, not finite, or too large to be squared.
pub fn compare<T: Coordinate, U: Coordinate>(a: &[[T; 3]], b: &[[U; 3]]) -> Result<SetDistances> {
    check(a)?;
    check(b)?;
    let there = Directed::new(a, &KdTree::new(b)?);
    let back = Directed::new(b, &KdTree::new(a)?);
    let distances = SetDistances {
        chamfer: f64::midpoint(there.mean, back.mean),
        chamfer_squared: there.squared_mean + back.squared_mean,
        hausdorff: there.largest.max(back.largest),
    };
    if distances.chamfer_squared.is_finite() {
        Ok(distances)
    } else {
        Err(GeometryError::TooLarge)
    }
}

struct Directed {
    mean: f64,
    squared_mean: f64,
    largest: f64,
}

impl Directed {
    fn new<T: Coordinate>(from: &[[T; 3]], to: &KdTree) -> Self {
        let (mut sum, mut squares, mut largest) = (0.0, 0.0, 0.0_f64);
        for point in from {
            let square = to.nearest(*point).squared_distance;
            squares += square;
            sum += square.sqrt();
            largest = largest.max(square);
        }
        let count = from.len() as f64;
        Self {
            mean: sum / count,
            squared_mean: squares / count,
            largest: largest.sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_example() {
        let a = [[0.0, 0.0, 0.0], [4.0, 0.0, 0.0]];
        let b = [[0.0_f32, 3.0, 0.0]];
        let found = compare(&a, &b).unwrap();
        // From a: 3 and 5; from b: 3.
        assert_eq!(found.chamfer, (4.0 + 3.0) / 2.0);
        assert_eq!(found.chamfer_squared, 17.0 + 9.0);
        assert_eq!(found.hausdorff, 5.0);
        assert_eq!(compare(&b, &a).unwrap(), found);
        assert_eq!(compare(&a, &a).unwrap().hausdorff, 0.0);
    }

    #[test]
    fn what_is_refused() {
        let none: [[f64; 3]; 0] = [];
        assert_eq!(compare(&none, &[[0.0; 3]]), Err(GeometryError::Empty));
        let far = [[1e200; 3]];
        assert_eq!(compare(&far, &[[0.0; 3]]), Err(GeometryError::TooLarge));
    }
}
