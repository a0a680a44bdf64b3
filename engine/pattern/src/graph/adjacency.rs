//! Compressed neighbour lists.

/// The neighbours of every vertex, ascending, in one array.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Adjacency {
    /// Where the list of each vertex starts, and the end of the last: `[vertices + 1]`.
    pub(crate) offsets: Vec<u32>,
    /// The neighbours: `[arcs]`.
    pub(crate) targets: Vec<u32>,
    /// The edge that each arc belongs to: `[arcs]`, or empty where edges carry nothing.
    pub(crate) edges: Vec<u32>,
}

impl Adjacency {
    /// From arcs in any order, in time linear in vertices and arcs; arcs are given twice, by a
    /// function that calls back with source, target and edge.
    ///
    /// Two scatters sort: the first groups arcs by target, the second takes the groups in
    /// ascending order and so fills each source's list in ascending order.
    pub(crate) fn new(
        vertices: usize,
        with_edges: bool,
        arcs: impl Fn(&mut dyn FnMut(u32, u32, u32)),
    ) -> Self {
        Self::scatter(vertices, with_edges, |visit| {
            arcs(&mut |from, to, edge| visit(to, from, edge));
        })
        .transposed()
    }

    /// Lists in the order in which arcs come.
    fn scatter(
        vertices: usize,
        with_edges: bool,
        arcs: impl Fn(&mut dyn FnMut(u32, u32, u32)),
    ) -> Self {
        let mut offsets = vec![0_u32; vertices + 1];
        arcs(&mut |from, _, _| offsets[from as usize + 1] += 1);
        for v in 0..vertices {
            offsets[v + 1] += offsets[v];
        }
        let total = offsets[vertices] as usize;
        let mut targets = vec![0; total];
        let mut edges = vec![0; if with_edges { total } else { 0 }];
        let mut next = offsets.clone();
        arcs(&mut |from, to, edge| {
            let at = next[from as usize] as usize;
            next[from as usize] += 1;
            targets[at] = to;
            if with_edges {
                edges[at] = edge;
            }
        });
        Self {
            offsets,
            targets,
            edges,
        }
    }

    /// Every arc reversed; its lists ascend.
    pub(crate) fn transposed(&self) -> Self {
        let with_edges = !self.edges.is_empty();
        Self::scatter(self.vertices(), with_edges, |visit| {
            for v in 0..self.vertices() {
                for at in self.range(v as u32) {
                    let edge = if with_edges { self.edges[at] } else { 0 };
                    visit(self.targets[at], v as u32, edge);
                }
            }
        })
    }

    /// Every vertex `v` becomes `new[v]`; `old` is the inverse.
    pub(crate) fn renumbered(&self, new: &[u32], old: &[u32]) -> Self {
        let with_edges = !self.edges.is_empty();
        let reversed = Self::scatter(self.vertices(), with_edges, |visit| {
            for (v, &before) in old.iter().enumerate() {
                for at in self.range(before) {
                    let edge = if with_edges { self.edges[at] } else { 0 };
                    visit(new[self.targets[at] as usize], v as u32, edge);
                }
            }
        });
        reversed.transposed()
    }

    pub(crate) fn vertices(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where the list of a vertex lies.
    #[inline]
    pub(crate) fn range(&self, vertex: u32) -> std::ops::Range<usize> {
        self.offsets[vertex as usize] as usize..self.offsets[vertex as usize + 1] as usize
    }

    /// The neighbours of a vertex, ascending.
    #[inline]
    pub(crate) fn list(&self, vertex: u32) -> &[u32] {
        &self.targets[self.range(vertex)]
    }

    /// How many neighbours a vertex has.
    #[inline]
    pub(crate) fn degree(&self, vertex: u32) -> usize {
        self.range(vertex).len()
    }

    /// Where the arc between two vertices lies.
    #[inline]
    pub(crate) fn find(&self, from: u32, to: u32) -> Option<usize> {
        let range = self.range(from);
        let at = self.targets[range.clone()].binary_search(&to).ok()?;
        Some(range.start + at)
    }

    pub(crate) fn bytes(&self) -> usize {
        4 * (self.offsets.len() + self.targets.len() + self.edges.len())
    }
}
