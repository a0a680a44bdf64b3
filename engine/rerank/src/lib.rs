#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod error;
pub mod sequence;

pub use error::{RerankError, Result};
pub use sequence::{
    Alignment, AllOptions, HopOptions, HopScore, KarlinAltschul, Matrix, SequenceOptions,
    SequenceScore, align_pair, rerank_all, rerank_sequences, second_hop,
};
