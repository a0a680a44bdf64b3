//! Lists of edges, as the Stanford Large Network Dataset Collection (SNAP) has them.
//!
//! ```text
//! # a comment, or % one
//! FROM TO [WEIGHT or LABEL]
//! ```
//!
//! Fields stand between blanks, tabs or commas. Vertices are any whole numbers below 2^32 - 1;
//! those that occur are numbered anew, ascending. All have label 0.

use std::io::{BufRead, Write};

use rayon::prelude::*;

use crate::error::{Fault, Result};
use crate::format::ReadOptions;
use crate::format::lines::Lines;
use crate::graph::{Graph, GraphBuilder};

/// The attribute that weights become.
pub const WEIGHT: &str = "weight";

/// What the third field of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Third {
    /// A number: the edge attribute [`WEIGHT`].
    #[default]
    Weight,
    /// The edge's label, a whole number.
    Label,
}

/// A graph, and what its vertices were called in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeList {
    /// The graph.
    pub graph: Graph,
    /// The number of each vertex in the file, ascending: `[vertices]`.
    pub ids: Vec<u32>,
}

/// Reads a list of edges.
///
/// # Errors
/// The line that is wrong, third fields in some lines only, and what [`GraphBuilder::build`]
/// refuses; lists from the net often need [`Loops::Drop`](crate::Loops::Drop) and
/// [`Parallel::Collapse`](crate::Parallel::Collapse).
pub fn read(reader: impl BufRead, third: Third, options: &ReadOptions) -> Result<EdgeList> {
    let mut lines = Lines::new(reader);
    let mut builder = GraphBuilder {
        directed: options.directed,
        loops: options.loops,
        parallel: options.parallel,
        ..GraphBuilder::default()
    };
    let mut weights = Vec::new();
    while let Some(mut line) = lines.next()? {
        let Some(from) = line.field() else { continue };
        if from.starts_with(b"#") || from.starts_with(b"%") {
            continue;
        }
        let from = line.parse_number(from, "the start")?;
        let to = line.number("the end")?;
        if from.max(to) == u32::MAX {
            return Err(line.fault(Fault::Field {
                what: "a vertex",
                text: u32::MAX.to_string(),
                wanted: "a whole number below 2^32 - 1",
            }));
        }
        builder.edge(from, to);
        if let Some(field) = line.field() {
            match third {
                Third::Weight => weights.push(line.parse_float(field, "the weight")?),
                Third::Label => builder
                    .edge_labels
                    .push(line.parse_number(field, "the label")?),
            }
            line.end()?;
        }
        let thirds = weights.len() + builder.edge_labels.len();
        if thirds != 0 && thirds != builder.edges.len() {
            let what = match third {
                Third::Weight => "weights",
                Third::Label => "labels",
            };
            return Err(line.fault(Fault::Mixed { what }));
        }
    }
    if !weights.is_empty() {
        builder.edge_columns.insert(WEIGHT, weights);
    }
    let ids = renumber(&mut builder.edges);
    builder.labels = vec![0; ids.len()];
    Ok(EdgeList {
        graph: builder.build()?,
        ids,
    })
}

/// Numbers the vertices that occur from 0, ascending; tells what they were.
fn renumber(edges: &mut [(u32, u32)]) -> Vec<u32> {
    let mut ids: Vec<u32> = edges.iter().flat_map(|&(a, b)| [a, b]).collect();
    ids.par_sort_unstable();
    ids.dedup();
    ids.shrink_to_fit();
    let dense = ids
        .last()
        .is_none_or(|&last| last as usize + 1 == ids.len());
    if !dense {
        let number = |id: u32| ids.partition_point(|&other| other < id) as u32;
        edges
            .par_iter_mut()
            .for_each(|(a, b)| (*a, *b) = (number(*a), number(*b)));
    }
    ids
}

/// Writes the edges of a graph, with their labels or, if there are none, the attribute
/// [`WEIGHT`]. Vertex labels and vertices without edges are left out.
///
/// # Errors
/// What the writer says.
pub fn write(graph: &Graph, writer: &mut impl Write) -> Result<()> {
    let weights = graph.edge_columns().get(WEIGHT);
    for edge in graph.iter_edges() {
        write!(writer, "{}\t{}", edge.from, edge.to)?;
        match weights {
            _ if graph.has_edge_labels() => writeln!(writer, "\t{}", edge.label)?,
            Some(weights) => writeln!(writer, "\t{}", weights[edge.row as usize])?,
            None => writeln!(writer)?,
        }
    }
    Ok(())
}
