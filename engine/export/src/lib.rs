#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod arrow_type;
pub mod batches;
pub mod canonical;
pub mod chunks;
pub mod crc;
pub mod create;
pub mod dtype;
mod encode;
pub mod error;
pub mod export;
pub mod manifest;
pub mod npy;
pub mod partition;
pub mod plan;
mod ragged;
pub mod rows;
pub mod snapshot;
pub mod zarr;

pub use batches::BatchStream;
pub use create::{CreateOptions, CreateRequest, Created};
pub use dtype::DType;
pub use error::{Damage, ExportError, Result};
pub use export::{ExportRequest, Exported, Format};
pub use manifest::{Array, Chunk, Column, Manifest, Role};
pub use partition::{Partition, Rank};
pub use rows::{BlockRequest, Order, RowBlock};
pub use snapshot::{FetchFn, Snapshot, SnapshotEntry, VerifyReport, ZarrObject};

#[cfg(test)]
mod tests;
