//! Recall and queries/s of `hnsw_rs` on given vectors, and of Penstock on the graph that `hnsw_rs`
//! built; one JSON object a line, as `nearest.py`.
//!
//! Arguments: dimension, rows (raw f32), queries (raw f32), true rows (raw u32, ten a query), pools to
//! try in order, recalls to reach. For each recall the first pool that reaches it counts.

use std::collections::HashSet;
use std::time::Instant;

use hnsw_rs::prelude::{DistL2, Hnsw};
use hnsw_rs_reference::layers_of;
use penstock_hnsw::{BatchOptions, Control, Options};
use penstock_types::Metric;

const K: usize = 10;
const RUNS: usize = 5;
/// M and ef_construction, as the others have them.
const EDGES: usize = 16;
const EF_CONSTRUCTION: usize = 200;

fn words(path: &str) -> Vec<u32> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let words = bytes.as_chunks::<4>().0;
    words.iter().map(|word| u32::from_le_bytes(*word)).collect()
}

fn numbers(path: &str) -> Vec<f32> {
    words(path).into_iter().map(f32::from_bits).collect()
}

fn split(numbers: &[f32], dim: usize) -> Vec<Vec<f32>> {
    numbers.chunks_exact(dim).map(<[f32]>::to_vec).collect()
}

/// An index of `hnsw_rs`, and the seconds that it took.
fn build(rows: &[Vec<f32>]) -> (Hnsw<'static, f32, DistL2>, f64) {
    let clock = Instant::now();
    let mut index = Hnsw::new(EDGES, rows.len(), 16, EF_CONSTRUCTION, DistL2 {});
    let numbered: Vec<(&Vec<f32>, usize)> = rows.iter().zip(0..).collect();
    index.parallel_insert(&numbered);
    index.set_searching_mode(true);
    (index, clock.elapsed().as_secs_f64())
}

/// Queries a second, the best of several runs, and what was found at last.
fn rate<T>(queries: usize, mut run: impl FnMut() -> T) -> (f64, T) {
    let clock = Instant::now();
    let mut found = run();
    let mut best = clock.elapsed().as_secs_f64();
    for _ in 1..RUNS {
        let clock = Instant::now();
        found = run();
        best = best.min(clock.elapsed().as_secs_f64());
    }
    (queries as f64 / best, found)
}

/// Rates with one and with two threads, and the rows found: of `(pool, threads)`.
type Search<'a> = dyn Fn(usize, usize) -> (f64, Vec<Vec<u32>>) + 'a;

/// Prints, for each of the recalls, what the first pool has that reaches it.
fn measure(
    by: &str,
    build: f64,
    truth: &[u32],
    pools: &[usize],
    goals: &[f64],
    search: &Search<'_>,
) {
    let mut wanted = goals.iter().copied().peekable();
    for ef in pools.iter().copied() {
        let Some(goal) = wanted.peek().copied() else {
            break;
        };
        let (one, found) = search(ef, 1);
        let of = |(found, truth): (&Vec<u32>, &[u32])| {
            let truth: HashSet<u32> = truth.iter().copied().collect();
            found.iter().filter(|row| truth.contains(row)).count()
        };
        let right: usize = found.iter().zip(truth.chunks_exact(K)).map(of).sum();
        let recall = right as f64 / truth.len() as f64;
        if recall < goal {
            continue;
        }
        let (two, _) = search(ef, 2);
        println!(
            r#"{{"by": "{by}", "build": {build}, "ef": {ef}, "recall": {recall}, "one": {one}, "two": {two}}}"#
        );
        while wanted.next_if(|goal| recall >= *goal).is_some() {}
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dim, rows, queries, truth, pools, recalls] = &arguments[..] else {
        panic!("DIM ROWS QUERIES TRUTH POOLS RECALLS");
    };
    let dim: usize = dim.parse().expect("a dimension");
    let (flat, flat_queries, truth) = (numbers(rows), numbers(queries), words(truth));
    let (rows, queries) = (split(&flat, dim), split(&flat_queries, dim));
    let pools: Vec<usize> = pools
        .split(',')
        .map(|ef| ef.parse().expect("a pool"))
        .collect();
    let goals: Vec<f64> = recalls
        .split(',')
        .map(|goal| goal.parse().expect("a recall"))
        .collect();

    let (mut index, mut seconds) = build(&rows);
    measure(
        "hnsw_rs 0.3.5",
        seconds,
        &truth,
        &pools,
        &goals,
        &|ef, threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.expect("threads");
            let search = || pool.install(|| index.parallel_search(&queries, K, ef));
            let (rate, found) = rate(queries.len(), search);
            let rows = |hits: Vec<hnsw_rs::prelude::Neighbour>| {
                hits.iter().map(|hit| hit.d_id as u32).collect()
            };
            (rate, found.into_iter().map(rows).collect())
        },
    );

    // The same graph in Penstock's layout. It has one vertex for equal rows: where there are some, a
    // graph over the others is built.
    let options = Options {
        metric: Metric::L2,
        edges: EDGES,
        ef_construction: EF_CONSTRUCTION,
        threads: 2,
        ..Options::default()
    };
    let control = Control::default();
    let clock = Instant::now();
    let distinct =
        penstock_hnsw::Hnsw::distinct_rows(&flat, dim, &options, &control).expect("finite vectors");
    let grouping = clock.elapsed().as_secs_f64();
    if distinct.len() < rows.len() {
        let own: Vec<Vec<f32>> = distinct
            .iter()
            .map(|row| rows[*row as usize].clone())
            .collect();
        (index, seconds) = build(&own);
    }
    let clock = Instant::now();
    let graph = layers_of(&index);
    drop(index);
    let frozen = penstock_hnsw::Hnsw::from_graph(&flat, dim, &options, &graph, &control)
        .expect("a graph over the distinct rows");
    drop(graph);
    let freezing = grouping + clock.elapsed().as_secs_f64();
    eprintln!("hnsw_rs took {seconds:.1} s to build, freezing its graph {freezing:.2} s");
    let by = "hnsw_rs 0.3.5, searched by Penstock";
    measure(
        by,
        seconds + freezing,
        &truth,
        &pools,
        &goals,
        &|ef, threads| {
            let options = BatchOptions { k: K, ef, threads };
            let search = || frozen.search_batch(&flat_queries, &options, None, &control);
            let (rate, batch) = rate(queries.len(), search);
            let batch = batch.expect("finite queries");
            let rows = |i| batch.of(i).iter().map(|hit| hit.row).collect();
            (rate, (0..queries.len()).map(rows).collect())
        },
    );
}
