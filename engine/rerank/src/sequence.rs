//! Local alignment of sequences: Smith and Waterman's scores (J. Mol. Biol. 147, 195, 1981,
//! doi:10.1016/0022-2836(81)90087-5) with affine gaps, bit scores, E-values, alignments.

mod alignment;
mod all;
mod batch;
mod blosum;
mod composition;
mod gotoh;
mod hops;
mod kernel;
mod options;
mod rank;
mod scoring;
mod statistics;

pub use alignment::{Alignment, align_pair};
pub use all::{AllOptions, rerank_all};
pub use hops::{HopOptions, HopScore, second_hop};
pub use options::SequenceOptions;
pub use rank::{SequenceScore, memory_bytes, rerank_sequences};
pub use scoring::Matrix;
pub use statistics::KarlinAltschul;

#[cfg(test)]
mod tests;
