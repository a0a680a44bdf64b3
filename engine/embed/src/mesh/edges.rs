//! What is known at edges and vertices: dihedral angles and curvature.

use std::f64::consts::FRAC_PI_4;

use super::histogram::{Circular, Soft};
use super::surface::{Surface, cross, dot, norm, scale, sub};

/// Bins of the dihedral histogram.
pub(crate) const DIHEDRAL: usize = 24;
/// Bins of each curvature histogram.
pub(crate) const CURVATURE: usize = 16;
/// asinh of the curvature (times R or R^2) at either end.
pub(crate) const CURVATURE_RANGE: f64 = 5.0;
/// Height of a face, relative to R, under which its direction is not trusted.
pub(crate) const THIN: f64 = 1e-4;
/// An edge of more faces than this has no dihedral angles; it counts as one of too many faces.
const MOST_FACES: usize = 8;

/// Integrals over edges and vertices.
#[derive(Debug)]
pub(crate) struct EdgeSums {
    pub(crate) dihedral: Circular<DIHEDRAL>,
    pub(crate) gaussian: Soft<CURVATURE>,
    pub(crate) mean: Soft<CURVATURE>,
    /// Length of edges of one face, of more than two, and of two that disagree about direction,
    /// as shares of the length of all edges.
    pub(crate) shares: [f64; 3],
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

/// How far the direction of a face of this height is trusted, from 0 to 1. A sliver's normal is
/// rounding noise; without this its dihedral angles would change with the pose.
fn trust(height: f64) -> f64 {
    let h = height * height;
    h / (h + THIN * THIN)
}

pub(crate) fn integrate(surface: &Surface, normals: &[[f64; 3]]) -> EdgeSums {
    let mut sums = EdgeSums {
        dihedral: Circular::new(),
        gaussian: Soft::new(-CURVATURE_RANGE, CURVATURE_RANGE),
        mean: Soft::new(-CURVATURE_RANGE, CURVATURE_RANGE),
        shares: [0.0; 3],
    };
    let mut sides = Vec::with_capacity(3 * surface.faces.len());
    for (face, corners) in surface.faces.iter().enumerate() {
        for k in 0..3 {
            let (a, b) = (corners[k], corners[(k + 1) % 3]);
            sides.push(Side {
                key: (u64::from(a.min(b)) << 32) | u64::from(a.max(b)),
                face: face as u32,
                up: a < b,
            });
        }
    }
    sides.sort_unstable_by_key(|side| side.key);
    // A vertex is inside when all its edges have two faces.
    let mut inside = vec![true; surface.points.len()];
    let mut total = 0.0;
    for edge in sides.chunk_by(|a, b| a.key == b.key) {
        let (a, b) = ((edge[0].key >> 32) as usize, edge[0].key as u32 as usize);
        let along = sub(surface.points[b], surface.points[a]);
        let length = norm(along);
        total += length;
        if edge.len() != 2 {
            inside[a] = false;
            inside[b] = false;
            sums.shares[usize::from(edge.len() > 2)] += length;
        } else if edge[0].up == edge[1].up {
            sums.shares[2] += length;
        }
        if edge.len() < 2 || edge.len() > MOST_FACES || length == 0.0 {
            continue;
        }
        let share = 1.0 / (edge.len() - 1) as f64;
        for (i, first) in edge.iter().enumerate() {
            for second in &edge[i + 1..] {
                sums.bend(
                    surface,
                    normals,
                    [first, second],
                    &Line {
                        along,
                        length,
                        share,
                    },
                );
            }
        }
    }
    if total > 0.0 {
        sums.shares = sums.shares.map(|share| share / total);
    }
    deficits(surface, &inside, &mut sums);
    sums
}

/// An edge between two faces.
struct Line {
    /// From its smaller vertex to its larger.
    along: [f64; 3],
    length: f64,
    /// What this pair of faces counts among all pairs at the edge.
    share: f64,
}

impl EdgeSums {
    /// Adds the angle between two faces at their edge.
    fn bend(
        &mut self,
        surface: &Surface,
        normals: &[[f64; 3]],
        [first, second]: [&Side; 2],
        &Line {
            along,
            length,
            share,
        }: &Line,
    ) {
        let (f, g) = (first.face as usize, second.face as usize);
        let agree = first.up != second.up;
        let along = scale(along, if first.up { 1.0 } else { -1.0 } / length);
        let m = if agree {
            normals[g]
        } else {
            scale(normals[g], -1.0)
        };
        let angle = dot(cross(normals[f], m), along).atan2(dot(normals[f], m));
        let area = surface.areas[f] + surface.areas[g];
        let weight = share
            * length
            * trust(2.0 * surface.areas[f] / length)
            * trust(2.0 * surface.areas[g] / length);
        // asinh of angle / width, where the width of the two faces across the edge is a third of
        // their area over the edge's length.
        let curvature = (angle * length / (area / 3.0)).asinh();
        // How sure the sign is: not at all where the faces disagree about direction, for then which
        // of the two is right is unknown; and less and less towards a fold, whose two signs are one.
        let fold = (angle.abs() / FRAC_PI_4 - 3.0).clamp(0.0, 1.0);
        let own = if agree { 1.0 - 0.5 * fold } else { 0.5 };
        for (sign, part) in [(1.0, own), (-1.0, 1.0 - own)] {
            self.dihedral.add(sign * angle, part * weight);
            self.mean.add(sign * curvature, part * share * area / 3.0);
        }
    }
}

/// Gaussian curvature at vertices: the angle that is missing to a full turn, over a third of the
/// area of the faces around.
fn deficits(surface: &Surface, inside: &[bool], sums: &mut EdgeSums) {
    let mut turn = vec![0.0; surface.points.len()];
    let mut around = vec![0.0; surface.points.len()];
    for (face, area) in surface.faces.iter().zip(&surface.areas) {
        let corner = face.map(|v| surface.points[v as usize]);
        for k in 0..3 {
            let u = sub(corner[(k + 1) % 3], corner[k]);
            let v = sub(corner[(k + 2) % 3], corner[k]);
            turn[face[k] as usize] += norm(cross(u, v)).atan2(dot(u, v));
            around[face[k] as usize] += area / 3.0;
        }
    }
    for ((turn, around), inside) in turn.iter().zip(&around).zip(inside) {
        if *inside && *around > 0.0 {
            let curvature = (std::f64::consts::TAU - turn) / around;
            sums.gaussian.add(curvature.asinh(), *around);
        }
    }
}
