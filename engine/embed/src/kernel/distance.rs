//! Squared distances of points in space.
//!
//! Each is `(dx * dx + dy * dy) + dz * dz`, every step rounded by itself: who is near whom is then
//! the same on every processor.

use super::isa::dispatch;
use super::lanes::Lanes;

/// Numbers of a block whose largest is kept.
const BLOCK: usize = 512;

/// The squared distance of every point from `at`. The axes are as long as `to`.
pub(crate) fn square_distances(axes: [&[f32]; 3], at: [f32; 3], to: &mut [f32]) {
    check(axes, to.len());
    run_distances(axes, at, to);
}

/// Lowers `distances`, from every point to the nearest of those chosen so far, by one more chosen
/// point, and says which point is now farthest; the lower index where two are as far. The axes
/// are as long as `distances`, which are not empty.
pub(crate) fn farther(axes: [&[f32]; 3], at: [f32; 3], distances: &mut [f32]) -> usize {
    check(axes, distances.len());
    let mut farthest = 0;
    run_farther(axes, at, distances, &mut farthest);
    farthest
}

fn check(axes: [&[f32]; 3], len: usize) {
    assert!(
        axes.iter().all(|axis| axis.len() == len),
        "points have three coordinates"
    );
}

dispatch! {
    fn run_distances(axes: [&[f32]; 3], at: [f32; 3], to: &mut [f32]) = distances;
}

dispatch! {
    fn run_farther(
        axes: [&[f32]; 3],
        at: [f32; 3],
        distances: &mut [f32],
        farthest: &mut usize,
    ) = lower;
}

/// # Safety
/// The axes are good for a vector from `from`.
#[inline(always)]
unsafe fn vector<S: Lanes>(axes: [&[f32]; 3], at: [S::V; 3], from: usize) -> S::V {
    unsafe {
        let square = |axis: usize| {
            let d = S::sub(S::load(axes[axis].as_ptr().add(from)), at[axis]);
            S::mul(d, d)
        };
        S::add(S::add(square(0), square(1)), square(2))
    }
}

#[inline(always)]
fn one(axes: [&[f32]; 3], at: [f32; 3], index: usize) -> f32 {
    let square = |axis: usize| {
        let d = axes[axis][index] - at[axis];
        d * d
    };
    square(0) + square(1) + square(2)
}

#[inline(always)]
unsafe fn distances<S: Lanes, const R: usize>(axes: [&[f32]; 3], at: [f32; 3], to: &mut [f32]) {
    let whole = to.len() / S::WIDTH * S::WIDTH;
    // SAFETY: every vector is inside `to`, which is as long as the axes.
    unsafe {
        let wide = [S::splat(at[0]), S::splat(at[1]), S::splat(at[2])];
        for from in (0..whole).step_by(S::WIDTH) {
            S::store(to.as_mut_ptr().add(from), vector::<S>(axes, wide, from));
        }
    }
    for (index, to) in to.iter_mut().enumerate().skip(whole) {
        *to = one(axes, at, index);
    }
}

#[inline(always)]
unsafe fn lower<S: Lanes, const R: usize>(
    axes: [&[f32]; 3],
    at: [f32; 3],
    distances: &mut [f32],
    farthest: &mut usize,
) {
    let (mut best, mut block) = (f32::NEG_INFINITY, 0);
    for start in (0..distances.len()).step_by(BLOCK) {
        let end = (start + BLOCK).min(distances.len());
        let whole = start + (end - start) / S::WIDTH * S::WIDTH;
        // SAFETY: every vector is inside `distances`, which are as long as the axes.
        let mut here = unsafe {
            let wide = [S::splat(at[0]), S::splat(at[1]), S::splat(at[2])];
            let mut largest = S::splat(f32::NEG_INFINITY);
            for from in (start..whole).step_by(S::WIDTH) {
                let slot = distances.as_mut_ptr().add(from);
                let nearer = S::min(S::load(slot), vector::<S>(axes, wide, from));
                S::store(slot, nearer);
                largest = S::max(largest, nearer);
            }
            S::largest(largest)
        };
        for (index, slot) in distances[..end].iter_mut().enumerate().skip(whole) {
            *slot = slot.min(one(axes, at, index));
            here = here.max(*slot);
        }
        if here > best {
            (best, block) = (here, start);
        }
    }
    let end = (block + BLOCK).min(distances.len());
    let within = distances[block..end].iter().position(|d| *d == best);
    *farthest = block + within.unwrap_or_default();
}
