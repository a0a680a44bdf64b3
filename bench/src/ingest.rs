//! Loading a FASTA file far larger than the memory it may take.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use penstock::{Encoders, Engine, EngineOptions, Task};
use penstock_ingest::ReadOptions;
use penstock_server::load;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::machine;

const RESIDUES: &[u8] = b"ACDEFGHIKLMNPQRSTVWY";

/// Writes proteins of 50 to 650 residues (mean 350, as in UniProt) until the file has the size.
pub(crate) fn write_fasta(path: &Path, bytes: u64, seed: u64) -> Result<u64> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut out = BufWriter::new(File::create(path)?);
    let (mut written, mut records) = (0, 0);
    let mut record = Vec::new();
    while written < bytes {
        record.clear();
        write!(record, ">synthetic{records} random protein, seed {seed}")?;
        for at in 0..random.random_range(50..=650) {
            if at % 60 == 0 {
                record.push(b'\n');
            }
            record.push(RESIDUES[random.random_range(0..RESIDUES.len())]);
        }
        record.push(b'\n');
        out.write_all(&record)?;
        written += record.len() as u64;
        records += 1;
    }
    out.flush()?;
    Ok(records)
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Size of the file, in megabytes (10^6)
    #[arg(long, default_value_t = 1_000)]
    megabytes: u64,
    /// Leave the descriptor out
    #[arg(long)]
    no_encode: bool,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("synthetic.fasta");
    let records = write_fasta(&path, options.megabytes * 1_000_000, 1)?;
    let bytes = std::fs::metadata(&path)?.len();
    let before = machine::peak_resident_megabytes().unwrap_or(0.0);

    let root = folder.path().join("store");
    let engine = Engine::open(&root.to_string_lossy(), EngineOptions::default()).await?;
    let loaded = load::run(
        &engine,
        load::LoadFiles {
            table: "synthetic".parse()?,
            inputs: load::expand(&[path])?,
            read: ReadOptions::default(),
            encoders: if options.no_encode {
                Encoders::None
            } else {
                Encoders::Default
            },
            key: None,
        },
        &Task::default(),
    )
    .await?;
    anyhow::ensure!(loaded.outcome.added == records, "every record is a row");
    let after = machine::peak_resident_megabytes().unwrap_or(0.0);
    println!(
        "{}",
        machine::table(
            &[
                "file MB",
                "records",
                "encoder",
                "seconds",
                "MB/s",
                "records/s",
                "peak MB",
                "peak before MB"
            ],
            &[vec![
                format!("{:.0}", bytes as f64 / 1e6),
                records.to_string(),
                (if options.no_encode {
                    "none"
                } else {
                    "protein-kmer-v1"
                })
                .to_owned(),
                format!("{:.1}", loaded.seconds),
                format!("{:.1}", bytes as f64 / 1e6 / loaded.seconds),
                format!("{:.0}", records as f64 / loaded.seconds),
                format!("{after:.0}"),
                format!("{before:.0}"),
            ]],
        )
    );
    Ok(())
}
