//! One suite for both places where tables can lie, and what is particular to each.

#![allow(clippy::unwrap_used, clippy::panic)]

mod conformance;
mod durable;
mod model;
mod probe;
mod rows;
mod s3;
