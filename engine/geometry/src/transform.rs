//! Rigid motions.

use crate::error::{GeometryError, Result};

/// A number that a coordinate may be: `f32` or `f64`.
pub trait Coordinate: Copy + Into<f64> {}

impl Coordinate for f32 {}
impl Coordinate for f64 {}

/// A rotation, then a translation: `x -> rotation * x + translation`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transform {
    /// Rows of the rotation matrix; its determinant is 1.
    pub rotation: [[f64; 3]; 3],
    /// Added after the rotation, in the unit of the coordinates.
    pub translation: [f64; 3],
}

impl Transform {
    /// The motion that leaves everything where it is.
    pub const IDENTITY: Self = Self {
        rotation: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        translation: [0.0; 3],
    };

    /// Where a point goes.
    #[must_use]
    #[inline]
    pub fn apply<T: Coordinate>(&self, point: [T; 3]) -> [f64; 3] {
        let p = widen(point);
        std::array::from_fn(|i| {
            let r = self.rotation[i];
            r[0] * p[0] + r[1] * p[1] + r[2] * p[2] + self.translation[i]
        })
    }

    /// Where points `[n, 3]` go.
    #[must_use]
    pub fn apply_all<T: Coordinate>(&self, points: &[[T; 3]]) -> Vec<[f64; 3]> {
        points.iter().map(|point| self.apply(*point)).collect()
    }

    /// The motion that undoes this one.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let r = &self.rotation;
        let rotation: [[f64; 3]; 3] = std::array::from_fn(|i| std::array::from_fn(|j| r[j][i]));
        let back = Self {
            rotation,
            translation: [0.0; 3],
        };
        let moved = back.apply(self.translation);
        Self {
            rotation,
            translation: moved.map(|x| -x),
        }
    }

    /// This motion, then another.
    #[must_use]
    pub fn then(&self, next: &Self) -> Self {
        let rotation = std::array::from_fn(|i| {
            std::array::from_fn(|j| {
                (0..3)
                    .map(|k| next.rotation[i][k] * self.rotation[k][j])
                    .sum()
            })
        });
        Self {
            rotation,
            translation: next.apply(self.translation),
        }
    }
}

#[inline]
pub(crate) fn widen<T: Coordinate>(point: [T; 3]) -> [f64; 3] {
    point.map(Into::into)
}

#[inline]
pub(crate) fn squared_distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    let d = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
}

/// Refuses an empty set and coordinates that are not finite.
pub(crate) fn check<T: Coordinate>(points: &[[T; 3]]) -> Result<()> {
    if points.is_empty() {
        return Err(GeometryError::Empty);
    }
    let bad = |point: &[T; 3]| !widen(*point).iter().all(|x| x.is_finite());
    match points.iter().position(bad) {
        Some(index) => Err(GeometryError::NotFinite { index }),
        None => Ok(()),
    }
}
