//! Points spread over a surface.

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Surface;
use crate::error::{RerankError, Result};

/// `count` points on a surface, each triangle with as many as its share of the area on the average:
/// one point in each of `count` equal parts of the summed area, then uniform in its triangle
/// (R. Osada et al., ACM Trans. Graph. 21, 807, 2002, doi:10.1145/571647.571648). The same seed
/// gives the same points on every machine.
///
/// # Errors
/// No points asked for, a surface without area, vertices that are not there or not finite.
pub fn sample_surface(surface: Surface<'_>, count: usize, seed: u64) -> Result<Vec<[f64; 3]>> {
    if count == 0 {
        return Err(RerankError::NoPoints);
    }
    let mut corners = Vec::with_capacity(surface.triangles.len());
    for (triangle, vertices) in surface.triangles.iter().enumerate() {
        let mut corner = [[0.0; 3]; 3];
        for (corner, vertex) in corner.iter_mut().zip(vertices) {
            let Some(position) = surface.positions.get(*vertex as usize) else {
                return Err(RerankError::Vertex {
                    triangle,
                    vertex: *vertex,
                });
            };
            *corner = position.map(f64::from);
            if !corner.iter().all(|x| x.is_finite()) {
                return Err(RerankError::NotFinite { vertex: *vertex });
            }
        }
        corners.push(corner);
    }
    let mut total = 0.0;
    let sums: Vec<f64> = corners
        .iter()
        .map(|corner| {
            total += area(corner);
            total
        })
        .collect();
    if total <= 0.0 {
        return Err(RerankError::NoArea);
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut points = Vec::with_capacity(count);
    for i in 0..count {
        let at = (i as f64 + random.random::<f64>()) / count as f64 * total;
        // The first triangle whose sum is beyond; rounding may put the last place at the end.
        let mut triangle = sums.partition_point(|sum| *sum <= at);
        if triangle == sums.len() {
            triangle = sums.partition_point(|sum| *sum < total);
        }
        let [a, b, c] = corners[triangle];
        let root = random.random::<f64>().sqrt();
        let along = random.random::<f64>();
        let (u, v, w) = (1.0 - root, root * (1.0 - along), root * along);
        points.push(std::array::from_fn(|k| u * a[k] + v * b[k] + w * c[k]));
    }
    Ok(points)
}

fn area([a, b, c]: &[[f64; 3]; 3]) -> f64 {
    let u: [f64; 3] = std::array::from_fn(|i| b[i] - a[i]);
    let v: [f64; 3] = std::array::from_fn(|i| c[i] - a[i]);
    let cross = [
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    ];
    cross.iter().map(|x| x * x).sum::<f64>().sqrt() / 2.0
}
