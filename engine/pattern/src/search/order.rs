//! The order in which pattern vertices are mapped.

use crate::search::query::Query;
use crate::search::space::Space;

/// One vertex of the order.
#[derive(Debug, Clone, Default)]
pub(super) struct Stage {
    /// The pattern vertex.
    pub(super) vertex: usize,
    /// Links that end here, as `(index, stage where they start)`.
    pub(super) links: Vec<(usize, usize)>,
    /// Stages, as bits, that decide which candidates are left.
    pub(super) decided_by: u64,
    /// Earlier stages that may take the same vertex of the graph.
    pub(super) rivals: Vec<usize>,
    /// Earlier stages, for an induced search, that must not be joined to this one, with the ways
    /// in which they must not: out of this vertex, into it.
    pub(super) apart: Vec<(usize, [bool; 2])>,
}

/// Fewest expected continuations first: a vertex is worth as much as its candidates, thinned by
/// the density of each link from what is mapped already. Links are turned to go forwards.
pub(super) fn order(query: &Query<'_>, space: &mut Space) -> Vec<Stage> {
    let vertices = query.vertices.len();
    let size = |space: &Space, u: usize| space.candidates[u].len() as f64;
    let mut stages: Vec<Stage> = Vec::with_capacity(vertices);
    let mut stage_of = vec![usize::MAX; vertices];
    while stages.len() < vertices {
        let mut best: Option<(f64, usize, usize)> = None;
        for u in (0..vertices).filter(|&u| stage_of[u] == usize::MAX) {
            let mut expected = size(space, u);
            let mut links = 0;
            for link in &space.links {
                let (near, far) = (link.from, link.to);
                let other = match u {
                    _ if u == far => near,
                    _ if u == near && !link.loose => far,
                    _ => continue,
                };
                if stage_of[other] == usize::MAX {
                    continue;
                }
                links += 1;
                let pairs = size(space, near) * size(space, far);
                if !link.loose {
                    expected *= link.items.len() as f64 / pairs;
                }
            }
            if stages.is_empty() {
                // Links into another part of the pattern start at a vertex of the first.
                let part = |link: &crate::search::space::Link| link.loose && link.to == u;
                if space.links.iter().any(part) || !first_part(query, space, u) {
                    continue;
                }
                links = 1;
            }
            if links == 0 {
                continue;
            }
            let ties = query.ties[u].len();
            let better = best.is_none_or(|(e, t, _)| expected < e || expected == e && ties > t);
            if better {
                best = Some((expected, ties, u));
            }
        }
        let Some((_, _, u)) = best else { break };
        stage_of[u] = stages.len();
        stages.push(Stage {
            vertex: u,
            ..Stage::default()
        });
    }
    for index in 0..space.links.len() {
        let (from, to) = (space.links[index].from, space.links[index].to);
        if stage_of[from] > stage_of[to] {
            space.transpose(index);
        }
    }
    for (index, link) in space.links.iter().enumerate() {
        let (from, to) = (stage_of[link.from], stage_of[link.to]);
        stages[to].links.push((index, from));
        stages[to].decided_by |= 1 << from;
    }
    constrain(query, &mut stages);
    stages
}

/// Whether a vertex hangs together with the vertex that candidates grew from.
fn first_part(query: &Query<'_>, space: &Space, u: usize) -> bool {
    let Some(loose) = space.links.iter().find(|link| link.loose) else {
        return true;
    };
    let mut reached = 1_u64 << loose.from;
    loop {
        let bits = (0..query.vertices.len()).filter(|w| reached >> w & 1 == 1);
        let ties = bits.flat_map(|w| &query.ties[w]);
        let further = ties.fold(reached, |all, tie| all | 1 << tie.to);
        if further == reached {
            return reached >> u & 1 == 1;
        }
        reached = further;
    }
}

fn constrain(query: &Query<'_>, stages: &mut [Stage]) {
    for at in 0..stages.len() {
        let u = stages[at].vertex;
        let (before, rest) = stages.split_at_mut(at);
        let stage = &mut rest[0];
        for (earlier, other) in before.iter().enumerate() {
            let tie = query.ties[u].iter().find(|tie| tie.to == other.vertex);
            // Neighbours differ by themselves, since graphs have no loops.
            if tie.is_none() && query.overlap(u, other.vertex) {
                stage.rivals.push(earlier);
            }
            if !query.induced {
                continue;
            }
            let mut ways = [
                tie.is_none_or(|tie| tie.forth.is_none()),
                tie.is_none_or(|tie| tie.back.is_none()),
            ];
            if !query.host.graph.directed {
                ways[1] = false;
            }
            if ways != [false; 2] {
                stage.apart.push((earlier, ways));
            }
        }
    }
}
