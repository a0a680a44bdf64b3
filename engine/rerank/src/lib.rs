#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod error;
pub mod mesh;
pub mod sequence;
pub mod structure;

pub use error::{RerankError, Result};
pub use mesh::{
    MeshAlignment, MeshOptions, MeshScore, Surface, mesh_distance, rerank_meshes, sample_surface,
};
pub use sequence::{
    Alignment, AllOptions, HopOptions, HopScore, KarlinAltschul, Matrix, SequenceOptions,
    SequenceScore, align_pair, rerank_all, rerank_sequences, second_hop,
};
pub use structure::{
    Normalise, StructureOptions, StructureScore, align_structures, rerank_structures, tm_score,
};
