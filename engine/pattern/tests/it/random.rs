//! Random graphs and patterns, in every combination of options, against trying everything.

use std::collections::HashSet;
use std::ops::ControlFlow;

use penstock_pattern::dominance::dominates;
use penstock_pattern::{
    Allowed, DominanceRecipe, Graph, GraphBuilder, Host, HostOptions, MatchOptions, Near, Pattern,
    PatternEdge, PatternVertex, Stopped,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::brute;

/// What a random case has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) directed: bool,
    edge_labels: bool,
    wildcards: bool,
    pub(crate) tolerances: bool,
    /// Whether the pattern is a part of the graph, so that there are matches.
    sampled: bool,
    /// Graphs of a union.
    pub(crate) graphs: u32,
}

pub(crate) fn shapes() -> Vec<Shape> {
    let mut shapes = Vec::new();
    for bits in 0..32 {
        for graphs in [1, 4] {
            let bit = |n: u32| bits >> n & 1 == 1;
            shapes.push(Shape {
                directed: bit(0),
                edge_labels: bit(1),
                wildcards: bit(2),
                tolerances: bit(3),
                sampled: bit(4),
                graphs,
            });
        }
    }
    shapes
}

pub(crate) fn graph(random: &mut ChaCha8Rng, shape: Shape) -> Graph {
    let each = random.random_range(1..=12) / if shape.graphs > 1 { 2 } else { 1 };
    let labels = random.random_range(1..=3);
    let density = random.random_range(0.1..0.7);
    let mut builder = GraphBuilder {
        directed: shape.directed,
        ..GraphBuilder::default()
    };
    for graph in 0..shape.graphs {
        let first = graph * each;
        builder.starts.push(first);
        for _ in 0..each {
            builder.vertex(random.random_range(0..labels) * 7);
        }
        for a in first..first + each {
            for b in first..first + each {
                let wanted = if shape.directed { a != b } else { a < b };
                if wanted && random.random_bool(density) {
                    let flip = !shape.directed && random.random_bool(0.5);
                    builder.edge(if flip { b } else { a }, if flip { a } else { b });
                }
            }
        }
    }
    if shape.edge_labels {
        builder.edge_labels = builder
            .edges
            .iter()
            .map(|_| random.random_range(0..3))
            .collect();
    }
    let mut angles = |count: usize| -> Vec<f32> {
        (0..count)
            .map(|_| random.random_range(-360.0..720.0_f32).round())
            .collect()
    };
    let (vertices, edges) = (builder.labels.len(), builder.edges.len());
    builder.vertex_columns.insert("angle", angles(vertices));
    builder.edge_columns.insert("distance", angles(edges));
    builder.build().unwrap()
}

fn allowed(random: &mut ChaCha8Rng, shape: Shape, label: u32, step: u32) -> Allowed {
    match random.random_range(0..6) {
        0 | 1 if shape.wildcards => Allowed::Any,
        2 if shape.wildcards => Allowed::of([label, random.random_range(0..3) * step, 99]),
        _ => Allowed::one(label),
    }
}

fn near(random: &mut ChaCha8Rng, shape: Shape, column: &str, value: f32) -> Vec<Near> {
    if !shape.tolerances || random.random_bool(0.4) {
        return Vec::new();
    }
    let mut near = Near::new(column, value, random.random_range(0.0..250.0));
    near.value += random.random_range(-30.0..30.0_f32).round();
    near.period = random.random_bool(0.5).then_some(360.0);
    vec![near]
}

pub(crate) fn pattern(random: &mut ChaCha8Rng, shape: Shape, graph: &Graph) -> Pattern {
    let count = random.random_range(1..=5_usize);
    let density = random.random_range(0.2..0.9);
    let picked: Vec<u32> = if shape.sampled && graph.vertices() > 0 {
        let own = random.random_range(0..graph.graphs());
        let ends = graph.starts().iter().copied().skip(own + 1);
        let end = ends.chain([graph.vertices() as u32]).next().unwrap();
        let mut all: Vec<u32> = (graph.starts()[own]..end).collect();
        for i in (1..all.len()).rev() {
            all.swap(i, random.random_range(0..=i));
        }
        all.truncate(count);
        all
    } else {
        Vec::new()
    };
    let count = if picked.is_empty() {
        count
    } else {
        picked.len()
    };
    let mut vertices = Vec::new();
    for u in 0..count {
        let (label, angle) = match picked.get(u) {
            Some(&v) => {
                let angles = graph.vertex_columns().get("angle").unwrap();
                (graph.labels()[v as usize], angles[v as usize])
            }
            None => (
                random.random_range(0..3) * 7,
                random.random_range(0.0..360.0),
            ),
        };
        vertices.push(PatternVertex {
            labels: allowed(random, shape, label, 7),
            near: near(random, shape, "angle", angle),
        });
    }
    let mut edges = Vec::new();
    for a in 0..count {
        for b in 0..count {
            let wanted = if shape.directed { a != b } else { a < b };
            if !wanted || !random.random_bool(density) {
                continue;
            }
            let (label, distance) = match picked.get(a.max(b)) {
                Some(_) => match graph.edge(picked[a], picked[b]) {
                    Some(edge) => {
                        let distances = graph.edge_columns().get("distance").unwrap();
                        (edge.label, distances[edge.row as usize])
                    }
                    None => continue,
                },
                None => (random.random_range(0..3), random.random_range(0.0..360.0)),
            };
            let labels = match shape.edge_labels || random.random_bool(0.1) {
                true => allowed(random, shape, label, 1),
                false => Allowed::Any,
            };
            edges.push(PatternEdge {
                from: a as u32,
                to: b as u32,
                labels,
                near: near(random, shape, "distance", distance),
            });
        }
    }
    Pattern::new(shape.directed, vertices, edges).unwrap()
}

fn sorted(host: &Host, pattern: &Pattern, options: &MatchOptions<'_>) -> Vec<Vec<u32>> {
    let options = MatchOptions {
        keep: usize::MAX,
        ..*options
    };
    let outcome = host.find(pattern, &options).unwrap();
    let mut found: Vec<Vec<u32>> = outcome.matches.iter().map(<[u32]>::to_vec).collect();
    assert_eq!(found.len() as u64, outcome.count);
    found.sort_unstable();
    found
}

#[test]
fn all_combinations_agree_with_trying_everything() {
    let mut random = ChaCha8Rng::seed_from_u64(20);
    let (mut cases, mut with_matches, mut total) = (0, 0, 0);
    for round in 0..40 {
        for shape in shapes() {
            let graph = graph(&mut random, shape);
            let pattern = pattern(&mut random, shape, &graph);
            let dominance = (round % 2 == 0).then(DominanceRecipe::default);
            let host = Host::with(graph.clone(), &HostOptions { dominance }).unwrap();
            for induced in [false, true] {
                let expected = brute::matches(&graph, &pattern, induced);
                let context = || format!("{shape:?} {induced} {graph:?} {pattern:?}");
                cases += 1;
                with_matches += usize::from(!expected.is_empty());
                total += expected.len();
                for threads in if round % 10 == 0 { vec![1, 3] } else { vec![1] } {
                    let options = MatchOptions {
                        induced,
                        threads,
                        // Small ones make many blocks, and blocks that are too big.
                        block: [1 << 21, 1, 2, 5][round / 2 % 4],
                        ..MatchOptions::default()
                    };
                    let found = sorted(&host, &pattern, &options);
                    assert_eq!(found, expected, "{}", context());
                    let counted = host.count(&pattern, &options).unwrap();
                    assert_eq!(counted.count, expected.len() as u64, "{}", context());
                    assert!(counted.complete && counted.stopped.is_none());
                    limited(&host, &pattern, &options, &expected);
                }
            }
        }
    }
    println!("{cases} cases, {with_matches} with matches, {total} matches");
    assert!(with_matches * 4 > cases);
}

/// A limit gives exactly so many different matches, all of them true.
fn limited(host: &Host, pattern: &Pattern, options: &MatchOptions<'_>, expected: &[Vec<u32>]) {
    for limit in [0, 1, expected.len() as u64 / 2, expected.len() as u64 + 1] {
        let options = MatchOptions {
            limit: Some(limit),
            keep: usize::MAX,
            ..*options
        };
        let wanted = limit.min(expected.len() as u64);
        let outcome = host.find(pattern, &options).unwrap();
        assert_eq!(outcome.count, wanted);
        let found: HashSet<&[u32]> = outcome.matches.iter().collect();
        assert_eq!(found.len() as u64, wanted);
        assert!(found.iter().all(|f| expected.iter().any(|e| e == f)));
        let stopped = (wanted == limit).then_some(Stopped::Limit);
        assert_eq!(outcome.stopped, stopped);
        let counted = host.count(pattern, &options).unwrap();
        assert_eq!((counted.count, counted.stopped), (wanted, stopped));
    }
}

#[test]
fn no_true_mapping_is_dismissed() {
    let mut random = ChaCha8Rng::seed_from_u64(21);
    let (mut passed, mut dismissed) = (0_u64, 0_u64);
    for round in 0..30 {
        for shape in shapes() {
            let graph = graph(&mut random, shape);
            let pattern = pattern(&mut random, shape, &graph);
            let recipe = DominanceRecipe {
                buckets: [16, 2, 7, 32][round % 4],
                rounds: round % 5,
                edge_classes: 1 + round % 4,
                seed: round as u64,
            };
            let rows = recipe.embed(&graph).unwrap();
            let queries = recipe.embed_pattern(&pattern).unwrap();
            for mapping in brute::matches(&graph, &pattern, false) {
                for (u, &v) in mapping.iter().enumerate() {
                    assert!(dominates(queries.row(u as u32), rows.row(v)), "{recipe:?}");
                    passed += 1;
                }
            }
            for u in 0..queries.len() as u32 {
                let all = 0..graph.vertices() as u32;
                dismissed += all
                    .filter(|&v| !dominates(queries.row(u), rows.row(v)))
                    .count() as u64;
            }
        }
    }
    println!("{passed} true pairs passed; {dismissed} others were dismissed");
    assert!(passed > 1000 && dismissed > 1000);
}

/// A clique of one label has as many mappings of a path as there are arrangements.
fn clique(vertices: u32) -> Graph {
    let mut builder = GraphBuilder::default();
    for v in 0..vertices {
        builder.vertex(0);
        for w in 0..v {
            builder.edge(w, v);
        }
    }
    builder.build().unwrap()
}

fn path(length: u32) -> Pattern {
    let vertices = vec![PatternVertex::default(); length as usize];
    let edge = |from| PatternEdge {
        from,
        to: from + 1,
        ..PatternEdge::default()
    };
    Pattern::new(false, vertices, (0..length - 1).map(edge).collect()).unwrap()
}

#[test]
fn many_threads_find_the_same_matches() {
    let host = Host::new(clique(12)).unwrap();
    let expected = 12 * 11 * 10 * 9 * 8;
    let one = sorted(&host, &path(5), &MatchOptions::default());
    assert_eq!(one.len(), expected);
    for threads in [2, 4] {
        let options = MatchOptions {
            threads,
            ..MatchOptions::default()
        };
        assert_eq!(sorted(&host, &path(5), &options), one);
        let limit = MatchOptions {
            limit: Some(12_345),
            ..options
        };
        assert_eq!(sorted(&host, &path(5), &limit).len(), 12_345);
        let counted = host.count(&path(5), &limit).unwrap();
        assert_eq!((counted.count, counted.complete), (12_345, false));
    }
}

#[test]
fn a_search_can_be_stopped() {
    let host = Host::new(clique(40)).unwrap();
    for threads in [1, 3] {
        let options = MatchOptions {
            threads,
            ..MatchOptions::default()
        };
        let past = MatchOptions {
            deadline: Some(std::time::Instant::now()),
            ..options
        };
        let outcome = host.count(&path(12), &past).unwrap();
        assert_eq!(outcome.stopped, Some(Stopped::Deadline));
        assert!(!outcome.complete);
        let soon = std::time::Duration::from_millis(50);
        let later = MatchOptions {
            deadline: Some(std::time::Instant::now() + soon),
            ..options
        };
        let outcome = host.count(&path(12), &later).unwrap();
        assert_eq!(outcome.stopped, Some(Stopped::Deadline));
        assert!(outcome.count > 0 && outcome.seconds < 5.0);
        let cancelled = MatchOptions {
            cancelled: Some(&|| true),
            ..options
        };
        let outcome = host.count(&path(12), &cancelled).unwrap();
        assert_eq!(outcome.stopped, Some(Stopped::Cancelled));
        let mut seen = 0;
        let mut visitor = |_: &[u32]| {
            seen += 1;
            match seen {
                100 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        };
        let outcome = host.visit(&path(12), &options, &mut visitor).unwrap();
        assert_eq!(
            (outcome.count, outcome.stopped),
            (100, Some(Stopped::Cancelled))
        );
        assert_eq!(seen, 100);
    }
}
