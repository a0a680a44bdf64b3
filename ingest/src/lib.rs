#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod batch;
mod context;
mod date;
mod detect;
mod dna;
mod error;
mod fasta;
mod format;
mod graph;
mod input;
mod letters;
mod lines;
mod mesh;
mod options;
mod protein;
mod reader;
mod report;
mod source;

pub use detect::{Detected, detect};
pub use error::{Position, ReadError};
pub use format::{Compression, Format};
pub use options::{Limits, OnError, ReadOptions, Windows};
pub use reader::{Reader, open};
pub use report::{LISTED, Report, Skipped, Warning};
pub use source::Source;

pub(crate) use context::ReadContext;
