//! Residues per second of a checkpoint's model on a FASTA file.
//!
//! `cargo run --release -p penstock-embed --example throughput -- CHECKPOINT FASTA [RECORDS]`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array as _, LargeStringArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use penstock_embed::{Registry, RegistryOptions};
use penstock_types::columns;

fn fresh() -> Registry {
    Registry::new(RegistryOptions {
        paths: true,
        ..RegistryOptions::default()
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, fasta, rest @ ..] = arguments.as_slice() else {
        return Err("usage: throughput CHECKPOINT FASTA [RECORDS]".into());
    };
    let records = rest.first().map_or(Ok(500), |n| n.parse())?;
    let mut sequences: Vec<String> = Vec::new();
    for line in std::fs::read_to_string(fasta)?.lines() {
        if line.starts_with('>') {
            sequences.push(String::new());
        } else if let Some(sequence) = sequences.last_mut() {
            sequence.push_str(&line.trim().to_ascii_uppercase());
        }
    }
    // Records from all over the file, as files are often sorted.
    let step = (sequences.len() / records).max(1);
    let sequences: Vec<String> = sequences.into_iter().step_by(step).take(records).collect();
    let residues: usize = sequences.iter().map(String::len).sum();
    let field = Field::new(columns::SEQUENCE, DataType::LargeUtf8, false);
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(vec![field])),
        vec![Arc::new(LargeStringArray::from(sequences))],
    )?;

    let clock = Instant::now();
    let registry = fresh();
    registry.get(folder)?;
    let loading = clock.elapsed().as_secs_f64();
    for _ in 0..3 {
        // Another registry remembers no vectors.
        let registry = fresh();
        let encoder = registry.get(folder)?;
        encoder.encode(&batch.slice(0, 4))?;
        let clock = Instant::now();
        let vectors = encoder.encode(&batch.slice(4, batch.num_rows() - 4))?;
        let seconds = clock.elapsed().as_secs_f64();
        println!(
            "{} records, {residues} residues, loaded in {loading:.2} s, {seconds:.3} s, {:.0} residues/s",
            vectors.len() + 4,
            residues as f64 / seconds
        );
    }
    Ok(())
}
