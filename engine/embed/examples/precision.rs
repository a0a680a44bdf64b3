//! What a lower precision costs and gives: residues per second, and how far vectors are from those
//! of single precision.
//!
//! `cargo run --release -p penstock-embed --example precision -- CHECKPOINT FASTA [RECORDS [FORM..]]`
//!
//! Prints for each form (`f32`, `bf16` and `int8` if none is named) the speed, the largest and the
//! mean difference of residues' vectors, the largest and the mean cosine distance of mean-pooled
//! vectors, and for how many records the nearest other record is the same.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{AsArray as _, LargeStringArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use penstock_embed::{Registry, RegistryOptions};
use penstock_types::columns;

fn batch(fasta: &str, records: usize) -> Result<(RecordBatch, usize), Box<dyn Error>> {
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
    let residues = sequences.iter().map(String::len).sum();
    let field = Field::new(columns::SEQUENCE, DataType::LargeUtf8, false);
    let batch = RecordBatch::try_new(
        Arc::new(Schema::new(vec![field])),
        vec![Arc::new(LargeStringArray::from(sequences))],
    )?;
    Ok((batch, residues))
}

/// Vectors of a form of the checkpoint, end to end, and the seconds they took. Another registry
/// remembers no vectors.
fn vectors(name: &str, batch: &RecordBatch) -> Result<(Vec<f32>, usize, f64), Box<dyn Error>> {
    let registry = Registry::new(RegistryOptions {
        paths: true,
        ..RegistryOptions::default()
    });
    let encoder = registry.get(name)?;
    let clock = Instant::now();
    let vectors = encoder.encode(batch)?;
    let seconds = clock.elapsed().as_secs_f64();
    let items = match vectors.as_list_opt::<i32>() {
        Some(lists) => Arc::clone(lists.values()),
        None => vectors,
    };
    let values = items.as_fixed_size_list().values();
    let values = values.as_primitive::<Float32Type>().values().to_vec();
    Ok((values, encoder.spec().dim.get(), seconds))
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The index of the most similar other vector, of each.
fn nearest(vectors: &[f32], dim: usize) -> Vec<Option<usize>> {
    let rows: Vec<&[f32]> = vectors.chunks_exact(dim).collect();
    let others = |i| (0..rows.len()).filter(move |j| *j != i);
    (0..rows.len())
        .map(|i| {
            others(i).max_by(|a, b| cosine(rows[i], rows[*a]).total_cmp(&cosine(rows[i], rows[*b])))
        })
        .collect()
}

/// The largest and the mean of some numbers.
fn worst_and_mean(all: impl ExactSizeIterator<Item = f64>) -> (f64, f64) {
    let n = all.len() as f64;
    let (worst, sum) = all.fold((0.0, 0.0), |(worst, sum), x| (x.max(worst), sum + x));
    (worst, sum / n)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, fasta, rest @ ..] = arguments.as_slice() else {
        return Err("usage: precision CHECKPOINT FASTA [RECORDS [FORM..]]".into());
    };
    let records = rest.first().map_or(Ok(500), |n| n.parse())?;
    let forms = match rest.get(1..) {
        Some(forms @ [_, ..]) => forms.to_vec(),
        _ => ["f32", "bf16", "int8"].map(str::to_owned).to_vec(),
    };
    let (batch, residues) = batch(fasta, records)?;
    let some = batch.slice(0, batch.num_rows().min(20));
    let (pooled, dim, _) = vectors(folder, &batch)?;
    let (each, ..) = vectors(&format!("{folder}:none"), &some)?;
    let same = nearest(&pooled, dim);
    for form in forms {
        let (mean, _, seconds) = vectors(&format!("{folder}:{form}"), &batch)?;
        let (states, ..) = vectors(&format!("{folder}:none:{form}"), &some)?;
        let differences = each
            .iter()
            .zip(&states)
            .map(|(a, b)| f64::from((a - b).abs()));
        let (worst, usual) = worst_and_mean(differences);
        let pairs = pooled.chunks_exact(dim).zip(mean.chunks_exact(dim));
        let (far, distance) = worst_and_mean(pairs.map(|(a, b)| 1.0 - cosine(a, b)));
        let kept = nearest(&mean, dim)
            .iter()
            .zip(&same)
            .filter(|(a, b)| a == b)
            .count();
        println!(
            "{form}: {:.0} residues/s; residues differ by {worst:.2e}, on average {usual:.2e}; \
             cosine distance {far:.2e}, on average {distance:.2e}; nearest the same for {kept} of {}",
            residues as f64 / seconds,
            same.len()
        );
    }
    Ok(())
}
