//! Residues per second of protein models, beside PyTorch with transformers on the same weights.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use arrow::array::Array as _;
use penstock::encoding::{Registry, RegistryOptions};

use crate::corpus::or_corpus;
use crate::machine::table;
use crate::{fasta, shapes};

/// Runs of which the best counts, of each side.
const RUNS: usize = 3;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A FASTA file of proteins; the corpus's where none is given
    path: Option<PathBuf>,
    /// Proteins, from all over the file
    #[arg(long, default_value_t = 500)]
    records: usize,
    /// Published shapes of ESM-2, of which checkpoints are made
    #[arg(long, value_delimiter = ',', default_value = "8M,35M,150M")]
    shapes: Vec<String>,
    /// Folders of checkpoints, beside the shapes
    #[arg(long)]
    checkpoint: Vec<PathBuf>,
    /// Forms of the encoder, as they stand after its name; the usual one is empty
    #[arg(long, value_delimiter = ',', default_value = "")]
    forms: Vec<String>,
    /// PyTorch with transformers on the same weights, in an environment that is set up for it
    #[arg(long)]
    peer: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let sequences = or_corpus(options.path.as_deref(), "protein/scope40.fasta");
    let records = fasta::sample(fasta::read(&sequences)?, options.records);
    let residues: usize = records.iter().map(|(_, sequence)| sequence.len()).sum();
    let folder = tempfile::tempdir()?;
    let part = folder.path().join("sequences.fasta");
    let text: String = records
        .iter()
        .map(|(id, sequence)| format!(">{id}\n{sequence}\n"))
        .collect();
    std::fs::write(&part, text)?;
    let python = options.peer.then(reference_python).transpose()?;
    let mut folders = options.checkpoint.clone();
    for shape in &options.shapes {
        let at = folder.path().join(format!("esm2-{shape}"));
        shapes::write(shape, &at)?;
        folders.push(at);
    }
    let batch = fasta::batch(records.iter().map(|(_, sequence)| sequence.as_str()))?;
    let mut lines = Vec::new();
    for at in &folders {
        let name = at
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let peer = match &python {
            Some(python) => Some(pytorch(python, at, &part, records.len())?),
            None => None,
        };
        if let Some(peer) = peer {
            lines.push(vec![
                name.clone(),
                "PyTorch".into(),
                format!("{peer:.0}"),
                "1".into(),
            ]);
        }
        for form in &options.forms {
            let mut best = f64::INFINITY;
            for _ in 0..RUNS {
                // Another registry remembers no vectors.
                let registry = Registry::new(RegistryOptions {
                    paths: true,
                    ..RegistryOptions::default()
                });
                let encoder = registry.get(&format!("{}{form}", at.display()))?;
                let clock = Instant::now();
                let vectors = encoder.encode(&batch)?;
                best = best.min(clock.elapsed().as_secs_f64());
                anyhow::ensure!(vectors.null_count() == 0, "a sequence has no vector");
            }
            let rate = residues as f64 / best;
            lines.push(vec![
                name.clone(),
                format!("Penstock{form}"),
                format!("{rate:.0}"),
                peer.map_or_else(String::new, |peer| format!("{:.2}", rate / peer)),
            ]);
        }
    }
    println!("{} proteins, {residues} residues", records.len());
    println!(
        "{}",
        table(&["model", "by", "residues/s", "times PyTorch"], &lines)
    );
    Ok(())
}

/// The interpreter with the reference implementations; it is set up where it is not there.
pub(crate) fn reference_python() -> Result<PathBuf> {
    let output = Command::new(Path::new(REFERENCE).join("environment.sh"))
        .output()
        .context("environment.sh")?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

pub(crate) const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/reference");

/// The best rate of its batch sizes and attention implementations.
fn pytorch(python: &Path, folder: &Path, sequences: &Path, records: usize) -> Result<f64> {
    let output = Command::new(python)
        .arg(Path::new(REFERENCE).join("speed.py"))
        .arg("run")
        .args([folder, sequences])
        .arg(records.to_string())
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let rates = text.lines().filter_map(|line| {
        let rate = line.rsplit_once(", ")?.1.strip_suffix(" residues/s")?;
        rate.parse::<f64>().ok()
    });
    let best = rates.fold(0.0, f64::max);
    anyhow::ensure!(best > 0.0, "speed.py printed no rate: {text}");
    Ok(best)
}
