//! One graph, searched by the program that built it and by Penstock.

use std::collections::HashSet;

use hnsw_rs::prelude::{DistL2, Hnsw};
use hnsw_rs_reference::layers_of;
use penstock_hnsw::scan::{ScanOptions, nearest};
use penstock_hnsw::{BatchOptions, Control, Options};
use penstock_types::Metric;

const DIM: usize = 24;
const ROWS: usize = 12_000;
const QUERIES: usize = 500;
const K: usize = 10;

/// Vectors around 300 centres (numbers of SplitMix64).
fn vectors() -> Vec<f32> {
    let mut state = 7_u64;
    let mut unit = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 40) as f32 / (1_u64 << 24) as f32
    };
    let centres: Vec<f32> = (0..300 * DIM).map(|_| unit()).collect();
    let mut out = Vec::new();
    for _ in 0..ROWS + QUERIES {
        let centre = (unit() * unit() * 300.0) as usize;
        for i in 0..DIM {
            let spread = unit() + unit() + unit() - 1.5;
            out.push(centres[centre * DIM + i] + 0.4 * spread);
        }
    }
    out
}

fn recall(found: impl Iterator<Item = Vec<u32>>, truth: &[HashSet<u32>]) -> f64 {
    let common = |(found, truth): (Vec<u32>, &HashSet<u32>)| {
        found.iter().filter(|row| truth.contains(row)).count()
    };
    found.zip(truth).map(common).sum::<usize>() as f64 / (K * truth.len()) as f64
}

#[test]
fn the_same_graph_finds_as_much_in_either_layout() {
    let mut rows = vectors();
    let queries = rows.split_off(ROWS * DIM);
    let options = Options {
        metric: Metric::L2,
        threads: 2,
        ..Options::default()
    };
    let control = Control::default();
    let vectors: Vec<Vec<f32>> = rows.chunks_exact(DIM).map(<[f32]>::to_vec).collect();
    let mut index = Hnsw::new(16, ROWS, 16, 100, DistL2 {});
    let numbered: Vec<(&Vec<f32>, usize)> = vectors.iter().zip(0..).collect();
    index.parallel_insert(&numbered);
    index.set_searching_mode(true);
    let graph = layers_of(&index);
    assert_eq!(graph.layers[0].len(), ROWS);
    assert!(graph.layers.len() > 2);
    let freeze = |rows: &[f32]| {
        penstock_hnsw::Hnsw::from_graph(rows, DIM, &options, &graph, &control)
            .expect("a graph over the distinct rows")
    };
    let frozen = freeze(&rows);

    let scan = ScanOptions {
        metric: Metric::L2,
        k: K,
        threads: 2,
    };
    let truth: Vec<HashSet<u32>> = nearest(&rows, DIM, &queries, &scan, &control)
        .expect("finite queries")
        .iter()
        .map(|hits| hits.iter().map(|hit| hit.row).collect())
        .collect();
    let questions: Vec<Vec<f32>> = queries.chunks_exact(DIM).map(<[f32]>::to_vec).collect();
    for ef in [10, 20, 40, 80, 160, 320] {
        let theirs = index.parallel_search(&questions, K, ef).into_iter();
        let theirs = theirs.map(|hits| hits.iter().map(|hit| hit.d_id as u32).collect());
        let theirs = recall(theirs, &truth);
        let batch = BatchOptions {
            k: K,
            ef,
            threads: 2,
        };
        let found = frozen.search_batch(&queries, &batch, None, &control);
        let found = found.expect("finite queries");
        let ours = (0..QUERIES).map(|i| found.of(i).iter().map(|hit| hit.row).collect());
        let ours = recall(ours, &truth);
        println!("ef {ef}: {theirs:.4} by hnsw_rs, {ours:.4} by Penstock");
        assert!(
            (ours - theirs).abs() <= 0.01,
            "ef {ef}: {ours} and {theirs}"
        );
    }

    // With copies of rows, which are found too: the graph is one over the distinct rows.
    rows.extend_from_within(..200 * DIM);
    let distinct = penstock_hnsw::Hnsw::distinct_rows(&rows, DIM, &options, &control);
    assert!(
        distinct
            .expect("finite rows")
            .into_iter()
            .eq(0..ROWS as u32)
    );
    let frozen = freeze(&rows);
    let batch = BatchOptions {
        k: 2,
        ef: 40,
        threads: 2,
    };
    let pairs = frozen.search_batch(&rows[..200 * DIM], &batch, None, &control);
    let pairs = pairs.expect("finite queries");
    for row in 0..200 {
        let found: Vec<u32> = pairs.of(row).iter().map(|hit| hit.row).collect();
        assert_eq!(found, [row as u32, (ROWS + row) as u32]);
    }
}
