//! Distance between surfaces: Chamfer distance of points that are spread over them by area.

mod align;
mod sample;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, Ordering};

use penstock_geometry::{Transform, compare};
use rayon::prelude::*;

use crate::error::{RerankError, Result};

pub use sample::sample_surface;

/// A triangle mesh: positions `[n, 3]`, in any unit, and triangles `[m, 3]` of their numbers.
#[derive(Debug, Clone, Copy)]
pub struct Surface<'a> {
    /// Positions of the vertices.
    pub positions: &'a [[f32; 3]],
    /// Vertices of each triangle.
    pub triangles: &'a [[u32; 3]],
}

/// How one surface is turned before it is compared with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MeshAlignment {
    /// As they stand.
    #[default]
    None,
    /// Principal axes on principal axes: the best of the four proper rotations that do so.
    Axes,
    /// From there by iterated closest points (P. J. Besl and N. D. McKay, IEEE Trans. Pattern Anal.
    /// Mach. Intell. 14, 239, 1992, doi:10.1109/34.121791).
    ClosestPoints,
}

/// How surfaces are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshOptions {
    /// Points on each surface.
    pub points: usize,
    /// Chooses them; the same seed gives the same points.
    pub seed: u64,
    /// Moves the centre of each surface's points to the origin and scales the farthest of them to
    /// distance 1, so that neither place nor size counts.
    pub unit_sphere: bool,
    /// How they are turned.
    pub alignment: MeshAlignment,
    /// The most rounds of closest points.
    pub rounds: usize,
}

impl Default for MeshOptions {
    fn default() -> Self {
        Self {
            points: 2_048,
            seed: 0,
            unit_sphere: true,
            alignment: MeshAlignment::None,
            rounds: 30,
        }
    }
}

/// How far apart two surfaces are, in the unit of their positions, or in radii of the sphere where
/// they were scaled to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeshScore {
    /// Position of the hit among the targets; 0 for a single pair.
    pub target: usize,
    /// Chamfer distance, see [`penstock_geometry::SetDistances`]: half of the sum of both mean
    /// distances. Two samples of one surface are not at distance 0 but at that of neighbouring
    /// points, unless seed and triangles are the same.
    pub chamfer: f64,
    /// Chamfer distance of squares.
    pub chamfer_squared: f64,
    /// Hausdorff distance.
    pub hausdorff: f64,
    /// What moved the query onto the target, after both were scaled.
    pub transform: Transform,
}

/// Compares two surfaces.
///
/// # Errors
/// A surface without area, with vertices that are not there or not finite; a stop asked for.
pub fn mesh_distance(
    query: Surface<'_>,
    target: Surface<'_>,
    options: &MeshOptions,
    stop: &AtomicBool,
) -> Result<MeshScore> {
    let query = points(query, options)?;
    compared(&query, &points(target, options)?, 0, options, stop)
}

/// Ranks surfaces by their Chamfer distance from a query, the nearest first. Works on all threads
/// of the rayon pool that it is called in. Memory per thread: 160 bytes per point.
///
/// # Errors
/// Those of [`mesh_distance`].
pub fn rerank_meshes(
    query: Surface<'_>,
    targets: &[Surface<'_>],
    options: &MeshOptions,
    stop: &AtomicBool,
) -> Result<Vec<MeshScore>> {
    let query = points(query, options)?;
    let mut ranked = targets
        .par_iter()
        .enumerate()
        .map(|(i, target)| compared(&query, &points(*target, options)?, i, options, stop))
        .collect::<Result<Vec<_>>>()?;
    ranked.sort_by(|a, b| {
        a.chamfer
            .total_cmp(&b.chamfer)
            .then(a.target.cmp(&b.target))
    });
    Ok(ranked)
}

/// Points of a surface, scaled where the options say so.
fn points(surface: Surface<'_>, options: &MeshOptions) -> Result<Vec<[f64; 3]>> {
    let mut points = sample_surface(surface, options.points, options.seed)?;
    if options.unit_sphere {
        let count = points.len() as f64;
        let centre: [f64; 3] =
            std::array::from_fn(|i| points.iter().map(|p| p[i]).sum::<f64>() / count);
        let mut radius = 0.0_f64;
        for point in &mut points {
            for (x, c) in point.iter_mut().zip(centre) {
                *x -= c;
            }
            radius = radius.max(point.iter().map(|x| x * x).sum::<f64>().sqrt());
        }
        if radius > 0.0 {
            points.iter_mut().flatten().for_each(|x| *x /= radius);
        }
    }
    Ok(points)
}

fn compared(
    query: &[[f64; 3]],
    target: &[[f64; 3]],
    position: usize,
    options: &MeshOptions,
    stop: &AtomicBool,
) -> Result<MeshScore> {
    if stop.load(Ordering::Relaxed) {
        return Err(RerankError::Cancelled);
    }
    let transform = match options.alignment {
        MeshAlignment::None => Transform::IDENTITY,
        MeshAlignment::Axes => align::by_axes(query, target, 0, stop)?,
        MeshAlignment::ClosestPoints => align::by_axes(query, target, options.rounds, stop)?,
    };
    let found = compare(&transform.apply_all(query), target)?;
    Ok(MeshScore {
        target: position,
        chamfer: found.chamfer,
        chamfer_squared: found.chamfer_squared,
        hausdorff: found.hausdorff,
        transform,
    })
}
