//! From the graph as it grew to the graph as it is searched: every vertex can be reached, and
//! vertices that are near each other in the graph are near each other in memory.

use std::sync::atomic::Ordering;

use crate::memory::Aligned;
use crate::options::Options;
use crate::walk::NONE;

use super::insert::Graph;

/// A graph that no longer changes, with its vertices renumbered.
pub(super) struct Layers {
    pub(super) base: Aligned<u32>,
    /// Layer 1, 2, ...
    pub(super) upper: Vec<Aligned<u32>>,
    /// For each new number the old one.
    pub(super) moved: Vec<u32>,
}

pub(super) fn freeze(graph: Graph<'_>, options: &Options) -> Layers {
    let rank = reach_all(&graph);
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
    Layers {
        base: renumber(0, options.base_slots()),
        upper: (1..graph.layers.len())
            .map(|layer| renumber(layer, options.edges))
            .collect(),
        moved,
    }
}

/// The order in which a breadth-first search of the base layer comes to the vertices. One that it
/// does not come to gets a link from a neighbour of its own, in a free slot or instead of one that
/// several others name.
fn reach_all(graph: &Graph<'_>) -> Vec<u32> {
    let count = graph.levels.len();
    let mut named = vec![0_u32; count];
    let links = |vertex: u32| {
        let list = graph.list(0, vertex).iter();
        list.map(|link| link.load(Ordering::Relaxed))
            .take_while(|link| *link != NONE)
    };
    for link in (0..count as u32).flat_map(links) {
        named[link as usize] += 1;
    }
    let mut rank = vec![NONE; count];
    let mut queue: Vec<u32> = Vec::with_capacity(count);
    let mut expanded = 0;
    for start in 0..count as u32 {
        if rank[start as usize] != NONE {
            continue;
        }
        if start > 0 {
            let host = links(start).filter(|link| rank[*link as usize] != NONE);
            for host in host {
                let list = graph.list(0, host);
                let spare = list.iter().rev().find(|slot| {
                    let link = slot.load(Ordering::Relaxed);
                    link == NONE || named[link as usize] > 1
                });
                let Some(spare) = spare else { continue };
                let spare = list
                    .iter()
                    .find(|slot| slot.load(Ordering::Relaxed) == NONE)
                    .unwrap_or(spare);
                let old = spare.swap(start, Ordering::Relaxed);
                if old != NONE {
                    named[old as usize] -= 1;
                }
                named[start as usize] += 1;
                break;
            }
        }
        rank[start as usize] = queue.len() as u32;
        queue.push(start);
        while let Some(vertex) = queue.get(expanded).copied() {
            expanded += 1;
            for link in links(vertex) {
                if rank[link as usize] == NONE {
                    rank[link as usize] = queue.len() as u32;
                    queue.push(link);
                }
            }
        }
    }
    rank
}
