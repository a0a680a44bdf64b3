//! Graphs as message passing reads them, and how they are made from records.
//!
//! A [`Graph`] keeps, for each vertex, those that send to it: compressed sparse rows by receiver.
//! Vertices have no order of their own, so each row is sorted; the same edges in another order
//! make the same graph, and sums over a row have one order.

pub(crate) mod contacts;
pub(crate) mod kmers;
pub(crate) mod labelled;
pub(crate) mod recipe;
pub(crate) mod surface;

use rayon::prelude::*;

/// A directed graph: for each vertex, the vertices that send to it.
///
/// Loops and repeated edges are kept: each is a message. An undirected graph has both directions
/// of every edge. 4 bytes for an edge (5 with types) and 8 for a vertex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    /// Where the row of each vertex begins, and the end: `[vertices + 1]`.
    offsets: Vec<u64>,
    /// Senders, sorted within each row: `[edges]`.
    neighbours: Vec<u32>,
    /// What kind of edge: `[edges]`.
    types: Option<Vec<u8>>,
}

/// Why numbers make no graph.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphFault {
    /// A sequence whose graph is not made.
    #[error("{0}")]
    Sequence(String),
    /// Vertices are numbered with 32 bits.
    #[error("a graph of {vertices} vertices; at most {} are numbered", u32::MAX)]
    TooManyVertices {
        /// How many were given.
        vertices: usize,
    },
    /// An edge names a vertex that does not exist.
    #[error("edge {edge} names vertex {vertex}, and the graph has {vertices} vertices")]
    NoSuchVertex {
        /// The edge, from 0.
        edge: usize,
        /// The number it holds.
        vertex: u32,
        /// How many vertices there are.
        vertices: usize,
    },
    /// Offsets do not begin at 0, fall, or do not end at the number of neighbours.
    #[error("offset {at} of a graph is {given}, expected {expected}")]
    Offset {
        /// Which offset, from 0.
        at: usize,
        /// Its value.
        given: u64,
        /// What would do.
        expected: String,
    },
    /// There is not one type for each edge.
    #[error("{given} types of edges for {edges} edges")]
    Types {
        /// How many were given.
        given: usize,
        /// How many edges there are.
        edges: usize,
    },
    /// There is not one label, or none, for each vertex.
    #[error("{given} labels for {vertices} vertices")]
    Labels {
        /// How many were given.
        given: usize,
        /// How many vertices there are.
        vertices: usize,
    },
    /// A matrix is not square.
    #[error("{given} numbers for a matrix of {width} by {width}")]
    Matrix {
        /// Numbers that were given.
        given: usize,
        /// Rows and columns.
        width: usize,
    },
    /// Features do not have as many numbers as the model reads.
    #[error(
        "{given} numbers as features of {vertices} vertices, and the model reads {width} for each"
    )]
    Features {
        /// Numbers that were given.
        given: usize,
        /// Vertices of the graph.
        vertices: usize,
        /// Numbers that the model reads for each.
        width: usize,
    },
}

impl GraphFault {
    pub(crate) const fn one_label_each(given: usize, vertices: usize) -> Result<(), Self> {
        if given == vertices {
            return Ok(());
        }
        Err(Self::Labels { given, vertices })
    }
}

impl Graph {
    /// A graph of edges, each a sender and a receiver, in any order.
    ///
    /// # Errors
    /// Over 2^32 - 1 vertices; an edge names none of them.
    pub fn from_edges(vertices: usize, edges: &[(u32, u32)]) -> Result<Self, GraphFault> {
        let rows = Rows::count(vertices, edges)?;
        let mut neighbours = vec![0; edges.len()];
        let mut next = rows.offsets.clone();
        for (sender, receiver) in edges {
            let at = &mut next[*receiver as usize];
            neighbours[*at as usize] = *sender;
            *at += 1;
        }
        rows.each(&mut neighbours, <[u32]>::sort_unstable);
        Ok(Self {
            offsets: rows.offsets,
            neighbours,
            types: None,
        })
    }

    /// The same with a type for each edge.
    ///
    /// # Errors
    /// As for [`Self::from_edges`]; there is not one type for each edge.
    pub fn from_typed_edges(
        vertices: usize,
        edges: &[(u32, u32)],
        types: &[u8],
    ) -> Result<Self, GraphFault> {
        if types.len() != edges.len() {
            return Err(GraphFault::Types {
                given: types.len(),
                edges: edges.len(),
            });
        }
        let rows = Rows::count(vertices, edges)?;
        let mut typed = vec![(0, 0); edges.len()];
        let mut next = rows.offsets.clone();
        for ((sender, receiver), kind) in edges.iter().zip(types) {
            let at = &mut next[*receiver as usize];
            typed[*at as usize] = (*sender, *kind);
            *at += 1;
        }
        rows.each(&mut typed, <[(u32, u8)]>::sort_unstable);
        let (neighbours, types) = typed.into_iter().unzip();
        Ok(Self {
            offsets: rows.offsets,
            neighbours,
            types: Some(types),
        })
    }

    /// A graph that is in compressed sparse rows already: `offsets` is `[vertices + 1]`, and the
    /// senders to vertex `v` are `neighbours[offsets[v]..offsets[v + 1]]`. Rows are sorted here.
    ///
    /// # Errors
    /// Offsets do not begin at 0, rise and end at the number of neighbours; a neighbour is no
    /// vertex; over 2^32 - 1 vertices.
    pub fn from_csr(offsets: Vec<u64>, mut neighbours: Vec<u32>) -> Result<Self, GraphFault> {
        let fault = |at: usize, given: u64, expected: String| {
            Err(GraphFault::Offset {
                at,
                given,
                expected,
            })
        };
        match (offsets.first(), offsets.last()) {
            (Some(0), Some(end)) if *end == neighbours.len() as u64 => {}
            (Some(0), Some(end)) => {
                let expected = format!("{}, the number of neighbours", neighbours.len());
                return fault(offsets.len() - 1, *end, expected);
            }
            (first, _) => return fault(0, first.copied().unwrap_or_default(), "0".into()),
        }
        if let Some(at) = offsets.windows(2).position(|pair| pair[0] > pair[1]) {
            let expected = format!("at least {}", offsets[at]);
            return fault(at + 1, offsets[at + 1], expected);
        }
        let vertices = numbered(offsets.len() - 1)?;
        if let Some(edge) = neighbours.iter().position(|v| *v as usize >= vertices) {
            return Err(GraphFault::NoSuchVertex {
                edge,
                vertex: neighbours[edge],
                vertices,
            });
        }
        let rows = Rows { offsets };
        rows.each(&mut neighbours, <[u32]>::sort_unstable);
        Ok(Self {
            offsets: rows.offsets,
            neighbours,
            types: None,
        })
    }

    /// A graph with both directions of each edge of `pairs`; a loop is one edge.
    pub(crate) fn undirected(
        vertices: usize,
        pairs: &[(u32, u32)],
        kind: Option<&[u8]>,
    ) -> Result<Self, GraphFault> {
        let both = |(at, pair): (usize, &(u32, u32))| {
            let back = (pair.0 != pair.1).then_some(((pair.1, pair.0), at));
            std::iter::once((*pair, at)).chain(back)
        };
        let edges = pairs.iter().enumerate().flat_map(both);
        match kind {
            None => Self::from_edges(vertices, &edges.map(|(edge, _)| edge).collect::<Vec<_>>()),
            Some(kind) => {
                let (edges, kinds): (Vec<_>, Vec<_>) =
                    edges.map(|(edge, at)| (edge, kind[at])).unzip();
                Self::from_typed_edges(vertices, &edges, &kinds)
            }
        }
    }

    /// Vertices of the graph.
    #[must_use]
    pub fn vertices(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Edges of the graph, each direction counted.
    #[must_use]
    pub const fn edges(&self) -> usize {
        self.neighbours.len()
    }

    /// Where the row of each vertex begins, and the end of the last: `[vertices + 1]`.
    #[must_use]
    pub fn offsets(&self) -> &[u64] {
        &self.offsets
    }

    /// The senders of all edges, row after row: `[edges]`.
    #[must_use]
    pub fn senders(&self) -> &[u32] {
        &self.neighbours
    }

    /// The vertices that send to this one, ascending.
    ///
    /// # Panics
    /// There is no such vertex.
    #[must_use]
    pub fn neighbours(&self, vertex: u32) -> &[u32] {
        &self.neighbours[self.row(vertex)]
    }

    /// The types of the edges to this vertex, in the order of [`Self::neighbours`]; none where
    /// edges have no types.
    ///
    /// # Panics
    /// There is no such vertex.
    #[must_use]
    pub fn types(&self, vertex: u32) -> Option<&[u8]> {
        self.types.as_ref().map(|types| &types[self.row(vertex)])
    }

    fn row(&self, vertex: u32) -> std::ops::Range<usize> {
        let at = vertex as usize;
        self.offsets[at] as usize..self.offsets[at + 1] as usize
    }

    /// The same graph in which every vertex sends to itself exactly once. Types are left out.
    #[must_use]
    pub fn with_loops(&self) -> Self {
        let mut offsets = Vec::with_capacity(self.offsets.len());
        let mut neighbours = Vec::with_capacity(self.edges() + self.vertices());
        offsets.push(0);
        for vertex in 0..self.vertices() as u32 {
            let row = self.neighbours(vertex);
            let before = row.partition_point(|v| *v < vertex);
            let after = row.partition_point(|v| *v <= vertex);
            neighbours.extend_from_slice(&row[..before]);
            neighbours.push(vertex);
            neighbours.extend_from_slice(&row[after..]);
            offsets.push(neighbours.len() as u64);
        }
        Self {
            offsets,
            neighbours,
            types: None,
        }
    }
}

fn numbered(vertices: usize) -> Result<usize, GraphFault> {
    if u32::try_from(vertices).is_ok() {
        return Ok(vertices);
    }
    Err(GraphFault::TooManyVertices { vertices })
}

/// Where rows lie while a graph is made.
struct Rows {
    offsets: Vec<u64>,
}

impl Rows {
    fn count(vertices: usize, edges: &[(u32, u32)]) -> Result<Self, GraphFault> {
        let vertices = numbered(vertices)?;
        let mut offsets = vec![0_u64; vertices + 1];
        for (edge, (sender, receiver)) in edges.iter().enumerate() {
            let vertex = *sender.max(receiver);
            if vertex as usize >= vertices {
                return Err(GraphFault::NoSuchVertex {
                    edge,
                    vertex,
                    vertices,
                });
            }
            offsets[*receiver as usize + 1] += 1;
        }
        for at in 0..vertices {
            offsets[at + 1] += offsets[at];
        }
        Ok(Self { offsets })
    }

    /// Does something to each row. Parts of about as many edges go to each thread.
    fn each<T: Send>(&self, values: &mut [T], act: impl Fn(&mut [T]) + Sync) {
        let mut parts = Vec::new();
        let mut rest = values;
        let mut rows = &self.offsets[..];
        while rows.len() > 1 {
            let end = rows[0] + (1 << 16);
            let count = rows.partition_point(|o| *o <= end).clamp(2, rows.len());
            let len = (rows[count - 1] - rows[0]) as usize;
            let (part, after) = std::mem::take(&mut rest).split_at_mut(len);
            parts.push((&rows[..count], part));
            rest = after;
            rows = &rows[count - 1..];
        }
        parts.into_par_iter().for_each(|(rows, part)| {
            for pair in rows.windows(2) {
                act(&mut part[(pair[0] - rows[0]) as usize..(pair[1] - rows[0]) as usize]);
            }
        });
    }
}

/// A graph of a record, and what its vertices are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Featured {
    pub(crate) graph: Graph,
    /// `[vertices, width]`.
    pub(crate) features: Vec<f32>,
    /// Which vertex each item of the record is, where not each is one of its own.
    pub(crate) items: Option<Vec<u32>>,
}

#[cfg(test)]
mod tests;
