//! What the CPU computes for a model: products, norms, attention, each in vectors as wide as the
//! processor has, chosen when the program runs.
//!
//! Every function runs on the calling thread: the caller gives each core its own batch, which
//! needs no barrier inside a layer. A row of a result depends on its own inputs alone, in a fixed
//! order of adding, so a batch has the same bits as its rows one by one.

#![expect(
    unsafe_code,
    reason = "vector instructions; each function checks its slices and the processor first"
)]

mod affine;
mod attention;
mod conv;
mod distance;
mod dots;
mod fft;
mod group;
mod isa;
mod lanes;
mod math;
mod message;
mod narrow;
mod norm;
mod product;
mod scan;
mod slices;

pub(crate) use affine::Affine;
pub(crate) use attention::{Attention, AttentionScratch, RelativeBias, Rotary};
pub(crate) use conv::{Depthwise, Direction, ROW};
pub(crate) use distance::{farther, square_distances};
pub(crate) use fft::{CHANNELS, Fourier, POINT, multiply};
pub(crate) use group::{Members, largest, shifted};
pub(crate) use message::{Attend, Neighbours, Scores, attend, gather};
pub(crate) use narrow::NarrowScratch;
pub(crate) use norm::{Norm, NormKind};
pub(crate) use product::{
    Activation, LEAK, Linear, Output, activate_all, gate, lane_width, matmul, padded,
};
pub(crate) use scan::{Scan, ScanInput, gate_sum, softplus};
pub(crate) use slices::{Gather, SliceSums, gather_add, softmax_groups};

#[cfg(test)]
mod tests;
