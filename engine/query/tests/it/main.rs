//! Statements against a store in a temporary folder.

#![allow(clippy::unwrap_used, clippy::panic)]

mod answers;
mod data;
mod limits;
