//! The readers alone: bytes in, Arrow batches out, thrown away.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use penstock_ingest::{ReadOptions, Source};

use crate::corpus::corpus;
use crate::machine;

/// What is read where no file is named.
const READ: [&str; 5] = [
    "protein/scope40.fasta",
    "dna/ecoli_k12_mg1655.fna.gz",
    "dna/lambda_reads_1k.fq",
    "mesh/cfd/motorBike.obj.gz",
    "mesh/models/stanford-bunny.obj",
];

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Files; the larger ones of the corpus where none is given
    paths: Vec<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut paths = options.paths.clone();
    if paths.is_empty() {
        paths.extend(READ.map(corpus));
    }
    let mut rows = Vec::new();
    for path in &paths {
        let name = path
            .file_name()
            .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        let bytes = std::fs::metadata(path).with_context(|| name.clone())?.len();
        // The first pass fills the page cache.
        let mut seconds = f64::INFINITY;
        let (mut count, mut arrow_bytes, mut format) = (0, 0, String::new());
        for _ in 0..3 {
            (count, arrow_bytes) = (0, 0);
            let started = Instant::now();
            let reader = penstock_ingest::open(Source::path(path), &ReadOptions::default())?;
            format = reader.format().to_string();
            for batch in reader {
                let batch = batch?;
                count += batch.num_rows();
                arrow_bytes += batch.get_array_memory_size();
            }
            seconds = started.elapsed().as_secs_f64().min(seconds);
        }
        rows.push(vec![
            name,
            format,
            count.to_string(),
            format!("{:.1}", bytes as f64 / 1e6),
            format!("{:.3}", seconds),
            format!("{:.0}", bytes as f64 / 1e6 / seconds),
            format!("{:.0}", arrow_bytes as f64 / 1e6 / seconds),
        ]);
    }
    println!(
        "{}",
        machine::table(
            &[
                "file",
                "format",
                "rows",
                "file MB",
                "best of 3 s",
                "file MB/s",
                "Arrow MB/s"
            ],
            &rows
        )
    );
    Ok(())
}
