//! Searches against a store in a temporary folder.

#![allow(clippy::unwrap_used, clippy::panic)]

mod approximate;
mod data;
mod exact;
mod hot;
mod motif;
mod sequences;
mod text;
