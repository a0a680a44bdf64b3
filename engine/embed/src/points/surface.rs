//! Points on a surface, evenly by area.

use super::order::morton;
use super::{FINE, Vec3};
use crate::mesh::surface::{norm, scale};

/// The fractional steps of the R2 sequence: powers of the inverse of the plastic number, the real
/// root of x^3 = x + 1 (Roberts 2018, "The unreasonable effectiveness of quasirandom sequences").
const R2: [f64; 2] = [0.754_877_666_246_692_7, 0.569_840_290_998_053_2];

/// Where in its step of area a point lies: the golden ratio's fraction. A rational number would
/// meet the borders of a regular mesh's faces, where rounding decides.
const PHASE: f64 = 0.618_033_988_749_894_9;

/// The faces that have an area, in an order of their own.
pub(super) struct Faces {
    /// Snapped corners, the smallest first, turning as the face does.
    corners: Vec<[[i32; 3]; 3]>,
    /// Area of each face and all before it, in steps squared.
    until: Vec<f64>,
}

impl Faces {
    /// `None` where no face has an area.
    pub(super) fn new(faces: &[[u32; 3]], corner: impl Fn(u32) -> [i32; 3]) -> Option<Self> {
        let mut keyed: Vec<(u64, [[i32; 3]; 3])> = faces
            .iter()
            .map(|face| {
                let corners = turned(face.map(&corner));
                let middle = std::array::from_fn(|k| {
                    let sum: i64 = corners.iter().map(|c| i64::from(c[k])).sum();
                    sum.div_euclid(3) as i32
                });
                (morton(middle), corners)
            })
            .filter(|(_, corners)| doubled(corners) != [0; 3])
            .collect();
        keyed.sort_unstable();
        let mut total = 0.0;
        let mut until = Vec::with_capacity(keyed.len());
        for (_, corners) in &keyed {
            total += 0.5 * norm(doubled(corners).map(|x| x as f64));
            until.push(total);
        }
        (total > 0.0).then(|| Self {
            corners: keyed.into_iter().map(|(_, corners)| corners).collect(),
            until,
        })
    }

    /// `count` points in the frame of the box, with unit normals.
    pub(super) fn sample(&self, count: usize) -> Vec<(Vec3, [f32; 3])> {
        let total = self.until.last().copied().unwrap_or_default();
        let mut face = 0;
        (0..count)
            .map(|step| {
                let at = (step as f64 + PHASE) / count as f64 * total;
                while face + 1 < self.until.len() && self.until[face] <= at {
                    face += 1;
                }
                let corners = &self.corners[face];
                let normal = doubled(corners).map(|x| x as f64);
                let normal = scale(normal, 1.0 / norm(normal)).map(|x| x as f32);
                (self.inside(face, step), normal)
            })
            .collect()
    }

    fn inside(&self, face: usize, step: usize) -> Vec3 {
        let [u, v] = R2.map(|r| (0.5 + r * step as f64).fract());
        let root = u.sqrt();
        let [a, b, c] = self.corners[face].map(|c| c.map(|x| f64::from(x) / FINE));
        std::array::from_fn(|k| (1.0 - root) * a[k] + root * (1.0 - v) * b[k] + root * v * c[k])
    }
}

/// The same face, the smallest corner first.
fn turned([a, b, c]: [[i32; 3]; 3]) -> [[i32; 3]; 3] {
    [[a, b, c], [b, c, a], [c, a, b]]
        .into_iter()
        .min()
        .unwrap_or([a, b, c])
}

/// The normal, as long as twice the area: exact, as 25-bit numbers have 50-bit products.
fn doubled([a, b, c]: &[[i32; 3]; 3]) -> [i64; 3] {
    let u: [i64; 3] = std::array::from_fn(|k| i64::from(b[k]) - i64::from(a[k]));
    let v: [i64; 3] = std::array::from_fn(|k| i64::from(c[k]) - i64::from(a[k]));
    [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ]
}
