#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod device;
pub mod dna;
pub mod encoder;
pub mod error;
mod input;
pub mod mesh;
pub mod protein;

mod vectors;
mod weights;

pub use device::device;
pub use dna::DnaKmer;
pub use encoder::{Encoder, all, by_name, default_for, encode_sequence};
pub use error::{EmbedError, MeshFault};
pub use mesh::MeshShape;
pub use protein::ProteinKmer;
