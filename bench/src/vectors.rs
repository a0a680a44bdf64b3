//! Vectors to search: synthetic ones, normal around centres whose weights are gamma-distributed, and
//! descriptors of real domains.

use std::path::Path;

use anyhow::Result;
use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Float32Type;
use penstock::encoding::{Registry, RegistryOptions};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Centres of a set.
pub(crate) const CENTRES: usize = 2_000;

/// Standard deviation around a centre; that of the centres is 1.
const SPREAD: f32 = 0.5;

pub(crate) struct Clustered {
    pub(crate) rows: Vec<f32>,
    pub(crate) queries: Vec<f32>,
    /// The centre of each row, where rows have one.
    pub(crate) centre_of: Vec<usize>,
}

/// Synthetic vectors.
#[derive(clap::Args)]
pub(crate) struct Shape {
    /// Vectors
    #[arg(long, default_value_t = 200_000)]
    pub(crate) rows: usize,
    /// Numbers per vector
    #[arg(long, default_value_t = 128)]
    pub(crate) dim: usize,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// Vectors of either source.
#[derive(clap::Args)]
pub(crate) struct Made {
    /// Which vectors; those of the corpus have their own number and length
    #[arg(long, value_enum, default_value = "clustered")]
    pub(crate) data: Source,
    #[command(flatten)]
    pub(crate) shape: Shape,
}

/// Where vectors come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Source {
    /// Synthetic ones.
    Clustered,
    /// `protein-kmer-v1` of the SCOPe domains of the corpus.
    Scope40,
}

/// Descriptors of the sequences of a FASTA file, of norm 1, so that L2 ranks as cosine does; and
/// their length. The queries are taken from all over the file and left out of the rows.
pub(crate) fn descriptors(path: &Path, queries: usize) -> Result<(Clustered, usize)> {
    let records = crate::fasta::read(path)?;
    let batch = crate::fasta::batch(records.iter().map(|(_, sequence)| sequence.as_str()))?;
    let encoder = Registry::new(RegistryOptions::default()).get("protein-kmer-v1")?;
    let vectors = encoder.encode(&batch)?;
    anyhow::ensure!(vectors.null_count() == 0, "a sequence has no vector");
    let vectors = vectors.as_fixed_size_list();
    let dim = vectors.value_length() as usize;
    let values = vectors.values().as_primitive::<Float32Type>().values();
    let step = (records.len() / queries.max(1)).max(1);
    let mut made = Clustered {
        rows: Vec::new(),
        queries: Vec::new(),
        centre_of: Vec::new(),
    };
    for (row, vector) in values.chunks_exact(dim).enumerate() {
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        let unit = vector.iter().map(|x| x / norm);
        if row % step == 0 && made.queries.len() < queries * dim {
            made.queries.extend(unit);
        } else {
            made.rows.extend(unit);
        }
    }
    Ok((made, dim))
}

/// `rows` and `queries` of the same distribution.
pub(crate) fn clustered(rows: usize, queries: usize, dim: usize, seed: u64) -> Clustered {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let centres: Vec<f32> = (0..CENTRES * dim).map(|_| normal(&mut random)).collect();
    // A gamma variate of shape 1 is an exponential one.
    let mut total = 0.0;
    let sums: Vec<f64> = (0..CENTRES)
        .map(|_| {
            total -= (1.0 - random.random::<f64>()).ln();
            total
        })
        .collect();
    let mut draw = |count: usize, centre_of: &mut Vec<usize>| -> Vec<f32> {
        let mut out = Vec::with_capacity(count * dim);
        for _ in 0..count {
            let at = random.random::<f64>() * total;
            let centre = sums.partition_point(|sum| *sum <= at).min(CENTRES - 1);
            centre_of.push(centre);
            let middle = &centres[centre * dim..][..dim];
            out.extend(middle.iter().map(|x| x + SPREAD * normal(&mut random)));
        }
        out
    };
    let mut centre_of = Vec::with_capacity(rows);
    let rows = draw(rows, &mut centre_of);
    let queries = draw(queries, &mut Vec::new());
    Clustered {
        rows,
        queries,
        centre_of,
    }
}

/// A standard normal number (Box and Muller 1958, <https://doi.org/10.1214/aoms/1177706645>).
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * random.random::<f64>()).cos()) as f32
}
