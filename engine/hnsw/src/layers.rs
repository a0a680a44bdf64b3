//! A graph that another program built, layer by layer.

/// Why a graph that was given makes no index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GraphFault {
    /// More layers than an index has.
    #[error("{layers} layers; an index has at most {}", crate::level::HIGHEST + 1)]
    Layers {
        /// What was given.
        layers: usize,
    },
    /// The base layer has another number of vertices than there are distinct rows.
    #[error("the base layer has {got} vertices; there are {wanted} distinct rows")]
    Vertices {
        /// Vertices of the base layer.
        got: usize,
        /// Rows of [`Hnsw::distinct_rows`](crate::Hnsw::distinct_rows).
        wanted: usize,
    },
    /// A layer without vertices.
    #[error("layer {layer} has no vertices")]
    Empty {
        /// The layer.
        layer: usize,
    },
    /// A vertex that is none of the rows.
    #[error("layer {layer} has vertex {vertex}, which is no distinct row")]
    Unknown {
        /// The layer.
        layer: usize,
        /// The vertex.
        vertex: u32,
    },
    /// A vertex that stands twice in a layer.
    #[error("layer {layer} has vertex {vertex} twice")]
    Twice {
        /// The layer.
        layer: usize,
        /// The vertex.
        vertex: u32,
    },
    /// A vertex that is not in the layer below.
    #[error("vertex {vertex} of layer {layer} is not in the layer below")]
    NotBelow {
        /// The layer.
        layer: usize,
        /// The vertex.
        vertex: u32,
    },
    /// A vertex with more neighbours than the options leave room for.
    #[error(
        "vertex {vertex} of layer {layer} has {got} neighbours; with these `edges` it may have {most}"
    )]
    Degree {
        /// The layer.
        layer: usize,
        /// The vertex.
        vertex: u32,
        /// Its neighbours.
        got: usize,
        /// `edges`, and in the base layer twice as many.
        most: usize,
    },
    /// A vertex that is a neighbour of itself.
    #[error("vertex {vertex} of layer {layer} is its own neighbour")]
    Loop {
        /// The layer.
        layer: usize,
        /// The vertex.
        vertex: u32,
    },
    /// A neighbour that is not in the layer.
    #[error(
        "vertex {vertex} of layer {layer} has neighbour {neighbour}, which is not in the layer"
    )]
    Neighbour {
        /// The layer.
        layer: usize,
        /// The vertex.
        vertex: u32,
        /// Its neighbour.
        neighbour: u32,
    },
    /// A neighbour that a vertex names twice.
    #[error("vertex {vertex} of layer {layer} has neighbour {neighbour} twice")]
    Parallel {
        /// The layer.
        layer: usize,
        /// The vertex.
        vertex: u32,
        /// Its neighbour.
        neighbour: u32,
    },
    /// The entry point is not in the highest layer.
    #[error("the entry point, vertex {entry}, is not in the highest layer")]
    Entry {
        /// The vertex.
        entry: u32,
    },
}

/// The vertices of a layer and their neighbours: 12 bytes a vertex and 4 a neighbour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layer {
    vertices: Vec<u32>,
    /// Where the neighbours of each end.
    ends: Vec<usize>,
    neighbours: Vec<u32>,
}

impl Layer {
    /// Adds a vertex and its outgoing edges in this layer, in any order.
    pub fn push(&mut self, vertex: u32, neighbours: impl IntoIterator<Item = u32>) {
        self.vertices.push(vertex);
        self.neighbours.extend(neighbours);
        self.ends.push(self.neighbours.len());
    }

    /// Vertices of the layer.
    #[must_use]
    pub fn len(&self) -> usize {
        self.vertices.len()
    }

    /// Whether it has no vertices.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.vertices.is_empty()
    }

    /// Vertices with their neighbours, as they were added.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &[u32])> + '_ {
        let mut start = 0;
        self.vertices
            .iter()
            .zip(&self.ends)
            .map(move |(vertex, end)| {
                let neighbours = &self.neighbours[start..*end];
                start = *end;
                (*vertex, neighbours)
            })
    }
}

/// A hierarchical graph over distinct rows, to be given to
/// [`Hnsw::from_graph`](crate::Hnsw::from_graph).
///
/// Vertex `i` is row `i` of [`Hnsw::distinct_rows`](crate::Hnsw::distinct_rows). A vertex of a layer
/// is in all layers below it, and its neighbours are of the same layer. Edges have a direction, as the
/// lists of neighbours of such graphs do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers {
    /// Where a search starts, in the highest layer; without vertices it counts for nothing.
    pub entry: u32,
    /// The base layer, which has every vertex, then layer 1, 2, ...
    pub layers: Vec<Layer>,
}
