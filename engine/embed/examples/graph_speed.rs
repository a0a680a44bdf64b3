//! Speed and memory of message passing over one large graph, beside PyTorch in the same run.
//!
//!     cargo run --release -p penstock-embed --example graph_speed -- FOLDER [PYTHON [VERTICES]]
//!
//! Makes a random graph of VERTICES (10^6) with ten edges to each, three layers of width 64 of each
//! network with random weights, and writes them to FOLDER. Each network runs in a process of its
//! own, on as many threads as RAYON_NUM_THREADS says; with PYTHON, an interpreter that has
//! torch_geometric, so does `bench/reference/graph_speed.py` on the same files. The sums of all
//! numbers of the results are printed for comparison.

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use candle_core::{Device, Tensor};
use penstock_embed::{Checkpoint, Graph, GraphEncoder};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

const WIDTH: usize = 64;
const LAYERS: usize = 3;
const DEGREE: usize = 10;
const MODELS: [&str; 3] = ["gin", "graphsage", "gat"];

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [folder, run, model] if run == "run" => measure(Path::new(folder), model),
        [folder, rest @ ..] => {
            let vertices = rest.get(1).map_or(Ok(1_000_000), |n| n.parse())?;
            compare(Path::new(folder), rest.first(), vertices)
        }
        [] => Err("give a folder for the graph and the checkpoints".into()),
    }
}

fn compare(folder: &Path, python: Option<&String>, vertices: usize) -> Outcome<()> {
    write(folder, vertices)?;
    let threads = rayon::current_num_threads();
    let edges = vertices * DEGREE;
    println!("{vertices} vertices, {edges} edges, {LAYERS} layers of {WIDTH}, {threads} threads");
    println!("network, way: seconds, peak GiB, sum of the result");
    let folder_name = folder.to_string_lossy();
    for model in MODELS {
        let run = Command::new(std::env::current_exe()?)
            .args([&*folder_name, "run", model])
            .output()?;
        report(model, "penstock", &run);
        let Some(python) = python else { continue };
        // Attention is not written as a product with a sparse matrix.
        let ways: &[&str] = if model == "gat" {
            &["scatter"]
        } else {
            &["scatter", "sparse"]
        };
        for way in ways {
            let script =
                Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/reference/graph_speed.py");
            let run = Command::new(python)
                .args(["-W", "ignore"])
                .arg(script)
                .arg(folder.join(model))
                .args([&threads.to_string(), *way])
                .output()?;
            report(model, way, &run);
        }
    }
    Ok(())
}

fn report(model: &str, way: &str, run: &std::process::Output) {
    let said = match run.status.success() {
        true => String::from_utf8_lossy(&run.stdout),
        false => String::from_utf8_lossy(&run.stderr),
    };
    println!("{model}, {way}: {}", said.trim());
}

/// One network over the graph, in this process.
fn measure(folder: &Path, model: &str) -> Outcome<()> {
    let words = |name: &str| std::fs::read(folder.join(name));
    let features: Vec<f32> = words("features.f32")?
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let offsets = words("offsets.i64")?
        .chunks_exact(8)
        .map(|b| {
            b.iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte))
        })
        .collect();
    let senders = words("senders.i32")?
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let graph = Graph::from_csr(offsets, senders)?;
    let encoder = GraphEncoder::load(&Checkpoint::open(&folder.join(model))?)?;
    let begin = Instant::now();
    let vectors = encoder.vertices(&graph, features)?;
    let seconds = begin.elapsed().as_secs_f64();
    let sum: f64 = vectors.iter().map(|x| f64::from(*x)).sum();
    println!("{seconds:.2} {:.2} {sum:.6e}", peak_gib()?);
    Ok(())
}

/// The most memory that this process held.
fn peak_gib() -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("the kernel does not say how much memory was held")?
        .parse()?;
    Ok(kib / f64::from(1 << 20))
}

fn write(folder: &Path, vertices: usize) -> Outcome<()> {
    std::fs::create_dir_all(folder)?;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut edges = Vec::with_capacity(vertices * DEGREE);
    for receiver in 0..vertices as u32 {
        edges.extend((0..DEGREE).map(|_| (rng.random_range(0..vertices as u32), receiver)));
    }
    let graph = Graph::from_edges(vertices, &edges)?;
    let bytes: Vec<u8> = graph
        .offsets()
        .iter()
        .flat_map(|o| o.to_le_bytes())
        .collect();
    std::fs::write(folder.join("offsets.i64"), bytes)?;
    let bytes: Vec<u8> = graph
        .senders()
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    std::fs::write(folder.join("senders.i32"), bytes)?;
    let bytes: Vec<u8> = (0..vertices * WIDTH)
        .flat_map(|_| rng.random_range(-1.0_f32..1.0).to_le_bytes())
        .collect();
    std::fs::write(folder.join("features.f32"), bytes)?;
    for model in MODELS {
        checkpoint(&folder.join(model), model, &mut rng)?;
    }
    Ok(())
}

fn checkpoint(at: &PathBuf, model: &str, rng: &mut ChaCha8Rng) -> Outcome<()> {
    std::fs::create_dir_all(at)?;
    let heads = if model == "gat" { ", \"heads\": 8" } else { "" };
    let config = format!(
        "{{\"model_type\": \"{model}\", \"in_channels\": {WIDTH}, \"hidden_channels\": {WIDTH}, \
         \"num_layers\": {LAYERS}{heads}}}"
    );
    std::fs::write(at.join("config.json"), config)?;
    let parts: &[(&str, &[usize])] = match model {
        "gin" => &[
            ("eps", &[1]),
            ("nn.lins.0.weight", &[WIDTH, WIDTH]),
            ("nn.lins.0.bias", &[WIDTH]),
            ("nn.lins.1.weight", &[WIDTH, WIDTH]),
            ("nn.lins.1.bias", &[WIDTH]),
        ],
        "graphsage" => &[
            ("lin_l.weight", &[WIDTH, WIDTH]),
            ("lin_l.bias", &[WIDTH]),
            ("lin_r.weight", &[WIDTH, WIDTH]),
        ],
        _ => &[
            ("lin.weight", &[WIDTH, WIDTH]),
            ("att_src", &[1, 8, WIDTH / 8]),
            ("att_dst", &[1, 8, WIDTH / 8]),
            ("bias", &[WIDTH]),
        ],
    };
    let mut tensors = HashMap::new();
    for layer in 0..LAYERS {
        for (name, shape) in parts {
            let count = shape.iter().product();
            let values: Vec<f32> = (0..count)
                .map(|_| rng.random_range(-0.2_f32..0.2))
                .collect();
            let tensor = Tensor::from_vec(values, *shape, &Device::Cpu)?;
            tensors.insert(format!("convs.{layer}.{name}"), tensor);
        }
    }
    candle_core::safetensors::save(&tensors, at.join("model.safetensors"))?;
    Ok(())
}
