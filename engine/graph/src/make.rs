//! Graphs made from what tables hold: a batch of rows in, a graph for each row out.
//!
//! | maker | rows | vertices | edges |
//! | --- | --- | --- | --- |
//! | [`contacts`] | protein | residues | bonds of the chain, contacts of C-alpha atoms |
//! | [`unitigs`] | dna | unbranched runs of k-mers | overlaps of k - 1 bases |
//! | [`faces`] | mesh | faces | shared sides |
//!
//! Each is made of a pure function of slices ([`contacts::contacts_of`], [`unitigs::compact`],
//! [`faces::surface`]) that knows nothing of Arrow. Rows without what a graph needs give none and
//! are counted.

pub mod contacts;
pub mod faces;
mod take;
#[cfg(test)]
mod tests;
pub mod unitigs;

use std::sync::atomic::{AtomicBool, Ordering};

use penstock_pattern::PatternError;

use crate::error::{GraphError, Result};
use crate::named::Named;

/// What became of the rows of a batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Made {
    /// The graphs, in the order of their rows.
    pub graphs: Vec<Named>,
    /// Rows that lack what a graph needs.
    pub without: usize,
}

/// How many steps of a loop pass between two looks at the flag.
const STRIDE: usize = 1 << 12;

fn asked(cancelled: &AtomicBool) -> Result<()> {
    match cancelled.load(Ordering::Relaxed) {
        true => Err(GraphError::Cancelled),
        false => Ok(()),
    }
}

fn refused(graph: &str) -> impl FnOnce(PatternError) -> GraphError {
    let graph = graph.to_owned();
    move |source| GraphError::Graph { graph, source }
}

fn too_large(graph: &str, what: &'static str) -> GraphError {
    GraphError::TooLarge {
        graph: graph.to_owned(),
        what,
    }
}
