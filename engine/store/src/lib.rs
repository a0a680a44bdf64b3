#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub(crate) mod backing;
mod check;
mod commit;
pub mod error;
pub mod feature;
pub mod index;
mod keys;
mod latest;
pub mod lease;
pub mod load;
pub mod maintain;
pub mod objects;
pub mod options;
mod partial;
pub mod predicate;
pub mod scan;
mod seen;
pub mod store;
pub mod table;
pub mod verify;
pub mod version;
mod writer;

pub use error::{BoxError, Result, StoreError};
pub use feature::{CancelFn, EncodeFn, FeatureOptions, FeatureOutcome, ProgressFn};
pub use index::{IndexInfo, IndexRequest, OptimizeOutcome};
pub use lease::Lease;
pub use load::{Load, LoadMode, LoadOptions, LoadOutcome};
pub use maintain::{CompactOutcome, DeleteOptions, DeleteOutcome, GcOutcome};
pub use objects::{ByteStream, ObjectInfo, ObjectWriter, Objects};
pub use options::StoreOptions;
pub use predicate::check_predicate;
pub use scan::{BatchStream, Scan};
pub use store::{Store, TableSummary};
pub use table::{Table, TableStats};
pub use verify::{VerifyProblem, VerifyReport, VerifyScope};
pub use version::{VersionInfo, VersionRef};

#[cfg(test)]
mod sendable;
