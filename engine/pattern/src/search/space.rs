//! The candidate space of a block of roots: candidates of every pattern vertex, and which of them
//! are neighbours as the pattern wants.
//!
//! Candidates grow outwards from the roots, so what cannot be reached from them costs nothing.
//! A block at a time bounds memory, and lets a search with a limit stop early.

use crate::search::local::within;
use crate::search::query::{Query, Tie};
use crate::search::sink::Sink;

/// Passes over all links in which candidates without support are dropped. More find little.
const SWEEPS: usize = 3;

/// Neighbours among candidates: for each candidate of `from`, positions of candidates of `to`,
/// ascending.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Where the list of each candidate of `from` lies in `items`.
    pub(super) spans: Vec<(u32, u32)>,
    pub(super) items: Vec<u32>,
    /// Whether this only says "in the same graph": there is no edge. Lists are then shared.
    pub(super) loose: bool,
}

impl Link {
    #[inline]
    pub(super) fn list(&self, position: u32) -> &[u32] {
        let (start, end) = self.spans[position as usize];
        &self.items[start as usize..end as usize]
    }
}

/// Scratch of one thread; kept by the host from search to search, so that nothing of the graph's
/// size is cleared for each.
#[derive(Debug)]
pub(crate) struct Space {
    /// Bit `u` for candidates of pattern vertex `u`; all zero between blocks.
    mask: Vec<u64>,
    /// Position among the candidates of the vertex at hand.
    position: Vec<u32>,
    /// Candidates of each pattern vertex, ascending.
    pub(super) candidates: Vec<Vec<u32>>,
    pub(super) links: Vec<Link>,
    spare: Vec<Link>,
    alive: Vec<Vec<bool>>,
}

/// In which order candidates are found.
#[derive(Debug)]
pub(super) struct Growth {
    pub(super) steps: Vec<GrowthStep>,
}

/// One pattern vertex.
#[derive(Debug)]
pub(super) struct GrowthStep {
    pub(super) vertex: usize,
    /// Ties to this vertex from vertices that came before, as `(from, tie)`. Empty for the first
    /// vertex of a part of the pattern that is not connected with the ones before.
    pub(super) ties: Vec<(usize, Tie)>,
}

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prepared {
    /// There is something to enumerate.
    Ready,
    /// Some pattern vertex has no candidate.
    Empty,
    /// The block is bigger than its budget.
    TooBig,
    /// The search is to stop.
    Stopped,
}

impl Growth {
    /// Rare labels and rich neighbourhoods first, then whatever hangs on them by most ties.
    pub(super) fn new(query: &Query<'_>) -> Self {
        let vertices = query.vertices.len();
        let size = |u: usize| -> u64 {
            let ranges = query.vertices[u].ranges.iter();
            ranges.map(|r| u64::from(r.1 - r.0)).sum()
        };
        let mut done = 0_u64;
        let mut steps: Vec<GrowthStep> = Vec::with_capacity(vertices);
        while steps.len() < vertices {
            let open = (0..vertices).filter(|u| done >> u & 1 == 0);
            let next = open.min_by_key(|&u| {
                let before = query.ties[u].iter().filter(|t| done >> t.to & 1 == 1);
                let before = before.count() as u64;
                let ties = query.ties[u].len() as u64;
                // A new part is started only when the last is finished.
                (before == 0, size(u) / (1 + before + ties), u)
            });
            let Some(vertex) = next else { break };
            let ties = query.ties[vertex].iter();
            let ties = ties.filter(|t| done >> t.to & 1 == 1).filter_map(|t| {
                let from = query.ties[t.to].iter().find(|back| back.to == vertex)?;
                Some((t.to, *from))
            });
            steps.push(GrowthStep {
                vertex,
                ties: ties.collect(),
            });
            done |= 1 << vertex;
        }
        Self { steps }
    }
}

impl Space {
    pub(crate) fn new(vertices: usize) -> Self {
        Self {
            mask: vec![0; vertices],
            position: vec![0; vertices],
            candidates: Vec::new(),
            links: Vec::new(),
            spare: Vec::new(),
            alive: Vec::new(),
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        let links = self.links.iter().chain(&self.spare);
        let links: usize = links
            .map(|l| 8 * l.spans.capacity() + 4 * l.items.capacity())
            .sum();
        let candidates: usize = self.candidates.iter().map(|c| 4 * c.capacity()).sum();
        12 * self.mask.len() + links + candidates
    }

    /// Gives back what big blocks took.
    pub(crate) fn shrink(&mut self) {
        const KEPT: usize = 1 << 16;
        for link in &mut self.spare {
            if link.items.capacity() > KEPT {
                link.items = Vec::new();
            }
            if link.spans.capacity() > KEPT {
                link.spans = Vec::new();
            }
        }
        for candidates in &mut self.candidates {
            if candidates.capacity() > KEPT {
                *candidates = Vec::new();
            }
        }
    }

    /// Candidates and links that grow from some roots, the candidates of the first step.
    pub(super) fn prepare(
        &mut self,
        query: &Query<'_>,
        growth: &Growth,
        roots: &[u32],
        budget: usize,
        sink: &Sink<'_, '_>,
    ) -> Prepared {
        self.spare.append(&mut self.links);
        let vertices = query.vertices.len();
        self.candidates
            .resize_with(vertices.max(self.candidates.len()), Vec::new);
        self.alive
            .resize_with(vertices.max(self.alive.len()), Vec::new);
        self.candidates.iter_mut().for_each(Vec::clear);
        let mut result = self.grow(query, growth, roots, budget, sink);
        if result == Prepared::Ready {
            result = self.link(query, growth, budget, sink);
        }
        for (u, candidates) in self.candidates.iter().enumerate() {
            for &v in candidates {
                self.mask[v as usize] &= !(1 << u);
            }
        }
        if result == Prepared::Ready && !self.sweep(growth) {
            result = Prepared::Empty;
        }
        if result == Prepared::Ready {
            self.tie_parts(query, growth);
        }
        result
    }

    fn grow(
        &mut self,
        query: &Query<'_>,
        growth: &Growth,
        roots: &[u32],
        budget: usize,
        sink: &Sink<'_, '_>,
    ) -> Prepared {
        let first = growth.steps[0].vertex;
        self.candidates[first].extend_from_slice(roots);
        for &v in roots {
            self.mask[v as usize] |= 1 << first;
        }
        let mut work = 0;
        for step in &growth.steps[1..] {
            let u = step.vertex;
            let mut found = std::mem::take(&mut self.candidates[u]);
            // From the vertex before with the fewest candidates.
            let parent = step
                .ties
                .iter()
                .min_by_key(|(from, _)| self.candidates[*from].len());
            match parent {
                Some(&(parent, tie)) => {
                    for &v in &self.candidates[parent] {
                        let mask = &mut self.mask;
                        query.tied(tie, v, |w| {
                            work += 1;
                            if mask[w as usize] >> u & 1 == 0 && query.passes(u, w) {
                                let others = step.ties.iter().filter(|(from, _)| *from != parent);
                                if supported(query, mask, u, w, others) {
                                    mask[w as usize] |= 1 << u;
                                    found.push(w);
                                }
                            }
                            true
                        });
                        if found.len() > budget && roots.len() > 1 {
                            break;
                        }
                        if work > 1 << 14 {
                            work = 0;
                            if sink.check() {
                                self.candidates[u] = found;
                                return Prepared::Stopped;
                            }
                        }
                    }
                    found.sort_unstable();
                }
                None => self.start_part(query, u, roots, &mut found),
            }
            let (none, many) = (found.is_empty(), found.len() > budget);
            self.candidates[u] = found;
            if none {
                return Prepared::Empty;
            }
            if many && roots.len() > 1 {
                return Prepared::TooBig;
            }
        }
        Prepared::Ready
    }

    /// Candidates of the first vertex of another part of the pattern: any of the roots' graphs.
    fn start_part(&mut self, query: &Query<'_>, u: usize, roots: &[u32], found: &mut Vec<u32>) {
        let host = query.host;
        let mut graphs: Vec<u32> = Vec::new();
        if !host.graph_of.is_empty() {
            graphs.extend(roots.iter().map(|&v| host.graph_of[v as usize]));
            graphs.sort_unstable();
            graphs.dedup();
        }
        for &(low, high) in &query.vertices[u].ranges {
            for v in low..high {
                let near =
                    graphs.is_empty() || graphs.binary_search(&host.graph_of[v as usize]).is_ok();
                if near && query.passes(u, v) {
                    self.mask[v as usize] |= 1 << u;
                    found.push(v);
                }
            }
        }
    }

    fn link(
        &mut self,
        query: &Query<'_>,
        growth: &Growth,
        budget: usize,
        sink: &Sink<'_, '_>,
    ) -> Prepared {
        let mut total = 0;
        let divisible = self.candidates[growth.steps[0].vertex].len() > 1;
        for step in &growth.steps {
            let u = step.vertex;
            if step.ties.is_empty() {
                continue;
            }
            for (at, &v) in self.candidates[u].iter().enumerate() {
                self.position[v as usize] = at as u32;
            }
            for &(from, tie) in &step.ties {
                if sink.check() {
                    return Prepared::Stopped;
                }
                let mut link = self.spare.pop().unwrap_or_default();
                link.from = from;
                link.to = u;
                link.loose = false;
                link.spans.clear();
                link.items.clear();
                for &v in &self.candidates[from] {
                    let start = link.items.len() as u32;
                    query.tied(tie, v, |w| {
                        if self.mask[w as usize] >> u & 1 == 1 {
                            link.items.push(self.position[w as usize]);
                        }
                        true
                    });
                    link.spans.push((start, link.items.len() as u32));
                    if divisible && total + link.items.len() > budget.saturating_mul(4) {
                        self.spare.push(link);
                        return Prepared::TooBig;
                    }
                }
                total += link.items.len();
                self.links.push(link);
            }
        }
        Prepared::Ready
    }

    /// Drops candidates that lack a neighbour among the candidates of a neighbouring vertex, in
    /// both directions of every link; tells whether all vertices have some left.
    fn sweep(&mut self, growth: &Growth) -> bool {
        for step in &growth.steps {
            let u = step.vertex;
            self.alive[u].clear();
            self.alive[u].resize(self.candidates[u].len(), true);
        }
        let mut marks = Vec::new();
        let mut any = false;
        for _ in 0..SWEEPS {
            let mut dropped = false;
            // Backwards: what lies further out supports what lies further in.
            for link in self.links.iter().rev() {
                let [from, to] = pair(&mut self.alive, link.from, link.to);
                for (at, alive) in from.iter_mut().enumerate() {
                    if *alive && !link.list(at as u32).iter().any(|&p| to[p as usize]) {
                        *alive = false;
                        dropped = true;
                    }
                }
            }
            for link in &self.links {
                let [from, to] = pair(&mut self.alive, link.from, link.to);
                marks.clear();
                marks.resize(to.len(), false);
                for at in (0..from.len()).filter(|&at| from[at]) {
                    for &p in link.list(at as u32) {
                        marks[p as usize] = true;
                    }
                }
                for (alive, mark) in to.iter_mut().zip(&marks) {
                    dropped |= *alive && !mark;
                    *alive &= mark;
                }
            }
            if !dropped {
                break;
            }
            any = true;
        }
        if any {
            self.compact(growth);
        }
        let mut steps = growth.steps.iter();
        steps.all(|step| !self.candidates[step.vertex].is_empty())
    }

    /// Leaves the candidates that are alive, and renumbers positions.
    fn compact(&mut self, growth: &Growth) {
        const GONE: u32 = u32::MAX;
        let mut renumbered: Vec<Vec<u32>> = vec![Vec::new(); self.candidates.len()];
        for step in &growth.steps {
            let u = step.vertex;
            let alive = &self.alive[u];
            let mut next = 0;
            renumbered[u].extend(alive.iter().map(|&alive| {
                next += u32::from(alive);
                if alive { next - 1 } else { GONE }
            }));
            let mut at = 0;
            self.candidates[u].retain(|_| {
                at += 1;
                alive[at - 1]
            });
        }
        for link in &mut self.links {
            let (from, to) = (&renumbered[link.from], &renumbered[link.to]);
            let mut length = 0;
            let mut spans = 0;
            for (at, &kept) in from.iter().enumerate() {
                if kept == GONE {
                    continue;
                }
                let (start, end) = link.spans[at];
                let first = length;
                for item in start..end {
                    let position = to[link.items[item as usize] as usize];
                    if position != GONE {
                        link.items[length as usize] = position;
                        length += 1;
                    }
                }
                link.spans[spans] = (first, length);
                spans += 1;
            }
            link.items.truncate(length as usize);
            link.spans.truncate(spans);
        }
    }

    /// Links the first vertices of the pattern's parts: candidates of the same graph.
    fn tie_parts(&mut self, query: &Query<'_>, growth: &Growth) {
        let first = growth.steps[0].vertex;
        for step in growth.steps[1..].iter().filter(|step| step.ties.is_empty()) {
            let graph = |&v: &u32| query.host.graph_of.get(v as usize).copied().unwrap_or(0);
            let u = step.vertex;
            let mut items: Vec<u32> = (0..self.candidates[u].len() as u32).collect();
            items.sort_by_key(|&at| graph(&self.candidates[u][at as usize]));
            let graphs: Vec<u32> = items
                .iter()
                .map(|&at| graph(&self.candidates[u][at as usize]))
                .collect();
            let spans = self.candidates[first].iter().map(|v| {
                let (start, end) = within(&graphs, graph(v), graph(v) + 1);
                (start as u32, end as u32)
            });
            self.links.push(Link {
                from: first,
                to: u,
                spans: spans.collect(),
                items,
                loose: true,
            });
        }
    }

    /// Turns a link around.
    pub(super) fn transpose(&mut self, index: usize) {
        let mut turned = self.spare.pop().unwrap_or_default();
        let link = &self.links[index];
        let count = self.candidates[link.to].len();
        turned.spans.clear();
        turned.spans.resize(count, (0, 0));
        for at in 0..link.spans.len() {
            for &p in link.list(at as u32) {
                turned.spans[p as usize].1 += 1;
            }
        }
        let mut total = 0;
        for span in &mut turned.spans {
            let length = span.1;
            *span = (total, total);
            total += length;
        }
        turned.items.clear();
        turned.items.resize(total as usize, 0);
        for at in 0..link.spans.len() {
            for &p in link.list(at as u32) {
                let span = &mut turned.spans[p as usize];
                turned.items[span.1 as usize] = at as u32;
                span.1 += 1;
            }
        }
        turned.from = link.to;
        turned.to = link.from;
        turned.loose = link.loose;
        let old = std::mem::replace(&mut self.links[index], turned);
        self.spare.push(old);
    }
}

/// Whether a vertex has a neighbour among the candidates of each vertex that it is tied to.
#[inline]
fn supported<'t>(
    query: &Query<'_>,
    mask: &[u64],
    u: usize,
    vertex: u32,
    mut others: impl Iterator<Item = &'t (usize, Tie)>,
) -> bool {
    others.all(|&(from, _)| {
        let back = query.ties[u].iter().find(|tie| tie.to == from);
        back.is_none_or(|&tie| query.tied(tie, vertex, |w| mask[w as usize] >> from & 1 == 0))
    })
}

fn pair<T>(items: &mut [Vec<T>], a: usize, b: usize) -> [&mut Vec<T>; 2] {
    debug_assert_ne!(a, b, "patterns have no loops");
    if a < b {
        let (low, high) = items.split_at_mut(b);
        [&mut low[a], &mut high[0]]
    } else {
        let (low, high) = items.split_at_mut(a);
        [&mut high[0], &mut low[b]]
    }
}
