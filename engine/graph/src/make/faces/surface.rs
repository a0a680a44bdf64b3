//! What lies at which angle to what, on a surface of triangles.

use std::sync::atomic::AtomicBool;

use super::super::{STRIDE, asked};
use crate::error::Result;

type Vec3 = [f64; 3];

fn sub(a: Vec3, b: Vec3) -> Vec3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn dot(a: Vec3, b: Vec3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vec3, b: Vec3) -> Vec3 {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

fn scale(a: Vec3, by: f64) -> Vec3 {
    a.map(|x| x * by)
}

/// The vector of length 1, or none where there is no direction.
fn unit(a: Vec3) -> Vec3 {
    let length = dot(a, a).sqrt();
    match length > 0.0 {
        true => scale(a, 1.0 / length),
        false => [0.0; 3],
    }
}

/// Two faces with a side in common.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joint {
    /// The lesser face.
    pub from: u32,
    /// The other.
    pub to: u32,
    /// Signed angle between their normals, as the lesser sees it: positive where the surface is
    /// convex; 0 where a face has no area.
    pub dihedral_degrees: f64,
}

/// Faces and how they meet.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Surface {
    /// `[faces]`, in the unit of the points squared.
    pub areas: Vec<f64>,
    /// `[faces, 3]`; zero for a face without area.
    pub normals: Vec<[f64; 3]>,
    /// `[faces, 3]`.
    pub centroids: Vec<[f64; 3]>,
    /// By ascending faces; of two faces with several sides in common, the one that bends most
    /// first.
    pub joints: Vec<Joint>,
}

/// One side of a face.
#[derive(Clone, Copy)]
struct Side {
    /// The smaller vertex in the high half, the larger in the low half.
    key: u64,
    face: u32,
    /// Whether the face runs from the smaller vertex to the larger.
    up: bool,
}

/// Joins vertices of equal coordinates, and all pairs of faces of each side. `None` where these
/// are more than `max_joints`. Corners are below the number of points, which fits 32 bits.
///
/// # Errors
/// Cancellation.
pub fn surface(
    points: &[[f64; 3]],
    mut faces: Vec<[u32; 3]>,
    max_joints: usize,
    cancelled: &AtomicBool,
) -> Result<Option<Surface>> {
    asked(cancelled)?;
    weld(points, &mut faces);
    let mut surface = Surface::default();
    let mut sides = Vec::with_capacity(3 * faces.len());
    for (face, corners) in (0_u32..).zip(&faces) {
        for k in 0..3 {
            let (a, b) = (corners[k], corners[(k + 1) % 3]);
            if a != b {
                sides.push(Side {
                    key: (u64::from(a.min(b)) << 32) | u64::from(a.max(b)),
                    face,
                    up: a < b,
                });
            }
        }
        let [a, b, c] = corners.map(|v| points[v as usize]);
        let twice = cross(sub(b, a), sub(c, a));
        surface.areas.push(0.5 * dot(twice, twice).sqrt());
        surface.normals.push(unit(twice));
        let third = |i| a[i] / 3.0 + b[i] / 3.0 + c[i] / 3.0;
        surface.centroids.push(std::array::from_fn(third));
    }
    asked(cancelled)?;
    sides.sort_unstable_by_key(|side| (side.key, side.face, side.up));
    for side in sides.chunk_by(|a, b| a.key == b.key) {
        let ends = [side[0].key >> 32, side[0].key & 0xffff_ffff].map(|v| points[v as usize]);
        let along = unit(sub(ends[1], ends[0]));
        for (i, first) in side.iter().enumerate() {
            for second in &side[i + 1..] {
                if first.face == second.face {
                    continue;
                }
                if surface.joints.len() == max_joints {
                    return Ok(None);
                }
                if surface.joints.len().is_multiple_of(STRIDE) {
                    asked(cancelled)?;
                }
                surface.joints.push(Joint {
                    from: first.face,
                    to: second.face,
                    dihedral_degrees: bend(&surface.normals, along, *first, *second),
                });
            }
        }
    }
    surface.joints.sort_by(|a, b| {
        let size = |joint: &Joint| joint.dihedral_degrees.abs();
        let faces = (a.from, a.to).cmp(&(b.from, b.to));
        faces.then(size(b).total_cmp(&size(a)))
    });
    Ok(Some(surface))
}

/// The angle between a face and the one across a side, as the first sees it.
fn bend(normals: &[Vec3], along: Vec3, from: Side, to: Side) -> f64 {
    let along = scale(along, if from.up { 1.0 } else { -1.0 });
    let first = normals[from.face as usize];
    // A face that runs along the side the same way has its back to this one.
    let agree = if from.up == to.up { -1.0 } else { 1.0 };
    let second = scale(normals[to.face as usize], agree);
    let sine = dot(cross(first, second), along);
    sine.atan2(dot(first, second)).to_degrees()
}

/// Makes corners of equal coordinates one: the first. Only vertices that faces use are sorted.
fn weld(points: &[Vec3], faces: &mut [[u32; 3]]) {
    // `+ 0.0` makes one of the two zeros.
    let bits = |v: u32| points[v as usize].map(|x| (x + 0.0).to_bits());
    let mut order: Vec<u32> = faces.as_flattened().to_vec();
    order.sort_unstable();
    order.dedup();
    order.sort_by_key(|v| bits(*v));
    let mut first: Vec<u32> = (0..points.len() as u32).collect();
    for equal in order.chunk_by(|a, b| bits(*a) == bits(*b)) {
        for vertex in equal {
            first[*vertex as usize] = equal[0];
        }
    }
    for corner in faces.as_flattened_mut() {
        *corner = first[*corner as usize];
    }
}
