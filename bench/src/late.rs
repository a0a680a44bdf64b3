//! Scores of rows of several vectors each: the kernel beside a plain loop.

use std::time::Instant;

use anyhow::Result;
use penstock_hnsw::late::{LateQuery, LateScratch};

use crate::machine;
use crate::vectors::clustered;

/// Runs of which the best counts, of each side.
const RUNS: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rows
    #[arg(long, default_value_t = 500)]
    rows: usize,
    /// Vectors per row
    #[arg(long, default_value_t = 150)]
    items: usize,
    /// Numbers per vector
    #[arg(long, value_delimiter = ',', default_value = "128,320")]
    dims: Vec<usize>,
    /// Vectors per query
    #[arg(long, value_delimiter = ',', default_value = "32,150")]
    queries: Vec<usize>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (rows, items) = (options.rows, options.items);
    println!("{rows} rows of {items} vectors, one thread");
    let mut lines = Vec::new();
    for dim in options.dims.iter().copied() {
        for count in options.queries.iter().copied() {
            let data = clustered(rows * items, count, dim, 1);
            let query = LateQuery::new(&data.queries, dim)?;
            let mut scratch = LateScratch::default();
            let (fast, scores) = best(|| {
                let rows = data.rows.chunks_exact(items * dim);
                rows.map(|row| query.score(row, &mut scratch).unwrap_or(f32::NAN))
                    .collect()
            });
            let (plain, truth) = best(|| {
                let rows = data.rows.chunks_exact(items * dim);
                rows.map(|row| naive(&data.queries, row, dim)).collect()
            });
            let off = scores.iter().zip(&truth).map(|(a, b)| (a - b).abs());
            let products = (rows * items * count) as f64;
            lines.push(vec![
                dim.to_string(),
                count.to_string(),
                format!("{:.0}", products / fast / 1e6),
                format!("{:.0}", products / plain / 1e6),
                format!("{:.1}", plain / fast),
                format!("{:.1e}", off.fold(0.0, f32::max)),
            ]);
        }
    }
    let header = [
        "dim",
        "query vectors",
        "million cosines/s",
        "plain loop",
        "ratio",
        "largest difference",
    ];
    println!("{}", machine::table(&header, &lines));
    Ok(())
}

/// Seconds of the fastest run, and what it gave.
fn best(mut run: impl FnMut() -> Vec<f32>) -> (f64, Vec<f32>) {
    let mut best = (f64::INFINITY, Vec::new());
    for _ in 0..RUNS {
        let clock = Instant::now();
        let scores = run();
        best = (best.0.min(clock.elapsed().as_secs_f64()), scores);
    }
    best
}

fn naive(query: &[f32], row: &[f32], dim: usize) -> f32 {
    let product = |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let norms: Vec<f32> = row
        .chunks_exact(dim)
        .map(|item| product(item, item).sqrt())
        .collect();
    let most = |one: &[f32]| {
        let norm = product(one, one).sqrt();
        let cosines = row
            .chunks_exact(dim)
            .zip(&norms)
            .map(|(item, other)| product(one, item) / (norm * other));
        cosines.fold(f32::NEG_INFINITY, f32::max)
    };
    query.chunks_exact(dim).map(most).sum()
}
