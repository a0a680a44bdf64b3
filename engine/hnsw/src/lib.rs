#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

#[expect(
    unsafe_code,
    reason = "runs the vector kernels, on vertices that exist"
)]
mod build;
#[expect(unsafe_code, reason = "reads rows of codes without a check of each")]
mod codes;
pub mod error;
mod file;
pub mod filter;
#[expect(
    unsafe_code,
    reason = "runs the vector kernels, on vertices that exist"
)]
mod index;
#[expect(
    unsafe_code,
    reason = "vector instructions; the blocks lie within the slices"
)]
pub mod late;
mod layers;
mod level;
#[expect(unsafe_code, reason = "owns memory of its own alignment")]
mod memory;
mod options;
pub mod pairs;
mod places;
#[expect(
    unsafe_code,
    reason = "vector instructions; the blocks lie within the slices"
)]
pub mod scan;
mod scratch;
#[expect(
    unsafe_code,
    reason = "runs the vector kernels, on vertices that exist"
)]
mod search;
#[expect(
    unsafe_code,
    reason = "vector instructions, after asking the processor"
)]
mod simd;
#[cfg(test)]
mod tests;
pub mod threads;
#[expect(unsafe_code, reason = "reads links and codes without a check of each")]
mod walk;

pub use error::{HnswError, Result};
pub use file::{FORMAT_VERSION, MAGIC};
pub use filter::{Cost, Filter, Way, cost};
pub use index::Hnsw;
pub use layers::{GraphFault, Layer, Layers};
pub use options::{Control, Memory, Options};
pub use scratch::Scratch;
pub use search::{Batch, BatchOptions, Found, Hit, MAX_EF, RangeOptions};

/// Numbers per vector at the most: the sum of products of so many codes fits 32 bits.
pub const MAX_DIM: usize = 32_768;

/// Rows of an index at the most: a vertex and one bit fit 32 bits.
pub const MAX_ROWS: usize = (1 << 31) - 2;
