//! Heads: small models on stored vectors of residues, fitted here, kept in the store, and used.
//!
//! | object below `_penstock/` | holds |
//! | --- | --- |
//! | `heads/{name}-{digest}.safetensors` | the weights, named by the beginning of their BLAKE3 |
//! | `heads/{name}.json` | a [`HeadRecord`]: what the head is and how it came to be |
//!
//! They are written in this order. A head exists once its record does, and the record names the
//! weights it belongs to; so half a head is never seen, also while one replaces another.

mod labels;
mod predict;
mod record;
mod rows;
mod train;

pub use labels::{GivenLabels, HeadLabels, LabelFn};
pub use predict::{PROBABILITIES, STATES, StoredHead};
pub use record::{HeadRecord, LabelSource, Lineage, RowCounts, SplitCounts};
pub use train::{EpochFn, HeadRequest};
