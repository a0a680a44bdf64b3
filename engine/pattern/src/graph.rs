//! Graphs in memory.

mod adjacency;
mod builder;
mod columns;
mod labels;

pub(crate) use adjacency::Adjacency;
pub use builder::{GraphBuilder, Loops, Parallel};
pub use columns::Columns;
pub use labels::Labels;

/// A simple graph, directed or not, with labels and numeric attributes; or the union of many
/// such graphs, each a range of vertices.
///
/// "Simple" means no loops and at most one edge between two vertices (in each direction, if
/// directed); [`GraphBuilder`] says what becomes of others. A vertex or edge without a label has
/// label 0. Neighbour lists ascend.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    pub(crate) directed: bool,
    pub(crate) labels: Vec<u32>,
    pub(crate) out: Adjacency,
    /// Of directed graphs only.
    pub(crate) into: Option<Adjacency>,
    pub(crate) edges: usize,
    /// Empty where edges have no labels.
    pub(crate) edge_labels: Vec<u32>,
    pub(crate) vertex_columns: Columns,
    pub(crate) edge_columns: Columns,
    pub(crate) vertex_names: Option<Labels>,
    pub(crate) edge_names: Option<Labels>,
    /// First vertex of each graph of a union; `[0]` otherwise.
    pub(crate) starts: Vec<u32>,
}

/// An edge of a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Where it starts; the smaller end of an undirected one.
    pub from: u32,
    /// Where it ends.
    pub to: u32,
    /// Its label; 0 where edges have none.
    pub label: u32,
    /// Its row in the edge attributes; 0 where edges have neither labels nor attributes.
    pub row: u32,
}

impl Graph {
    /// How many vertices there are; they are numbered from 0.
    pub fn vertices(&self) -> usize {
        self.labels.len()
    }

    /// How many edges there are; an undirected one counts once.
    pub fn edges(&self) -> usize {
        self.edges
    }

    /// Whether edges have a direction.
    pub fn is_directed(&self) -> bool {
        self.directed
    }

    /// Labels of the vertices: `[vertices]`.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Whether edges carry labels of their own.
    pub fn has_edge_labels(&self) -> bool {
        !self.edge_labels.is_empty()
    }

    /// The neighbours of a vertex, ascending; of a directed graph those that its edges lead to.
    pub fn neighbours(&self, vertex: u32) -> &[u32] {
        self.out.list(vertex)
    }

    /// The vertices whose edges lead here, ascending; the neighbours, if undirected.
    pub fn neighbours_in(&self, vertex: u32) -> &[u32] {
        self.incoming().list(vertex)
    }

    /// Whether an edge leads from one vertex to another.
    pub fn joins(&self, from: u32, to: u32) -> bool {
        if !self.directed && self.out.degree(from) > self.out.degree(to) {
            return self.out.find(to, from).is_some();
        }
        self.out.find(from, to).is_some()
    }

    /// The edge from one vertex to another.
    pub fn edge(&self, from: u32, to: u32) -> Option<Edge> {
        let row = self.row_of(self.out.find(from, to)?);
        let (from, to) = match self.directed {
            true => (from, to),
            false => (from.min(to), from.max(to)),
        };
        Some(self.edge_at(from, to, row))
    }

    /// All edges, each once, by ascending start and end.
    pub fn iter_edges(&self) -> impl Iterator<Item = Edge> {
        (0..self.vertices() as u32).flat_map(move |from| {
            self.out.range(from).filter_map(move |at| {
                let to = self.out.targets[at];
                let wanted = self.directed || from < to;
                wanted.then(|| self.edge_at(from, to, self.row_of(at)))
            })
        })
    }

    /// Attributes of the vertices: `[vertices]` each.
    pub fn vertex_columns(&self) -> &Columns {
        &self.vertex_columns
    }

    /// Attributes of the edges: `[edges]` each, in rows that [`Edge::row`] tells.
    pub fn edge_columns(&self) -> &Columns {
        &self.edge_columns
    }

    /// Names of the vertex labels.
    pub fn vertex_names(&self) -> Option<&Labels> {
        self.vertex_names.as_ref()
    }

    /// Names of the edge labels.
    pub fn edge_names(&self) -> Option<&Labels> {
        self.edge_names.as_ref()
    }

    /// How many graphs this is the union of; 1 for an ordinary graph.
    pub fn graphs(&self) -> usize {
        self.starts.len()
    }

    /// First vertex of each graph of a union: `[graphs]`.
    pub fn starts(&self) -> &[u32] {
        &self.starts
    }

    /// Which graph of a union a vertex belongs to, from 0.
    pub fn graph_of(&self, vertex: u32) -> usize {
        self.starts.partition_point(|&start| start <= vertex) - 1
    }

    /// The same graph with other numbers for its labels, and no names of them.
    #[must_use]
    pub fn relabelled(&self, vertex: impl Fn(u32) -> u32, edge: impl Fn(u32) -> u32) -> Self {
        let mut graph = self.clone();
        graph
            .labels
            .iter_mut()
            .for_each(|label| *label = vertex(*label));
        graph
            .edge_labels
            .iter_mut()
            .for_each(|label| *label = edge(*label));
        graph.vertex_names = None;
        graph.edge_names = None;
        graph
    }

    /// Bytes held, but for names a sum of exact array lengths: 4 (vertices + 1) and 4 per arc for
    /// each direction (an undirected edge is two arcs), 4 per vertex for labels; with edge labels
    /// or attributes 4 more per arc and 4 per edge and column.
    pub fn bytes(&self) -> usize {
        let names = [&self.vertex_names, &self.edge_names];
        let names: usize = names.into_iter().flatten().map(Labels::bytes).sum();
        self.out.bytes()
            + self.into.as_ref().map_or(0, Adjacency::bytes)
            + 4 * (self.labels.len() + self.edge_labels.len() + self.starts.len())
            + self.vertex_columns.bytes()
            + self.edge_columns.bytes()
            + names
    }

    pub(crate) fn incoming(&self) -> &Adjacency {
        self.into.as_ref().unwrap_or(&self.out)
    }

    fn row_of(&self, at: usize) -> u32 {
        self.out.edges.get(at).copied().unwrap_or(0)
    }

    fn edge_at(&self, from: u32, to: u32, row: u32) -> Edge {
        let label = self.edge_labels.get(row as usize).copied().unwrap_or(0);
        Edge {
            from,
            to,
            label,
            row,
        }
    }
}
