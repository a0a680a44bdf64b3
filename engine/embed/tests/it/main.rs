//! Invariances of the encoders, over random inputs and over files of the corpus.

#![allow(clippy::unwrap_used, clippy::panic)]

mod clouds;
mod common;
mod contract;
mod dna;
mod dominance;
mod mesh;
mod planted;
mod protein;
