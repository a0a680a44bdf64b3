//! Checkpoints of published ESM-2 shapes with random weights: speed does not depend on them.

use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::Result;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// A shape: its name, layers, numbers per token, heads.
pub(crate) const SHAPES: [(&str, usize, usize, usize); 5] = [
    ("8M", 6, 320, 20),
    ("35M", 12, 480, 20),
    ("150M", 30, 640, 20),
    ("650M", 33, 1280, 20),
    ("3B", 36, 2560, 40),
];

/// Writes `config.json` and `model.safetensors` of a shape.
pub(crate) fn write(name: &str, folder: &Path) -> Result<()> {
    let (_, layers, width, heads) = SHAPES
        .into_iter()
        .find(|(known, ..)| *known == name)
        .ok_or_else(|| anyhow::anyhow!("there is no shape {name}"))?;
    std::fs::create_dir_all(folder)?;
    let config = json!({
        "model_type": "esm",
        "architectures": ["EsmModel"],
        "vocab_size": 33,
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": 4 * width,
        "max_position_embeddings": 1026,
        "layer_norm_eps": 1e-5,
        "position_embedding_type": "rotary",
        "token_dropout": true,
        "emb_layer_norm_before": false,
        "pad_token_id": 1,
        "mask_token_id": 32,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    });
    std::fs::write(folder.join("config.json"), config.to_string())?;
    let tensors = tensors(layers, width);
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!({"format": "pt"}));
    let mut at = 0;
    for (name, shape) in &tensors {
        let end = at + 4 * shape.iter().product::<usize>();
        let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [at, end]});
        header.insert(name.clone(), entry);
        at = end;
    }
    let header = Value::Object(header).to_string();
    let mut file = BufWriter::new(std::fs::File::create(folder.join("model.safetensors"))?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for (name, shape) in &tensors {
        let is_scale = shape.len() == 1 && name.ends_with("weight");
        let (middle, spread) = if is_scale { (1.0, 0.1) } else { (0.0, 0.035) };
        for _ in 0..shape.iter().product::<usize>() {
            let x: f32 = middle + spread * random.random_range(-1.0_f32..1.0);
            file.write_all(&x.to_le_bytes())?;
        }
    }
    file.flush()?;
    Ok(())
}

/// Names and shapes, as the checkpoints on the hub have them.
fn tensors(layers: usize, width: usize) -> Vec<(String, Vec<usize>)> {
    let words = "esm.embeddings.word_embeddings.weight";
    let mut tensors = vec![(words.to_owned(), vec![33, width])];
    let mut affine = |name: String, inputs: usize, outputs: usize| {
        tensors.push((format!("{name}.weight"), vec![outputs, inputs]));
        tensors.push((format!("{name}.bias"), vec![outputs]));
    };
    for layer in 0..layers {
        let layer = format!("esm.encoder.layer.{layer}");
        for part in ["query", "key", "value"] {
            affine(format!("{layer}.attention.self.{part}"), width, width);
        }
        affine(format!("{layer}.attention.output.dense"), width, width);
        affine(format!("{layer}.intermediate.dense"), width, 4 * width);
        affine(format!("{layer}.output.dense"), 4 * width, width);
    }
    let mut norm = |name: String| {
        tensors.push((format!("{name}.weight"), vec![width]));
        tensors.push((format!("{name}.bias"), vec![width]));
    };
    for layer in 0..layers {
        let layer = format!("esm.encoder.layer.{layer}");
        norm(format!("{layer}.attention.LayerNorm"));
        norm(format!("{layer}.LayerNorm"));
    }
    norm("esm.encoder.emb_layer_norm_after".into());
    tensors
}
