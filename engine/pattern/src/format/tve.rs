//! The `t/v/e` format of the subgraph matching literature (Sun, Luo, SIGMOD 2020, DOI
//! 10.1145/3318464.3380581).
//!
//! ```text
//! t VERTICES EDGES
//! v NUMBER LABEL [DEGREE]          numbers ascend from 0
//! e FROM TO [LABEL]
//! ```
//!
//! A `t` line starts another graph, whose vertices count from 0 again: the file is then a union.
//! In patterns a label may be `*`, which allows all, and so does an edge without a label.

use std::io::{BufRead, Write};

use crate::error::{Fault, PatternError, Result};
use crate::format::ReadOptions;
use crate::format::lines::{Line, Lines};
use crate::graph::{Graph, GraphBuilder, Loops, Parallel};
use crate::pattern::{Allowed, Pattern, PatternEdge, PatternVertex};

/// What stands for any label.
const ANY: &[u8] = b"*";

/// Reads a graph, or the union of the graphs of a file.
///
/// # Errors
/// The line that is wrong, and what [`GraphBuilder::build`] refuses. Degrees are compared with
/// the edges unless loops or parallel edges are left out.
pub fn read_graph(reader: impl BufRead, options: &ReadOptions) -> Result<Graph> {
    let mut degrees: Vec<(u32, u64, u64)> = Vec::new();
    let mut builder = GraphBuilder {
        directed: options.directed,
        loops: options.loops,
        parallel: options.parallel,
        ..GraphBuilder::default()
    };
    read(reader, |entry| {
        match entry {
            Entry::Graph => builder.starts.push(builder.labels.len() as u32),
            Entry::Vertex {
                label,
                degree,
                line,
            } => {
                let label = label.ok_or_else(|| wildcard(&line))?;
                let v = builder.vertex(label);
                if let Some(degree) = degree {
                    degrees.push((v, u64::from(degree), line.number));
                }
            }
            Entry::Edge {
                from,
                to,
                label,
                line,
            } => {
                let first = builder.starts.last().copied().unwrap_or(0);
                match label {
                    Some(Some(label)) => builder.edge_labels.push(label),
                    Some(None) => return Err(wildcard(&line)),
                    None => {}
                }
                builder.edge(first + from, first + to);
                let labels = builder.edge_labels.len();
                if labels != 0 && labels != builder.edges.len() {
                    return Err(line.fault(Fault::Mixed { what: "labels" }));
                }
            }
        }
        Ok(())
    })?;
    let strict = builder.loops == Loops::Reject && builder.parallel == Parallel::Reject;
    let graph = builder.build()?;
    for (vertex, announced, line) in degrees {
        let incoming = match graph.is_directed() {
            true => graph.neighbours_in(vertex).len(),
            false => 0,
        };
        let found = (graph.neighbours(vertex).len() + incoming) as u64;
        if strict && found != announced {
            let fault = Fault::Degree {
                vertex,
                announced,
                found,
            };
            return Err(PatternError::Line { line, fault });
        }
    }
    Ok(graph)
}

/// Reads a pattern.
///
/// # Errors
/// The line that is wrong, more than one `t` line, and what [`Pattern::new`] refuses.
pub fn read_pattern(reader: impl BufRead, options: &ReadOptions) -> Result<Pattern> {
    let (mut vertices, mut edges) = (Vec::new(), Vec::new());
    let mut graphs = 0;
    let allowed = |label: Option<u32>| label.map_or(Allowed::Any, Allowed::one);
    read(reader, |entry| {
        match entry {
            Entry::Graph => graphs += 1,
            Entry::Vertex { label, line, .. } => {
                if graphs > 1 {
                    let text = "t".to_owned();
                    let what = "a line of kind";
                    return Err(line.fault(Fault::Twice { what, text }));
                }
                vertices.push(PatternVertex {
                    labels: allowed(label),
                    near: Vec::new(),
                });
            }
            Entry::Edge {
                from, to, label, ..
            } => edges.push(PatternEdge {
                from,
                to,
                labels: allowed(label.flatten()),
                near: Vec::new(),
            }),
        }
        Ok(())
    })?;
    Pattern::new(options.directed, vertices, edges)
}

/// A line. A label is `None` where it is a wildcard.
enum Entry<'a> {
    Graph,
    Vertex {
        label: Option<u32>,
        degree: Option<u32>,
        line: Line<'a>,
    },
    Edge {
        from: u32,
        to: u32,
        label: Option<Option<u32>>,
        line: Line<'a>,
    },
}

fn wildcard(line: &Line<'_>) -> PatternError {
    line.fault(Fault::Field {
        what: "the label",
        text: "*".to_owned(),
        wanted: "a number, in a graph",
    })
}

/// What a `t` line announced, and what came of it.
#[derive(Default)]
struct Heading {
    vertices: u64,
    edges: u64,
    seen_vertices: u64,
    seen_edges: u64,
    started: bool,
}

impl Heading {
    fn check(&self, line: u64) -> Result<()> {
        for (what, announced, found) in [
            ("vertices", self.vertices, self.seen_vertices),
            ("edges", self.edges, self.seen_edges),
        ] {
            if announced != found {
                let fault = Fault::Count {
                    what,
                    announced,
                    found,
                };
                return Err(PatternError::Line { line, fault });
            }
        }
        Ok(())
    }
}

fn read(reader: impl BufRead, mut visit: impl FnMut(Entry<'_>) -> Result<()>) -> Result<()> {
    let mut lines = Lines::new(reader);
    let mut heading = Heading::default();
    while let Some(mut line) = lines.next()? {
        let Some(kind) = line.field() else { continue };
        if !heading.started && kind != b"t" {
            return Err(line.fault(Fault::Missing { what: "a `t` line" }));
        }
        let place = line;
        let label = |field: &[u8]| match field {
            ANY => Ok(None),
            digits => place.parse_number(digits, "the label").map(Some),
        };
        match kind {
            b"t" => {
                heading.check(line.number)?;
                heading = Heading {
                    vertices: u64::from(line.number("the number of vertices")?),
                    edges: u64::from(line.number("the number of edges")?),
                    started: true,
                    ..Heading::default()
                };
                line.end()?;
                visit(Entry::Graph)?;
            }
            b"v" => {
                let number = u64::from(line.number("the vertex")?);
                if number != heading.seen_vertices {
                    return Err(line.fault(Fault::Sequence {
                        found: number,
                        expected: heading.seen_vertices,
                    }));
                }
                heading.seen_vertices += 1;
                let label = label(line.want("the label")?)?;
                let degree = match line.field() {
                    Some(field) => Some(line.parse_number(field, "the degree")?),
                    None => None,
                };
                line.end()?;
                visit(Entry::Vertex {
                    label,
                    degree,
                    line,
                })?;
            }
            b"e" => {
                let (from, to) = (line.number("an end")?, line.number("an end")?);
                if u64::from(from.max(to)) >= heading.vertices {
                    return Err(line.fault(Fault::Vertex {
                        vertex: from.max(to).to_string(),
                        vertices: heading.vertices,
                    }));
                }
                heading.seen_edges += 1;
                let label = line.field().map(label).transpose()?;
                line.end()?;
                visit(Entry::Edge {
                    from,
                    to,
                    label,
                    line,
                })?;
            }
            _ => {
                return Err(line.fault(Fault::Field {
                    what: "the kind of line",
                    text: super::lines::text(kind),
                    wanted: "`t`, `v` or `e`",
                }));
            }
        }
    }
    if !heading.started {
        let line = lines.number() + 1;
        let fault = Fault::Missing { what: "a `t` line" };
        return Err(PatternError::Line { line, fault });
    }
    heading.check(lines.number())
}

/// Writes a graph, each graph of a union by itself; attributes and names are left out.
///
/// # Errors
/// What the writer says.
pub fn write_graph(graph: &Graph, writer: &mut impl Write) -> Result<()> {
    let ends = graph.starts().iter().skip(1).copied();
    let ends = ends.chain([graph.vertices() as u32]);
    let mut edges = graph.iter_edges().peekable();
    for (&start, end) in graph.starts().iter().zip(ends) {
        let mut own = Vec::new();
        while let Some(edge) = edges.next_if(|edge| edge.from < end) {
            own.push(edge);
        }
        writeln!(writer, "t {} {}", end - start, own.len())?;
        for v in start..end {
            let mut degree = graph.neighbours(v).len();
            if graph.is_directed() {
                degree += graph.neighbours_in(v).len();
            }
            let label = graph.labels()[v as usize];
            writeln!(writer, "v {} {label} {degree}", v - start)?;
        }
        for edge in own {
            write!(writer, "e {} {}", edge.from - start, edge.to - start)?;
            match graph.has_edge_labels() {
                true => writeln!(writer, " {}", edge.label)?,
                false => writeln!(writer)?,
            }
        }
    }
    Ok(())
}

/// Writes a pattern.
///
/// # Errors
/// A pattern that the format cannot express, one with sets of labels, tolerances or names, and
/// what the writer says.
pub fn write_pattern(pattern: &Pattern, writer: &mut impl Write) -> Result<()> {
    let (vertices, edges) = (pattern.vertices(), pattern.edges());
    let near = vertices
        .iter()
        .map(|v| &v.near)
        .chain(edges.iter().map(|e| &e.near));
    let sets = vertices
        .iter()
        .map(|v| &v.labels)
        .chain(edges.iter().map(|e| &e.labels));
    let many = |set: &Allowed| matches!(set, Allowed::Only(labels) if labels.len() > 1);
    for (is, what) in [
        (near.into_iter().any(|near| !near.is_empty()), "a tolerance"),
        (sets.into_iter().any(many), "a set of labels"),
        (
            pattern.vertex_names().is_some() || pattern.edge_names().is_some(),
            "a label's name",
        ),
    ] {
        if is {
            let fault = Fault::Unsupported { what };
            return Err(PatternError::Line { line: 1, fault });
        }
    }
    let label = |set: &Allowed| match set {
        Allowed::Only(labels) if labels.len() == 1 => labels[0].to_string(),
        _ => "*".to_owned(),
    };
    writeln!(writer, "t {} {}", vertices.len(), edges.len())?;
    for (u, vertex) in vertices.iter().enumerate() {
        let ends = edges.iter().flat_map(|e| [e.from, e.to]);
        let degree = ends.filter(|&end| end as usize == u).count();
        writeln!(writer, "v {u} {} {degree}", label(&vertex.labels))?;
    }
    for edge in edges {
        writeln!(
            writer,
            "e {} {} {}",
            edge.from,
            edge.to,
            label(&edge.labels)
        )?;
    }
    Ok(())
}
