//! Matrix products against a packed right side.
//!
//! The right side, a weight that is used for every token, is kept in panels: 2 vectors wide, as
//! long as the inner dimension. A tile of the result, `R` rows by one panel, stays in registers
//! while the inner dimension goes by; each step loads two vectors of the panel and broadcasts one
//! number of each row. What follows a product (bias, activation, residual) is done on the tile.

use super::isa::{dispatch, isa};
use super::lanes::Lanes;
use super::math;

/// What is done to `x W + b` before it is written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Output {
    /// Written as it is.
    Store,
    /// Written after the function.
    Activate(Activation),
    /// Multiplied by the factor and added to what is there.
    Add(f32),
}

/// The function between the two products of a feed-forward block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activation {
    /// `x * Phi(x)`.
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `max(x, 0.2 x)`.
    LeakyRelu,
    /// `x * sigmoid(x)`.
    Silu,
}

/// What a leaky ReLU keeps of what is below zero.
pub(crate) const LEAK: f32 = 0.2;

/// One cache line, so that a vector never straddles two.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Numbers whose first is at the start of a cache line.
#[derive(Debug, Clone, Default)]
pub(crate) struct Aligned {
    lines: Vec<Line>,
    len: usize,
}

impl Aligned {
    /// Makes room for `len` numbers; what they are is not said.
    pub(crate) fn resize(&mut self, len: usize) {
        let lines = len.div_ceil(16);
        if self.lines.len() < lines {
            // No room over: the plan of the memory counts on it.
            self.lines.reserve_exact(lines - self.lines.len());
            self.lines.resize(lines, Line([0.0; 16]));
        }
        self.len = len;
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: `lines` holds at least `len` numbers, without padding between them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    /// The same bytes as words of 32 bits.
    pub(crate) fn as_words(&self) -> &[u32] {
        // SAFETY: as above; a word has the size and alignment of a number, and any bits are one.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    /// The same bytes as words of 32 bits.
    pub(crate) fn as_mut_words(&mut self) -> &mut [u32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }
}

/// The width of a vector of the instruction set in use.
pub(crate) fn lane_width() -> usize {
    use super::isa::Isa;
    match isa() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => 16,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => 8,
        Isa::Portable => 4,
    }
}

/// How many columns the panels of `columns` columns have: the last is one vector wide where that
/// is enough.
pub(crate) const fn padded(columns: usize, width: usize) -> usize {
    columns.div_ceil(width) * width
}

/// An affine map, `y = x W^T + b`, as `torch.nn.Linear` stores it, packed for this processor.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    inputs: usize,
    outputs: usize,
    panels: Aligned,
    /// As long as the panels are wide; zero where there is no bias.
    bias: Vec<f32>,
}

impl Linear {
    /// `weight` is `[outputs, inputs]` in row-major order; `bias` is `[outputs]`.
    pub(crate) fn new(weight: &[f32], bias: Option<&[f32]>, inputs: usize, outputs: usize) -> Self {
        assert_eq!(weight.len(), inputs * outputs, "a weight has another shape");
        let width = lane_width();
        let wide = padded(outputs, width);
        let mut panels = Aligned::default();
        panels.resize(wide * inputs);
        let packed = panels.as_mut_slice();
        for (output, row) in weight.chunks_exact(inputs.max(1)).enumerate() {
            let first = output / (2 * width) * (2 * width);
            let panel = (wide - first).min(2 * width);
            let base = first * inputs + (output - first);
            for (k, value) in row.iter().enumerate() {
                packed[base + k * panel] = *value;
            }
        }
        let mut padded_bias = vec![0.0; wide];
        if let Some(bias) = bias {
            padded_bias[..outputs].copy_from_slice(bias);
        }
        Self {
            inputs,
            outputs,
            panels,
            bias: padded_bias,
        }
    }

    pub(crate) const fn inputs(&self) -> usize {
        self.inputs
    }

    pub(crate) const fn outputs(&self) -> usize {
        self.outputs
    }
}

/// `c = output(a W^T + b)` for rows of `linear.inputs()` numbers that lie `lda` apart, written as
/// rows of `linear.outputs()` numbers that lie `ldc` apart.
pub(crate) fn matmul(
    a: &[f32],
    lda: usize,
    rows: usize,
    linear: &Linear,
    c: &mut [f32],
    ldc: usize,
    output: Output,
) {
    if rows == 0 || linear.outputs == 0 {
        return;
    }
    assert!(
        lda >= linear.inputs
            && ldc >= linear.outputs
            && a.len() >= (rows - 1) * lda + linear.inputs
            && c.len() >= (rows - 1) * ldc + linear.outputs,
        "a product's operands are too short"
    );
    run(a, lda, rows, linear, c, ldc, output);
}

dispatch! {
    fn run(
        a: &[f32],
        lda: usize,
        rows: usize,
        linear: &Linear,
        c: &mut [f32],
        ldc: usize,
        output: Output,
    ) = product;
}

#[inline(always)]
unsafe fn product<S: Lanes, const R: usize>(
    a: &[f32],
    lda: usize,
    rows: usize,
    linear: &Linear,
    c: &mut [f32],
    ldc: usize,
    output: Output,
) {
    let wide = linear.bias.len();
    let panels = linear.panels.as_slice();
    let mut column = 0;
    while column < wide {
        let panel = (wide - column).min(2 * S::WIDTH);
        let b = panels[column * linear.inputs..].as_ptr();
        let columns = (linear.outputs - column).min(panel);
        let bias = linear.bias[column..].as_ptr();
        let mut row = 0;
        while row < rows {
            let here = (rows - row).min(R);
            // SAFETY: `matmul` checked that the rows and columns of this tile exist; rows over the
            // end read the last one again and are not written.
            unsafe {
                let from: [*const f32; R] =
                    std::array::from_fn(|i| a.as_ptr().add((row + i.min(here - 1)) * lda));
                let to = c.as_mut_ptr().add(row * ldc + column);
                if panel == 2 * S::WIDTH {
                    let mut sums = [[S::zero(); 2]; R];
                    tile::<S, R, 2>(linear.inputs, &from, b, &mut sums);
                    finish::<S, R, 2>(&sums, bias, to, ldc, here, columns, output);
                } else {
                    let mut sums = [[S::zero(); 1]; R];
                    tile::<S, R, 1>(linear.inputs, &from, b, &mut sums);
                    finish::<S, R, 1>(&sums, bias, to, ldc, here, columns, output);
                }
            }
            row += here;
        }
        column += panel;
    }
}

/// Adds the products of `R` rows with a panel of `N` vectors, over `inner` steps.
///
/// # Safety
/// Every row is good for `inner` numbers, `b` for `inner * N` vectors.
#[inline(always)]
pub(crate) unsafe fn tile<S: Lanes, const R: usize, const N: usize>(
    inner: usize,
    rows: &[*const f32; R],
    b: *const f32,
    sums: &mut [[S::V; N]; R],
) {
    unsafe {
        let mut local = *sums;
        let mut b = b;
        for k in 0..inner {
            let mut wide = [S::zero(); N];
            for (j, v) in wide.iter_mut().enumerate() {
                *v = S::load(b.add(j * S::WIDTH));
            }
            b = b.add(N * S::WIDTH);
            for i in 0..R {
                let x = S::splat(*rows[i].add(k));
                for j in 0..N {
                    local[i][j] = S::fma(x, wide[j], local[i][j]);
                }
            }
        }
        *sums = local;
    }
}

/// Writes a tile: bias, activation, residual. Rows from `rows` on and columns from `columns` on
/// are not written.
///
/// # Safety
/// `bias` is good for `N` vectors, `to` for the rows, `ldc` apart, and columns that are written.
#[inline(always)]
pub(super) unsafe fn finish<S: Lanes, const R: usize, const N: usize>(
    sums: &[[S::V; N]; R],
    bias: *const f32,
    to: *mut f32,
    ldc: usize,
    rows: usize,
    columns: usize,
    output: Output,
) {
    unsafe {
        for (i, sums) in sums.iter().enumerate() {
            if i == rows {
                break;
            }
            for (j, sum) in sums.iter().enumerate() {
                let at = j * S::WIDTH;
                let left = columns.saturating_sub(at).min(S::WIDTH);
                let y = S::add(*sum, S::load(bias.add(at)));
                let y = match output {
                    Output::Store | Output::Add(_) => y,
                    Output::Activate(activation) => activate::<S>(y, activation),
                };
                let to = to.add(i * ldc + at);
                if left == S::WIDTH {
                    let y = match output {
                        Output::Add(factor) => S::fma(y, S::splat(factor), S::load(to)),
                        _ => y,
                    };
                    S::store(to, y);
                } else {
                    let mut numbers = [0.0_f32; 16];
                    S::store(numbers.as_mut_ptr(), y);
                    for (k, y) in numbers.iter().take(left).enumerate() {
                        let to = to.add(k);
                        *to = match output {
                            Output::Add(factor) => factor * y + *to,
                            _ => *y,
                        };
                    }
                }
            }
        }
    }
}

#[inline(always)]
pub(super) unsafe fn activate<S: Lanes>(x: S::V, activation: Activation) -> S::V {
    unsafe {
        match activation {
            Activation::Gelu => math::gelu::<S>(x),
            Activation::GeluTanh => math::gelu_tanh::<S>(x),
            Activation::Relu => S::max(x, S::zero()),
            Activation::LeakyRelu => S::max(x, S::mul(x, S::splat(LEAK))),
            Activation::Silu => math::silu::<S>(x),
        }
    }
}

/// The gated form of a feed-forward block: each row holds `2 n` numbers, and its first `n` become
/// `activation(first half) * second half`.
pub(crate) fn gate(rows: &mut [f32], n: usize, activation: Activation) {
    assert!(
        n > 0 && rows.len().is_multiple_of(2 * n),
        "a gated row has two halves"
    );
    run_gate(rows, n, activation);
}

dispatch! {
    fn run_gate(rows: &mut [f32], n: usize, activation: Activation) = gate_rows;
}

#[inline(always)]
unsafe fn gate_rows<S: Lanes, const R: usize>(rows: &mut [f32], n: usize, activation: Activation) {
    for row in rows.chunks_exact_mut(2 * n) {
        let (first, second) = row.split_at_mut(n);
        let mut left = first.chunks_exact_mut(S::WIDTH);
        let mut right = second.chunks_exact(S::WIDTH);
        for (x, y) in left.by_ref().zip(right.by_ref()) {
            // SAFETY: both chunks are one vector long.
            unsafe {
                let z = activate::<S>(S::load(x.as_ptr()), activation);
                S::store(x.as_mut_ptr(), S::mul(z, S::load(y.as_ptr())));
            }
        }
        let tail = left.into_remainder();
        let mut x = [0.0_f32; 16];
        x[..tail.len()].copy_from_slice(tail);
        // SAFETY: the array is as long as the widest vector.
        unsafe {
            let z = activate::<S>(S::load(x.as_ptr()), activation);
            S::store(x.as_mut_ptr(), z);
        }
        for ((to, x), y) in tail.iter_mut().zip(x).zip(right.remainder()) {
            *to = x * y;
        }
    }
}

/// Applies a function to each number.
pub(crate) fn activate_all(values: &mut [f32], activation: Activation) {
    run_activate(values, activation);
}

dispatch! {
    fn run_activate(values: &mut [f32], activation: Activation) = activate_slice;
}

#[inline(always)]
unsafe fn activate_slice<S: Lanes, const R: usize>(values: &mut [f32], activation: Activation) {
    let mut whole = values.chunks_exact_mut(S::WIDTH);
    for x in whole.by_ref() {
        // SAFETY: the chunk is one vector long.
        unsafe {
            S::store(
                x.as_mut_ptr(),
                activate::<S>(S::load(x.as_ptr()), activation),
            )
        };
    }
    let tail = whole.into_remainder();
    let mut x = [0.0_f32; 16];
    x[..tail.len()].copy_from_slice(tail);
    // SAFETY: the array is as long as the widest vector.
    unsafe {
        S::store(
            x.as_mut_ptr(),
            activate::<S>(S::load(x.as_ptr()), activation),
        )
    };
    tail.copy_from_slice(&x[..tail.len()]);
}
