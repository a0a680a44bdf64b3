//! From the graph as it grew to the graph as it is searched: every vertex can be reached, and
//! vertices that are near each other in the graph are near each other in memory.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::memory::Aligned;
use crate::options::Options;
use crate::simd::isa::{Isa, dispatch};
use crate::simd::lanes::Lanes;
use crate::walk::NONE;

use super::insert::{Graph, Workspace};

/// A graph that no longer changes, with its vertices renumbered.
pub(super) struct Settled {
    pub(super) base: Aligned<u32>,
    /// Layer 1, 2, ...
    pub(super) upper: Vec<Aligned<u32>>,
    /// For each new number the old one.
    pub(super) moved: Vec<u32>,
}

pub(super) fn freeze(graph: Graph<'_>, options: &Options, isa: Isa) -> Settled {
    let rank = reach_all(&graph, isa);
    let count = graph.levels.len();
    let mut moved: Vec<u32> = (0..count as u32).collect();
    // Layers stay where they are, the highest first; the entry stays the entry.
    moved[1.min(count)..].sort_unstable_by_key(|vertex| {
        let level = graph.levels[*vertex as usize];
        (std::cmp::Reverse(level), rank[*vertex as usize])
    });
    let mut to = rank;
    for (new, old) in moved.iter().enumerate() {
        to[*old as usize] = new as u32;
    }
    let renumber = |layer: usize, slots: usize| {
        let vertices = graph.layers[layer].len() / slots;
        let mut links = Aligned::filled(vertices * slots, 0xff);
        for (old, list) in moved.iter().zip(links.chunks_exact_mut(slots)) {
            for (link, from) in list.iter_mut().zip(graph.list(layer, *old)) {
                let old = from.load(Ordering::Relaxed);
                *link = if old == NONE { NONE } else { to[old as usize] };
            }
        }
        links
    };
    Settled {
        base: renumber(0, options.base_slots()),
        upper: (1..graph.layers.len())
            .map(|layer| renumber(layer, options.edges))
            .collect(),
        moved,
    }
}

/// The order in which a breadth-first search of the base layer comes to the vertices. One that it
/// does not come to gets an edge from a neighbour of its own or, where none has room, from the
/// nearest that a walk finds and that has: in a free slot, or instead of an edge that the search did
/// not take, so that whatever was reached stays within reach.
fn reach_all(graph: &Graph<'_>, isa: Isa) -> Vec<u32> {
    let count = graph.levels.len();
    let links = |vertex: u32| {
        let list = graph.list(0, vertex).iter();
        list.map(|link| link.load(Ordering::Relaxed))
            .take_while(|link| *link != NONE)
    };
    let mut rank = vec![NONE; count];
    // The vertex from which the search came to each.
    let mut parent = vec![NONE; count];
    let mut workspace = None;
    let mut queue: Vec<u32> = Vec::with_capacity(count);
    let mut expanded = 0;
    for start in 0..count as u32 {
        if rank[start as usize] != NONE {
            continue;
        }
        if start > 0 {
            let own: Vec<u32> = links(start).collect();
            let reached = |hosts: &[u32], parent: &mut [u32]| {
                let mut hosts = hosts.iter().filter(|host| rank[**host as usize] != NONE);
                hosts.any(|host| adopt(graph, *host, start, parent))
            };
            if !reached(&own, &mut parent) {
                let workspace = workspace.get_or_insert_with(|| graph.workspace());
                nearest(isa, graph, start, workspace);
                // The last that the search came to has room: the search took none of its edges.
                if !reached(&workspace.kept, &mut parent)
                    && let Some(last) = queue.last()
                {
                    adopt(graph, *last, start, &mut parent);
                }
            }
        }
        rank[start as usize] = queue.len() as u32;
        queue.push(start);
        while let Some(vertex) = queue.get(expanded).copied() {
            expanded += 1;
            for link in links(vertex) {
                if rank[link as usize] == NONE {
                    rank[link as usize] = queue.len() as u32;
                    parent[link as usize] = vertex;
                    queue.push(link);
                }
            }
        }
    }
    rank
}

/// Gives `host` an edge to `child`, if there is a slot for it.
fn adopt(graph: &Graph<'_>, host: u32, child: u32, parent: &mut [u32]) -> bool {
    let list = graph.list(0, host);
    let free = |slot: &&AtomicU32| slot.load(Ordering::Relaxed) == NONE;
    let spare = |slot: &&AtomicU32| {
        let link = slot.load(Ordering::Relaxed);
        parent[link as usize] != host
    };
    let slot = list
        .iter()
        .find(free)
        .or_else(|| list.iter().rev().find(spare));
    let Some(slot) = slot else { return false };
    slot.store(child, Ordering::Relaxed);
    parent[child as usize] = host;
    true
}

dispatch! {
    fn nearest(graph: &Graph<'_>, vertex: u32, workspace: &mut Workspace) -> () = nearest_kernel;
}

/// Puts into `workspace.kept` what a walk of the base layer finds near a vertex that it does not
/// come to, nearest first.
///
/// # Safety
/// As for [`Lanes`].
#[inline(always)]
unsafe fn nearest_kernel<L: Lanes>(graph: &Graph<'_>, vertex: u32, workspace: &mut Workspace) {
    // SAFETY: vertex 0 exists, as a vertex was given, and all links are vertices.
    unsafe { graph.search_base::<L>(vertex, workspace) }
}
