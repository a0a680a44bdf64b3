//! Tensor operations that models beyond transformers are written in, once for every device.
//!
//! A model is Candle tensors; what takes the time runs on the CPU in this crate's kernels, as
//! custom operations. Rows of a large tensor are shared out over rayon's threads. A row of a
//! result depends on its own inputs alone, in a fixed order of adding, so neither the number of
//! threads nor the other rows change a bit of it.

mod attention;
mod dense;
mod grouped;
mod message;
mod rows;
mod rowwise;
mod segment;

pub(crate) use attention::attention;
pub(crate) use dense::Dense;
pub(crate) use grouped::{Groups, grouped};
pub(crate) use message::{Heads, Placed, attend, gather};
pub(crate) use rows::{RowNorm, SliceTokens, gather_sum, softmax_of};
pub(crate) use rowwise::{Function, Norm, Step, finish};
pub(crate) use segment::{Reduce, segment};

use candle_core::Tensor;

use crate::kernel::{Activation, LEAK};

/// What Candle's functions give.
pub(crate) type Candle<T> = Result<T, candle_core::Error>;

/// Numbers below which a tensor's rows are not worth sharing out.
const SHARED_OUT: usize = 1 << 16;

/// The single-precision numbers of a tensor that lies in one piece.
fn numbers<'a>(
    storage: &'a candle_core::CpuStorage,
    layout: &candle_core::Layout,
    op: &'static str,
) -> Candle<&'a [f32]> {
    let (from, to) = layout
        .contiguous_offsets()
        .ok_or_else(|| candle_core::Error::RequiresContiguous { op }.bt())?;
    Ok(&storage.as_slice::<f32>()?[from..to])
}

/// The function on any device, by the library.
pub(crate) fn activate(x: &Tensor, activation: Activation) -> Candle<Tensor> {
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
        Activation::LeakyRelu => x.maximum(&(x * f64::from(LEAK))?),
        Activation::Silu => x.silu(),
    }
}
