//! A pattern in the terms of a host.

use crate::error::{PatternError, Result};
use crate::graph::Adjacency;
use crate::host::Host;
use crate::pattern::{Allowed, Near, Pattern};

/// What an edge of the graph must be.
#[derive(Debug)]
pub(crate) struct EdgeTest<'a> {
    /// Labels that have to be looked at.
    labels: Option<&'a Allowed>,
    near: Vec<(&'a [f32], &'a Near)>,
}

impl EdgeTest<'_> {
    pub(crate) fn is_trivial(&self) -> bool {
        self.labels.is_none() && self.near.is_empty()
    }

    /// Whether the arc at a place of a list passes.
    #[inline]
    pub(crate) fn holds(&self, host: &Host, lists: &Adjacency, at: usize) -> bool {
        if self.is_trivial() {
            return true;
        }
        let edge = lists.edges[at] as usize;
        self.labels
            .is_none_or(|labels| labels.allows(host.graph.edge_labels[edge]))
            && self
                .near
                .iter()
                .all(|(column, near)| near.holds(column[edge]))
    }
}

/// What a vertex of the graph must be, by itself and its neighbours' labels.
#[derive(Debug)]
pub(crate) struct VertexTest<'a> {
    /// The vertices of its labels: ranges, ascending.
    pub(crate) ranges: Vec<(u32, u32)>,
    /// Outgoing and incoming edges at least.
    pub(crate) degrees: [usize; 2],
    /// Labels of neighbours at least, as in `Host::signatures`.
    pub(crate) signatures: [u64; 2],
    /// Neighbours within a range at least.
    pub(crate) counts: [Vec<(u32, u32, usize)>; 2],
    pub(crate) near: Vec<(&'a [f32], &'a Near)>,
    /// The dominance row, if the host has rows.
    pub(crate) row: Option<Vec<u16>>,
}

/// How two vertices of the pattern hang together, seen from the first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tie {
    pub(crate) to: usize,
    /// The edge that leads there; any edge, if undirected.
    pub(crate) forth: Option<usize>,
    /// The edge that comes back, if directed.
    pub(crate) back: Option<usize>,
}

/// A pattern in the terms of a host.
#[derive(Debug)]
pub(crate) struct Query<'a> {
    pub(crate) host: &'a Host,
    pub(crate) induced: bool,
    pub(crate) vertices: Vec<VertexTest<'a>>,
    pub(crate) edges: Vec<EdgeTest<'a>>,
    pub(crate) ties: Vec<Vec<Tie>>,
    /// Whether some vertex or edge allows nothing that the host has.
    pub(crate) hopeless: bool,
}

impl<'a> Query<'a> {
    pub(crate) fn new(host: &'a Host, pattern: &'a Pattern, induced: bool) -> Result<Self> {
        let graph = &host.graph;
        if pattern.is_directed() != graph.directed {
            let word = |directed| if directed { "directed" } else { "undirected" };
            return Err(PatternError::Direction {
                pattern: word(pattern.is_directed()),
                graph: word(graph.directed),
            });
        }
        let mut hopeless = pattern.vertices().len() > graph.vertices();
        let mut edges = Vec::with_capacity(pattern.edges().len());
        for edge in pattern.edges() {
            let trivial = match &edge.labels {
                Allowed::Any => true,
                labels if graph.edge_labels.is_empty() => {
                    hopeless |= !labels.allows(0);
                    true
                }
                Allowed::Only(_) => false,
            };
            edges.push(EdgeTest {
                labels: (!trivial).then_some(&edge.labels),
                near: columns(&edge.near, &graph.edge_columns, "edge")?,
            });
        }
        let ties = ties(pattern);
        let rows = match &host.rows {
            Some((recipe, _)) => Some(recipe.embed_pattern(pattern)?),
            None => None,
        };
        let mut vertices = Vec::with_capacity(pattern.vertices().len());
        for (u, vertex) in pattern.vertices().iter().enumerate() {
            let ranges = ranges(host, &vertex.labels);
            hopeless |= ranges.is_empty();
            vertices.push(VertexTest {
                ranges,
                degrees: [0; 2],
                signatures: [0; 2],
                counts: [Vec::new(), Vec::new()],
                near: columns(&vertex.near, &graph.vertex_columns, "vertex")?,
                row: rows.as_ref().map(|rows| rows.row(u as u32).to_vec()),
            });
        }
        let mut query = Self {
            host,
            induced,
            vertices,
            edges,
            ties,
            hopeless,
        };
        query.count_neighbours();
        Ok(query)
    }

    /// The lists of the host that outgoing or incoming edges are in.
    #[inline]
    pub(crate) fn lists(&self, way: usize) -> &'a Adjacency {
        match (way, &self.host.graph.into) {
            (1, Some(into)) => into,
            _ => &self.host.graph.out,
        }
    }

    /// Whether the two may be mapped to the same vertex, as far as labels tell.
    pub(crate) fn overlap(&self, u: usize, w: usize) -> bool {
        let other = &self.vertices[w].ranges;
        self.vertices[u]
            .ranges
            .iter()
            .any(|a| other.iter().any(|b| a.0 < b.1 && b.0 < a.1))
    }

    fn count_neighbours(&mut self) {
        let everything = (0, self.host.vertices() as u32);
        for u in 0..self.vertices.len() {
            for way in 0..2 {
                let ties = self.ties[u].iter();
                let tied = ties.filter(|t| [t.forth, t.back][way].is_some());
                let tied: Vec<usize> = tied.map(|t| t.to).collect();
                let mut signature = 0;
                let mut counts: Vec<(u32, u32, usize)> = Vec::new();
                for &w in &tied {
                    let [range] = self.vertices[w].ranges[..] else {
                        continue;
                    };
                    if range == everything {
                        continue;
                    }
                    if let Some(class) = self.class_of(range) {
                        signature |= 1 << (class % 64);
                    }
                    match counts.iter_mut().find(|c| (c.0, c.1) == range) {
                        Some(count) => count.2 += 1,
                        None => counts.push((range.0, range.1, 1)),
                    }
                }
                // What occurs once is in the signature, unless bits are shared.
                if self.host.classes.len() <= 64 {
                    let single = |range| self.class_of(range).is_some();
                    counts.retain(|c| c.2 > 1 || !single((c.0, c.1)));
                }
                let test = &mut self.vertices[u];
                test.degrees[way] = tied.len();
                test.signatures[way] = signature;
                test.counts[way] = counts;
            }
        }
    }

    /// The class that a range is, if it is one.
    fn class_of(&self, range: (u32, u32)) -> Option<usize> {
        let starts = &self.host.class_starts;
        let class = starts.binary_search(&range.0).ok()?;
        (starts.get(class + 1) == Some(&range.1)).then_some(class)
    }
}

fn columns<'a>(
    near: &'a [Near],
    columns: &'a crate::graph::Columns,
    what: &'static str,
) -> Result<Vec<(&'a [f32], &'a Near)>> {
    near.iter()
        .map(|near| match columns.get(&near.column) {
            Some(values) => Ok((values, near)),
            None => Err(PatternError::UnknownAttribute {
                what,
                column: near.column.clone(),
                known: columns.known(),
            }),
        })
        .collect()
}

fn ranges(host: &Host, labels: &Allowed) -> Vec<(u32, u32)> {
    let labels = match labels {
        Allowed::Any if host.vertices() == 0 => return Vec::new(),
        Allowed::Any => return vec![(0, host.vertices() as u32)],
        Allowed::Only(labels) => labels,
    };
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for range in labels.iter().filter_map(|&label| host.class(label)) {
        match ranges.last_mut() {
            Some(last) if last.1 == range.0 => last.1 = range.1,
            _ => ranges.push(range),
        }
    }
    ranges
}

fn ties(pattern: &Pattern) -> Vec<Vec<Tie>> {
    let mut ties: Vec<Vec<Tie>> = vec![Vec::new(); pattern.vertices().len()];
    let mut tie = |from: usize, to: usize, forth: Option<usize>, back: Option<usize>| match ties
        [from]
        .iter_mut()
        .find(|tie| tie.to == to)
    {
        Some(tie) => {
            tie.forth = tie.forth.or(forth);
            tie.back = tie.back.or(back);
        }
        None => ties[from].push(Tie { to, forth, back }),
    };
    for (index, edge) in pattern.edges().iter().enumerate() {
        let (from, to) = (edge.from as usize, edge.to as usize);
        tie(from, to, Some(index), None);
        match pattern.is_directed() {
            true => tie(to, from, None, Some(index)),
            false => tie(to, from, Some(index), None),
        }
    }
    ties
}
