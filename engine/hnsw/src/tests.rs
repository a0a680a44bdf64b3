//! The index against the exact scan.

mod edge;
mod files;
mod filters;
mod given;
mod recall;

use penstock_types::{Metric, Probe};

use crate::{Control, Hit, Hnsw, Options};

/// Numbers from 0 to 1, the same for the same seed.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(1);
        (crate::level::mix(self.0) >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Nearly normal: the sum of four uniform numbers, scaled to variance 1.
    fn normal(&mut self) -> f32 {
        ((0..4).map(|_| self.unit()).sum::<f32>() - 2.0) * 3.0_f32.sqrt()
    }
}

/// Vectors around `centres` centres of unequal weight, and the centre of each.
fn clustered(rows: usize, dim: usize, centres: usize, seed: u64) -> (Vec<f32>, Vec<usize>) {
    let mut at = Random(seed << 32);
    let middle: Vec<f32> = (0..centres * dim).map(|_| at.normal()).collect();
    let mut draw = Random((seed << 32) + (1 << 30) + rows as u64);
    let mut of = Vec::new();
    let mut out = Vec::new();
    for _ in 0..rows {
        let centre = (draw.unit() * draw.unit() * centres as f32) as usize;
        of.push(centre);
        out.extend((0..dim).map(|i| middle[centre * dim + i] + 0.4 * draw.normal()));
    }
    (out, of)
}

/// The nearest of the allowed rows, by the definition.
fn truth(
    rows: &[f32],
    dim: usize,
    query: &[f32],
    metric: Metric,
    k: usize,
    allow: impl Fn(usize) -> bool,
) -> Vec<Hit> {
    let probe = Probe::new(metric, query);
    let mut hits: Vec<Hit> = rows
        .chunks_exact(dim)
        .enumerate()
        .filter(|(row, _)| allow(*row))
        .filter_map(|(row, vector)| {
            Some(Hit {
                row: row as u32,
                distance: probe.distance(vector)?,
            })
        })
        .collect();
    hits.sort_by(|a, b| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row)));
    hits.truncate(k);
    hits
}

/// How many of the true hits were found.
fn common(found: &[Hit], truth: &[Hit]) -> usize {
    let is_true = |hit: &&Hit| truth.iter().any(|other| other.row == hit.row);
    found.iter().filter(is_true).count()
}

fn options(metric: Metric, threads: usize) -> Options {
    Options {
        metric,
        threads,
        ..Options::default()
    }
}

fn index(rows: &[f32], dim: usize, metric: Metric) -> Hnsw {
    Hnsw::build(rows, dim, &options(metric, 2), &Control::default()).unwrap()
}
