//! Development: build s, recall and queries/s on vectors of a raw f32 file.
#![allow(clippy::unwrap_used, missing_docs)]
use std::time::Instant;

use penstock_hnsw::{BatchOptions, Control, Hnsw, Options};

fn floats(path: &str) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap();
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect()
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let dim: usize = args[1].parse().unwrap();
    let rows = floats(&format!("{}/rows.f32", args[2]));
    let queries = floats(&format!("{}/queries.f32", args[2]));
    let truth: Vec<u32> = floats(&format!("{}/truth.u32", args[2]))
        .iter()
        .map(|x| x.to_bits())
        .collect();
    let metric = penstock_types::Metric::L2;
    let options = Options {
        metric,
        threads: 2,
        ..Options::default()
    };
    let t = Instant::now();
    let index = Hnsw::build(&rows, dim, &options, &Control::default()).unwrap();
    println!(
        "build {:.2} s, {:?}",
        t.elapsed().as_secs_f64(),
        Hnsw::bytes(rows.len() / dim, dim, &options)
    );
    let n = queries.len() / dim;
    for ef in args[3].split(',').map(|x| x.parse::<usize>().unwrap()) {
        let mut out = String::new();
        for threads in [1, 2] {
            let o = BatchOptions { k: 10, ef, threads };
            let mut best = f64::INFINITY;
            let mut last = None;
            for _ in 0..5 {
                let t = Instant::now();
                last = Some(
                    index
                        .search_batch(&queries, &o, None, &Control::default())
                        .unwrap(),
                );
                best = best.min(t.elapsed().as_secs_f64());
            }
            let batch = last.unwrap();
            let mut found = 0;
            for q in 0..n {
                let t = &truth[q * 10..][..10];
                found += batch.of(q).iter().filter(|h| t.contains(&h.row)).count();
            }
            out += &format!(
                "  recall {:.4} qps {:.0} cand {}",
                found as f64 / (10 * n) as f64,
                n as f64 / best,
                batch.candidates / n
            );
        }
        println!("ef {ef}{out}");
    }
}
