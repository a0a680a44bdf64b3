//! Against petgraph's VF2, which finds induced subgraphs.

use penstock_pattern::{GraphBuilder, Host, MatchOptions, Pattern};
use petgraph::Graph;
use petgraph::algo::subgraph_isomorphisms_iter;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The same graph for both, drawn at random.
fn both<D: petgraph::EdgeType>(
    random: &mut ChaCha8Rng,
    vertices: u32,
    density: f64,
) -> (penstock_pattern::Graph, Graph<u32, u32, D>) {
    let mut ours = GraphBuilder {
        directed: D::is_directed(),
        ..GraphBuilder::default()
    };
    let mut theirs = Graph::<u32, u32, D>::default();
    for _ in 0..vertices {
        let label = random.random_range(0..2);
        ours.vertex(label);
        theirs.add_node(label);
    }
    for a in 0..vertices {
        for b in 0..vertices {
            let wanted = if D::is_directed() { a != b } else { a < b };
            if wanted && random.random_bool(density) {
                let label = random.random_range(0..2);
                ours.edge(a, b);
                ours.edge_labels.push(label);
                theirs.add_edge(a.into(), b.into(), label);
            }
        }
    }
    (ours.build().unwrap(), theirs)
}

fn agree<D: petgraph::EdgeType>(seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut total = 0;
    for _ in 0..400 {
        let vertices = random.random_range(2..=10);
        let density = random.random_range(0.2..0.8);
        let (host, their_host) = both::<D>(&mut random, vertices, density);
        let size = random.random_range(1..=vertices.min(4));
        let (graph, their_pattern) = both::<D>(&mut random, size, density);
        let pattern = Pattern::of(&graph).unwrap();
        // VF2 looks at edge labels only where both graphs have edges.
        let pattern = match graph.has_edge_labels() && host.has_edge_labels() {
            true => pattern,
            false if graph.edges() == 0 => pattern,
            false => continue,
        };
        let same = |a: &u32, b: &u32| a == b;
        let (small, big) = (&their_pattern, &their_host);
        let (mut vertex, mut edge) = (same, same);
        let mut theirs: Vec<Vec<u32>> =
            subgraph_isomorphisms_iter(&small, &big, &mut vertex, &mut edge)
                .into_iter()
                .flatten()
                .map(|mapping| mapping.into_iter().map(|v| v as u32).collect())
                .collect();
        theirs.sort_unstable();
        let options = MatchOptions {
            induced: true,
            keep: usize::MAX,
            ..MatchOptions::default()
        };
        let found = Host::new(host).unwrap().find(&pattern, &options).unwrap();
        let mut ours: Vec<Vec<u32>> = found.matches.iter().map(<[u32]>::to_vec).collect();
        ours.sort_unstable();
        assert_eq!(ours, theirs, "{their_pattern:?} in {their_host:?}");
        total += ours.len();
    }
    assert!(total > 300, "{total}");
}

#[test]
fn undirected_induced_matches_are_those_of_petgraph() {
    agree::<petgraph::Undirected>(30);
}

#[test]
fn directed_induced_matches_are_those_of_petgraph() {
    agree::<petgraph::Directed>(31);
}
