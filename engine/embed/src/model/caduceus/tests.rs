//! Parity with the reference, on the golden files of `bench/reference`, and the two strands.

use candle_core::Device;
use penstock_types::Pooling;
use proptest::prelude::*;

use super::*;
use crate::model::long::LongModel;
use crate::model::long::tests::{Golden, Layerwise, SAME, folder, same};

const GOLDEN: [&str; 4] = [
    "caduceus-ph",
    "caduceus-ps",
    "caduceus-ps-odd",
    "caduceus-ps-plain",
];

fn caduceus(name: &str) -> Caduceus {
    let checkpoint = Checkpoint::open(&folder(name)).unwrap();
    let mut weights = Weights::open(checkpoint.weights(), "caduceus.").unwrap();
    let expected = expected(&checkpoint, &mut weights).unwrap();
    weights.check(&expected).unwrap();
    let config: CaduceusConfig = checkpoint.config().read().unwrap();
    let shape = config.shape().unwrap();
    let complements = config.complements(shape.rows).unwrap();
    Caduceus::load(&weights, shape, complements).unwrap()
}

fn layers(model: &Caduceus, tokens: &[u32]) -> Vec<Vec<f32>> {
    let mut layers = Layerwise::default();
    model.strand(tokens, &mut layers);
    layers.0
}

/// The two halves as the reference has them, of the strands' states before layer `index`.
fn halves(model: &Caduceus, index: usize, strand: &[f32], other: &[f32]) -> Vec<f32> {
    let width = model.shape.width;
    let turned: Vec<f32> = other
        .chunks_exact(width)
        .rev()
        .flat_map(|row| row.iter().rev().copied())
        .collect();
    let (first, second) = match model.shape.exchanged && index % 2 == 1 {
        true => (turned.as_slice(), strand),
        false => (strand, turned.as_slice()),
    };
    first
        .chunks_exact(width)
        .zip(second.chunks_exact(width))
        .flat_map(|(a, b)| a.iter().chain(b).copied())
        .collect()
}

#[test]
fn every_layer_equals_the_reference() {
    for name in GOLDEN {
        let (golden, model) = (Golden::read(name), caduceus(name));
        for case in 0..golden.sequences.len() {
            let tokens = golden.ids(case);
            let strand = layers(&model, &tokens);
            let other = layers(&model, &model.reverse_complement(&tokens));
            for (layer, states) in strand.iter().enumerate() {
                let expected = golden.numbers(&format!("{case}.hidden.{layer}"));
                let what = format!("{name}, layer {layer}, case {case}");
                match model.shape.shared {
                    true => {
                        let given = halves(&model, layer, states, &other[layer]);
                        same(&given, &expected, SAME, &what);
                    }
                    false => same(states, &expected, SAME, &what),
                }
            }
            let expected = golden.numbers(&format!("{case}.conjoined"));
            same(&model.forward(&tokens), &expected, SAME, name);
        }
    }
}

fn open(name: &str) -> LongModel {
    LongModel::load(&Checkpoint::open(&folder(name)).unwrap(), &Device::Cpu).unwrap()
}

fn reverse_complement(sequence: &str) -> String {
    let complement = |base| match base {
        'A' => 'T',
        'C' => 'G',
        'G' => 'C',
        'T' => 'A',
        other => other,
    };
    sequence.chars().rev().map(complement).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn strands_have_the_same_features(sequence in "[ACGTNR]{1,300}", which in 0_usize..4) {
        let model = open(GOLDEN[which]);
        let other = reverse_complement(&sequence);
        let both = [sequence.as_bytes(), other.as_bytes()];
        for pooling in [Pooling::Mean, Pooling::Max] {
            let vectors = model.embed_all(&both, pooling);
            for (a, b) in vectors[0].iter().zip(&vectors[1]) {
                prop_assert!((a - b).abs() < 1e-5, "{a} and {b}");
            }
        }
        let bases = model.embed_all(&both, Pooling::None);
        let width = bases[0].len() / sequence.len();
        for (a, b) in bases[0].chunks(width).zip(bases[1].chunks(width).rev()) {
            for (a, b) in a.iter().zip(b) {
                prop_assert!((a - b).abs() < 1e-5, "{a} and {b}");
            }
        }
    }
}

/// One strand alone does not have that property; it is the mean over both that does.
#[test]
fn one_strand_alone_differs() {
    let model = caduceus("caduceus-ph");
    let tokens = [7, 7, 8, 9, 10, 10, 10, 8];
    let strand = model.strand(&tokens, &mut Blind);
    let other = model.strand(&model.reverse_complement(&tokens), &mut Blind);
    let width = model.shape.width;
    let sum = |states: &[f32]| states.iter().step_by(width).sum::<f32>();
    assert!((sum(&strand) - sum(&other)).abs() > 1e-2);
}

#[test]
fn windows_are_as_long_as_the_tokenizer_says() {
    let checkpoint = Checkpoint::open(&folder("caduceus-ph")).unwrap();
    assert_eq!(window(&checkpoint).unwrap(), LONGEST);
    let scratch = std::env::temp_dir().join(format!(
        "penstock-caduceus-{}-{:x}",
        std::process::id(),
        rand::random::<u64>()
    ));
    std::fs::create_dir(&scratch).unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(folder("caduceus-ph").join(file), scratch.join(file)).unwrap();
    }
    let with = |text: &str| {
        std::fs::write(scratch.join("tokenizer_config.json"), text).unwrap();
        window(&Checkpoint::open(&scratch).unwrap())
    };
    assert_eq!(with("{\"model_max_length\": 1024}").unwrap(), 1024);
    assert_eq!(with("{\"model_max_length\": 1e30}").unwrap(), LONGEST);
    assert_eq!(with("{}").unwrap(), LONGEST);
    assert!(with("{").is_err());
    std::fs::remove_dir_all(&scratch).unwrap();
}
