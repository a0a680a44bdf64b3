//! What the tests of both models share, and what holds for both.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::Tensor;
use proptest::prelude::*;

use super::*;
use crate::model::transformer::cpu::Watch;

/// Largest difference of a hidden state that counts as the same.
pub(crate) const SAME: f32 = 1e-4;

const GOLDEN: [&str; 7] = [
    "hyenadna",
    "hyenadna-odd",
    "hyenadna-fixed",
    "caduceus-ph",
    "caduceus-ps",
    "caduceus-ps-odd",
    "caduceus-ps-plain",
];

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../bench/reference/golden")
        .join(name)
}

/// A golden folder.
pub(crate) struct Golden {
    pub(crate) sequences: Vec<String>,
    tensors: HashMap<String, Tensor>,
}

impl Golden {
    pub(crate) fn read(name: &str) -> Self {
        let cases = std::fs::read(folder(name).join("cases.json")).unwrap();
        let file = folder(name).join("golden.safetensors");
        Self {
            sequences: serde_json::from_slice(&cases).unwrap(),
            tensors: candle_core::safetensors::load(file, &Device::Cpu).unwrap(),
        }
    }

    pub(crate) fn numbers(&self, name: &str) -> Vec<f32> {
        let tensor = &self.tensors[name];
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    pub(crate) fn ids(&self, case: usize) -> Vec<u32> {
        let tensor = &self.tensors[&format!("{case}.ids")];
        let tensor = tensor.to_dtype(candle_core::DType::U32).unwrap();
        tensor.to_vec1().unwrap()
    }
}

/// Keeps the states that pass by.
#[derive(Default)]
pub(crate) struct Layerwise(pub(crate) Vec<Vec<f32>>);

impl Watch for Layerwise {
    fn hidden(&mut self, _layer: usize, states: &[f32]) {
        self.0.push(states.to_vec());
    }
}

pub(crate) fn same(given: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(given.len(), expected.len(), "{what}");
    let worst = given
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: differs by {worst}");
}

pub(crate) fn open(name: &str) -> LongModel {
    LongModel::load(&Checkpoint::open(&folder(name)).unwrap(), &Device::Cpu).unwrap()
}

#[test]
fn tokens_equal_the_reference() {
    for name in GOLDEN {
        let (golden, model) = (Golden::read(name), open(name));
        for (case, sequence) in golden.sequences.iter().enumerate() {
            let mut tokens = model.tokenizer.encode(sequence.as_bytes());
            tokens.extend_from_slice(&model.tokenizer.specials().after);
            assert_eq!(tokens, golden.ids(case), "{name}, case {case}");
        }
    }
}

#[test]
fn letters_of_either_case_and_unknown_ones() {
    let model = open("caduceus-ph");
    let tokens = model.tokenizer.encode(b"acgtnACGTNuR*");
    assert_eq!(tokens, [7, 8, 9, 10, 11, 7, 8, 9, 10, 11, 6, 6, 6]);
    for name in GOLDEN {
        let vectors = open(name).embed_all(&[b"RYKMSWBDHV*", b"U"], Pooling::Mean);
        assert!(vectors.iter().flatten().all(|x| x.is_finite()), "{name}");
    }
}

#[test]
fn a_batch_equals_its_sequences_one_by_one() {
    for name in GOLDEN {
        let (golden, mut model) = (Golden::read(name), open(name));
        model.limits = Limits {
            window: 50,
            overlap: 10,
        };
        let sequences: Vec<&[u8]> = golden.sequences.iter().map(String::as_bytes).collect();
        for pooling in model.poolings() {
            let together = model.embed_all(&sequences, *pooling);
            for (sequence, vector) in sequences.iter().zip(together) {
                let alone = model.embed_all(&[*sequence], *pooling);
                assert_eq!(alone[0], vector, "{name}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let sequence = "GATTACACATTAGGCCNA".repeat(90);
    let sequences = [sequence.as_bytes(), &sequence.as_bytes()[..700]];
    for name in ["hyenadna", "caduceus-ps"] {
        let mut model = open(name);
        model.limits = Limits {
            window: 129,
            overlap: 16,
        };
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let pool = pool.build().unwrap();
            pool.install(|| model.embed_all(&sequences, Pooling::None))
        };
        assert_eq!(with(1), with(5), "{name}");
    }
}

#[test]
fn pooling_is_over_the_bases() {
    for name in ["hyenadna", "caduceus-ps-odd"] {
        let model = open(name);
        let width = model.backbone.width();
        let sequence = b"ACGGTTANCA".as_slice();
        let embed = |pooling| model.embed_all(&[sequence], pooling).remove(0);
        let bases = embed(Pooling::None);
        assert_eq!(bases.len(), sequence.len() * width);
        let column = |j: usize| bases.iter().skip(j).step_by(width);
        let mean: Vec<f32> = (0..width)
            .map(|j| column(j).sum::<f32>() / sequence.len() as f32)
            .collect();
        let max: Vec<f32> = (0..width)
            .map(|j| column(j).copied().fold(f32::MIN, f32::max))
            .collect();
        same(&embed(Pooling::Mean), &mean, 1e-6, name);
        same(&embed(Pooling::Max), &max, 0.0, name);
    }
}

#[test]
fn long_sequences_are_the_mean_of_their_windows() {
    for name in ["hyenadna-odd", "caduceus-ph"] {
        let mut model = open(name);
        model.limits = Limits {
            window: 20,
            overlap: 7,
        };
        let sequence = b"GATTACAGGATCCNATTTAGCGCGATATCCGGAATTCACGTTGAC".as_slice();
        let width = model.backbone.width();
        let cut = windows(0, sequence.len(), model.limits);
        assert!(cut.len() > 2);
        let mut sums = vec![0.0_f32; sequence.len() * width];
        let mut counts = vec![0.0_f32; sequence.len()];
        for window in &cut {
            let part = model.embed_all(&[&sequence[window.tokens.clone()]], Pooling::None);
            for (i, row) in window.tokens.clone().zip(part[0].chunks(width)) {
                counts[i] += 1.0;
                for (sum, x) in sums[i * width..].iter_mut().zip(row) {
                    *sum += x;
                }
            }
        }
        for (row, count) in sums.chunks_mut(width).zip(counts) {
            row.iter_mut().for_each(|x| *x /= count);
        }
        let whole = model.embed_all(&[sequence], Pooling::None).remove(0);
        same(&whole, &sums, 1e-5, name);
        let mean: Vec<f32> = (0..width)
            .map(|j| sums.iter().skip(j).step_by(width).sum::<f32>() / sequence.len() as f32)
            .collect();
        let given = model.embed_all(&[sequence], Pooling::Mean).remove(0);
        same(&given, &mean, 1e-5, name);
    }
}

#[test]
fn nothing_gives_nothing() {
    for name in ["hyenadna", "caduceus-ps"] {
        let model = open(name);
        let vectors = model.embed_all(&[b"", b"A"], Pooling::Mean);
        assert!(vectors[0].is_empty());
        assert_eq!(vectors[1].len(), model.backbone.width());
        assert!(model.embed_all(&[], Pooling::Mean).is_empty());
    }
}

/// A copy of a golden checkpoint with another configuration or other weights.
fn spoiled(
    name: &str,
    config: impl Fn(&mut serde_json::Value),
    weights: impl Fn(&mut HashMap<String, Tensor>),
) -> String {
    let scratch = std::env::temp_dir().join(format!(
        "penstock-long-{}-{:x}",
        std::process::id(),
        rand::random::<u64>()
    ));
    std::fs::create_dir(&scratch).unwrap();
    let bytes = std::fs::read(folder(name).join("config.json")).unwrap();
    let mut json = serde_json::from_slice(&bytes).unwrap();
    config(&mut json);
    std::fs::write(scratch.join("config.json"), json.to_string()).unwrap();
    let mut tensors =
        candle_core::safetensors::load(folder(name).join("model.safetensors"), &Device::Cpu)
            .unwrap();
    weights(&mut tensors);
    candle_core::safetensors::save(&tensors, scratch.join("model.safetensors")).unwrap();
    let result = Checkpoint::open(&scratch)
        .and_then(|checkpoint| LongModel::load(&checkpoint, &Device::Cpu));
    std::fs::remove_dir_all(&scratch).unwrap();
    match result {
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_does_not_fit_is_named() {
    let as_it_is = |_: &mut serde_json::Value| {};
    for name in ["hyenadna", "caduceus-ps"] {
        assert_eq!(spoiled(name, as_it_is, |_| {}), "");
        let layer = match name {
            "hyenadna" => "backbone.layers.1.mixer.out_proj.weight",
            _ => "backbone.layers.1.mixer.submodule.mamba_rev.x_proj.weight",
        };
        let stored = match name {
            "hyenadna" => format!("hyena.{layer}"),
            _ => format!("caduceus.{layer}"),
        };
        let missing = spoiled(name, as_it_is, |tensors| {
            tensors.remove(&stored).unwrap();
        });
        assert!(missing.contains(&format!("missing `{layer}`")), "{missing}");
        let misshapen = spoiled(name, as_it_is, |tensors| {
            let tensor = tensors[&stored].t().unwrap().contiguous().unwrap();
            tensors.insert(stored.clone(), tensor.narrow(0, 0, 3).unwrap());
        });
        assert!(
            misshapen.contains(&format!("another shape `{layer}: [3, ")),
            "{misshapen}"
        );
        let extra = spoiled(name, as_it_is, |tensors| {
            let tensor = tensors[&stored].clone();
            tensors.insert("backbone.layers.7.norm.weight".into(), tensor);
        });
        assert!(
            extra.contains("not part of the model `backbone.layers.7"),
            "{extra}"
        );
    }
    let faults = [
        ("hyenadna", "hyena_order", serde_json::json!(3)),
        ("hyenadna", "short_filter_order", serde_json::json!(5)),
        ("hyenadna", "vocab_size", serde_json::json!(4)),
        ("hyenadna", "n_layer", serde_json::json!(0)),
        ("hyenadna", "max_seq_len", serde_json::json!(1)),
        ("caduceus-ps", "bidirectional", serde_json::json!(false)),
        (
            "caduceus-ps",
            "bidirectional_weight_tie",
            serde_json::json!(false),
        ),
        (
            "caduceus-ps",
            "bidirectional_strategy",
            serde_json::json!("ew_multiply"),
        ),
        (
            "caduceus-ps",
            "complement_map",
            serde_json::json!({"7": 99}),
        ),
        ("caduceus-ps", "d_model", serde_json::json!(0)),
    ];
    for (name, key, value) in faults {
        let message = spoiled(name, |json| json[key] = value.clone(), |_| {});
        assert!(
            message.contains(&format!("config.json: {key}")),
            "{message}"
        );
    }
}

#[test]
fn descriptions_name_the_model() {
    let about = |name: &str| open(name).about;
    assert_eq!(about("hyenadna"), "HyenaDNA, 2 layers");
    assert_eq!(about("caduceus-ph"), "Caduceus-Ph, 2 layers");
    assert_eq!(about("caduceus-ps-odd"), "Caduceus-PS, 3 layers");
    let digest = |name: &str| open(name).digest;
    assert_ne!(digest("caduceus-ps"), digest("caduceus-ps-odd"));
    assert_eq!(digest("hyenadna"), digest("hyenadna"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn order_and_company_do_not_matter(
        sequences in prop::collection::vec("[ACGTN]{1,150}", 1..10),
        seed in any::<u64>(),
        which in 0_usize..7,
    ) {
        use rand::{SeedableRng as _, seq::SliceRandom as _};
        let model = open(GOLDEN[which]);
        let bytes: Vec<&[u8]> = sequences.iter().map(String::as_bytes).collect();
        let vectors = model.embed_all(&bytes, Pooling::Mean);
        let mut order: Vec<usize> = (0..bytes.len()).collect();
        order.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
        let shuffled: Vec<&[u8]> = order.iter().map(|i| bytes[*i]).collect();
        let again = model.embed_all(&shuffled, Pooling::Mean);
        for (i, vector) in order.iter().zip(again) {
            prop_assert_eq!(&vectors[*i], &vector);
        }
    }
}
