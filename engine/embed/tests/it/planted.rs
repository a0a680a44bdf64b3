//! How well `graph-sage-v1` finds a part of a graph again: parts of the interaction graph HPRD are
//! taken out and encoded alone.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use penstock_embed::{Encoder as _, Graph, GraphSage};
use penstock_pattern::Graph as Host;
use penstock_pattern::format::{ReadOptions, tve};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const PATTERNS: usize = 400;
const DIM: usize = 96;

fn hprd() -> Option<Host> {
    let root = std::env::var_os("PENSTOCK_CORPUS").map(PathBuf::from);
    let root = root.unwrap_or_else(|| {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus")
    });
    let path = root.join("graph/HPRD.graph");
    let Ok(file) = File::open(&path) else {
        println!(
            "skipped: {} is not there (set PENSTOCK_CORPUS)",
            path.display()
        );
        return None;
    };
    Some(tve::read_graph(BufReader::new(file), &ReadOptions::default()).unwrap())
}

/// A random connected part of 6 to 12 vertices.
fn part(host: &Host, rng: &mut ChaCha8Rng) -> Option<Vec<u32>> {
    let size = rng.random_range(6..=12);
    let mut vertices = vec![rng.random_range(0..host.vertices() as u32)];
    while vertices.len() < size {
        let beside: BTreeSet<u32> = vertices
            .iter()
            .flat_map(|v| host.neighbours(*v))
            .filter(|v| !vertices.contains(v))
            .copied()
            .collect();
        let beside: Vec<u32> = beside.into_iter().collect();
        vertices.push(*beside.get(rng.random_range(0..beside.len().max(1)))?);
    }
    Some(vertices)
}

/// Vertices up to two edges away, among those that are allowed.
fn ball(host: &Host, centre: u32, allowed: impl Fn(u32) -> bool) -> usize {
    let near = |v: u32| host.neighbours(v).iter().copied().filter(|v| allowed(*v));
    let mut ball: BTreeSet<u32> = near(centre).chain([centre]).collect();
    for v in near(centre) {
        ball.extend(near(v));
    }
    ball.len()
}

#[test]
fn planted_patterns_are_found_again() {
    let Some(host) = hprd() else { return };
    let encode = |edges: &[(u32, u32)], labels: &[u32]| -> Vec<f32> {
        let both: Vec<(u32, u32)> = edges
            .iter()
            .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
            .collect();
        let graph = Graph::from_edges(labels.len(), &both).unwrap();
        let names: Vec<String> = labels.iter().map(u32::to_string).collect();
        let names: Vec<Option<&str>> = names.iter().map(|name| Some(name.as_str())).collect();
        GraphSage::new().vertices(&graph, &names).unwrap()
    };
    let edges: Vec<(u32, u32)> = host.iter_edges().map(|e| (e.from, e.to)).collect();
    let vectors = encode(&edges, host.labels());
    // How many vertices of the host are at least as near as the image.
    let rank = |vector: &[f32], image: u32| -> usize {
        let product = |row: &[f32]| -> f32 { row.iter().zip(vector).map(|(a, b)| a * b).sum() };
        let own = product(&vectors[image as usize * DIM..][..DIM]);
        vectors
            .chunks_exact(DIM)
            .filter(|row| product(row) >= own - 1e-6)
            .count()
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut inner, mut all) = (Vec::new(), Vec::new());
    while inner.len() < PATTERNS {
        let Some(vertices) = part(&host, &mut rng) else {
            continue;
        };
        let place = |v: u32| vertices.iter().position(|u| *u == v);
        let within: Vec<(u32, u32)> = vertices
            .iter()
            .flat_map(|v| host.neighbours(*v).iter().map(move |w| (*v, *w)))
            .filter(|(v, w)| v < w)
            .filter_map(|(v, w)| Some((place(v)? as u32, place(w)? as u32)))
            .collect();
        let labels: Vec<u32> = vertices
            .iter()
            .map(|v| host.labels()[*v as usize])
            .collect();
        let alone = encode(&within, &labels);
        let ranks: Vec<usize> = alone
            .chunks_exact(DIM)
            .zip(&vertices)
            .map(|(vector, image)| rank(vector, *image))
            .collect();
        // The vertex whose ball of two edges is cut least.
        let kept = |v: u32| {
            let part = ball(&host, v, |w| place(w).is_some());
            part as f64 / ball(&host, v, |_| true) as f64
        };
        let shares: Vec<f64> = vertices.iter().map(|v| kept(*v)).collect();
        let best = shares
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))
            .unwrap()
            .0;
        inner.push(ranks[best]);
        all.extend(ranks);
    }
    let recall = |ranks: &[usize], k: usize| {
        ranks.iter().filter(|rank| **rank <= k).count() as f64 / ranks.len() as f64
    };
    for (what, ranks) in [("innermost", &inner), ("all", &all)] {
        let at = [1, 10, 50, 200].map(|k| format!("@{k} {:.3}", recall(ranks, k)));
        println!("{what} vertices of {PATTERNS} patterns: {}", at.join(", "));
    }
    assert!(recall(&inner, 50) > 0.9 && recall(&inner, 200) > 0.97);
    assert!(recall(&all, 50) > 0.75 && recall(&all, 200) > 0.9);
}
