//! What physics attention and message passing compute beside products: shares of slices, weighted
//! sums of rows, and rows gathered and added.

use super::isa::dispatch;
use super::lanes::Lanes;
use super::math;
use super::product::{Activation, activate};

/// Normalises every `group` numbers by softmax, in place.
pub(crate) fn softmax_groups(values: &mut [f32], group: usize) {
    assert!(
        group > 0 && values.len().is_multiple_of(group),
        "numbers do not fill their groups"
    );
    run_softmax(values, group);
}

dispatch! {
    fn run_softmax(values: &mut [f32], group: usize) = softmax;
}

#[inline(always)]
unsafe fn softmax<S: Lanes, const R: usize>(values: &mut [f32], group: usize) {
    let whole = group / S::WIDTH * S::WIDTH;
    for row in values.chunks_exact_mut(group) {
        // SAFETY: vectors are read and written below `whole`, which is inside the row; the array
        // is as long as the widest vector.
        unsafe {
            let mut largest = row[whole..]
                .iter()
                .copied()
                .fold(f32::NEG_INFINITY, f32::max);
            for at in (0..whole).step_by(S::WIDTH) {
                largest = largest.max(S::largest(S::load(row.as_ptr().add(at))));
            }
            let shift = S::splat(largest);
            let mut sum = S::zero();
            for at in (0..whole).step_by(S::WIDTH) {
                let to = row.as_mut_ptr().add(at);
                let y = math::exp::<S>(S::sub(S::load(to), shift));
                sum = S::add(sum, y);
                S::store(to, y);
            }
            let mut total = S::sum(sum);
            if whole < group {
                let mut rest = [f32::NEG_INFINITY; 16];
                rest[..group - whole].copy_from_slice(&row[whole..]);
                for at in (0..group - whole).step_by(S::WIDTH) {
                    let to = rest.as_mut_ptr().add(at);
                    S::store(to, math::exp::<S>(S::sub(S::load(to), shift)));
                }
                let rest = &rest[..group - whole];
                row[whole..].copy_from_slice(rest);
                total += rest.iter().sum::<f32>();
            }
            let factor = 1.0 / total;
            let scale = S::splat(factor);
            for at in (0..whole).step_by(S::WIDTH) {
                let to = row.as_mut_ptr().add(at);
                S::store(to, S::mul(S::load(to), scale));
            }
            for x in &mut row[whole..] {
                *x *= factor;
            }
        }
    }
}

/// Sums of rows by the shares of slices, head by head, and of the shares themselves: `to[h, g, c]
/// += sum over rows of weights[row, h, g] * values[row, h, c]` for `c < head_dim`, and
/// `to[h, g, head_dim] += sum over rows of weights[row, h, g]`. Rows are added in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SliceSums {
    pub(crate) heads: usize,
    /// Slices of a head.
    pub(crate) slices: usize,
    /// Numbers of a head.
    pub(crate) head_dim: usize,
}

impl SliceSums {
    /// `weights` is `[rows, heads * slices]`, `values` is `[rows, heads * head_dim]`, `to` is
    /// `[heads, slices, head_dim + 1]`.
    pub(crate) fn add(&self, weights: &[f32], values: &[f32], to: &mut [f32]) {
        let (wide, deep) = (self.heads * self.slices, self.heads * self.head_dim);
        let rows = weights.len() / wide;
        assert!(
            weights.len() == rows * wide
                && values.len() == rows * deep
                && to.len() == wide * (self.head_dim + 1),
            "a weighted sum's operands have another size"
        );
        if rows > 0 {
            run_sums(self, weights, values, rows, to);
        }
    }
}

dispatch! {
    fn run_sums(
        shape: &SliceSums,
        weights: &[f32],
        values: &[f32],
        rows: usize,
        to: &mut [f32],
    ) = slice_sums;
}

#[inline(always)]
unsafe fn slice_sums<S: Lanes, const R: usize>(
    shape: &SliceSums,
    weights: &[f32],
    values: &[f32],
    rows: usize,
    to: &mut [f32],
) {
    let SliceSums {
        heads,
        slices,
        head_dim,
    } = *shape;
    let whole = head_dim / S::WIDTH * S::WIDTH;
    let stride = head_dim + 1;
    for row in weights.chunks_exact(heads * slices) {
        for (to, weight) in to[head_dim..].iter_mut().step_by(stride).zip(row) {
            *to += weight;
        }
    }
    for head in 0..heads {
        let mut slice = 0;
        while slice < slices {
            let here = (slices - slice).min(R);
            let weights = &weights[head * slices + slice..];
            let values = &values[head * head_dim..];
            let to = &mut to[(head * slices + slice) * stride..];
            let mut column = 0;
            // SAFETY: `add` checked the sizes. A tile's slices over the end read the last one
            // again and are not written; its columns are below `whole`.
            unsafe {
                while column < whole {
                    let panel = (whole - column).min(2 * S::WIDTH);
                    let tile = Tile {
                        weights: weights.as_ptr(),
                        weight_stride: heads * slices,
                        values: values.as_ptr().add(column),
                        value_stride: heads * head_dim,
                        rows,
                        slices: here,
                    };
                    let to = to.as_mut_ptr().add(column);
                    if panel == 2 * S::WIDTH {
                        tile.add::<S, R, 2>(to, stride);
                    } else {
                        tile.add::<S, R, 1>(to, stride);
                    }
                    column += panel;
                }
            }
            for column in whole..head_dim {
                for i in 0..here {
                    let mut sum = 0.0;
                    for row in 0..rows {
                        sum += weights[row * heads * slices + i]
                            * values[row * heads * head_dim + column];
                    }
                    to[i * stride + column] += sum;
                }
            }
            slice += here;
        }
    }
}

/// `R` slices by `N` vectors of columns, which stay in registers while the rows go by.
struct Tile {
    weights: *const f32,
    weight_stride: usize,
    values: *const f32,
    value_stride: usize,
    rows: usize,
    slices: usize,
}

impl Tile {
    #[inline(always)]
    unsafe fn add<S: Lanes, const R: usize, const N: usize>(&self, to: *mut f32, stride: usize) {
        unsafe {
            let mut sums = [[S::zero(); N]; R];
            for row in 0..self.rows {
                let mut wide = [S::zero(); N];
                for (j, v) in wide.iter_mut().enumerate() {
                    *v = S::load(self.values.add(row * self.value_stride + j * S::WIDTH));
                }
                let weights = self.weights.add(row * self.weight_stride);
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = S::splat(*weights.add(i.min(self.slices - 1)));
                    for j in 0..N {
                        sums[j] = S::fma(x, wide[j], sums[j]);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate().take(self.slices) {
                for (j, sum) in sums.iter().enumerate() {
                    let to = to.add(i * stride + j * S::WIDTH);
                    S::store(to, S::add(S::load(to), *sum));
                }
            }
        }
    }
}

/// A table of rows and which of them to take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gather<'a> {
    /// `[table rows, width]`.
    pub(crate) table: &'a [f32],
    /// One per row of the result.
    pub(crate) rows: &'a [u32],
}

/// `to[i] = activation(to[i] + first[i] + second[i])` for rows of `width` numbers. Panics where a
/// table has no such row.
pub(crate) fn gather_add(
    to: &mut [f32],
    width: usize,
    first: Gather<'_>,
    second: Gather<'_>,
    activation: Activation,
) {
    assert!(
        [first, second]
            .iter()
            .all(|g| g.rows.len() * width == to.len()),
        "a row to add is not named"
    );
    run_gather(to, width, first, second, activation);
}

dispatch! {
    fn run_gather(
        to: &mut [f32],
        width: usize,
        first: Gather<'_>,
        second: Gather<'_>,
        activation: Activation,
    ) = gather_rows;
}

#[inline(always)]
unsafe fn gather_rows<S: Lanes, const R: usize>(
    to: &mut [f32],
    width: usize,
    first: Gather<'_>,
    second: Gather<'_>,
    activation: Activation,
) {
    let whole = width / S::WIDTH * S::WIDTH;
    for (i, row) in to.chunks_exact_mut(width.max(1)).enumerate() {
        let a = &first.table[first.rows[i] as usize * width..][..width];
        let b = &second.table[second.rows[i] as usize * width..][..width];
        // SAFETY: vectors are below `whole`, inside rows of `width` numbers; the array is as long
        // as the widest vector.
        unsafe {
            for at in (0..whole).step_by(S::WIDTH) {
                let to = row.as_mut_ptr().add(at);
                let sum = S::add(S::load(to), S::load(a.as_ptr().add(at)));
                let sum = S::add(sum, S::load(b.as_ptr().add(at)));
                S::store(to, activate::<S>(sum, activation));
            }
            if whole < width {
                let mut rest = [0.0_f32; 16];
                for (k, x) in rest.iter_mut().enumerate().take(width - whole) {
                    *x = row[whole + k] + a[whole + k] + b[whole + k];
                }
                let x = activate::<S>(S::load(rest.as_ptr()), activation);
                S::store(rest.as_mut_ptr(), x);
                row[whole..].copy_from_slice(&rest[..width - whole]);
            }
        }
    }
}
