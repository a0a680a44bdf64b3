#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod cli;
mod demo;
pub mod embed;
pub mod flight;
pub mod http;
pub mod jobs;
pub mod labels;
pub mod load;
pub mod predict;
pub mod problem;
pub mod vectors;
pub mod wire;
