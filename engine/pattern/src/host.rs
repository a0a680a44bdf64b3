//! A graph that is made ready for many searches.

mod renumber;

use std::sync::{Mutex, OnceLock};

use crate::dominance::{DominanceRecipe, Rows};
use crate::error::Result;
use crate::graph::{Graph, Labels};
use crate::search::Space;

/// Scratch spaces that a host keeps between searches.
const KEPT_SPACES: usize = 8;

/// How a graph is made ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostOptions {
    /// Rows that dismiss candidates, made by this recipe: `2 * buckets` bytes per vertex. They
    /// pay where patterns are rich and labels few; answers are the same with and without.
    pub dominance: Option<DominanceRecipe>,
}

/// A graph in the order that searches like, with what is precomputed for them.
///
/// Vertices are renumbered by label, so that the vertices of a label are a range, and so are the
/// neighbours of a label within each ascending neighbour list. Answers are in the numbers of the
/// graph that the host was made from.
#[derive(Debug)]
pub struct Host {
    pub(crate) graph: Graph,
    /// The caller's number of each vertex.
    pub(crate) outer: Vec<u32>,
    /// The inverse, made when it is first asked for.
    inner: OnceLock<Vec<u32>>,
    /// The labels that occur, ascending.
    pub(crate) classes: Vec<u32>,
    /// First vertex of each label, and the end of the last.
    pub(crate) class_starts: Vec<u32>,
    /// Bit `class % 64` for every neighbour, outgoing and then incoming: `[vertices]` each.
    pub(crate) signatures: [Vec<u64>; 2],
    pub(crate) rows: Option<(DominanceRecipe, Rows)>,
    /// The graph of each vertex; empty unless this is a union.
    pub(crate) graph_of: Vec<u32>,
    spaces: Mutex<Vec<Space>>,
}

impl Host {
    /// Makes a graph ready, with default options.
    ///
    /// # Errors
    /// As [`with`](Self::with).
    pub fn new(graph: Graph) -> Result<Self> {
        Self::with(graph, &HostOptions::default())
    }

    /// Makes a graph ready: time linear in arcs and vertices, and for a moment twice the graph's
    /// memory.
    ///
    /// # Errors
    /// A recipe out of its bounds.
    pub fn with(graph: Graph, options: &HostOptions) -> Result<Self> {
        if let Some(recipe) = &options.dominance {
            recipe.check()?;
        }
        let mut host = renumber::host(graph);
        if let Some(recipe) = options.dominance {
            host.rows = Some((recipe, recipe.embed(&host.graph)?));
        }
        Ok(host)
    }

    /// How many vertices there are.
    pub fn vertices(&self) -> usize {
        self.graph.vertices()
    }

    /// How many edges there are.
    pub fn edges(&self) -> usize {
        self.graph.edges()
    }

    /// Whether edges have a direction.
    pub fn is_directed(&self) -> bool {
        self.graph.directed
    }

    /// Names of the vertex labels.
    pub fn vertex_names(&self) -> Option<&Labels> {
        self.graph.vertex_names()
    }

    /// Names of the edge labels.
    pub fn edge_names(&self) -> Option<&Labels> {
        self.graph.edge_names()
    }

    /// Which graph of a union a vertex, in the caller's numbers, belongs to.
    pub fn graph_of(&self, vertex: u32) -> usize {
        self.graph.graph_of(vertex)
    }

    /// Bytes held: the graph's, 12 per vertex (20 if directed, 4 more for a union, 4 more once
    /// similar places were looked for), the rows, and 12 per vertex for each scratch space that a search has left behind, of which there are at most 8.
    pub fn bytes(&self) -> usize {
        let spaces = self.spaces.lock().unwrap_or_else(|e| e.into_inner());
        self.graph.bytes()
            + 4 * (self.outer.len() + self.graph_of.len() + 2 * self.classes.len())
            + 4 * self.inner.get().map_or(0, Vec::len)
            + 8 * (self.signatures[0].len() + self.signatures[1].len())
            + self
                .rows
                .as_ref()
                .map_or(0, |(_, rows)| 2 * rows.values.len())
            + spaces.iter().map(Space::bytes).sum::<usize>()
    }

    /// The vertices of a label, as a range.
    pub(crate) fn class(&self, label: u32) -> Option<(u32, u32)> {
        let class = self.classes.binary_search(&label).ok()?;
        Some((self.class_starts[class], self.class_starts[class + 1]))
    }

    /// The number here of each of the caller's vertices.
    pub(crate) fn inner(&self) -> &[u32] {
        self.inner.get_or_init(|| {
            let mut inner = vec![0; self.outer.len()];
            for (here, &theirs) in self.outer.iter().enumerate() {
                inner[theirs as usize] = here as u32;
            }
            inner
        })
    }

    pub(crate) fn borrow_space(&self) -> Space {
        let mut spaces = self.spaces.lock().unwrap_or_else(|e| e.into_inner());
        spaces.pop().unwrap_or_else(|| Space::new(self.vertices()))
    }

    pub(crate) fn return_space(&self, space: Space) {
        let mut spaces = self.spaces.lock().unwrap_or_else(|e| e.into_inner());
        if spaces.len() < KEPT_SPACES {
            spaces.push(space);
        }
    }
}
