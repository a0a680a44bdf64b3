//! A cube, an icosphere and a torus.

use std::collections::HashMap;
use std::f64::consts::TAU;

use super::surface::{Point, Surface, dot};

/// The cube from 0 to 1, six squares.
pub(super) fn cube() -> Surface {
    let vertices = (0..8)
        .map(|i| [0, 1, 2].map(|axis| f64::from((i >> axis) & 1)))
        .collect();
    let squares = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    Surface {
        vertices,
        patches: vec![("cube", squares.into_iter().map(Vec::from).collect())],
    }
}

/// The unit sphere: an icosahedron, each triangle cut in four `subdivisions` times.
pub(super) fn icosphere(subdivisions: usize) -> Surface {
    let g = (1.0 + 5.0_f64.sqrt()) / 2.0;
    let mut vertices: Vec<Point> = [
        [-1.0, g, 0.0],
        [1.0, g, 0.0],
        [-1.0, -g, 0.0],
        [1.0, -g, 0.0],
        [0.0, -1.0, g],
        [0.0, 1.0, g],
        [0.0, -1.0, -g],
        [0.0, 1.0, -g],
        [g, 0.0, -1.0],
        [g, 0.0, 1.0],
        [-g, 0.0, -1.0],
        [-g, 0.0, 1.0],
    ]
    .map(on_sphere)
    .to_vec();
    let mut faces: Vec<[usize; 3]> = vec![
        [0, 11, 5],
        [0, 5, 1],
        [0, 1, 7],
        [0, 7, 10],
        [0, 10, 11],
        [1, 5, 9],
        [5, 11, 4],
        [11, 10, 2],
        [10, 7, 6],
        [7, 1, 8],
        [3, 9, 4],
        [3, 4, 2],
        [3, 2, 6],
        [3, 6, 8],
        [3, 8, 9],
        [4, 9, 5],
        [2, 4, 11],
        [6, 2, 10],
        [8, 6, 7],
        [9, 8, 1],
    ];
    for _ in 0..subdivisions {
        let mut middles: HashMap<(usize, usize), usize> = HashMap::new();
        let mut middle = |a: usize, b: usize| {
            *middles.entry((a.min(b), a.max(b))).or_insert_with(|| {
                let (p, q) = (vertices[a], vertices[b]);
                vertices.push(on_sphere([p[0] + q[0], p[1] + q[1], p[2] + q[2]]));
                vertices.len() - 1
            })
        };
        faces = faces
            .into_iter()
            .flat_map(|[a, b, c]| {
                let (ab, bc, ca) = (middle(a, b), middle(b, c), middle(c, a));
                [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
            })
            .collect();
    }
    Surface {
        vertices,
        patches: vec![("sphere", faces.into_iter().map(Vec::from).collect())],
    }
}

fn on_sphere(point: Point) -> Point {
    let length = dot(point, point).sqrt();
    point.map(|x| x / length)
}

/// A torus about the z axis, of quadrilaterals.
pub(super) fn torus(major: f64, minor: f64, around: usize, across: usize) -> Surface {
    let mut vertices = Vec::with_capacity(around * across);
    let mut polygons = Vec::with_capacity(around * across);
    for i in 0..around {
        let (sin_u, cos_u) = (TAU * i as f64 / around as f64).sin_cos();
        for j in 0..across {
            let (sin_v, cos_v) = (TAU * j as f64 / across as f64).sin_cos();
            let r = major + minor * cos_v;
            vertices.push([r * cos_u, r * sin_u, minor * sin_v]);
            let (next_i, next_j) = ((i + 1) % around, (j + 1) % across);
            let at = |i: usize, j: usize| i * across + j;
            polygons.push(vec![
                at(i, j),
                at(next_i, j),
                at(next_i, next_j),
                at(i, next_j),
            ]);
        }
    }
    Surface {
        vertices,
        patches: vec![("torus", polygons)],
    }
}

#[cfg(test)]
mod tests {
    use super::super::surface::check::{is_watertight, volume};
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn solids_are_closed_and_have_their_volumes() {
        let cases = [
            (cube(), 1.0, 1e-12),
            (icosphere(4), 4.0 / 3.0 * PI, 0.01),
            (torus(1.0, 0.35, 96, 48), 2.0 * PI * PI * 0.35 * 0.35, 0.01),
        ];
        for (surface, expected, tolerance) in cases {
            assert!(is_watertight(&surface));
            assert!((volume(&surface) / expected - 1.0).abs() < tolerance);
        }
    }
}
