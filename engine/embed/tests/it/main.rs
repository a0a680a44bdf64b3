//! Invariances of the encoders, over random inputs and over files of the corpus.

mod common;
mod contract;
mod dna;
mod mesh;
mod protein;
