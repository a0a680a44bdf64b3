//! Searches against a store in a temporary folder.

#![allow(clippy::unwrap_used, clippy::panic)]

mod approximate;
mod cold;
mod data;
mod duplicates;
mod exact;
mod fetch;
mod hot;
mod late;
mod motif;
mod predicates;
mod sequences;
mod text;
