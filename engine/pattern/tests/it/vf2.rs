//! Against the crate `vf2`, which finds subgraphs that are induced and others, with labels of vertices
//! and edges, in graphs of either kind.

use penstock_pattern::{
    Allowed, Graph, GraphBuilder, Host, MatchOptions, Pattern, PatternEdge, PatternVertex,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use vf2::{Direction, NodeIndex};

use crate::random;

/// A graph as that crate reads one: a table of both ends.
struct Table<V, E> {
    directed: bool,
    vertices: Vec<V>,
    edges: Vec<Vec<Option<E>>>,
}

impl<V, E: Clone> Table<V, E> {
    fn new(directed: bool, vertices: Vec<V>, edges: impl Iterator<Item = (u32, u32, E)>) -> Self {
        let mut table = vec![vec![None; vertices.len()]; vertices.len()];
        for (from, to, label) in edges {
            if !directed {
                table[to as usize][from as usize] = Some(label.clone());
            }
            table[from as usize][to as usize] = Some(label);
        }
        Self {
            directed,
            vertices,
            edges: table,
        }
    }
}

impl<V, E> vf2::Graph for Table<V, E> {
    type NodeLabel = V;
    type EdgeLabel = E;

    fn is_directed(&self) -> bool {
        self.directed
    }

    fn node_count(&self) -> usize {
        self.vertices.len()
    }

    fn node_label(&self, node: NodeIndex) -> Option<&V> {
        self.vertices.get(node)
    }

    fn neighbors(&self, node: NodeIndex, direction: Direction) -> impl Iterator<Item = NodeIndex> {
        (0..self.vertices.len()).filter(move |other| match direction {
            Direction::Outgoing => self.contains_edge(node, *other),
            Direction::Incoming => self.contains_edge(*other, node),
        })
    }

    fn contains_edge(&self, source: NodeIndex, target: NodeIndex) -> bool {
        self.edges[source][target].is_some()
    }

    fn edge_label(&self, source: NodeIndex, target: NodeIndex) -> Option<&E> {
        self.edges[source][target].as_ref()
    }
}

fn theirs(graph: &Graph, pattern: &Pattern, induced: bool) -> Vec<Vec<u32>> {
    // It refuses patterns that are empty or larger than the graph.
    if pattern.vertices().len() > graph.vertices() {
        return Vec::new();
    }
    let edges = graph.iter_edges();
    let host = Table::new(
        graph.is_directed(),
        graph.labels().to_vec(),
        edges.map(|edge| (edge.from, edge.to, edge.label)),
    );
    let edges = pattern.edges().iter();
    let query = Table::new(
        pattern.is_directed(),
        pattern
            .vertices()
            .iter()
            .map(|vertex| vertex.labels.clone())
            .collect(),
        edges.map(|edge| (edge.from, edge.to, edge.labels.clone())),
    );
    let search = match induced {
        true => vf2::induced_subgraph_isomorphisms(&query, &host),
        false => vf2::subgraph_isomorphisms(&query, &host),
    };
    let allows = |allowed: &Allowed, label: &u32| allowed.allows(*label);
    let mut found: Vec<Vec<u32>> = search
        .node_eq(allows)
        .edge_eq(allows)
        .iter()
        .map(|mapping| mapping.into_iter().map(|v| v as u32).collect())
        .collect();
    found.sort_unstable();
    found
}

fn ours(graph: &Graph, pattern: &Pattern, induced: bool) -> Vec<Vec<u32>> {
    let options = MatchOptions {
        induced,
        keep: usize::MAX,
        ..MatchOptions::default()
    };
    let host = Host::new(graph.clone()).unwrap();
    let found = host.find(pattern, &options).unwrap();
    assert!(found.complete);
    let mut found: Vec<Vec<u32>> = found.matches.iter().map(<[u32]>::to_vec).collect();
    found.sort_unstable();
    found
}

#[test]
fn small_graphs_of_every_shape_have_the_matches_of_vf2() {
    let mut random = ChaCha8Rng::seed_from_u64(40);
    let (mut cases, mut with_matches) = (0, 0);
    for _ in 0..150 {
        for shape in random::shapes() {
            // It knows one graph, and no tolerances.
            if shape.graphs > 1 || shape.tolerances {
                continue;
            }
            let graph = random::graph(&mut random, shape);
            let pattern = random::pattern(&mut random, shape, &graph);
            for induced in [false, true] {
                let expected = theirs(&graph, &pattern, induced);
                let found = ours(&graph, &pattern, induced);
                assert_eq!(found, expected, "{shape:?} {induced} {graph:?} {pattern:?}");
                cases += 1;
                with_matches += usize::from(!found.is_empty());
            }
        }
    }
    println!("{cases} cases, {with_matches} with matches");
    assert!(cases == 4_800 && with_matches * 4 > cases);
}

/// Sparse, with more vertices than a matcher could try that tries everything.
fn sparse(random: &mut ChaCha8Rng, directed: bool, edge_labels: bool) -> Graph {
    let vertices = random.random_range(40..=120_u32);
    let labels = random.random_range(3..=6);
    let mut builder = GraphBuilder {
        directed,
        ..GraphBuilder::default()
    };
    for _ in 0..vertices {
        builder.vertex(random.random_range(0..labels));
    }
    let chance = f64::from(random.random_range(2..=6)) / f64::from(vertices);
    for a in 0..vertices {
        for b in 0..vertices {
            let wanted = if directed { a != b } else { a < b };
            if wanted && random.random_bool(chance) {
                builder.edge(a, b);
                if edge_labels {
                    builder.edge_labels.push(random.random_range(0..2));
                }
            }
        }
    }
    builder.build().unwrap()
}

/// Some vertices that lie together in the graph, with its labels and most of the edges between them.
fn part(random: &mut ChaCha8Rng, graph: &Graph) -> Pattern {
    let count = random.random_range(2..=5);
    let all = graph.vertices() as u32;
    let joined = |a: u32, b: u32| graph.edge(a, b).is_some() || graph.edge(b, a).is_some();
    let mut picked = vec![random.random_range(0..all)];
    while picked.len() < count {
        let near: Vec<u32> = (0..all)
            .filter(|v| !picked.contains(v) && picked.iter().any(|p| joined(*p, *v)))
            .collect();
        if near.is_empty() {
            break;
        }
        picked.push(near[random.random_range(0..near.len())]);
    }
    let vertices = picked.iter().map(|v| PatternVertex {
        labels: Allowed::one(graph.labels()[*v as usize]),
        ..PatternVertex::default()
    });
    let mut edges = Vec::new();
    for a in 0..picked.len() {
        for b in 0..picked.len() {
            let wanted = if graph.is_directed() { a != b } else { a < b };
            let edge = graph.edge(picked[a], picked[b]);
            let Some(edge) = edge.filter(|_| wanted && random.random_bool(0.9)) else {
                continue;
            };
            edges.push(PatternEdge {
                from: a as u32,
                to: b as u32,
                labels: match graph.has_edge_labels() {
                    true => Allowed::one(edge.label),
                    false => Allowed::Any,
                },
                ..PatternEdge::default()
            });
        }
    }
    Pattern::new(graph.is_directed(), vertices.collect(), edges).unwrap()
}

#[test]
fn parts_of_larger_graphs_have_the_matches_of_vf2() {
    let mut random = ChaCha8Rng::seed_from_u64(41);
    let (mut cases, mut total) = (0, 0);
    for round in 0..200 {
        let graph = sparse(&mut random, round % 2 == 0, round / 2 % 2 == 0);
        let pattern = part(&mut random, &graph);
        for induced in [false, true] {
            let expected = theirs(&graph, &pattern, induced);
            assert_eq!(
                ours(&graph, &pattern, induced),
                expected,
                "{graph:?} {pattern:?}"
            );
            cases += 1;
            total += expected.len();
        }
    }
    println!("{cases} cases, {total} matches");
    assert!(total > 10_000, "{total}");
}
