#![doc = include_str!("../README.md")]

pub mod columns;
pub mod content;
pub mod digest;
pub mod error;
pub mod feature;
pub mod kind;
pub mod metric;
pub mod name;

pub use digest::{ContentHash, Sha256Digest};
pub use error::ErrorCode;
pub use feature::{DType, Dim, FeatureSpec, Pooling, column_of};
pub use kind::Kind;
pub use metric::{Metric, Probe};
pub use name::{HeadName, NameError, SnapshotName, TableName, TagName};
