//! A pattern and its anchors in the terms of a host.

use crate::error::{PatternError, Result};
use crate::host::Host;
use crate::pattern::{Allowed, Pattern};
use crate::search::query::Query;
use crate::similar::Anchor;

/// Neighbours that a vertex must have: so many, within these ranges.
struct Need {
    ranges: Vec<(u32, u32)>,
    /// The vertices of the pattern that they are images of.
    whom: Vec<usize>,
}

/// What a search looks at again and again.
pub(super) struct Plan<'a> {
    pub(super) host: &'a Host,
    query: Query<'a>,
    /// Edges of the pattern that no edge of the graph can be, whatever its ends.
    impossible: Vec<bool>,
    /// The neighbours of each vertex of the pattern, as bits.
    pub(super) near: Vec<u64>,
    /// How many vertices of the graph each vertex of the pattern may be.
    pub(super) frequency: Vec<usize>,
    /// The part of the pattern that each vertex belongs to, as bits.
    pub(super) part: Vec<u64>,
    needs: Vec<[Vec<Need>; 2]>,
    /// Vertices and edges of the pattern.
    pub(super) vertices: usize,
    pub(super) edges: usize,
    /// Anchors in the host's numbers, each once, by vertex of the pattern and of the graph.
    pub(super) anchors: Vec<Anchor>,
    /// Where the anchors of each vertex of the pattern start: `[vertices + 1]`.
    starts: Vec<usize>,
    /// The least similarity of an anchor of each vertex of the pattern.
    least: Vec<f32>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(host: &'a Host, pattern: &'a Pattern, anchors: &[Anchor]) -> Result<Self> {
        let query = Query::new(host, pattern, false)?;
        let vertices = pattern.vertices().len();
        let near: Vec<u64> = (0..vertices)
            .map(|u| query.ties[u].iter().fold(0, |bits, tie| bits | 1 << tie.to))
            .collect();
        let anchors = numbered(host, vertices, anchors)?;
        let starts: Vec<usize> = (0..=vertices)
            .map(|u| anchors.partition_point(|a| (a.pattern as usize) < u))
            .collect();
        let similarities = |u: usize| anchors[starts[u]..starts[u + 1]].iter();
        let least = |u| similarities(u).fold(f32::INFINITY, |least, a| least.min(a.similarity));
        Ok(Self {
            least: (0..vertices).map(least).collect(),
            impossible: impossible(host, pattern),
            part: parts(&near),
            frequency: query.vertices.iter().map(|v| count(&v.ranges)).collect(),
            needs: (0..vertices).map(|u| needs(&query, u)).collect(),
            near,
            vertices,
            edges: pattern.edges().len(),
            starts,
            anchors,
            host,
            query,
        })
    }

    /// Whether label and attributes are right.
    pub(super) fn fits(&self, u: usize, v: u32) -> bool {
        let test = &self.query.vertices[u];
        within(&test.ranges, v)
            && test
                .near
                .iter()
                .all(|(of, near)| near.holds(of[v as usize]))
    }

    /// How many of the edges between two vertices of the pattern are there between their images.
    pub(super) fn agreeing(&self, (u, v): (usize, u32), (w, x): (usize, u32)) -> u32 {
        let Some(tie) = self.query.ties[u].iter().find(|tie| tie.to == w) else {
            return 0;
        };
        let there = |way: usize, edge: Option<usize>| {
            edge.is_some_and(|edge| {
                let lists = self.query.lists(way);
                let swap = !self.host.is_directed() && lists.degree(v) > lists.degree(x);
                let (from, to) = if swap { (x, v) } else { (v, x) };
                !self.impossible[edge]
                    && lists
                        .find(from, to)
                        .is_some_and(|at| self.query.edges[edge].holds(self.host, lists, at))
            })
        };
        u32::from(there(0, tie.forth)) + u32::from(there(1, tie.back))
    }

    /// How many edges join two vertices of the pattern.
    pub(super) fn wanted(&self, u: usize, w: usize) -> u32 {
        let tie = self.query.ties[u].iter().find(|tie| tie.to == w);
        tie.map_or(0, |t| {
            u32::from(t.forth.is_some()) + u32::from(t.back.is_some())
        })
    }

    /// The neighbours of `u` that have no image beside `v`, as bits: `v` has too few neighbours
    /// with a label that is theirs.
    pub(super) fn unserved(&self, u: usize, v: u32) -> u64 {
        let mut bits = 0;
        for (way, needs) in self.needs[u].iter().enumerate() {
            if needs.is_empty() {
                continue;
            }
            let list = self.query.lists(way).list(v);
            for need in needs {
                let mut have = 0;
                for &range in &need.ranges {
                    have += slice(list, range).len();
                    if have >= need.whom.len() {
                        break;
                    }
                }
                for &w in need.whom.get(have..).unwrap_or_default() {
                    bits |= 1 << w;
                }
            }
        }
        bits
    }

    /// Calls with the lists of neighbours of `x`, the image of `w`, that images of `u` are in.
    pub(super) fn lists(&self, u: usize, w: usize, x: u32, mut call: impl FnMut(&'a [u32])) {
        if let Some(tie) = self.query.ties[w].iter().find(|tie| tie.to == u) {
            if tie.forth.is_some() {
                call(self.query.lists(0).list(x));
            }
            if tie.back.is_some() {
                call(self.query.lists(1).list(x));
            }
        }
    }

    /// Where the vertices with a right label lie: ranges, ascending.
    pub(super) fn ranges(&self, u: usize) -> &[(u32, u32)] {
        &self.query.vertices[u].ranges
    }

    pub(super) fn anchors_of(&self, u: usize) -> &[Anchor] {
        &self.anchors[self.starts[u]..self.starts[u + 1]]
    }

    /// By how much an anchor says that two vertices are alike, beyond the least that any says of
    /// the vertex of the pattern; 0 where none does.
    pub(super) fn similarity(&self, u: usize, v: u32) -> f32 {
        let anchors = self.anchors_of(u);
        let at = anchors.binary_search_by_key(&v, |anchor| anchor.vertex);
        at.map_or(0.0, |at| anchors[at].similarity - self.least[u])
    }

    /// Which graph of a union a vertex of the host belongs to.
    pub(super) fn graph(&self, v: u32) -> u32 {
        self.host.graph_of.get(v as usize).copied().unwrap_or(0)
    }
}

/// The part of an ascending list that lies in a range.
pub(super) fn slice(list: &[u32], (low, high): (u32, u32)) -> &[u32] {
    let from = list.partition_point(|&v| v < low);
    let count = list[from..].partition_point(|&v| v < high);
    &list[from..from + count]
}

pub(super) fn within(ranges: &[(u32, u32)], v: u32) -> bool {
    let after = ranges.partition_point(|range| range.1 <= v);
    ranges.get(after).is_some_and(|range| range.0 <= v)
}

fn count(ranges: &[(u32, u32)]) -> usize {
    ranges
        .iter()
        .map(|range| (range.1 - range.0) as usize)
        .sum()
}

/// Edges with a label in a graph whose edges have none, which all have label 0.
pub(super) fn impossible(host: &Host, pattern: &Pattern) -> Vec<bool> {
    let unlabelled = !host.graph.has_edge_labels();
    let never = |labels: &Allowed| unlabelled && !labels.allows(0);
    pattern.edges().iter().map(|e| never(&e.labels)).collect()
}

/// The parts that are joined within themselves.
fn parts(near: &[u64]) -> Vec<u64> {
    let mut parts: Vec<u64> = (0..near.len()).map(|u| 1 << u).collect();
    loop {
        let before = parts.clone();
        for u in 0..near.len() {
            for w in bits(near[u]) {
                parts[u] |= parts[w];
            }
        }
        if parts == before {
            return parts;
        }
    }
}

fn needs(query: &Query<'_>, u: usize) -> [Vec<Need>; 2] {
    let mut needs = [Vec::new(), Vec::new()];
    for tie in &query.ties[u] {
        for (way, edge) in [tie.forth, tie.back].into_iter().enumerate() {
            if edge.is_none() {
                continue;
            }
            let ranges = &query.vertices[tie.to].ranges;
            let same = |need: &&mut Need| need.ranges == *ranges;
            match needs[way].iter_mut().find(same) {
                Some(need) => need.whom.push(tie.to),
                None => needs[way].push(Need {
                    ranges: ranges.clone(),
                    whom: vec![tie.to],
                }),
            }
        }
    }
    needs
}

/// Anchors in the host's numbers; of equal ones the most similar.
fn numbered(host: &Host, vertices: usize, anchors: &[Anchor]) -> Result<Vec<Anchor>> {
    let mut here = Vec::with_capacity(anchors.len());
    for anchor in anchors {
        let none = |what, vertex, vertices| PatternError::NoVertex {
            what,
            vertex,
            vertices,
        };
        if anchor.pattern as usize >= vertices {
            return Err(none(
                "an anchor's vertex of the pattern",
                anchor.pattern,
                vertices,
            ));
        }
        let vertex = host.inner().get(anchor.vertex as usize);
        here.push(Anchor {
            vertex: *vertex
                .ok_or_else(|| none("an anchor's vertex", anchor.vertex, host.vertices()))?,
            ..*anchor
        });
    }
    here.sort_unstable_by(|a, b| {
        (a.pattern, a.vertex)
            .cmp(&(b.pattern, b.vertex))
            .then(b.similarity.total_cmp(&a.similarity))
    });
    here.dedup_by_key(|anchor| (anchor.pattern, anchor.vertex));
    Ok(here)
}

/// The numbers of the bits that are set, ascending.
pub(super) fn bits(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros() as usize;
        word &= word.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}
