//! Clouds per second of a checkpoint's model on points of a sphere, as
//! `bench/reference/points_speed.py` measures PyTorch's.
//!
//! `cargo run --release -p penstock-embed --example clouds -- CHECKPOINT [CLOUDS] [POINTS]`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    Array as _, ArrayRef, FixedSizeListBuilder, Float64Builder, Int32Builder, LargeListBuilder,
    RecordBatch,
};
use penstock_embed::{Registry, RegistryOptions};
use penstock_types::columns;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rest @ ..] = arguments.as_slice() else {
        return Err("usage: clouds CHECKPOINT [CLOUDS] [POINTS]".into());
    };
    let clouds = rest.first().map_or(Ok(64), |n| n.parse())?;
    let points = rest.get(1).map_or(Ok(1024), |n| n.parse())?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut vertices = LargeListBuilder::new(FixedSizeListBuilder::new(Float64Builder::new(), 3));
    let mut faces = LargeListBuilder::new(FixedSizeListBuilder::new(Int32Builder::new(), 3));
    for _ in 0..clouds {
        for _ in 0..points {
            // By Archimedes, a height and a longitude at random are a point of the sphere.
            let (z, turn) = (
                rng.random_range(-1.0..1.0_f64),
                rng.random_range(0.0..6.3_f64),
            );
            let r = (1.0 - z * z).sqrt();
            let items = vertices.values();
            items
                .values()
                .append_slice(&[r * turn.cos(), r * turn.sin(), z]);
            items.append(true);
        }
        vertices.append(true);
        faces.append(true);
    }
    let columns: [(_, ArrayRef); 2] = [
        (columns::VERTICES, Arc::new(vertices.finish())),
        (columns::FACES, Arc::new(faces.finish())),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    for _ in 0..3 {
        // Another registry remembers no vectors.
        let registry = Registry::new(RegistryOptions {
            paths: true,
            ..RegistryOptions::default()
        });
        let encoder = registry.get(folder)?;
        encoder.encode(&batch.slice(0, 1))?;
        let clock = Instant::now();
        let vectors = encoder.encode(&batch.slice(1, batch.num_rows() - 1))?;
        let seconds = clock.elapsed().as_secs_f64();
        let rate = vectors.len() as f64 / seconds;
        println!(
            "{} clouds, {seconds:.3} s, {rate:.1} clouds/s",
            vectors.len()
        );
    }
    Ok(())
}
