//! Readers and writers of text formats.

pub mod edge_list;
pub mod graphml;
pub mod json;
mod lines;
pub mod metis;
pub mod tve;

use crate::graph::{Loops, Parallel};

/// What a file does not say by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Whether edges have a direction. Formats that say so themselves ignore it.
    pub directed: bool,
    /// What becomes of edges from a vertex to itself.
    pub loops: Loops,
    /// What becomes of a second edge between two vertices.
    pub parallel: Parallel,
}
