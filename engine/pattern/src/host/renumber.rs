//! Vertices in the order of their labels.

use std::sync::{Mutex, OnceLock};

use rayon::prelude::*;

use crate::graph::{Adjacency, Graph};
use crate::host::Host;

pub(super) fn host(mut graph: Graph) -> Host {
    let vertices = graph.vertices();
    let mut classes = graph.labels.clone();
    classes.sort_unstable();
    classes.dedup();
    let class_of = |label: u32| classes.partition_point(|&c| c < label);
    let mut class_starts = vec![0_u32; classes.len() + 1];
    let own: Vec<u32> = graph
        .labels
        .par_iter()
        .map(|&label| class_of(label) as u32)
        .collect();
    for &class in &own {
        class_starts[class as usize + 1] += 1;
    }
    for class in 0..classes.len() {
        class_starts[class + 1] += class_starts[class];
    }
    let mut next = class_starts.clone();
    let mut new = vec![0_u32; vertices];
    let mut outer = vec![0_u32; vertices];
    for (v, &class) in own.iter().enumerate() {
        let at = next[class as usize];
        next[class as usize] += 1;
        new[v] = at;
        outer[at as usize] = v as u32;
    }
    let graph_of = match graph.starts.len() {
        1 => Vec::new(),
        _ => outer.iter().map(|&v| graph.graph_of(v) as u32).collect(),
    };
    graph.labels = outer.iter().map(|&v| graph.labels[v as usize]).collect();
    graph.out = graph.out.renumbered(&new, &outer);
    graph.into = graph.into.is_some().then(|| graph.out.transposed());
    graph.vertex_columns.take(&outer);
    let own: Vec<u32> = outer.iter().map(|&v| own[v as usize]).collect();
    let incoming = graph.into.as_ref();
    let signatures = [
        signatures(&graph.out, &own),
        incoming.map_or_else(Vec::new, |into| signatures(into, &own)),
    ];
    Host {
        graph,
        outer,
        inner: OnceLock::new(),
        classes,
        class_starts,
        signatures,
        rows: None,
        graph_of,
        spaces: Mutex::new(Vec::new()),
    }
}

fn signatures(lists: &Adjacency, class_of: &[u32]) -> Vec<u64> {
    (0..lists.vertices() as u32)
        .into_par_iter()
        .map(|v| {
            let neighbours = lists.list(v).iter();
            neighbours.fold(0, |bits, &w| bits | 1 << (class_of[w as usize] % 64))
        })
        .collect()
}
