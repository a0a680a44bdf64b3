//! GraphML (Brandes et al., GD 2001, DOI 10.1007/3-540-45848-4_59): nodes and edges with data.
//!
//! Data called `label` is the label: a number if its key is of type `int` or `long`, else a name.
//! Other data of type `int`, `long`, `float` or `double` are attributes, NaN where absent; data of
//! other types are passed over. Several graphs in a file are a union. Nodes stand before the edges
//! that join them. Nested graphs, hyperedges and edges of the other direction are errors.
//!
//! In a pattern a vertex or edge without a label, or with label `*`, allows all labels. An
//! attribute `x` has to be within `x.tolerance` (0 if absent), modulo `x.period` if there is one.

mod raw;
mod write;

use std::io::BufRead;

use crate::error::{Fault, PatternError, Result};
use crate::format::ReadOptions;
use crate::graph::{Graph, GraphBuilder, Labels};
use crate::pattern::{Allowed, Near, Pattern, PatternEdge, PatternVertex};
use raw::Side;

pub use write::{write_graph, write_pattern};

/// The data that is the label.
const LABEL: &str = "label";
/// What the attribute of a tolerance is called, after the name of its attribute.
const TOLERANCE: &str = ".tolerance";
/// What the attribute of a period is called.
const PERIOD: &str = ".period";

/// Reads a graph, or the union of the graphs of a file.
///
/// # Errors
/// The byte that is wrong, labels or wildcards that a graph cannot have, and what
/// [`GraphBuilder::build`] refuses.
pub fn read_graph(reader: impl BufRead, options: &ReadOptions) -> Result<Graph> {
    let raw = raw::read(reader)?;
    let end = raw.end;
    let fault = |fault| PatternError::Byte { byte: end, fault };
    let plain = |side: &Side, what: &'static str| -> Result<Vec<u32>> {
        if side.labels.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let labels = side.labels.iter().map(|label| label.flatten());
        let labels: Option<Vec<u32>> = labels.collect();
        labels.ok_or_else(|| fault(Fault::Missing { what }))
    };
    let mut labels = plain(&raw.vertices, "the label of a node")?;
    labels.resize(raw.vertices.labels.len(), 0);
    let mut builder = GraphBuilder {
        directed: raw.directed.unwrap_or(options.directed),
        labels,
        edge_labels: plain(&raw.edges, "the label of an edge")?,
        edges: raw.ends,
        starts: raw.starts,
        vertex_names: raw.vertices.names,
        edge_names: raw.edges.names,
        loops: options.loops,
        parallel: options.parallel,
        ..GraphBuilder::default()
    };
    for (name, values) in raw.vertices.columns {
        builder.vertex_columns.insert(name, values);
    }
    for (name, values) in raw.edges.columns {
        builder.edge_columns.insert(name, values);
    }
    builder.build()
}

/// Reads a pattern.
///
/// # Errors
/// The byte that is wrong, more than one graph, and what [`Pattern::new`] refuses.
pub fn read_pattern(reader: impl BufRead, options: &ReadOptions) -> Result<Pattern> {
    let raw = raw::read(reader)?;
    if raw.starts.len() > 1 {
        let fault = Fault::Twice {
            what: "element",
            text: "graph".to_owned(),
        };
        let byte = raw.end;
        return Err(PatternError::Byte { byte, fault });
    }
    let vertices = (0..raw.vertices.labels.len()).map(|at| PatternVertex {
        labels: allowed(&raw.vertices, at),
        near: nears(&raw.vertices, at),
    });
    let edges = raw
        .ends
        .iter()
        .enumerate()
        .map(|(at, &(from, to))| PatternEdge {
            from,
            to,
            labels: allowed(&raw.edges, at),
            near: nears(&raw.edges, at),
        });
    let directed = raw.directed.unwrap_or(options.directed);
    let pattern = Pattern::new(directed, vertices.collect(), edges.collect())?;
    let used = |names: Option<Labels>| names.filter(|names| !names.is_empty());
    Ok(pattern.named(used(raw.vertices.names), used(raw.edges.names)))
}

fn allowed(side: &Side, at: usize) -> Allowed {
    side.labels[at].flatten().map_or(Allowed::Any, Allowed::one)
}

fn nears(side: &Side, at: usize) -> Vec<Near> {
    let value = |name: &str| {
        let found = side.columns.iter().find(|(known, _)| known == name);
        found.map(|(_, values)| values[at]).filter(|x| !x.is_nan())
    };
    let names = side.columns.iter().map(|(name, _)| name);
    names
        .filter(|name| !name.ends_with(TOLERANCE) && !name.ends_with(PERIOD))
        .filter_map(|name| {
            Some(Near {
                column: name.clone(),
                value: value(name)?,
                tolerance: value(&format!("{name}{TOLERANCE}")).unwrap_or(0.0),
                period: value(&format!("{name}{PERIOD}")),
            })
        })
        .collect()
}
