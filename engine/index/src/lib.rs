#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod approximate;
pub mod build;
mod column;
pub mod error;
mod exact;
pub mod kind;
mod nearest;
pub mod policy;
pub mod predicate;
pub mod request;
pub mod search;

pub use build::{BuildOptions, RefreshOutcome, build, refresh};
pub use error::{IndexError, Result};
pub use kind::IndexKind;
pub use policy::{Reason, needs_index};
pub use predicate::check_predicate;
pub use request::{MAX_K, Made, SearchAnswer, SearchOptions, SearchRequest};
pub use search::{DISTANCE, search};
