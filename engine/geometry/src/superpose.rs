//! The best rigid motion between paired points.
//!
//! B. K. P. Horn, "Closed-form solution of absolute orientation using unit quaternions", J. Opt.
//! Soc. Am. A 4, 629 (1987), doi:10.1364/JOSAA.4.000629: the quaternion of the rotation is the
//! eigenvector of the largest eigenvalue of a symmetric 4 x 4 matrix of the points' covariances.
//! It finds what Kabsch's algorithm finds (doi:10.1107/S0567739476001873), and never a mirror
//! image.

use crate::eigen::symmetric;
use crate::error::{GeometryError, Result};
use crate::transform::{Coordinate, Transform, check, squared_distance, widen};

/// How one set of points comes to lie on another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Superposition {
    /// Moves the first set onto the second.
    pub transform: Transform,
    /// Root of the (weighted) mean of the squared distances that are left, in the unit of the
    /// coordinates.
    pub rmsd: f64,
}

/// Moves `moving` `[n, 3]` as close as possible to `fixed` `[n, 3]`, point by point, in the sense
/// of least squares. Where several rotations are equally good (fewer than three points, points on
/// a line), it is one of them.
///
/// # Errors
/// Sets that are empty, not of one length, not finite, or too large to be squared.
pub fn superpose<T: Coordinate, U: Coordinate>(
    moving: &[[T; 3]],
    fixed: &[[U; 3]],
) -> Result<Superposition> {
    solve(moving, fixed, |_| 1.0)
}

/// As [`superpose`], with a weight per pair of points.
///
/// # Errors
/// Those of [`superpose`]; weights that are not one per point, negative, not finite or all zero.
pub fn superpose_weighted<T: Coordinate, U: Coordinate>(
    moving: &[[T; 3]],
    fixed: &[[U; 3]],
    weights: &[f64],
) -> Result<Superposition> {
    if weights.len() != moving.len() {
        return Err(GeometryError::Weights {
            weights: weights.len(),
            points: moving.len(),
        });
    }
    for (index, weight) in weights.iter().enumerate() {
        if !(weight.is_finite() && *weight >= 0.0) {
            return Err(GeometryError::Weight {
                index,
                weight: *weight,
            });
        }
    }
    // Sums of weights must not overflow, and only ratios count.
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 && !weights.is_empty() {
        return Err(GeometryError::NoWeight);
    }
    solve(moving, fixed, |i| weights[i] / largest)
}

/// Root of the mean squared distance between paired points `[n, 3]`, as they lie.
///
/// # Errors
/// Sets that are empty, not of one length, not finite, or too large to be squared.
pub fn rmsd<T: Coordinate, U: Coordinate>(a: &[[T; 3]], b: &[[U; 3]]) -> Result<f64> {
    paired(a, b)?;
    finite(deviation(&Transform::IDENTITY, a, b, |_| 1.0))
}

fn paired<T: Coordinate, U: Coordinate>(moving: &[[T; 3]], fixed: &[[U; 3]]) -> Result<()> {
    if moving.len() != fixed.len() {
        return Err(GeometryError::Unpaired {
            moving: moving.len(),
            fixed: fixed.len(),
        });
    }
    check(moving)?;
    check(fixed)
}

fn finite(x: f64) -> Result<f64> {
    if x.is_finite() {
        Ok(x)
    } else {
        Err(GeometryError::TooLarge)
    }
}

fn deviation<T: Coordinate, U: Coordinate>(
    transform: &Transform,
    moving: &[[T; 3]],
    fixed: &[[U; 3]],
    weight: impl Fn(usize) -> f64,
) -> f64 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (i, (a, b)) in moving.iter().zip(fixed).enumerate() {
        sum += weight(i) * squared_distance(transform.apply(*a), widen(*b));
        total += weight(i);
    }
    (sum / total).sqrt()
}

fn solve<T: Coordinate, U: Coordinate>(
    moving: &[[T; 3]],
    fixed: &[[U; 3]],
    weight: impl Fn(usize) -> f64,
) -> Result<Superposition> {
    paired(moving, fixed)?;
    let from = centre(moving, &weight);
    let to = centre(fixed, &weight);
    // Centred before they are multiplied: far from the origin the products would cancel.
    let mut s = [[0.0; 3]; 3];
    for (i, (a, b)) in moving.iter().zip(fixed).enumerate() {
        let (a, b, w) = (widen(*a), widen(*b), weight(i));
        for (row, (x, centre)) in s.iter_mut().zip(a.iter().zip(from)) {
            let x = w * (x - centre);
            for (cell, (y, centre)) in row.iter_mut().zip(b.iter().zip(to)) {
                *cell += x * (y - centre);
            }
        }
    }
    if !s.iter().flatten().all(|x| x.is_finite()) {
        return Err(GeometryError::TooLarge);
    }
    let rotation = rotation(horn(&s));
    let turned = Transform {
        rotation,
        translation: [0.0; 3],
    }
    .apply(from);
    let transform = Transform {
        rotation,
        translation: std::array::from_fn(|i| to[i] - turned[i]),
    };
    let rmsd = finite(deviation(&transform, moving, fixed, weight))?;
    Ok(Superposition { transform, rmsd })
}

fn centre<T: Coordinate>(points: &[[T; 3]], weight: &impl Fn(usize) -> f64) -> [f64; 3] {
    let (mut sum, mut total) = ([0.0; 3], 0.0);
    for (i, point) in points.iter().enumerate() {
        let w = weight(i);
        total += w;
        for (sum, x) in sum.iter_mut().zip(widen(*point)) {
            *sum += w * x;
        }
    }
    sum.map(|x| x / total)
}

/// The quaternion (w, x, y, z) of the rotation that suits the covariances `s[from][to]`.
fn horn(s: &[[f64; 3]; 3]) -> [f64; 4] {
    let [[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]] = *s;
    let matrix = [
        [xx + yy + zz, yz - zy, zx - xz, xy - yx],
        [yz - zy, xx - yy - zz, xy + yx, zx + xz],
        [zx - xz, xy + yx, yy - xx - zz, yz + zy],
        [xy - yx, zx + xz, yz + zy, zz - xx - yy],
    ];
    symmetric(matrix)[0].1
}

fn rotation([w, x, y, z]: [f64; 4]) -> [[f64; 3]; 3] {
    let norm = w * w + x * x + y * y + z * z;
    let t = 2.0 / norm;
    [
        [
            1.0 - t * (y * y + z * z),
            t * (x * y - w * z),
            t * (x * z + w * y),
        ],
        [
            t * (x * y + w * z),
            1.0 - t * (x * x + z * z),
            t * (y * z - w * x),
        ],
        [
            t * (x * z - w * y),
            t * (y * z + w * x),
            1.0 - t * (x * x + y * y),
        ],
    ]
}

#[cfg(test)]
mod tests;
