#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod checkpoint;
mod contacts;
pub mod device;
pub mod dna;
pub mod dominance;
mod embedder;
pub mod encoder;
pub mod error;
mod feed;
pub mod graph;
pub mod head;
pub mod hub;
mod input;
mod kernel;
mod learned;
mod memory;
pub mod mesh;
mod model;
mod ops;
mod points;
mod pool;
pub mod precision;
pub mod protein;
mod registry;
mod sage;
mod vectors;
mod weights;
mod windows;
pub mod worker;

pub use checkpoint::{Checkpoint, CheckpointFault};
pub use device::device;
pub use dna::DnaKmer;
pub use encoder::{Encoder, all, default_for, encode_items, encode_sequence};
pub use error::{EmbedError, MeshFault};
pub use graph::{Graph, GraphFault};
pub use hub::{Download, Hub, HubFault};
pub use learned::Form;
pub use mesh::MeshShape;
pub use model::graph::GraphEncoder;
pub use precision::Precision;
pub use protein::ProteinKmer;
pub use registry::{Available, Registry, RegistryOptions};
pub use sage::GraphSage;
pub use worker::WorkerOptions;
