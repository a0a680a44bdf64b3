#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod client;
mod error;
mod operations;
mod upload;

pub use client::Client;
pub use error::{Error, Result};
pub use operations::Bytes;
