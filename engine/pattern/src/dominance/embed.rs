//! The rounds.

use rayon::prelude::*;

use crate::dominance::{DominanceRecipe, EdgeClass, Rows, Way};
use crate::graph::{Adjacency, Graph};
use crate::pattern::{Allowed, Pattern};

/// A matrix as its entries that are not zero: output, input, weight.
type Sparse = Vec<(usize, usize, u16)>;

fn sparse(weights: &[u16], width: usize) -> Sparse {
    let entries = weights.iter().enumerate().filter(|(_, w)| **w > 0);
    entries
        .map(|(at, &w)| (at / width, at % width, w))
        .collect()
}

/// `to += matrix from`, saturating: all terms are non-negative integers, so saturating early is
/// saturating at the end.
fn add_product(matrix: &Sparse, from: &[u16], to: &mut [u16]) {
    for &(output, input, weight) in matrix {
        to[output] = to[output].saturating_add(from[input].saturating_mul(weight));
    }
}

fn add(from: &[u16], to: &mut [u16]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = to.saturating_add(from);
    }
}

pub(super) fn graph(recipe: &DominanceRecipe, graph: &Graph) -> Rows {
    let width = recipe.buckets;
    let mut values = vec![0_u16; width * graph.vertices()];
    values
        .par_chunks_mut(width)
        .zip(graph.labels())
        .for_each(|(row, &label)| {
            row[0] = 1;
            row[recipe.bucket(label)] = 1;
        });
    let own = sparse(&recipe.self_weights(), width);
    let mut ways = vec![(
        &graph.out,
        if graph.directed { Way::Out } else { Way::Both },
    )];
    ways.extend(graph.into.as_ref().map(|into| (into, Way::In)));
    let classes = match graph.edge_labels.is_empty() {
        true => 1,
        false => recipe.edge_classes,
    };
    let matrices: Vec<Vec<Sparse>> = ways
        .iter()
        .map(|&(_, way)| {
            (0..classes)
                .map(|class| sparse(&recipe.neighbour_weights(EdgeClass { class, way }), width))
                .collect()
        })
        .collect();
    let class_of: Vec<u8> = graph
        .edge_labels
        .par_iter()
        .map(|&label| recipe.class(label) as u8)
        .collect();
    for _ in 0..recipe.rounds {
        let mut next = vec![0_u16; values.len()];
        next.par_chunks_mut(width).enumerate().for_each_init(
            || vec![0_u16; width * classes],
            |sums, (v, row)| {
                add_product(&own, &values[v * width..][..width], row);
                for (&(lists, _), matrices) in ways.iter().zip(&matrices) {
                    gather(lists, &class_of, v as u32, &values, width, sums);
                    for (matrix, sum) in matrices.iter().zip(sums.chunks(width)) {
                        add_product(matrix, sum, row);
                    }
                }
            },
        );
        values = next;
    }
    Rows { width, values }
}

/// Sums of the neighbours' rows by class.
fn gather(
    lists: &Adjacency,
    class_of: &[u8],
    vertex: u32,
    values: &[u16],
    width: usize,
    sums: &mut [u16],
) {
    sums.fill(0);
    let range = lists.range(vertex);
    if class_of.is_empty() {
        for &w in &lists.targets[range] {
            add(&values[w as usize * width..][..width], sums);
        }
        return;
    }
    for at in range {
        let class = usize::from(class_of[lists.edges[at] as usize]);
        let row = &values[lists.targets[at] as usize * width..][..width];
        add(row, &mut sums[class * width..][..width]);
    }
}

pub(super) fn pattern(recipe: &DominanceRecipe, pattern: &Pattern) -> Rows {
    let width = recipe.buckets;
    let mut values = Vec::with_capacity(width * pattern.vertices().len());
    for vertex in pattern.vertices() {
        let mut row = vec![0_u16; width];
        row[0] = 1;
        if let Allowed::Only(labels) = &vertex.labels {
            let mut buckets = labels.iter().map(|&label| recipe.bucket(label));
            if let Some(bucket) = buckets.next()
                && buckets.all(|other| other == bucket)
            {
                row[bucket] = 1;
            }
        }
        values.extend(row);
    }
    let own = sparse(&recipe.self_weights(), width);
    let (forth, back) = match pattern.is_directed() {
        true => (Way::Out, Way::In),
        false => (Way::Both, Way::Both),
    };
    let certain = |labels: &Allowed, way| sparse(&recipe.certain_weights(labels, way), width);
    // Drawing a matrix costs more than all the rest; edges mostly allow the same labels.
    let mut distinct: Vec<(&Allowed, Sparse, Sparse)> = Vec::new();
    let mut which = Vec::with_capacity(pattern.edges().len());
    for edge in pattern.edges() {
        let known = distinct
            .iter()
            .position(|(labels, ..)| **labels == edge.labels);
        which.push(known.unwrap_or(distinct.len()));
        if known.is_none() {
            let (forth, back) = (certain(&edge.labels, forth), certain(&edge.labels, back));
            distinct.push((&edge.labels, forth, back));
        }
    }
    for _ in 0..recipe.rounds {
        let mut next = vec![0_u16; values.len()];
        for (row, before) in next.chunks_mut(width).zip(values.chunks(width)) {
            add_product(&own, before, row);
        }
        for (edge, &which) in pattern.edges().iter().zip(&which) {
            let (_, forth, back) = &distinct[which];
            let (from, to) = (edge.from as usize * width, edge.to as usize * width);
            add_product(
                forth,
                &values[to..to + width],
                &mut next[from..from + width],
            );
            add_product(back, &values[from..from + width], &mut next[to..to + width]);
        }
        values = next;
    }
    Rows { width, values }
}
