#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod error;
pub mod make;
pub mod motif;
mod named;
pub mod rows;
mod space;

pub use error::{GraphError, Result};
pub use named::Named;
