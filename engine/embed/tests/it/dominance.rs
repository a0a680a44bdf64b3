//! The message-passing layer gives the rows that the integer code gives, all of them.

use std::collections::BTreeMap;

use penstock_embed::Graph;
use penstock_embed::dominance::{Class, Rounds};
use penstock_pattern::dominance::{DominanceRecipe, EdgeClass, Way};
use penstock_pattern::{Graph as Host, GraphBuilder};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The rows of a graph by tensors.
fn layer(recipe: &DominanceRecipe, host: &Host) -> Vec<u16> {
    let mut by_class: BTreeMap<(usize, u8), Vec<(u32, u32)>> = BTreeMap::new();
    for edge in host.iter_edges() {
        let class = match host.has_edge_labels() {
            true => recipe.class(edge.label),
            false => 0,
        };
        // The neighbour sends, whichever way the edge goes.
        let ways = match host.is_directed() {
            true => [
                (Way::Out, edge.to, edge.from),
                (Way::In, edge.from, edge.to),
            ],
            false => [
                (Way::Both, edge.to, edge.from),
                (Way::Both, edge.from, edge.to),
            ],
        };
        for (way, sender, receiver) in ways {
            let edges = by_class.entry((class, way as u8)).or_default();
            edges.push((sender, receiver));
        }
    }
    let parts: Vec<(Graph, Vec<u16>)> = by_class
        .into_iter()
        .map(|((class, way), edges)| {
            let way = [Way::Both, Way::Out, Way::In][usize::from(way)];
            let graph = Graph::from_edges(host.vertices(), &edges).unwrap();
            (graph, recipe.neighbour_weights(EdgeClass { class, way }))
        })
        .collect();
    let classes: Vec<Class<'_>> = parts
        .iter()
        .map(|(graph, weights)| Class { graph, weights })
        .collect();
    let initial: Vec<u16> = host
        .labels()
        .iter()
        .flat_map(|label| recipe.initial(*label))
        .collect();
    let rounds = Rounds {
        buckets: recipe.buckets,
        rounds: recipe.rounds,
        own: &recipe.self_weights(),
        classes: &classes,
    };
    rounds.rows(&initial).unwrap()
}

fn random(rng: &mut ChaCha8Rng, vertices: u32, edges: usize, hubs: u32) -> Host {
    let directed = rng.random();
    let mut pairs = std::collections::BTreeSet::new();
    let put = |pairs: &mut std::collections::BTreeSet<(u32, u32)>, a: u32, b: u32| {
        if a != b {
            pairs.insert(if directed {
                (a, b)
            } else {
                (a.min(b), a.max(b))
            });
        }
    };
    for _ in 0..edges {
        let (a, b) = (rng.random_range(0..vertices), rng.random_range(0..vertices));
        put(&mut pairs, a, b);
    }
    for hub in 0..hubs {
        for vertex in 0..vertices {
            put(&mut pairs, hub, vertex);
        }
    }
    let edge_labels = match rng.random::<bool>() {
        true => (0..pairs.len()).map(|_| rng.random_range(0..6)).collect(),
        false => Vec::new(),
    };
    let builder = GraphBuilder {
        directed,
        labels: (0..vertices).map(|_| rng.random_range(0..20)).collect(),
        edges: pairs.into_iter().collect(),
        edge_labels,
        ..GraphBuilder::default()
    };
    builder.build().unwrap()
}

const RECIPES: [(usize, usize, usize); 5] =
    [(16, 2, 4), (2, 1, 1), (7, 3, 2), (64, 8, 16), (16, 0, 4)];

#[test]
fn rows_are_those_of_integers() {
    let mut saturated = 0;
    for seed in 0..12 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (buckets, rounds, edge_classes) in RECIPES {
            let recipe = DominanceRecipe {
                buckets,
                rounds,
                edge_classes,
                seed,
            };
            let vertices = rng.random_range(1..400);
            let edges = rng.random_range(0..2_000);
            let hubs = rng.random_range(0..3).min(vertices);
            let host = random(&mut rng, vertices, edges, hubs);
            let expected = recipe.embed(&host).unwrap();
            assert_eq!(layer(&recipe, &host), expected.values, "{recipe:?}");
            saturated += expected.values.iter().filter(|x| **x == u16::MAX).count();
        }
    }
    assert!(saturated > 0);
}

#[test]
fn a_hub_of_more_neighbours_than_a_row_counts_is_cut_off() {
    // Two hubs joined to each other and to all: 70,001 neighbours, whose sums pass 2^24 as well.
    let vertices = 70_002_u32;
    let star = (0..2_u32).flat_map(|hub| (hub + 1..vertices).map(move |v| (hub, v)));
    let builder = GraphBuilder {
        directed: false,
        labels: (0..vertices).map(|v| v % 3).collect(),
        edges: star.collect(),
        ..GraphBuilder::default()
    };
    let host = builder.build().unwrap();
    for rounds in [1, 2, 4] {
        let recipe = DominanceRecipe {
            rounds,
            ..DominanceRecipe::default()
        };
        let expected = recipe.embed(&host).unwrap();
        assert_eq!(expected.row(0)[0], u16::MAX);
        assert!(layer(&recipe, &host) == expected.values, "{rounds} rounds");
    }
}

#[test]
fn arrays_of_another_shape_are_refused() {
    let graph = Graph::from_edges(3, &[(0, 1)]).unwrap();
    let (square, short) = ([1_u16; 4], [1_u16; 3]);
    let run = |own: &[u16], weights: &[u16], initial: &[u16]| {
        let classes = [Class {
            graph: &graph,
            weights,
        }];
        let rounds = Rounds {
            buckets: 2,
            rounds: 1,
            own,
            classes: &classes,
        };
        rounds.rows(initial).map_err(|error| error.to_string())
    };
    let matrix = "3 numbers for a matrix of 2 by 2";
    assert_eq!(run(&short, &square, &[1; 6]).unwrap_err(), matrix);
    assert_eq!(run(&square, &short, &[1; 6]).unwrap_err(), matrix);
    let features = "8 numbers as features of 3 vertices, and the model reads 2 for each";
    assert_eq!(run(&square, &square, &[1; 8]).unwrap_err(), features);
    // Vertex 1 has 2 of its own and 2 of vertex 0.
    assert_eq!(run(&square, &square, &[1; 6]).unwrap(), [2, 2, 4, 4, 2, 2]);
}
