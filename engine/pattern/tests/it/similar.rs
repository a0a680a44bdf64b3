//! Places that resemble a pattern: their scores, and the exact matches among them.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use penstock_pattern::{
    Allowed, Anchor, Graph, GraphBuilder, Host, Pattern, PatternEdge, PatternError, PatternVertex,
    Place, SimilarOptions, Stopped,
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::{brute, random};

fn anchor(pattern: usize, vertex: u32, similarity: f32) -> Anchor {
    Anchor {
        pattern: pattern as u32,
        vertex,
        similarity,
    }
}

/// Everything is followed.
fn wide() -> SimilarOptions<'static> {
    SimilarOptions {
        beam: 1 << 16,
        scan: 1 << 16,
        min_score: 0.0,
        per_anchor: 64,
        limit: 10_000,
        ..SimilarOptions::default()
    }
}

/// Vertices right and wrong, and edges, counted anew from the graph.
fn count(graph: &Graph, pattern: &Pattern, mapping: &[Option<u32>]) -> (u32, u32, u32) {
    let (mut right, mut wrong, mut edges) = (0, 0, 0);
    for (vertex, image) in pattern.vertices().iter().zip(mapping) {
        let Some(v) = *image else { continue };
        let near = vertex.near.iter().all(|near| {
            let column = graph.vertex_columns().get(&near.column).unwrap();
            near.holds(column[v as usize])
        });
        match near && vertex.labels.allows(graph.labels()[v as usize]) {
            true => right += 1,
            false => wrong += 1,
        }
    }
    for edge in pattern.edges() {
        let ends = [edge.from, edge.to].map(|end| mapping[end as usize]);
        if let [Some(from), Some(to)] = ends
            && let Some(there) = graph.edge(from, to)
        {
            let near = edge.near.iter().all(|near| {
                let column = graph.edge_columns().get(&near.column).unwrap();
                near.holds(column[there.row as usize])
            });
            edges += u32::from(near && edge.labels.allows(there.label));
        }
    }
    (right, wrong, edges)
}

/// What holds of every place.
fn check(graph: &Graph, host: &Host, pattern: &Pattern, place: &Place, mismatch: f64) {
    let images: Vec<u32> = place.vertices.iter().flatten().copied().collect();
    let set: HashSet<u32> = images.iter().copied().collect();
    assert_eq!(set.len(), images.len(), "{place:?}");
    let graphs: HashSet<usize> = images.iter().map(|&v| graph.graph_of(v)).collect();
    assert_eq!(graphs.len(), 1, "{place:?}");
    let at = place.vertices[place.anchor.pattern as usize];
    assert_eq!(at, Some(place.anchor.vertex));
    let again = host.score(pattern, &place.vertices, mismatch).unwrap();
    assert_eq!(again, place.score);
    let (right, wrong, edges) = count(graph, pattern, &place.vertices);
    let score = place.score;
    assert_eq!(
        (right, wrong, edges),
        (
            score.vertices_matched,
            score.vertices_wrong,
            score.edges_matched
        )
    );
    let whole = (pattern.vertices().len() + pattern.edges().len()) as f64;
    let expected = (f64::from(right + edges) + mismatch * f64::from(wrong)) / whole;
    assert_eq!(score.score, expected);
}

/// Whether places are in their order, each set of vertices once.
fn ranked(places: &[Place]) {
    for pair in places.windows(2) {
        let key = |place: &Place| (place.score.score, place.anchor.similarity);
        assert!(key(&pair[0]) >= key(&pair[1]), "{pair:?}");
    }
    let sets: HashSet<Vec<u32>> = places
        .iter()
        .map(|place| {
            let mut set: Vec<u32> = place.vertices.iter().flatten().copied().collect();
            set.sort_unstable();
            set
        })
        .collect();
    assert_eq!(sets.len(), places.len());
}

#[test]
fn the_full_score_is_an_exact_match_and_each_is_found() {
    let mut random = ChaCha8Rng::seed_from_u64(70);
    let (mut exact, mut partial, mut cases) = (0, 0, 0);
    for _ in 0..12 {
        for shape in random::shapes() {
            let graph = random::graph(&mut random, shape);
            let pattern = random::pattern(&mut random, shape, &graph);
            if graph.vertices() == 0 {
                continue;
            }
            cases += 1;
            let host = Host::new(graph.clone()).unwrap();
            let matches = brute::matches(&graph, &pattern, false);
            let mismatch = [0.0, 0.3][random.random_range(0..2)];
            let options = SimilarOptions { mismatch, ..wide() };
            // A pattern may have parts: each needs an anchor.
            if !matches.is_empty() {
                let found = &matches[random.random_range(0..matches.len())];
                let anchors: Vec<Anchor> = found
                    .iter()
                    .enumerate()
                    .map(|(u, &v)| anchor(u, v, 0.5))
                    .collect();
                let outcome = host.similar(&pattern, &anchors, &options).unwrap();
                let best = &outcome.places[0];
                let context = || format!("{graph:?} {pattern:?} {found:?} {best:?}");
                assert_eq!(best.score.score, 1.0, "{}", context());
                let mut set = found.clone();
                set.sort_unstable();
                assert!(
                    outcome.places.iter().any(|place| {
                        let mut other: Vec<u32> =
                            place.vertices.iter().flatten().copied().collect();
                        other.sort_unstable();
                        other == set && place.score.score == 1.0
                    }),
                    "{}",
                    context()
                );
            }
            // Anchors from anywhere.
            let anchors: Vec<Anchor> = (0..6)
                .map(|_| {
                    anchor(
                        random.random_range(0..pattern.vertices().len()),
                        random.random_range(0..graph.vertices() as u32),
                        random.random_range(0.0..1.0),
                    )
                })
                .collect();
            let beam = [1, 2, 8, 64][random.random_range(0..4)];
            let options = SimilarOptions {
                beam,
                per_anchor: beam,
                scan: [1, 2, 256][random.random_range(0..3)],
                ..options
            };
            let outcome = host.similar(&pattern, &anchors, &options).unwrap();
            ranked(&outcome.places);
            assert!(!outcome.places.is_empty() && outcome.stopped.is_none());
            for place in &outcome.places {
                check(&graph, &host, &pattern, place, mismatch);
                let whole: Option<Vec<u32>> = place.vertices.iter().copied().collect();
                let is_match = whole.is_some_and(|whole| matches.contains(&whole));
                assert_eq!(place.score.score == 1.0, is_match, "{place:?}");
                exact += usize::from(is_match);
                partial += usize::from(!is_match);
            }
            let threads = SimilarOptions {
                threads: 3,
                ..options
            };
            let again = host.similar(&pattern, &anchors, &threads).unwrap();
            assert_eq!(again.places, outcome.places);
            assert_eq!((again.grown, again.steps), (outcome.grown, outcome.steps));
        }
    }
    println!("{cases} cases, {exact} exact places, {partial} others");
    assert!(exact > cases / 4 && partial > cases / 4);
}

/// A sparse graph with a few labels.
fn sparse(random: &mut ChaCha8Rng, vertices: u32, labels: u32) -> Graph {
    let mut builder = GraphBuilder {
        parallel: penstock_pattern::Parallel::Collapse,
        loops: penstock_pattern::Loops::Drop,
        ..GraphBuilder::default()
    };
    for _ in 0..vertices {
        builder.vertex(random.random_range(0..labels));
    }
    for _ in 0..4 * vertices {
        let ends = [(); 2].map(|()| random.random_range(0..vertices));
        builder.edge(ends[0], ends[1]);
    }
    builder.build().unwrap()
}

/// A connected part of a graph, with the vertices it was taken from.
fn part(random: &mut ChaCha8Rng, graph: &Graph, size: usize) -> (Pattern, Vec<u32>) {
    loop {
        let mut picked = vec![random.random_range(0..graph.vertices() as u32)];
        for _ in 0..100 {
            let from = picked[random.random_range(0..picked.len())];
            let list = graph.neighbours(from);
            if !list.is_empty() && picked.len() < size {
                let next = list[random.random_range(0..list.len())];
                if !picked.contains(&next) {
                    picked.push(next);
                }
            }
        }
        if picked.len() < size {
            continue;
        }
        let vertices = picked.iter().map(|&v| PatternVertex {
            labels: Allowed::one(graph.labels()[v as usize]),
            ..PatternVertex::default()
        });
        let mut edges = Vec::new();
        for b in 0..size {
            for a in 0..b {
                if graph.joins(picked[a], picked[b]) {
                    edges.push(PatternEdge {
                        from: a as u32,
                        to: b as u32,
                        ..PatternEdge::default()
                    });
                }
            }
        }
        return (
            Pattern::new(false, vertices.collect(), edges).unwrap(),
            picked,
        );
    }
}

#[test]
fn a_place_with_an_edge_less_or_another_label_is_found_by_a_narrow_beam() {
    let mut random = ChaCha8Rng::seed_from_u64(71);
    let graph = sparse(&mut random, 4_000, 12);
    let host = Host::new(graph.clone()).unwrap();
    let mut found = [0; 2];
    const ROUNDS: usize = 60;
    for _ in 0..ROUNDS {
        let (pattern, picked) = part(&mut random, &graph, 9);
        let whole = (pattern.vertices().len() + pattern.edges().len()) as f64;
        let interior = (0..9_usize)
            .max_by_key(|&u| {
                let ends = |e: &&PatternEdge| e.from as usize == u || e.to as usize == u;
                pattern.edges().iter().filter(ends).count()
            })
            .unwrap();
        // An edge that the graph lacks.
        let mut edges = pattern.edges().to_vec();
        let free = (0..9).flat_map(|a| (a + 1..9).map(move |b| (a, b)));
        let free = free.filter(|&(a, b)| !graph.joins(picked[a], picked[b]));
        let free: Vec<(usize, usize)> = free.collect();
        let (a, b) = free[random.random_range(0..free.len())];
        edges.push(PatternEdge {
            from: a as u32,
            to: b as u32,
            ..PatternEdge::default()
        });
        let more = Pattern::new(false, pattern.vertices().to_vec(), edges).unwrap();
        // A label that is another's.
        let mut vertices = pattern.vertices().to_vec();
        let u = (interior + 1) % 9;
        let label = graph.labels()[picked[u] as usize];
        vertices[u].labels = Allowed::one((label + 1) % 12);
        let other = Pattern::new(false, vertices, pattern.edges().to_vec()).unwrap();
        // The place among others.
        let mut anchors: Vec<Anchor> = (0..50)
            .map(|_| anchor(interior, random.random_range(0..4_000), 0.5))
            .collect();
        anchors.push(anchor(interior, picked[interior], 0.4));
        for (which, (pattern, least)) in [
            (more, 1.0 - 1.0 / (whole + 1.0)),
            (other, 1.0 - 1.0 / whole),
        ]
        .into_iter()
        .enumerate()
        {
            let outcome = host
                .similar(&pattern, &anchors, &SimilarOptions::default())
                .unwrap();
            ranked(&outcome.places);
            let Some(best) = outcome.places.first() else {
                continue;
            };
            check(&graph, &host, &pattern, best, 0.0);
            found[which] += usize::from(best.score.score >= least - 1e-12);
        }
    }
    println!("{found:?} of {ROUNDS}");
    assert!(found.iter().all(|&n| n * 20 >= ROUNDS * 19), "{found:?}");
}

/// A star with so many leaves of label 1, and one leaf of label 2 at the end.
fn hub(leaves: u32) -> Host {
    let mut builder = GraphBuilder::default();
    builder.vertex(0);
    for _ in 0..leaves {
        let leaf = builder.vertex(1);
        builder.edge(0, leaf);
    }
    let last = builder.vertex(2);
    builder.edge(0, last);
    let tip = builder.vertex(3);
    builder.edge(last - 1, tip);
    Host::new(builder.build().unwrap()).unwrap()
}

fn pattern(labels: &[u32], edges: &[(u32, u32)]) -> Pattern {
    let vertices = labels.iter().map(|&label| PatternVertex {
        labels: Allowed::one(label),
        ..PatternVertex::default()
    });
    let edges = edges.iter().map(|&(from, to)| PatternEdge {
        from,
        to,
        ..PatternEdge::default()
    });
    Pattern::new(false, vertices.collect(), edges.collect()).unwrap()
}

#[test]
fn a_hub_is_looked_at_as_far_as_asked() {
    let host = hub(1_000);
    // The rare label is a range of the hub's neighbours: it is found whatever the cap.
    let rare = pattern(&[0, 2], &[(0, 1)]);
    let options = SimilarOptions {
        scan: 1,
        ..SimilarOptions::default()
    };
    let found = host.similar(&rare, &[anchor(0, 0, 1.0)], &options).unwrap();
    assert_eq!(found.places[0].score.score, 1.0);
    assert!(found.steps < 10);
    // The one leaf of a thousand that has a tip is the last of them.
    let tip = pattern(&[0, 1, 3], &[(0, 1), (1, 2)]);
    let score = |scan| {
        let options = SimilarOptions {
            scan,
            ..SimilarOptions::default()
        };
        let found = host.similar(&tip, &[anchor(0, 0, 1.0)], &options).unwrap();
        found.places[0].score.score
    };
    assert_eq!(score(1_000), 1.0);
    assert_eq!(score(999), 3.0 / 5.0);
    // From the other end there is no hub in the way.
    let options = SimilarOptions {
        scan: 1,
        ..SimilarOptions::default()
    };
    let found = host
        .similar(&tip, &[anchor(2, 1_002, 1.0)], &options)
        .unwrap();
    assert_eq!(found.places[0].score.score, 1.0);
}

#[test]
fn parts_of_a_pattern_lie_in_one_graph() {
    let mut builder = GraphBuilder::default();
    for graph in 0..2 {
        builder.starts.push(4 * graph);
        for label in [0, 1, 2, 3] {
            builder.vertex(label);
        }
        builder.edge(4 * graph, 4 * graph + 1);
        builder.edge(4 * graph + 2, 4 * graph + 3);
    }
    let host = Host::new(builder.build().unwrap()).unwrap();
    let apart = pattern(&[0, 1, 2, 3], &[(0, 1), (2, 3)]);
    let options = SimilarOptions::default();
    let both = [anchor(0, 4, 0.9), anchor(2, 2, 0.8), anchor(3, 7, 0.7)];
    let found = host.similar(&apart, &both, &options).unwrap();
    assert_eq!(found.places[0].score.score, 1.0);
    let whole = [4, 5, 6, 7].map(Some);
    assert_eq!(found.places[0].vertices, whole);
    // The other graph has an anchor of one part only.
    assert_eq!(found.places[1].vertices, [None, None, Some(2), Some(3)]);
    assert_eq!(found.places[1].score.score, 0.5);
    assert_eq!(found.places.len(), 2);
    assert_eq!(found.grown, 3);
}

#[test]
fn what_counts_can_be_chosen() {
    let mut builder = GraphBuilder::default();
    for label in [0, 1, 9, 0] {
        builder.vertex(label);
    }
    for (a, b) in [(0, 1), (1, 2), (0, 2), (3, 1)] {
        builder.edge(a, b);
    }
    let host = Host::new(builder.build().unwrap()).unwrap();
    let triangle = pattern(&[0, 1, 2], &[(0, 1), (1, 2), (0, 2)]);
    let anchors = [anchor(0, 0, 0.5), anchor(0, 3, 0.9)];
    let ask = |options: SimilarOptions<'_>| host.similar(&triangle, &anchors, &options).unwrap();
    let base = SimilarOptions::default();
    // The third corner has another label: mapped all the same, for its two edges.
    let found = ask(base);
    assert_eq!(found.places[0].vertices, [0, 1, 2].map(Some));
    assert_eq!(found.places[0].score.score, 5.0 / 6.0);
    assert_eq!(found.places[0].score.vertices_wrong, 1);
    let half = ask(SimilarOptions {
        mismatch: 0.5,
        ..base
    });
    assert_eq!(half.places[0].score.score, 5.5 / 6.0);
    // From the other vertex only an edge of it is there, and the wrong corner beside.
    assert_eq!(found.places.len(), 2);
    assert_eq!(found.places[1].score.score, 4.0 / 6.0);
    let high = ask(SimilarOptions {
        min_score: 0.8,
        ..base
    });
    assert_eq!(high.places, found.places[..1]);
    assert_eq!((high.anchors, high.grown), (2, 1));
    let one = ask(SimilarOptions { limit: 1, ..base });
    assert_eq!(one.places, found.places[..1]);
}

#[test]
fn a_search_ends_when_it_is_told_to() {
    let host = hub(10);
    let star = pattern(&[0, 1], &[(0, 1)]);
    let anchors: Vec<Anchor> = (1..10).map(|v| anchor(1, v, 0.0)).collect();
    let late = SimilarOptions {
        deadline: Some(Instant::now()),
        ..SimilarOptions::default()
    };
    let found = host.similar(&star, &anchors, &late).unwrap();
    assert_eq!(found.stopped, Some(Stopped::Deadline));
    assert!(found.places.is_empty());
    let calls = AtomicUsize::new(0);
    let cancelled = || calls.fetch_add(1, Ordering::Relaxed) >= 20;
    let unwanted = SimilarOptions {
        cancelled: Some(&cancelled),
        ..SimilarOptions::default()
    };
    let found = host.similar(&star, &anchors, &unwanted).unwrap();
    assert_eq!(found.stopped, Some(Stopped::Cancelled));
    assert!((1..9).contains(&found.places.len()), "{found:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let host = hub(3);
    let star = pattern(&[0, 1], &[(0, 1)]);
    let base = SimilarOptions::default();
    for (options, name) in [
        (SimilarOptions { beam: 0, ..base }, "beam"),
        (SimilarOptions { scan: 0, ..base }, "scan"),
        (
            SimilarOptions {
                per_anchor: 9,
                ..base
            },
            "per_anchor",
        ),
        (SimilarOptions { limit: 0, ..base }, "limit"),
        (SimilarOptions { threads: 0, ..base }, "threads"),
        (
            SimilarOptions {
                mismatch: 1.0,
                ..base
            },
            "mismatch",
        ),
        (
            SimilarOptions {
                min_score: f64::NAN,
                ..base
            },
            "min_score",
        ),
    ] {
        let error = host.similar(&star, &[], &options).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
    for wrong in [anchor(2, 0, 0.0), anchor(0, 6, 0.0)] {
        let error = host.similar(&star, &[wrong], &base).unwrap_err();
        assert!(matches!(error, PatternError::NoVertex { .. }), "{error}");
    }
    let directed = Pattern::new(true, star.vertices().to_vec(), Vec::new()).unwrap();
    assert!(matches!(
        host.similar(&directed, &[], &base).unwrap_err(),
        PatternError::Direction { .. }
    ));
    for mapping in [vec![Some(0)], vec![Some(1), Some(1)]] {
        let error = host.score(&star, &mapping, 0.0).unwrap_err();
        assert!(matches!(error, PatternError::Mapping { .. }), "{error}");
    }
    assert!(host.score(&star, &[Some(0), Some(77)], 0.0).is_err());
    assert_eq!(host.score(&star, &[None, None], 0.5).unwrap().score, 0.0);
}
