//! Recall and queries/s of `hnsw_rs` on given vectors, one JSON object a line: as `nearest.py`.
//!
//! Arguments: dimension, rows (raw f32), queries (raw f32), true rows (raw u32, ten a query), pools to
//! try in order, recalls to reach. For each recall the first pool that reaches it counts.

use std::collections::HashSet;
use std::time::Instant;

use hnsw_rs::prelude::{DistL2, Hnsw};

const K: usize = 10;
const RUNS: usize = 5;

fn words(path: &str) -> Vec<u32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let words = bytes.as_chunks::<4>().0;
    words.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn vectors(path: &str, dim: usize) -> Vec<Vec<f32>> {
    let numbers: Vec<f32> = words(path).into_iter().map(f32::from_bits).collect();
    numbers.chunks_exact(dim).map(<[f32]>::to_vec).collect()
}

/// Queries a second, the best of several runs, and the rows found.
fn rate(
    index: &Hnsw<f32, DistL2>,
    queries: &[Vec<f32>],
    ef: usize,
    threads: usize,
) -> (f64, Vec<Vec<usize>>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.expect("threads");
    let (mut best, mut found) = (f64::INFINITY, Vec::new());
    for _ in 0..RUNS {
        let clock = Instant::now();
        found = pool.install(|| index.parallel_search(queries, K, ef));
        best = best.min(clock.elapsed().as_secs_f64());
    }
    let rows = |hits: Vec<hnsw_rs::prelude::Neighbour>| hits.iter().map(|hit| hit.d_id).collect();
    (
        queries.len() as f64 / best,
        found.into_iter().map(rows).collect(),
    )
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dim, rows, queries, truth, pools, recalls] = &arguments[..] else {
        panic!("DIM ROWS QUERIES TRUTH POOLS RECALLS");
    };
    let dim: usize = dim.parse().expect("a dimension");
    let (rows, queries, truth) = (vectors(rows, dim), vectors(queries, dim), words(truth));
    let goals: Vec<f64> = recalls.split(',').map(|goal| goal.parse().expect("a recall")).collect();
    let clock = Instant::now();
    // M = 16 and ef_construction = 200, as the others have it.
    let mut index = Hnsw::new(16, rows.len(), 16, 200, DistL2 {});
    let numbered: Vec<(&Vec<f32>, usize)> = rows.iter().zip(0..).collect();
    index.parallel_insert(&numbered);
    index.set_searching_mode(true);
    let build = clock.elapsed().as_secs_f64();
    let mut wanted = goals.into_iter().peekable();
    for ef in pools.split(',') {
        let Some(goal) = wanted.peek().copied() else { break };
        let ef: usize = ef.parse().expect("a pool");
        let (one, found) = rate(&index, &queries, ef, 1);
        let of = |(found, truth): (&Vec<usize>, &[u32])| {
            let truth: HashSet<usize> = truth.iter().map(|row| *row as usize).collect();
            found.iter().filter(|row| truth.contains(row)).count()
        };
        let right: usize = found.iter().zip(truth.chunks_exact(K)).map(of).sum();
        let recall = right as f64 / truth.len() as f64;
        if recall < goal {
            continue;
        }
        let (two, _) = rate(&index, &queries, ef, 2);
        println!(
            r#"{{"by": "hnsw_rs 0.3.5", "build": {build}, "ef": {ef}, "recall": {recall}, "one": {one}, "two": {two}}}"#
        );
        while wanted.next_if(|goal| recall >= *goal).is_some() {}
    }
}
