//! Seconds and peak memory of a checkpoint's model on a torus of 132,860 vertices.
//!
//! `cargo run --release -p penstock-embed --example meshes -- CHECKPOINT`
//!
//! `bench/reference/mesh_speed.py` writes checkpoints and runs PyTorch on the same surface.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    FixedSizeListBuilder, Float32Array, Float64Builder, Int32Builder, ListBuilder, RecordBatch,
};
use penstock_embed::{Registry, RegistryOptions};
use penstock_types::columns;

const AROUND: i32 = 364;
const ACROSS: i32 = 365;

fn torus() -> Result<RecordBatch, Box<dyn Error>> {
    let mut points = ListBuilder::new(FixedSizeListBuilder::new(Float64Builder::new(), 3));
    let mut faces = ListBuilder::new(FixedSizeListBuilder::new(Int32Builder::new(), 3));
    let turn = |i: i32, n: i32| std::f64::consts::TAU * f64::from(i) / f64::from(n);
    for i in 0..AROUND {
        for j in 0..ACROSS {
            let (a, b) = (turn(i, AROUND), turn(j, ACROSS));
            let r = 0.4 + 0.1 * (3.0 * a).sin();
            let ring = 1.0 + r * b.cos();
            let point = [ring * a.cos(), ring * a.sin(), r * b.sin()];
            points.values().values().append_slice(&point);
            points.values().append(true);
            let at = |i: i32, j: i32| i % AROUND * ACROSS + j % ACROSS;
            let [p, q, s, t] = [at(i, j), at(i + 1, j), at(i + 1, j + 1), at(i, j + 1)];
            for face in [[p, q, s], [p, s, t]] {
                faces.values().values().append_slice(&face);
                faces.values().append(true);
            }
        }
    }
    points.append(true);
    faces.append(true);
    Ok(RecordBatch::try_from_iter([
        (columns::VERTICES, Arc::new(points.finish()) as _),
        (columns::FACES, Arc::new(faces.finish()) as _),
    ])?)
}

/// The most memory that this process ever had, in kB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Processor time that this process used, in seconds: clock ticks of a hundredth.
fn work() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / 100.0)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args()
        .nth(1)
        .ok_or("usage: meshes CHECKPOINT [RUNS]")?;
    let runs = std::env::args().nth(2).map_or(Ok(3), |n| n.parse())?;
    let batch = torus()?;
    for _ in 0..runs {
        // Another registry remembers no vectors.
        let registry = Registry::new(RegistryOptions {
            paths: true,
            ..RegistryOptions::default()
        });
        let encoder = registry.get(&folder)?;
        let before = peak().unwrap_or_default();
        let (clock, worked) = (Instant::now(), work().unwrap_or_default());
        let vectors = encoder.encode(&batch)?;
        let seconds = clock.elapsed().as_secs_f64();
        let data = vectors.to_data();
        let values = Float32Array::from(data.child_data()[0].clone());
        println!(
            "{}: {seconds:.2} s, {:.2} s of processor time, peak {:.2} GB (before: {:.2}), mean {:?}",
            encoder.describe(),
            work().unwrap_or_default() - worked,
            peak().unwrap_or_default() as f64 / 1e6,
            before as f64 / 1e6,
            &values.values()[..3]
        );
    }
    Ok(())
}
