#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod context;
mod error;
mod format;
mod mesh;
mod options;
mod report;

pub use error::{Position, ReadError};
pub use format::{Compression, Format};
pub use options::{Limits, OnError, ReadOptions, Windows};
pub use report::{LISTED, Report, Skipped, Warning};

pub(crate) use context::ReadContext;
