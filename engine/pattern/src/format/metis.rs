//! METIS graph files (manual of METIS 5, section 4.1).
//!
//! ```text
//! % a comment
//! VERTICES EDGES [FORMAT [WEIGHTS]]
//! [SIZE] [WEIGHT ...] [NEIGHBOUR [EDGE WEIGHT]] ...        a line for each vertex
//! ```
//!
//! Vertices count from 1 and edges stand at both their ends. The three digits of the format say
//! whether there are vertex sizes, vertex weights and edge weights. Sizes become the vertex
//! attribute `size`, weights `weight` (`weight1`, `weight2`, ... if there are several), edge
//! weights the edge attribute `weight`. All labels are 0.

use std::io::{BufRead, Write};

use crate::error::{Fault, PatternError, Result};
use crate::format::edge_list::WEIGHT;
use crate::format::lines::{Line, Lines, text};
use crate::graph::{Graph, GraphBuilder};

/// The attribute that vertex sizes become.
pub const SIZE: &str = "size";

/// What the heading says.
struct Heading {
    vertices: u64,
    edges: u64,
    sizes: bool,
    weights: usize,
    edge_weights: bool,
}

fn heading(mut line: Line<'_>) -> Result<Heading> {
    let vertices = u64::from(line.number("the number of vertices")?);
    let edges = u64::from(line.number("the number of edges")?);
    let format = line.field().unwrap_or(b"0");
    if format.len() > 3 || !format.iter().all(|digit| matches!(digit, b'0' | b'1')) {
        return Err(line.fault(Fault::Field {
            what: "the format",
            text: text(format),
            wanted: "up to three digits 0 or 1",
        }));
    }
    let digit = |place: usize| format.len() > place && format[format.len() - 1 - place] == b'1';
    let weights = match line.field() {
        Some(field) => line.parse_number(field, "the number of vertex weights")? as usize,
        None => usize::from(digit(1)),
    };
    line.end()?;
    if weights > 64 || (weights > 0) != digit(1) {
        return Err(line.fault(Fault::Field {
            what: "the number of vertex weights",
            text: weights.to_string(),
            wanted: "1 to 64 if the format says that there are weights, else nothing,",
        }));
    }
    Ok(Heading {
        vertices,
        edges,
        sizes: digit(2),
        weights,
        edge_weights: digit(0),
    })
}

/// Reads a graph; it is undirected.
///
/// # Errors
/// The line that is wrong, counts that the heading contradicts, edges that are not listed the
/// same at both ends, and what [`GraphBuilder::build`] refuses.
pub fn read(reader: impl BufRead) -> Result<Graph> {
    let mut lines = Lines::new(reader);
    let head = loop {
        match lines.next()? {
            None => {
                return Err(PatternError::Line {
                    line: 1,
                    fault: Fault::Missing {
                        what: "the heading",
                    },
                });
            }
            Some(line) if line.rest.is_empty() || line.rest.starts_with(b"%") => {}
            Some(line) => break heading(line)?,
        }
    };
    let mut builder = GraphBuilder::default();
    let mut sizes = Vec::new();
    let mut weights = vec![Vec::new(); head.weights];
    // Each edge as its greater end lists it, beside the ones that the smaller ends list.
    let (mut down, mut up): (Vec<Listed>, Vec<Listed>) = (Vec::new(), Vec::new());
    let mut vertex = 0;
    while let Some(mut line) = lines.next()? {
        if line.rest.starts_with(b"%") {
            continue;
        }
        if vertex == head.vertices {
            line.end()?;
            continue;
        }
        vertex += 1;
        if head.sizes {
            let field = line.want("the size")?;
            sizes.push(line.parse_float(field, "the size")?);
        }
        for weights in &mut weights {
            let field = line.want("a weight")?;
            weights.push(line.parse_float(field, "a weight")?);
        }
        while let Some(field) = line.field() {
            let other = u64::from(line.parse_number(field, "a neighbour")?);
            if other == 0 || other > head.vertices {
                return Err(line.fault(Fault::Vertex {
                    vertex: other.to_string(),
                    vertices: head.vertices,
                }));
            }
            let mut weight = 0.0;
            if head.edge_weights {
                let field = line.want("an edge's weight")?;
                weight = line.parse_float(field, "an edge's weight")?;
            }
            let ends = (vertex.min(other) as u32 - 1, vertex.max(other) as u32 - 1);
            match other.cmp(&vertex) {
                std::cmp::Ordering::Greater => up.push((ends, weight)),
                std::cmp::Ordering::Less => down.push((ends, weight)),
                std::cmp::Ordering::Equal => {
                    let vertex = vertex.to_string();
                    return Err(line.fault(Fault::Loop { vertex }));
                }
            }
        }
    }
    let last = |fault| PatternError::Line {
        line: lines.number(),
        fault,
    };
    compare(&mut down, &mut up).map_err(last)?;
    for (what, announced, found) in [
        ("vertices", head.vertices, vertex),
        ("edges", head.edges, up.len() as u64),
    ] {
        if announced != found {
            return Err(last(Fault::Count {
                what,
                announced,
                found,
            }));
        }
    }
    builder.labels = vec![0; vertex as usize];
    builder.edges = up.iter().map(|(ends, _)| *ends).collect();
    if head.edge_weights {
        let weights = up.iter().map(|(_, weight)| *weight).collect();
        builder.edge_columns.insert(WEIGHT, weights);
    }
    if head.sizes {
        builder.vertex_columns.insert(SIZE, sizes);
    }
    let single = weights.len() == 1;
    for (index, weights) in weights.into_iter().enumerate() {
        let name = if single {
            WEIGHT.to_owned()
        } else {
            format!("{WEIGHT}{}", index + 1)
        };
        builder.vertex_columns.insert(name, weights);
    }
    builder.build()
}

/// Ends, ascending, and weight.
type Listed = ((u32, u32), f32);

/// That both ends list the same edges.
fn compare(down: &mut [Listed], up: &mut [Listed]) -> Result<(), Fault> {
    down.sort_unstable_by_key(|(ends, _)| *ends);
    up.sort_unstable_by_key(|(ends, _)| *ends);
    let differ = |(a, b): (&Listed, &Listed)| (a != b).then(|| a.0.min(b.0));
    let first = down.iter().zip(&*up).find_map(differ);
    let common = down.len().min(up.len());
    let left = || down.get(common).or(up.get(common)).map(|(ends, _)| *ends);
    match first.or_else(left) {
        None => Ok(()),
        Some((from, to)) => Err(Fault::OneSided {
            from: u64::from(from) + 1,
            to: u64::from(to) + 1,
        }),
    }
}

/// Writes an undirected graph with the attributes `size` and `weight`, as whole numbers if they
/// are; labels and other attributes are left out.
///
/// # Errors
/// A directed graph, and what the writer says.
pub fn write(graph: &Graph, writer: &mut impl Write) -> Result<()> {
    if graph.is_directed() {
        let what = "a directed graph";
        let fault = Fault::Unsupported { what };
        return Err(PatternError::Line { line: 1, fault });
    }
    let sizes = graph.vertex_columns().get(SIZE);
    let weights = graph.vertex_columns().get(WEIGHT);
    let edge_weights = graph.edge_columns().get(WEIGHT);
    let digit = |column: Option<&[f32]>| u8::from(column.is_some());
    write!(writer, "{} {}", graph.vertices(), graph.edges())?;
    let (a, b, c) = (digit(sizes), digit(weights), digit(edge_weights));
    writeln!(writer, " {a}{b}{c}")?;
    for v in 0..graph.vertices() as u32 {
        let mut gap = "";
        for column in [sizes, weights].into_iter().flatten() {
            write!(writer, "{gap}{}", column[v as usize])?;
            gap = " ";
        }
        for &w in graph.neighbours(v) {
            write!(writer, "{gap}{}", w + 1)?;
            gap = " ";
            if let (Some(column), Some(edge)) = (edge_weights, graph.edge(v, w)) {
                write!(writer, " {}", column[edge.row as usize])?;
            }
        }
        writeln!(writer)?;
    }
    Ok(())
}
