//! Parity with the reference implementations, on the golden files of `bench/reference`.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;

use super::*;
use crate::model::transformer::cpu::Watch;
use crate::windows::windows;

/// Largest difference of a hidden state that counts as the same.
const SAME: f32 = 1e-4;

const GOLDEN: [&str; 9] = [
    "esm2",
    "esm2-odd",
    "esm2-plain",
    "nucleotide-v1",
    "nucleotide-v2",
    "esmc",
    "t5",
    "t5-gated",
    "dnabert2",
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../bench/reference/golden")
        .join(name)
}

struct Golden {
    sequences: Vec<String>,
    tensors: std::collections::HashMap<String, Tensor>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let folder = folder(name);
        let cases = std::fs::read(folder.join("cases.json")).unwrap();
        Self {
            sequences: serde_json::from_slice(&cases).unwrap(),
            tensors: candle_core::safetensors::load(
                folder.join("golden.safetensors"),
                &Device::Cpu,
            )
            .unwrap(),
        }
    }

    fn numbers(&self, name: &str) -> Vec<f32> {
        let tensor = &self.tensors[name];
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn ids(&self, case: usize) -> Option<Vec<u32>> {
        let tensor = self.tensors.get(&format!("{case}.ids"))?;
        let ids = tensor.to_dtype(DType::U32).unwrap().to_vec1().unwrap();
        Some(ids)
    }

    /// All cases in one batch.
    fn batch(&self) -> Packed {
        let mut packed = Packed::default();
        for case in 0.. {
            let Some(ids) = self.ids(case) else { break };
            packed.push(&ids);
        }
        packed
    }
}

fn open(name: &str) -> Embedder {
    open_in(name, Precision::F32)
}

fn open_in(name: &str, precision: Precision) -> Embedder {
    let checkpoint = Checkpoint::open(&folder(name)).unwrap();
    Embedder::load_on(&checkpoint, &Device::Cpu, precision).unwrap()
}

/// A model as on a device that is not the CPU, on the CPU.
fn on_tensors(name: &str, precision: Precision) -> Embedder {
    let mut embedder = open(name);
    let checkpoint = Checkpoint::open(&folder(name)).unwrap();
    let family = checkpoint.config().family().unwrap();
    let weights = Weights::open(checkpoint.weights(), sequence::prefix(family)).unwrap();
    let parts = sequence::parts(&checkpoint, &weights).unwrap();
    embedder.layers = Layers::Gpu {
        model: gpu::Transformer::load(&parts.source, 512, &Device::Cpu, precision).unwrap(),
        budget: AtomicUsize::new(usize::MAX),
    };
    embedder
}

fn cpu(embedder: &Embedder) -> &cpu::Transformer {
    match &embedder.layers {
        Layers::Cpu { model, .. } => model,
        Layers::Gpu { .. } => unreachable!("loaded on the CPU"),
    }
}

fn same(given: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(given.len(), expected.len(), "{what}");
    let worst = given
        .iter()
        .zip(expected)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f32::max);
    assert!(worst <= tolerance, "{what}: differs by {worst}");
}

#[derive(Default)]
struct Layerwise(Vec<Vec<f32>>);

impl Watch for Layerwise {
    fn hidden(&mut self, _layer: usize, states: &[f32]) {
        self.0.push(states.to_vec());
    }
}

#[test]
fn tokens_equal_the_reference() {
    for name in GOLDEN {
        let (golden, embedder) = (Golden::read(name), open(name));
        let specials = embedder.tokenizer.specials();
        for (case, sequence) in golden.sequences.iter().enumerate() {
            let mut tokens = specials.before.clone();
            tokens.extend(embedder.tokenizer.encode(sequence.as_bytes()));
            tokens.extend_from_slice(&specials.after);
            assert_eq!(Some(tokens), golden.ids(case), "{name}, case {case}");
        }
    }
}

#[test]
fn every_layer_equals_the_reference() {
    for name in GOLDEN {
        let (golden, embedder) = (Golden::read(name), open(name));
        let batch = golden.batch();
        let mut layers = Layerwise::default();
        cpu(&embedder).forward(&batch, &mut Scratch::default(), &mut layers);
        let width = embedder.width;
        for (layer, states) in layers.0.iter().enumerate() {
            for (case, range) in batch.ranges().enumerate() {
                same(
                    &states[range.start * width..range.end * width],
                    &golden.numbers(&format!("{case}.hidden.{layer}")),
                    SAME,
                    &format!("{name}, layer {layer}, case {case}"),
                );
            }
        }
    }
}

#[test]
fn tensors_of_the_library_give_the_same() {
    for name in GOLDEN {
        let (golden, embedder) = (Golden::read(name), open(name));
        let batch = golden.batch();
        let kernels = cpu(&embedder)
            .forward(&batch, &mut Scratch::default(), &mut Blind)
            .to_vec();
        let checkpoint = Checkpoint::open(&folder(name)).unwrap();
        let family = checkpoint.config().family().unwrap();
        let weights = Weights::open(checkpoint.weights(), sequence::prefix(family)).unwrap();
        let parts = sequence::parts(&checkpoint, &weights).unwrap();
        let library =
            gpu::Transformer::load(&parts.source, 512, &Device::Cpu, Precision::F32).unwrap();
        same(&library.forward(&batch).unwrap(), &kernels, SAME, name);
    }
}

#[test]
fn a_batch_equals_its_sequences_one_by_one() {
    for name in GOLDEN {
        let (golden, embedder) = (Golden::read(name), open(name));
        let sequences: Vec<&[u8]> = golden.sequences.iter().map(String::as_bytes).collect();
        for pooling in [Pooling::Mean, Pooling::Cls, Pooling::Max, Pooling::None] {
            let together = embedder.embed_all(&sequences, pooling).unwrap();
            for (sequence, vector) in sequences.iter().zip(together) {
                let alone = embedder.embed_all(&[*sequence], pooling).unwrap();
                assert_eq!(alone[0], vector, "{name}");
            }
        }
    }
}

/// The largest and the mean difference of two rows of numbers.
fn apart(a: &[f32], b: &[f32]) -> (f32, f32) {
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    let sum: f32 = differences.clone().sum();
    (differences.fold(0.0, f32::max), sum / a.len() as f32)
}

#[test]
fn lower_precisions_are_near_and_differ() {
    for name in GOLDEN {
        let (golden, full) = (Golden::read(name), open(name));
        let batch = golden.batch();
        let states = |embedder: &Embedder| {
            let mut scratch = Scratch::default();
            cpu(embedder)
                .forward(&batch, &mut scratch, &mut Blind)
                .to_vec()
        };
        let exact = states(&full);
        let size = exact.iter().map(|x| x.abs()).sum::<f32>() / exact.len() as f32;
        // Relative to the mean magnitude of a hidden state.
        for (precision, most, usual) in
            [(Precision::Bf16, 0.15, 0.02), (Precision::Int8, 0.5, 0.08)]
        {
            let (worst, mean) = apart(&states(&open_in(name, precision)), &exact);
            assert!(
                worst <= most * size && mean <= usual * size,
                "{name} in {precision}: {worst}, on average {mean}, of {size}"
            );
            assert!(mean > 1e-5 * size, "{name} in {precision} is not rounded");
        }
    }
}

#[test]
fn pooling_on_a_device_equals_pooling_on_the_host() {
    for name in GOLDEN {
        let golden = Golden::read(name);
        let (mut host, mut device) = (open(name), on_tensors(name, Precision::F32));
        let sequences: Vec<&[u8]> = golden.sequences.iter().map(String::as_bytes).collect();
        for window in [host.limits.window, 16] {
            let overlap = host.limits.overlap.min(window / 3);
            let limits = Limits { window, overlap };
            (host.limits, device.limits) = (limits, limits);
            for pooling in [Pooling::Mean, Pooling::Cls, Pooling::Max, Pooling::None] {
                let expected = host.embed_all(&sequences, pooling).unwrap();
                let given = device.embed_all(&sequences, pooling).unwrap();
                for (given, expected) in given.iter().zip(&expected) {
                    // As far apart as the hidden states are; means are nearer.
                    let tolerance = match pooling {
                        Pooling::Mean => 1e-5,
                        _ => SAME,
                    };
                    same(
                        given,
                        expected,
                        tolerance,
                        &format!("{name}, {pooling}, {window}"),
                    );
                }
            }
        }
    }
}

#[test]
fn a_device_computes_in_what_it_is_told() {
    let golden = Golden::read("esm2");
    let sequences: Vec<&[u8]> = golden.sequences.iter().map(String::as_bytes).collect();
    let host = open_in("esm2", Precision::Bf16);
    let device = on_tensors("esm2", Precision::Bf16);
    let full = open("esm2").embed_all(&sequences, Pooling::Mean).unwrap();
    let a = host.embed_all(&sequences, Pooling::Mean).unwrap().concat();
    let b = device
        .embed_all(&sequences, Pooling::Mean)
        .unwrap()
        .concat();
    let (_, rounding) = apart(&a, &full.concat());
    let (_, between) = apart(&a, &b);
    // The host keeps attention in single precision, the device does not: they differ by no more
    // than rounding does.
    assert!(
        rounding > 1e-5 && between < 4.0 * rounding,
        "{rounding}, {between}"
    );
    let checkpoint = Checkpoint::open(&folder("esm2")).unwrap();
    let family = checkpoint.config().family().unwrap();
    let weights = Weights::open(checkpoint.weights(), sequence::prefix(family)).unwrap();
    let parts = sequence::parts(&checkpoint, &weights).unwrap();
    let refused = gpu::Transformer::load(&parts.source, 512, &Device::Cpu, Precision::Int8);
    assert!(matches!(refused, Err(EmbedError::NoPrecision { .. })));
}

#[test]
fn models_of_one_precision_refuse_others() {
    let checkpoint = Checkpoint::open(&folder("meshgraphnet")).unwrap();
    for precision in [Precision::Bf16, Precision::Int8] {
        let refused = crate::model::load(&checkpoint, &Device::Cpu, precision).map(|_| ());
        assert!(matches!(refused, Err(EmbedError::NoPrecision { .. })));
    }
}

#[test]
fn a_window_larger_than_the_memory_is_refused() {
    let embedder = on_tensors("esm2", Precision::F32);
    let Layers::Gpu { model, budget } = &embedder.layers else {
        unreachable!("on tensors");
    };
    let one = model.shape().device_bytes(1, 12);
    budget.store(one, Ordering::Relaxed);
    assert!(
        embedder
            .embed_all(&[&b"MKVLAAGIVG"[..]; 3], Pooling::Mean)
            .is_ok()
    );
    let error = embedder
        .embed_all(&[b"MKVLAAGIVGL"], Pooling::Mean)
        .unwrap_err();
    assert_eq!(error.code(), penstock_types::ErrorCode::LimitExceeded);
    let message = error.to_string();
    assert!(
        message.contains("13 tokens") && message.contains(&one.to_string()),
        "{message}"
    );
}

#[test]
fn buffers_are_what_the_plan_says() {
    for name in GOLDEN {
        let golden = Golden::read(name);
        for precision in Precision::ALL {
            let embedder = open_in(name, precision);
            let model = cpu(&embedder);
            let batch = golden.batch();
            // Fresh buffers, and buffers that grow from smaller batches to this one.
            for smaller in [0, 1, 3] {
                let mut scratch = Scratch::default();
                for length in 0..smaller {
                    let mut packed = Packed::default();
                    packed.push(&batch.tokens()[..=length]);
                    model.forward(&packed, &mut scratch, &mut Blind);
                }
                model.forward(&batch, &mut scratch, &mut Blind);
                let planned = model
                    .shape()
                    .cpu_bytes(batch.tokens().len(), batch.longest());
                let taken = scratch.bytes();
                assert!(
                    taken <= planned && taken * 10 >= planned * 9,
                    "{name} in {precision}: {taken} bytes, planned {planned}"
                );
            }
        }
    }
}

#[test]
fn a_list_of_many_stretches_equals_its_sequences() {
    use rand::{Rng as _, SeedableRng as _};
    let embedder = open("esm2-odd");
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
    let letters = b"ACDEFGHIKLMNPQRSTVWY";
    // More tokens than one stretch of any machine's has.
    let sequences: Vec<Vec<u8>> = (0..40)
        .map(|i| {
            (0..i % 7 * 30)
                .map(|_| letters[rng.random_range(0..20)])
                .collect()
        })
        .collect();
    let mut all: Vec<&[u8]> = sequences.iter().map(Vec::as_slice).collect();
    let once = embedder.embed_all(&all, Pooling::Mean).unwrap();
    let copies = 16 * rayon::current_num_threads();
    all = all.iter().copied().cycle().take(40 * copies).collect();
    let vectors = embedder.embed_all(&all, Pooling::Mean).unwrap();
    for (i, vector) in vectors.iter().enumerate() {
        assert_eq!(vector, &once[i % 40]);
    }
}

#[test]
fn a_batch_of_lower_precision_equals_its_sequences_one_by_one() {
    for (name, precision) in [
        ("esm2-odd", Precision::Bf16),
        ("esm2-odd", Precision::Int8),
        ("t5-gated", Precision::Bf16),
        ("t5-gated", Precision::Int8),
    ] {
        let (golden, embedder) = (Golden::read(name), open_in(name, precision));
        let sequences: Vec<&[u8]> = golden.sequences.iter().map(String::as_bytes).collect();
        let together = embedder.embed_all(&sequences, Pooling::None).unwrap();
        for (sequence, vector) in sequences.iter().zip(together) {
            let alone = embedder.embed_all(&[*sequence], Pooling::None).unwrap();
            assert_eq!(alone[0], vector, "{name} in {precision}");
        }
    }
}

#[test]
fn weights_have_one_digest_whatever_they_are_computed_in() {
    let digests = Precision::ALL.map(|precision| open_in("esm2-odd", precision).digest);
    assert_eq!(digests[0], digests[1]);
    assert_eq!(digests[0], digests[2]);
}

#[test]
fn pooling_is_over_the_tokens_without_the_special_ones() {
    let (golden, embedder) = (Golden::read("esm2"), open("esm2"));
    let width = embedder.width;
    let sequence = golden.sequences[4].as_bytes();
    let states = golden.numbers("4.hidden.3");
    let rows: Vec<&[f32]> = states.chunks(width).collect();
    let inner = &rows[1..rows.len() - 1];
    assert_eq!(inner.len(), sequence.len());
    let embed = |pooling| embedder.embed_all(&[sequence], pooling).unwrap().remove(0);
    let column = |j: usize| inner.iter().map(move |row| row[j]);
    let mean: Vec<f32> = (0..width)
        .map(|j| column(j).sum::<f32>() / inner.len() as f32)
        .collect();
    let max: Vec<f32> = (0..width)
        .map(|j| column(j).fold(f32::NEG_INFINITY, f32::max))
        .collect();
    same(&embed(Pooling::Mean), &mean, SAME, "mean");
    same(&embed(Pooling::Max), &max, SAME, "max");
    same(&embed(Pooling::Cls), rows[0], SAME, "cls");
    same(&embed(Pooling::None), &inner.concat(), SAME, "none");
}

#[test]
fn long_sequences_are_the_mean_of_their_windows() {
    let mut embedder = open("esm2");
    let sequence = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ".as_bytes();
    embedder.limits = Limits {
        window: 16,
        overlap: 6,
    };
    let whole = embedder
        .embed_all(&[sequence], Pooling::None)
        .unwrap()
        .remove(0);
    let width = embedder.width;
    let cut = windows(0, sequence.len(), embedder.limits);
    assert!(cut.len() > 2);
    let mut sums = vec![0.0_f32; sequence.len() * width];
    let mut counts = vec![0.0_f32; sequence.len()];
    for window in &cut {
        let part = embedder
            .embed_all(&[&sequence[window.tokens.clone()]], Pooling::None)
            .unwrap();
        for (i, row) in window.tokens.clone().zip(part[0].chunks(width)) {
            counts[i] += 1.0;
            for (sum, x) in sums[i * width..].iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
    for (i, row) in sums.chunks_mut(width).enumerate() {
        row.iter_mut().for_each(|x| *x /= counts[i]);
    }
    same(&whole, &sums, 1e-5, "each residue");
    let mean = embedder
        .embed_all(&[sequence], Pooling::Mean)
        .unwrap()
        .remove(0);
    let expected: Vec<f32> = (0..width)
        .map(|j| sums.chunks(width).map(|row| row[j]).sum::<f32>() / sequence.len() as f32)
        .collect();
    same(&mean, &expected, 1e-5, "mean");
    let max = embedder
        .embed_all(&[sequence], Pooling::Max)
        .unwrap()
        .remove(0);
    let expected: Vec<f32> = (0..width)
        .map(|j| {
            sums.chunks(width)
                .map(|row| row[j])
                .fold(f32::MIN, f32::max)
        })
        .collect();
    same(&max, &expected, 1e-5, "max");
}

#[test]
fn contact_maps_equal_the_reference() {
    for name in ["esm2", "esm2-odd", "esm2-plain"] {
        let (golden, embedder) = (Golden::read(name), open(name));
        let tensors = on_tensors(name, Precision::F32);
        for (case, sequence) in golden.sequences.iter().enumerate() {
            let map = embedder.contact_map(sequence.as_bytes()).unwrap().unwrap();
            let expected = golden.numbers(&format!("{case}.contacts"));
            same(&map, &expected, 1e-5, &format!("{name}, case {case}"));
            let map = tensors.contact_map(sequence.as_bytes()).unwrap().unwrap();
            same(
                &map,
                &expected,
                1e-5,
                &format!("{name} on a device, case {case}"),
            );
        }
    }
    assert!(open("t5").contact_map(b"MKV").unwrap().is_none());
}

#[test]
fn nothing_gives_nothing() {
    let embedder = open("esm2");
    let vectors = embedder.embed_all(&[b"", b"MKV"], Pooling::Mean).unwrap();
    assert!(vectors[0].is_empty());
    assert_eq!(vectors[1].len(), embedder.width);
    assert!(embedder.embed_all(&[], Pooling::Mean).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn order_and_company_do_not_matter(
        sequences in prop::collection::vec("[ACDEFGHIKLMNPQRSTVWYX]{1,90}", 1..12),
        seed in any::<u64>(),
    ) {
        use rand::{SeedableRng as _, seq::SliceRandom as _};
        let embedder = open("esm2-odd");
        let bytes: Vec<&[u8]> = sequences.iter().map(String::as_bytes).collect();
        let vectors = embedder.embed_all(&bytes, Pooling::Mean).unwrap();
        let mut order: Vec<usize> = (0..bytes.len()).collect();
        order.shuffle(&mut rand_chacha::ChaCha8Rng::seed_from_u64(seed));
        let shuffled: Vec<&[u8]> = order.iter().map(|i| bytes[*i]).collect();
        let again = embedder.embed_all(&shuffled, Pooling::Mean).unwrap();
        for (i, vector) in order.iter().zip(again) {
            prop_assert_eq!(&vectors[*i], &vector);
        }
    }
}
