//! The frame that a set of points brings along.

use crate::eigen::symmetric;
use crate::error::{GeometryError, Result};
use crate::transform::{Coordinate, Transform, check, widen};

/// The motion that puts the centre of points `[n, 3]` at the origin and their directions of
/// largest, middle and least variance on x, y and z. Each axis points to where the set is more
/// skewed (its third moment is not negative), as far as a proper rotation allows: z follows from x
/// and y. The sign of an axis about which a set is symmetric is a matter of rounding.
///
/// # Errors
/// A set that is empty, not finite, or too large to be squared.
pub fn principal_axes<T: Coordinate>(points: &[[T; 3]]) -> Result<Transform> {
    check(points)?;
    let count = points.len() as f64;
    let mut centre = [0.0; 3];
    for point in points {
        for (sum, x) in centre.iter_mut().zip(widen(*point)) {
            *sum += x / count;
        }
    }
    let centred = |point: &[T; 3]| -> [f64; 3] {
        let p = widen(*point);
        std::array::from_fn(|i| p[i] - centre[i])
    };
    let mut covariance = [[0.0; 3]; 3];
    for point in points {
        let p = centred(point);
        for (row, x) in covariance.iter_mut().zip(p) {
            for (cell, y) in row.iter_mut().zip(p) {
                *cell += x * y / count;
            }
        }
    }
    if !covariance.iter().flatten().all(|x| x.is_finite()) {
        return Err(GeometryError::TooLarge);
    }
    let [(_, mut x), (_, mut y), _] = symmetric(covariance);
    for axis in [&mut x, &mut y] {
        let skew: f64 = points
            .iter()
            .map(|point| dot(centred(point), *axis).powi(3))
            .sum();
        if skew < 0.0 {
            *axis = axis.map(|c| -c);
        }
    }
    let z = [
        x[1] * y[2] - x[2] * y[1],
        x[2] * y[0] - x[0] * y[2],
        x[0] * y[1] - x[1] * y[0],
    ];
    let rotation = [x, y, z];
    Ok(Transform {
        rotation,
        translation: rotation.map(|axis| -dot(axis, centre)),
    })
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_moves_with_the_points() {
        let points = [
            [0.0, 0.0, 0.0],
            [10.0, 1.0, 0.0],
            [3.0, 4.0, 0.5],
            [2.0, 1.0, -1.0],
            [1.0, 0.0, 2.0],
        ];
        let own = principal_axes(&points).unwrap().apply_all(&points);
        let by = Transform {
            rotation: [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]],
            translation: [5.0, -7.0, 100.0],
        };
        let moved = by.apply_all(&points);
        let again = principal_axes(&moved).unwrap().apply_all(&moved);
        for (a, b) in own.iter().flatten().zip(again.iter().flatten()) {
            assert!((a - b).abs() < 1e-9);
        }
        let spread = |axis: usize| own.iter().map(|p| p[axis] * p[axis]).sum::<f64>();
        assert!(spread(0) > spread(1) && spread(1) > spread(2));
    }
}
