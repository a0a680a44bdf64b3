//! Rows of the members of a group: gathered, and the largest of each number.

use super::isa::dispatch;
use super::lanes::Lanes;

/// Rows of a matrix, by their indices or all in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Members<'a> {
    /// Those of these indices.
    Of(&'a [u32]),
    /// So many from the first on.
    First(usize),
}

impl Members<'_> {
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Of(indices) => indices.len(),
            Self::First(count) => count,
        }
    }

    #[inline(always)]
    fn get(self, at: usize) -> usize {
        match self {
            Self::Of(indices) => indices[at] as usize,
            Self::First(_) => at,
        }
    }

    fn check(self, rows: &[f32], width: usize) {
        let most = match self {
            Self::Of(indices) => indices.iter().max().map_or(0, |last| *last as usize + 1),
            Self::First(count) => count,
        };
        assert!(rows.len() >= most * width, "a member is none of the rows");
    }
}

/// Of each number the largest over the members, rows of `to.len()` numbers; minus infinity where
/// there are none.
pub(crate) fn largest(rows: &[f32], members: Members<'_>, to: &mut [f32]) {
    members.check(rows, to.len());
    run_largest(rows, members, to);
}

/// `rectified(row + shift)` of each member, side by side, where `rectified(x)` is
/// `max(x, leak * x)`. Rows are as long as `shift`.
pub(crate) fn shifted(
    rows: &[f32],
    members: Members<'_>,
    shift: &[f32],
    leak: f32,
    to: &mut [f32],
) {
    members.check(rows, shift.len());
    assert!(
        to.len() >= members.len() * shift.len(),
        "no room for the members' rows"
    );
    run_shifted(rows, members, shift, leak, to);
}

dispatch! {
    fn run_largest(rows: &[f32], members: Members<'_>, to: &mut [f32]) = largest_of;
}

dispatch! {
    fn run_shifted(
        rows: &[f32],
        members: Members<'_>,
        shift: &[f32],
        leak: f32,
        to: &mut [f32],
    ) = shifted_of;
}

#[inline(always)]
unsafe fn largest_of<S: Lanes, const R: usize>(rows: &[f32], members: Members<'_>, to: &mut [f32]) {
    let width = to.len();
    let mut column = 0;
    // SAFETY: `largest` checked that every member is a row of `width` numbers.
    unsafe {
        // Four vectors at a time, so that one comparison need not wait for the one before.
        while column + 4 * S::WIDTH <= width {
            let mut best = [S::splat(f32::NEG_INFINITY); 4];
            for at in 0..members.len() {
                let row = rows.as_ptr().add(members.get(at) * width + column);
                for (j, best) in best.iter_mut().enumerate() {
                    *best = S::max(*best, S::load(row.add(j * S::WIDTH)));
                }
            }
            for (j, best) in best.iter().enumerate() {
                S::store(to.as_mut_ptr().add(column + j * S::WIDTH), *best);
            }
            column += 4 * S::WIDTH;
        }
    }
    if column < width {
        to[column..].fill(f32::NEG_INFINITY);
        for at in 0..members.len() {
            let start = members.get(at) * width;
            let row = &rows[start..start + width];
            for k in column..width {
                to[k] = to[k].max(row[k]);
            }
        }
    }
}

#[inline(always)]
unsafe fn shifted_of<S: Lanes, const R: usize>(
    rows: &[f32],
    members: Members<'_>,
    shift: &[f32],
    leak: f32,
    to: &mut [f32],
) {
    let width = shift.len();
    let whole = width / S::WIDTH * S::WIDTH;
    for at in 0..members.len() {
        let start = members.get(at) * width;
        // SAFETY: `shifted` checked that every member is a row and that `to` has room for all.
        unsafe {
            let slope = S::splat(leak);
            let (row, to) = (rows.as_ptr().add(start), to.as_mut_ptr().add(at * width));
            for column in (0..whole).step_by(S::WIDTH) {
                let x = S::add(
                    S::load(row.add(column)),
                    S::load(shift.as_ptr().add(column)),
                );
                S::store(to.add(column), S::max(x, S::mul(x, slope)));
            }
        }
        for column in whole..width {
            let x = rows[start + column] + shift[column];
            to[at * width + column] = x.max(x * leak);
        }
    }
}
