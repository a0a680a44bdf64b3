//! The index in memory: build, recall and queries per second, beside the libraries that are usual
//! in Python on the very same vectors; and the same under filters.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use penstock_hnsw::scan::{ScanOptions, nearest};
use penstock_hnsw::{Batch, BatchOptions, Control, Filter, Hit, Hnsw, cost};
use penstock_types::Metric;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::corpus::corpus;
use crate::machine::{peak_resident_megabytes, resident_megabytes, table};
use crate::peer::{self, Files};
use crate::vectors::{CENTRES, Clustered, Made, Source, clustered, descriptors};

pub(crate) const QUERIES: usize = 2_000;
pub(crate) const K: usize = 10;
/// Runs of which the best counts, of each side.
const RUNS: usize = 5;
/// Pools tried, ever larger, by each side.
const POOLS: [usize; 17] = [
    10, 12, 14, 16, 18, 20, 24, 28, 32, 40, 48, 64, 80, 100, 150, 200, 400,
];
/// Recalls at which rates are compared.
const RECALLS: [f64; 2] = [0.95, 0.99];

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    made: Made,
    #[command(flatten)]
    libraries: Libraries,
}

/// Libraries to run on the same vectors.
#[derive(clap::Args)]
struct Libraries {
    /// The interpreter of an environment with hnswlib, faiss and usearch, to run on the same
    /// vectors
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Which of them
    #[arg(long, default_value = "hnswlib,faiss,usearch")]
    libraries: String,
    /// The program of `bench/reference/hnsw_rs`, to run on the same vectors: hnsw_rs, and its graph
    /// searched by Penstock
    #[arg(long, env = "PENSTOCK_HNSW_RS")]
    hnsw_rs: Option<PathBuf>,
}

fn build(data: &Clustered, dim: usize) -> Result<(Hnsw, f64)> {
    let options = penstock_hnsw::Options {
        metric: Metric::L2,
        threads: 2,
        ..Default::default()
    };
    let clock = Instant::now();
    let index = Hnsw::build(&data.rows, dim, &options, &Control::default())?;
    Ok((index, clock.elapsed().as_secs_f64()))
}

pub(crate) fn truth(rows: &[f32], dim: usize, queries: &[f32]) -> Result<Vec<Vec<Hit>>> {
    let options = ScanOptions {
        metric: Metric::L2,
        k: K,
        threads: 2,
    };
    Ok(nearest(rows, dim, queries, &options, &Control::default())?)
}

fn recall(batch: &Batch, truth: &[Vec<Hit>]) -> f64 {
    let (mut found, mut there) = (0, 0);
    for (i, truth) in truth.iter().enumerate() {
        let is_true = |hit: &&Hit| truth.iter().any(|other| other.row == hit.row);
        found += batch.of(i).iter().filter(is_true).count();
        there += truth.len();
    }
    found as f64 / there.max(1) as f64
}

/// Queries per second, the best of several runs, and the last answers.
fn rate(
    index: &Hnsw,
    queries: &[f32],
    ef: usize,
    threads: usize,
    filter: Option<&Filter>,
) -> Result<(f64, Batch)> {
    let options = BatchOptions { k: K, ef, threads };
    let run = || {
        let clock = Instant::now();
        let batch = index.search_batch(queries, &options, filter, &Control::default());
        (clock.elapsed().as_secs_f64(), batch)
    };
    let (mut best, mut last) = run();
    for _ in 1..RUNS {
        let (seconds, batch) = run();
        best = best.min(seconds);
        last = batch;
    }
    let count = queries.len() / index.dim();
    Ok((count as f64 / best, last?))
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (data, dim) = made(&options.made, QUERIES)?;
    measure(&data, dim, &options.libraries)
}

/// The vectors, and how long they are.
fn made(made: &Made, queries: usize) -> Result<(Clustered, usize)> {
    let shape = &made.shape;
    match made.data {
        Source::Clustered => {
            println!("clustered, seed {}", shape.seed);
            let data = clustered(shape.rows, queries, shape.dim, shape.seed);
            Ok((data, shape.dim))
        }
        Source::Scope40 => {
            let path = corpus("protein/scope40.fasta");
            println!("protein-kmer-v1 of {}", path.display());
            descriptors(&path, queries)
        }
    }
}

fn measure(data: &Clustered, dim: usize, peer: &Libraries) -> Result<()> {
    let rows = data.rows.len() / dim;
    let truth = truth(&data.rows, dim, &data.queries)?;
    let before = resident_megabytes().unwrap_or(f64::NAN);
    let (index, seconds) = build(data, dim)?;
    let estimate = Hnsw::bytes(rows, dim, index.options());
    println!(
        "memory beside the rows: {:.0} MB estimated, {:.0} at the most while it is built; {:.0} and {:.0} \
         measured",
        estimate.index as f64 / 1e6,
        estimate.peak as f64 / 1e6,
        resident_megabytes().unwrap_or(f64::NAN) - before,
        peak_resident_megabytes().unwrap_or(f64::NAN) - before,
    );
    let mut lines = Vec::new();
    let mut wanted = RECALLS.into_iter().peekable();
    for ef in POOLS {
        let Some(goal) = wanted.peek().copied() else {
            break;
        };
        let (one, batch) = rate(&index, &data.queries, ef, 1, None)?;
        let reached = recall(&batch, &truth);
        if reached < goal {
            continue;
        }
        let (two, _) = rate(&index, &data.queries, ef, 2, None)?;
        lines.push(line("Penstock", seconds, ef, reached, one, two));
        while wanted.next_if(|goal| reached >= *goal).is_some() {}
    }
    drop(index);
    if peer.peer.is_some() || peer.hnsw_rs.is_some() {
        lines.extend(peers(peer, dim, data, &truth)?);
    }
    println!("{rows} x {dim}, L2, M = 16, ef_construction = 200");
    let header = [
        "by",
        "build s",
        "ef",
        "recall@10",
        "queries/s, 1 thread",
        "2 threads",
    ];
    println!("{}", table(&header, &lines));
    Ok(())
}

fn line(by: &str, build: f64, ef: usize, recall: f64, one: f64, two: f64) -> Vec<String> {
    vec![
        by.to_owned(),
        format!("{build:.1}"),
        ef.to_string(),
        format!("{recall:.4}"),
        format!("{one:.0}"),
        format!("{two:.0}"),
    ]
}

fn peers(
    peer: &Libraries,
    dim: usize,
    data: &Clustered,
    truth: &[Vec<Hit>],
) -> Result<Vec<Vec<String>>> {
    let folder = tempfile::tempdir()?;
    let files = Files::write(folder.path(), &data.rows, &data.queries, truth)?;
    let pools = POOLS.map(|ef| ef.to_string()).join(",");
    let goals = RECALLS.map(|recall| recall.to_string()).join(",");
    let mut answers = Vec::new();
    if let Some(python) = &peer.peer {
        let python = peer::script(python, "nearest.py");
        let wanted = [pools.clone(), goals.clone(), peer.libraries.clone()];
        answers.extend(peer::ask(python, &files, dim, &wanted)?);
    }
    if let Some(program) = &peer.hnsw_rs {
        answers.extend(peer::ask(
            Command::new(program),
            &files,
            dim,
            &[pools, goals],
        )?);
    }
    let lines = answers.iter().map(|found| {
        let number = |key: &str| found[key].as_f64().unwrap_or(f64::NAN);
        line(
            found["by"].as_str().unwrap_or_default(),
            number("build"),
            number("ef") as usize,
            number("recall"),
            number("one"),
            number("two"),
        )
    });
    Ok(lines.collect())
}

/// Queries under each filter.
const FILTERED: usize = 200;

pub(crate) fn filters(options: &Made) -> Result<()> {
    let (mut data, dim) = made(options, FILTERED)?;
    if options.data == Source::Scope40 {
        data.centre_of = nearest_of_some(&data.rows, dim)?;
    }
    under_filters(&data, dim, options.shape.seed)
}

/// Clusters of rows that have none: what lies nearest to one of some of them.
fn nearest_of_some(all: &[f32], dim: usize) -> Result<Vec<usize>> {
    let rows = all.chunks_exact(dim);
    let step = (rows.len() / FILTERED).max(1);
    let middles: Vec<f32> = rows.step_by(step).flatten().copied().collect();
    let options = ScanOptions {
        metric: Metric::L2,
        k: 1,
        threads: 2,
    };
    let own = nearest(&middles, dim, all, &options, &Control::default())?;
    Ok(own.iter().map(|hits| hits[0].row as usize).collect())
}

fn under_filters(data: &Clustered, dim: usize, seed: u64) -> Result<()> {
    let (index, _) = build(data, dim)?;
    let rows = index.len();
    let mut lines = Vec::new();
    // Numbers from 0 to 1 of rows, or of centres, that are allowed below a share.
    let mut random = ChaCha8Rng::seed_from_u64(seed + 1);
    let chances: Vec<f64> = (0..rows.max(CENTRES)).map(|_| random.random()).collect();
    for share in [0.5, 0.1, 0.01, 0.001] {
        for whole in [false, true] {
            let filter = Filter::new(rows, |row| {
                chances[if whole { data.centre_of[row] } else { row }] < share
            });
            if filter.count() == 0 {
                continue;
            }
            let allowed: Vec<u32> = filter.iter().collect();
            let some: Vec<f32> = allowed
                .iter()
                .flat_map(|row| &data.rows[*row as usize * dim..][..dim])
                .copied()
                .collect();
            let mut truth = truth(&some, dim, &data.queries)?;
            for hit in truth.iter_mut().flatten() {
                hit.row = allowed[hit.row as usize];
            }
            let ef = BatchOptions::default().ef;
            let (one, batch) = rate(&index, &data.queries, ef, 1, Some(&filter))?;
            let way = cost(rows, dim, 16, filter.count(), ef).way;
            lines.push(vec![
                share.to_string(),
                if whole { "whole clusters" } else { "scattered" }.to_owned(),
                filter.count().to_string(),
                format!("{way:?}, {} scans", batch.scans),
                (batch.candidates / truth.len()).to_string(),
                format!("{:.4}", recall(&batch, &truth)),
                format!("{one:.0}"),
            ]);
        }
    }
    let header = [
        "share",
        "allowed",
        "rows",
        "way",
        "distances",
        "recall@10",
        "queries/s",
    ];
    println!("{}", table(&header, &lines));
    Ok(())
}
