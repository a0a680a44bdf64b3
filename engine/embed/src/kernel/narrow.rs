//! Products of low precision.
//!
//! A weight is rounded once, when it is loaded, and a row of inputs each time it comes; then the
//! tiles go as in `product`, two or four numbers of the inner dimension in one step. Bytes are
//! whole numbers times a scale: of each output for weights, of each row for inputs. The
//! instruction for bytes wants one side without a sign, so inputs are stored 128 higher and the
//! sums begin 128 times the sum of an output's weights lower.

use super::dots::{Bf16, Dots, Int8, OFFSET, bf16, pair, scale, whole};
#[cfg(target_arch = "x86_64")]
use super::dots::{Bf16Native, Int8Avx2, Int8Avx512, Int8Native};
use super::isa::{Isa, isa};
#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::lanes::{Lanes, Portable};
use super::product::{Aligned, Output, finish, padded};

/// The most inputs whose products of bytes, each under 2^15, add up in 32 bits.
const MOST_INPUTS: usize = 1 << 16;

/// The kind of the rounded numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Number {
    /// `bfloat16`.
    Bf16,
    /// Bytes with a scale.
    Int8,
}

impl Number {
    /// How many lie in a word.
    const fn in_word(self) -> usize {
        match self {
            Self::Bf16 => 2,
            Self::Int8 => 4,
        }
    }
}

/// The instructions of a product, all of which give the same sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// AVX-512 with the instruction for this kind of number.
    #[cfg(target_arch = "x86_64")]
    Native,
    /// AVX-512 without it.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Plain loops.
    Portable,
}

impl Path {
    /// Those that this processor has, the best first.
    pub(crate) fn all(number: Number) -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let native = match number {
                Number::Bf16 => is_x86_feature_detected!("avx512bf16"),
                Number::Int8 => is_x86_feature_detected!("avx512vnni"),
            };
            if isa() == Isa::Avx512 {
                all.extend(native.then_some(Self::Native));
                all.push(Self::Avx512);
            }
            if isa() != Isa::Portable {
                all.push(Self::Avx2);
            }
        }
        let _ = number;
        all.push(Self::Portable);
        all
    }

    const fn lanes(self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Native | Self::Avx512 => Avx512::WIDTH,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::WIDTH,
            Self::Portable => Portable::WIDTH,
        }
    }
}

/// An affine map, `y = x W^T + b`, of rounded numbers.
#[derive(Debug, Clone)]
pub(crate) struct Narrow {
    number: Number,
    path: Path,
    inputs: usize,
    outputs: usize,
    /// Panels of two vectors, as of [`Linear`](super::Linear), of words.
    panels: Aligned,
    /// These three are as long as the panels are wide.
    bias: Vec<f32>,
    scales: Vec<f32>,
    offsets: Vec<i32>,
}

/// Rounded inputs of one thread.
#[derive(Debug, Default)]
pub(crate) struct NarrowScratch {
    words: Aligned,
    scales: Vec<f32>,
}

#[cfg(test)]
impl NarrowScratch {
    /// Bytes that it holds.
    pub(crate) fn bytes(&self) -> usize {
        self.words.bytes() + self.scales.capacity() * size_of::<f32>()
    }
}

impl Narrow {
    /// `weight` is `[outputs, inputs]` in row-major order; `bias` is `[outputs]`.
    pub(crate) fn new(
        number: Number,
        weight: &[f32],
        bias: Option<&[f32]>,
        inputs: usize,
        outputs: usize,
    ) -> Self {
        let path = Path::all(number)[0];
        Self::by(path, number, weight, bias, inputs, outputs)
    }

    /// The same by instructions that are not the best of this processor.
    pub(crate) fn by(
        path: Path,
        number: Number,
        weight: &[f32],
        bias: Option<&[f32]>,
        inputs: usize,
        outputs: usize,
    ) -> Self {
        assert_eq!(weight.len(), inputs * outputs, "a weight has another shape");
        assert!(
            inputs <= MOST_INPUTS,
            "a row is too long for products of bytes"
        );
        assert!(
            Path::all(number).contains(&path),
            "the processor lacks an instruction"
        );
        let lanes = path.lanes();
        let wide = padded(outputs, lanes);
        let steps = inputs.div_ceil(number.in_word());
        let mut panels = Aligned::default();
        panels.resize(wide * steps);
        let words = panels.as_mut_words();
        let mut scales = vec![0.0; wide];
        let mut offsets = vec![0; wide];
        let mut rounded = vec![0; steps];
        for (output, row) in weight.chunks_exact(inputs.max(1)).enumerate() {
            match number {
                Number::Bf16 => pairs(row, &mut rounded),
                Number::Int8 => {
                    let sum;
                    (scales[output], sum) = bytes(row, &mut rounded);
                    offsets[output] = -OFFSET * sum;
                }
            }
            let first = output / (2 * lanes) * (2 * lanes);
            let panel = (wide - first).min(2 * lanes);
            let base = first * steps + (output - first);
            for (k, word) in rounded.iter().enumerate() {
                words[base + k * panel] = *word;
            }
        }
        let mut padded_bias = vec![0.0; wide];
        if let Some(bias) = bias {
            padded_bias[..outputs].copy_from_slice(bias);
        }
        Self {
            number,
            path,
            inputs,
            outputs,
            panels,
            bias: padded_bias,
            scales,
            offsets,
        }
    }

    pub(crate) const fn outputs(&self) -> usize {
        self.outputs
    }

    /// `to = output(from W^T + b)`: rows that lie `stride` apart to rows that lie side by side.
    pub(crate) fn apply(
        &self,
        from: &[f32],
        stride: usize,
        to: &mut [f32],
        output: Output,
        scratch: &mut NarrowScratch,
    ) {
        if to.is_empty() {
            return;
        }
        let rows = to.len() / self.outputs;
        assert!(
            to.len() == rows * self.outputs
                && stride >= self.inputs
                && from.len() >= (rows - 1) * stride + self.inputs,
            "a product's operands have another size"
        );
        run(self, from, stride, to, output, scratch);
    }
}

/// Weights of one output as words of `bfloat16`.
fn pairs(row: &[f32], to: &mut [u32]) {
    for (to, x) in to.iter_mut().zip(row.chunks(2)) {
        *to = pair([bf16(x[0]), x.get(1).map_or(0, |x| bf16(*x))]);
    }
}

/// Weights of one output as words of bytes; gives their scale and the sum of the bytes.
fn bytes(row: &[f32], to: &mut [u32]) -> (f32, i32) {
    let (scale, inverse) = scale(row);
    let mut sum = 0;
    for (to, x) in to.iter_mut().zip(row.chunks(4)) {
        let mut bytes = [0; 4];
        for (to, x) in bytes.iter_mut().zip(x) {
            let byte = whole(x * inverse) as i8;
            sum += i32::from(byte);
            *to = byte as u8;
        }
        *to = u32::from_le_bytes(bytes);
    }
    (scale, sum)
}

/// Calls the kernel for one kind of number inside a function that enables its instructions.
macro_rules! with {
    ($features:literal, $dots:ty, $rows:literal, ($($arg:ident: $type:ty),*)) => {{
        #[target_feature(enable = $features)]
        unsafe fn run($($arg: $type),*) {
            // SAFETY: this function enables the instructions.
            unsafe { product::<$dots, $rows>($($arg),*) };
        }
        // SAFETY: a path is only taken where the processor has its instructions; `Narrow::by`
        // asked it.
        unsafe { run($($arg),*) }
    }};
}

fn run(
    linear: &Narrow,
    from: &[f32],
    stride: usize,
    to: &mut [f32],
    output: Output,
    scratch: &mut NarrowScratch,
) {
    macro_rules! on {
        ($features:literal, $dots:ty, $rows:literal) => {
            with!($features, $dots, $rows, (
                linear: &Narrow, from: &[f32], stride: usize, to: &mut [f32], output: Output,
                scratch: &mut NarrowScratch
            ))
        };
    }
    match (linear.number, linear.path) {
        #[cfg(target_arch = "x86_64")]
        (Number::Bf16, Path::Native) => on!(
            "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma",
            Bf16Native,
            12
        ),
        #[cfg(target_arch = "x86_64")]
        (Number::Bf16, Path::Avx512) => {
            on!(
                "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma",
                Bf16<Avx512>,
                12
            )
        }
        #[cfg(target_arch = "x86_64")]
        (Number::Bf16, Path::Avx2) => on!("avx2,fma", Bf16<Avx2>, 4),
        #[cfg(target_arch = "x86_64")]
        (Number::Int8, Path::Native) => on!(
            "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma",
            Int8Native,
            12
        ),
        #[cfg(target_arch = "x86_64")]
        (Number::Int8, Path::Avx512) => {
            on!(
                "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma",
                Int8Avx512,
                12
            )
        }
        #[cfg(target_arch = "x86_64")]
        (Number::Int8, Path::Avx2) => on!("avx2,fma", Int8Avx2, 4),
        // SAFETY: plain loops run anywhere.
        (Number::Bf16, Path::Portable) => unsafe {
            product::<Bf16<Portable>, 4>(linear, from, stride, to, output, scratch);
        },
        // SAFETY: as above.
        (Number::Int8, Path::Portable) => unsafe {
            product::<Int8, 4>(linear, from, stride, to, output, scratch);
        },
    }
}

#[inline(always)]
unsafe fn product<D: Dots, const R: usize>(
    linear: &Narrow,
    from: &[f32],
    stride: usize,
    to: &mut [f32],
    output: Output,
    scratch: &mut NarrowScratch,
) {
    let steps = linear.inputs.div_ceil(linear.number.in_word());
    let rows = to.len() / linear.outputs;
    scratch.words.resize(rows * steps);
    let more = rows.saturating_sub(scratch.scales.len());
    scratch.scales.reserve_exact(more);
    scratch.scales.resize(rows, 0.0);
    if steps > 0 {
        let words = scratch.words.as_mut_words().chunks_exact_mut(steps);
        let rounded = words.zip(&mut scratch.scales);
        for (row, (to, scale)) in from.chunks(stride).zip(rounded) {
            *scale = D::round(&row[..linear.inputs], to);
        }
    }
    let words = scratch.words.as_words();
    let panels = linear.panels.as_words();
    let lanes = D::Lanes::WIDTH;
    let wide = linear.bias.len();
    let mut column = 0;
    while column < wide {
        let panel = (wide - column).min(2 * lanes);
        let mut row = 0;
        while row < rows {
            let here = (rows - row).min(R);
            let index: [usize; R] = std::array::from_fn(|i| row + i.min(here - 1));
            let at = At {
                linear,
                steps,
                column,
                panel: panels[column * steps..].as_ptr(),
                // SAFETY: each of these rows exists; those over the end are the last one again.
                rows: unsafe { index.map(|row| words.as_ptr().add(row * steps)) },
                scales: index.map(|row| scratch.scales[row]),
                here,
                // SAFETY: `apply` checked that this row and column exist.
                to: unsafe { to.as_mut_ptr().add(row * linear.outputs + column) },
                output,
            };
            // SAFETY: rows and panels are as long as the steps, and `here` rows and the columns
            // up to `outputs` exist in `to`.
            unsafe {
                if panel == 2 * lanes {
                    tile::<D, R, 2>(&at);
                } else {
                    tile::<D, R, 1>(&at);
                }
            }
            row += here;
        }
        column += panel;
    }
}

/// Where a tile is and what it reads.
struct At<'a, const R: usize> {
    linear: &'a Narrow,
    steps: usize,
    column: usize,
    panel: *const u32,
    rows: [*const u32; R],
    scales: [f32; R],
    here: usize,
    to: *mut f32,
    output: Output,
}

#[expect(
    clippy::needless_range_loop,
    reason = "zipped iterators are not inlined into a function with instructions of its own"
)]
#[inline(always)]
unsafe fn tile<D: Dots, const R: usize, const N: usize>(at: &At<'_, R>) {
    let lanes = D::Lanes::WIDTH;
    // Loops and no closures: what a closure calls is not always inlined into the function that
    // enables the instructions.
    unsafe {
        let offsets = at.linear.offsets[at.column..].as_ptr();
        let mut sums = [[D::start(offsets); N]; R];
        for sums in &mut sums {
            for (j, sum) in sums.iter_mut().enumerate() {
                *sum = D::start(offsets.add(j * lanes));
            }
        }
        let mut panel = at.panel;
        for k in 0..at.steps {
            let mut weights = [D::load(panel); N];
            for (j, words) in weights.iter_mut().enumerate() {
                *words = D::load(panel.add(j * lanes));
            }
            panel = panel.add(N * lanes);
            for i in 0..R {
                let word = *at.rows[i].add(k);
                for j in 0..N {
                    sums[i][j] = D::add(sums[i][j], word, weights[j]);
                }
            }
        }
        let scales = at.linear.scales[at.column..].as_ptr();
        let mut numbers = [[D::Lanes::zero(); N]; R];
        for i in 0..R {
            for j in 0..N {
                numbers[i][j] = D::numbers(sums[i][j]);
                if D::SCALED {
                    let column = D::Lanes::load(scales.add(j * lanes));
                    let scale = D::Lanes::mul(column, D::Lanes::splat(at.scales[i]));
                    numbers[i][j] = D::Lanes::mul(numbers[i][j], scale);
                }
            }
        }
        let bias = at.linear.bias[at.column..].as_ptr();
        let columns = (at.linear.outputs - at.column).min(N * lanes);
        let ldc = at.linear.outputs;
        finish::<D::Lanes, R, N>(&numbers, bias, at.to, ldc, at.here, columns, at.output);
    }
}
