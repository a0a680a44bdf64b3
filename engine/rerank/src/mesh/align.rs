//! Turning one set of points onto another.

use std::sync::atomic::{AtomicBool, Ordering};

use penstock_geometry::{KdTree, Transform, principal_axes, superpose};

use crate::error::{RerankError, Result};

/// Closest points end where a round makes the mean squared distance smaller by less than this
/// share.
const ENOUGH: f64 = 1e-4;

/// Puts principal axes on principal axes in the four proper ways and keeps the one with the least
/// mean squared distance to the nearest points; each is first improved by so many rounds of closest
/// points.
pub(super) fn by_axes(
    query: &[[f64; 3]],
    target: &[[f64; 3]],
    rounds: usize,
    stop: &AtomicBool,
) -> Result<Transform> {
    let tree = KdTree::new(target)?;
    let own = principal_axes(query)?;
    let back = principal_axes(target)?.inverse();
    let mut best = (f64::INFINITY, Transform::IDENTITY);
    for [x, y, z] in [
        [1.0, 1.0, 1.0],
        [1.0, -1.0, -1.0],
        [-1.0, 1.0, -1.0],
        [-1.0, -1.0, 1.0],
    ] {
        let flip = Transform {
            rotation: [[x, 0.0, 0.0], [0.0, y, 0.0], [0.0, 0.0, z]],
            translation: [0.0; 3],
        };
        let mut transform = own.then(&flip).then(&back);
        let (mut error, mut nearest) = nearest(query, target, &tree, &transform);
        for _ in 0..rounds {
            if stop.load(Ordering::Relaxed) {
                return Err(RerankError::Cancelled);
            }
            let next = superpose(query, &nearest)?.transform;
            let (after, found) = self::nearest(query, target, &tree, &next);
            if after >= error {
                break;
            }
            let gain = (error - after) / error;
            (transform, error, nearest) = (next, after, found);
            if gain < ENOUGH {
                break;
            }
        }
        if error < best.0 {
            best = (error, transform);
        }
    }
    Ok(best.1)
}

/// The mean squared distance of moved points from the nearest of the others, and those.
fn nearest(
    query: &[[f64; 3]],
    target: &[[f64; 3]],
    tree: &KdTree,
    transform: &Transform,
) -> (f64, Vec<[f64; 3]>) {
    let mut sum = 0.0;
    let found = query
        .iter()
        .map(|point| {
            let nearest = tree.nearest(transform.apply(*point));
            sum += nearest.squared_distance;
            target[nearest.index]
        })
        .collect();
    (sum / query.len() as f64, found)
}
