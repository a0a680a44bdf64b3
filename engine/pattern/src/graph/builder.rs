//! From lists of vertices and edges to a [`Graph`].

use crate::error::{PatternError, Result};
use crate::graph::{Adjacency, Columns, Graph, Labels};

/// What becomes of edges from a vertex to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Loops {
    /// They are an error.
    #[default]
    Reject,
    /// They are left out.
    Drop,
}

/// What becomes of a second edge between two vertices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parallel {
    /// It is an error.
    #[default]
    Reject,
    /// The one that was added first stays, with its label and attributes.
    Collapse,
}

/// What a [`Graph`] is made of. Fill the fields, then call [`build`](Self::build).
#[derive(Debug, Clone, Default)]
pub struct GraphBuilder {
    /// Whether edges have a direction.
    pub directed: bool,
    /// The label of each vertex: `[vertices]`.
    pub labels: Vec<u32>,
    /// Both ends of each edge: `[edges]`.
    pub edges: Vec<(u32, u32)>,
    /// The label of each edge: `[edges]`, or empty.
    pub edge_labels: Vec<u32>,
    /// Attributes of the vertices.
    pub vertex_columns: Columns,
    /// Attributes of the edges.
    pub edge_columns: Columns,
    /// Names of the vertex labels.
    pub vertex_names: Option<Labels>,
    /// Names of the edge labels.
    pub edge_names: Option<Labels>,
    /// First vertex of each graph of a union, ascending from 0; empty for a single graph. A graph
    /// may be empty.
    pub starts: Vec<u32>,
    /// What becomes of loops.
    pub loops: Loops,
    /// What becomes of parallel edges.
    pub parallel: Parallel,
}

impl GraphBuilder {
    /// Adds a vertex and tells its number.
    pub fn vertex(&mut self, label: u32) -> u32 {
        self.labels.push(label);
        self.labels.len() as u32 - 1
    }

    /// Adds an edge without a label.
    pub fn edge(&mut self, from: u32, to: u32) {
        self.edges.push((from, to));
    }

    /// The graph. Time and memory are linear in vertices and edges; beside its own arrays and
    /// the builder's, one more copy of the neighbour lists is held for a moment.
    ///
    /// # Errors
    /// Too many vertices or edges, edges with ends that are not there, loops and parallel edges
    /// where they are to be rejected, edges across the graphs of a union, columns of a wrong
    /// length.
    pub fn build(mut self) -> Result<Graph> {
        self.check()?;
        let vertices = self.labels.len();
        if self.loops == Loops::Drop {
            let keep: Vec<u32> = (0..self.edges.len() as u32)
                .filter(|&e| self.edges[e as usize].0 != self.edges[e as usize].1)
                .collect();
            self.keep(&keep);
        }
        let carries = !self.edge_labels.is_empty() || !self.edge_columns.is_empty();
        let mut out = self.lists(vertices, carries);
        if let Some((from, to)) = twice(&out) {
            if self.parallel == Parallel::Reject {
                return Err(PatternError::Parallel { from, to });
            }
            // Edges come in their order, and scatters keep it: the first of equals is the first
            // that was added.
            match carries {
                false => dedup(&mut out),
                true => {
                    let keep = self.firsts(&out);
                    self.keep(&keep);
                    out = self.lists(vertices, carries);
                }
            }
        }
        let arcs = out.targets.len();
        let into = self.directed.then(|| out.transposed());
        Ok(Graph {
            directed: self.directed,
            edges: if self.directed { arcs } else { arcs / 2 },
            labels: self.labels,
            out,
            into,
            edge_labels: self.edge_labels,
            vertex_columns: self.vertex_columns,
            edge_columns: self.edge_columns,
            vertex_names: self.vertex_names,
            edge_names: self.edge_names,
            starts: if self.starts.is_empty() {
                vec![0]
            } else {
                self.starts
            },
        })
    }

    fn check(&self) -> Result<()> {
        if self.labels.len() >= u32::MAX as usize {
            return Err(PatternError::TooLarge { what: "vertices" });
        }
        if self.edges.len() >= 1 << 31 {
            return Err(PatternError::TooLarge { what: "edges" });
        }
        let vertices = self.labels.len();
        for (edge, &(from, to)) in self.edges.iter().enumerate() {
            if from.max(to) as usize >= vertices {
                return Err(PatternError::UnknownVertex {
                    edge,
                    vertex: u64::from(from.max(to)),
                    vertices,
                });
            }
            if from == to && self.loops == Loops::Reject {
                return Err(PatternError::Loop { edge, vertex: from });
            }
        }
        self.vertex_columns.check(vertices, "vertices")?;
        self.edge_columns.check(self.edges.len(), "edges")?;
        if !self.edge_labels.is_empty() && self.edge_labels.len() != self.edges.len() {
            return Err(PatternError::Length {
                column: "label".to_owned(),
                given: self.edge_labels.len(),
                expected: self.edges.len(),
                what: "edges",
            });
        }
        self.check_starts()
    }

    fn check_starts(&self) -> Result<()> {
        let mut before = 0;
        for (graph, &start) in self.starts.iter().enumerate() {
            let first = graph > 0 || start == 0;
            if !first || start < before || start as usize > self.labels.len() {
                return Err(PatternError::Starts { graph, start });
            }
            before = start;
        }
        if self.starts.len() > 1 {
            let graph = |v| self.starts.partition_point(|&start| start <= v);
            for &(from, to) in &self.edges {
                if graph(from) != graph(to) {
                    return Err(PatternError::Across { from, to });
                }
            }
        }
        Ok(())
    }

    fn lists(&self, vertices: usize, carries: bool) -> Adjacency {
        Adjacency::new(vertices, carries, |visit| {
            for (edge, &(from, to)) in self.edges.iter().enumerate() {
                visit(from, to, edge as u32);
                if !self.directed {
                    visit(to, from, edge as u32);
                }
            }
        })
    }

    /// The edges that come first between their ends, ascending.
    fn firsts(&self, out: &Adjacency) -> Vec<u32> {
        let mut first = vec![false; self.edges.len()];
        for v in 0..out.vertices() as u32 {
            let mut range = out.range(v).peekable();
            while let Some(at) = range.next() {
                let mut edge = out.edges[at];
                while let Some(next) = range.next_if(|&n| out.targets[n] == out.targets[at]) {
                    edge = edge.min(out.edges[next]);
                }
                first[edge as usize] = true;
            }
        }
        let edges = 0..self.edges.len() as u32;
        edges.filter(|&e| first[e as usize]).collect()
    }

    fn keep(&mut self, keep: &[u32]) {
        if keep.len() == self.edges.len() {
            return;
        }
        self.edges = keep.iter().map(|&e| self.edges[e as usize]).collect();
        if !self.edge_labels.is_empty() {
            self.edge_labels = keep.iter().map(|&e| self.edge_labels[e as usize]).collect();
        }
        self.edge_columns.take(keep);
    }
}

/// The first two vertices that are joined twice.
fn twice(out: &Adjacency) -> Option<(u32, u32)> {
    (0..out.vertices() as u32).find_map(|v| {
        let pair = out.list(v).windows(2).find(|pair| pair[0] == pair[1])?;
        Some((v, pair[0]))
    })
}

/// Leaves one of equal arcs.
fn dedup(out: &mut Adjacency) {
    let mut length = 0;
    for v in 0..out.vertices() {
        let range = out.range(v as u32);
        out.offsets[v] = length as u32;
        for at in range.clone() {
            if at == range.start || out.targets[at] != out.targets[at - 1] {
                // `length` never overtakes `at`, but may equal `at - 1` after this line: the
                // value written is the one that was there or a larger one further left.
                out.targets[length] = out.targets[at];
                length += 1;
            }
        }
    }
    let vertices = out.vertices();
    out.offsets[vertices] = length as u32;
    out.targets.truncate(length);
    out.targets.shrink_to_fit();
}
