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
mod dots;
mod isa;
mod lanes;
mod math;
mod narrow;
mod norm;
mod product;

pub(crate) use affine::Affine;
pub(crate) use attention::{Attention, AttentionScratch, RelativeBias, Rotary};
pub(crate) use narrow::NarrowScratch;
pub(crate) use norm::{Norm, NormKind};
pub(crate) use product::{Activation, Linear, Output, gate, lane_width, matmul, padded};

#[cfg(test)]
mod tests;
