//! Short convolutions along a sequence, each channel by itself.

use super::isa::dispatch;
use super::lanes::Lanes;
use super::math;

/// Numbers between rows are a multiple of it, the widest vector of any instruction set.
pub(crate) const ROW: usize = 16;

/// Which way a recurrence or a causal convolution runs over the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// A row sees itself and those before it.
    Forward,
    /// A row sees itself and those after it.
    Backward,
}

/// A causal convolution, as `torch.nn.Conv1d` with one group per channel stores it.
#[derive(Debug, Clone)]
pub(crate) struct Depthwise {
    taps: usize,
    stride: usize,
    /// `[taps, stride]`, the last tap for the row itself; zero beyond the channels.
    weight: Vec<f32>,
    /// `[stride]`.
    bias: Vec<f32>,
}

impl Depthwise {
    /// `weight` is `[channels, taps]`, `bias` `[channels]`. Rows will lie `stride` apart.
    pub(crate) fn new(
        weight: &[f32],
        bias: Option<&[f32]>,
        channels: usize,
        stride: usize,
    ) -> Self {
        let taps = weight.len() / channels.max(1);
        assert!(
            taps > 0 && weight.len() == taps * channels && channels <= stride,
            "a convolution has another shape"
        );
        assert!(stride.is_multiple_of(ROW), "rows are whole vectors");
        let mut packed = vec![0.0; taps * stride];
        for (channel, taps_of) in weight.chunks_exact(taps).enumerate() {
            for (tap, value) in taps_of.iter().enumerate() {
                packed[tap * stride + channel] = *value;
            }
        }
        let mut padded = vec![0.0; stride];
        if let Some(bias) = bias {
            padded[..channels].copy_from_slice(bias);
        }
        Self {
            taps,
            stride,
            weight: packed,
            bias: padded,
        }
    }

    /// Rows of its reach beside the row itself.
    pub(crate) const fn reach(&self) -> usize {
        self.taps - 1
    }

    /// Convolves rows `first..` of `from` (`[rows, stride]`) into `to`, which says how many. What
    /// is beyond the ends of `from` counts as zero. With `silu`, that function is applied.
    pub(crate) fn apply(
        &self,
        from: &[f32],
        first: usize,
        direction: Direction,
        silu: bool,
        to: &mut [f32],
    ) {
        let stride = self.stride;
        assert!(
            from.len().is_multiple_of(stride)
                && to.len().is_multiple_of(stride)
                && first * stride + to.len() <= from.len(),
            "rows to convolve are too short"
        );
        run(self, from, first, direction, silu, to);
    }
}

dispatch! {
    fn run(
        conv: &Depthwise,
        from: &[f32],
        first: usize,
        direction: Direction,
        silu: bool,
        to: &mut [f32],
    ) = convolve;
}

#[inline(always)]
unsafe fn convolve<S: Lanes, const R: usize>(
    conv: &Depthwise,
    from: &[f32],
    first: usize,
    direction: Direction,
    silu: bool,
    to: &mut [f32],
) {
    let stride = conv.stride;
    let rows = from.len() / stride;
    for (index, to) in to.chunks_exact_mut(stride).enumerate() {
        let row = first + index;
        let reach = match direction {
            Direction::Forward => row,
            Direction::Backward => rows - 1 - row,
        };
        // A tap `back` rows away exists where the sequence does.
        let reach = reach.min(conv.reach());
        for at in (0..stride).step_by(S::WIDTH) {
            // SAFETY: `at` is below the stride, a multiple of the vector's width; the rows within
            // reach are inside `from`.
            unsafe {
                let mut sum = S::load(conv.bias.as_ptr().add(at));
                for back in (0..=reach).rev() {
                    let source = match direction {
                        Direction::Forward => row - back,
                        Direction::Backward => row + back,
                    };
                    let x = S::load(from.as_ptr().add(source * stride + at));
                    let tap = (conv.taps - 1 - back) * stride + at;
                    sum = S::fma(x, S::load(conv.weight.as_ptr().add(tap)), sum);
                }
                let y = if silu { math::silu::<S>(sum) } else { sum };
                S::store(to.as_mut_ptr().add(at), y);
            }
        }
    }
}
