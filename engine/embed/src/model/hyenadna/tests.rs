//! Parity with the reference, on the golden files of `bench/reference`.

use proptest::prelude::*;

use super::*;
use crate::model::long::tests::{Golden, Layerwise, SAME, folder, same};

const GOLDEN: [&str; 3] = ["hyenadna", "hyenadna-odd", "hyenadna-fixed"];

fn open(name: &str) -> (HyenaConfig, Weights) {
    let checkpoint = Checkpoint::open(&folder(name)).unwrap();
    let mut weights = Weights::open(checkpoint.weights(), "hyena.").unwrap();
    let expected = expected(&checkpoint, &mut weights).unwrap();
    weights.check(&expected).unwrap();
    (HyenaConfig::of(&checkpoint).unwrap(), weights)
}

fn hyena(name: &str) -> Hyena {
    let (config, weights) = open(name);
    Hyena::load(&weights, &config).unwrap()
}

#[test]
fn every_layer_equals_the_reference() {
    for name in GOLDEN {
        let (golden, model) = (Golden::read(name), hyena(name));
        for case in 0..golden.sequences.len() {
            let mut layers = Layerwise::default();
            model.hidden(&golden.ids(case), &mut layers);
            for (layer, states) in layers.0.iter().enumerate() {
                let expected = golden.numbers(&format!("{case}.hidden.{layer}"));
                same(
                    states,
                    &expected,
                    SAME,
                    &format!("{name}, layer {layer}, case {case}"),
                );
            }
        }
    }
}

#[test]
fn filters_equal_the_reference() {
    for name in GOLDEN {
        let (golden, (config, weights)) = (Golden::read(name), open(name));
        let (width, n) = (config.d_model, config.max_seq_len);
        for layer in 0..config.n_layer {
            let part = format!("{}.mixer.filter_fn", layer_name(layer));
            let filter = filter::Filter::load(&weights, &part, &config).unwrap();
            let features = filter.features(n);
            let mut blocks = vec![0.0; width.next_multiple_of(filter::BLOCK) * n];
            for (block, taps) in blocks.chunks_exact_mut(filter::BLOCK * n).enumerate() {
                filter.taps(&features, block, &mut Vec::new(), taps);
            }
            // The first tap carries what the reference adds apart.
            let bias = numbers(&weights, &format!("{part}.bias")).unwrap();
            let tap = |channel: usize, at: usize| {
                let (block, lane) = (channel / filter::BLOCK, channel % filter::BLOCK);
                let first = if at == 0 { bias[channel] } else { 0.0 };
                blocks[(block * n + at) * filter::BLOCK + lane] - first
            };
            let taps: Vec<f32> = (0..width)
                .flat_map(|channel| (0..n).map(move |at| (channel, at)))
                .map(|(channel, at)| tap(channel, at))
                .collect();
            let expected = golden.numbers(&format!("filter.{layer}"));
            same(&taps, &expected, 1e-5, &format!("{name}, layer {layer}"));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// What comes after a base does not change its state, nor does it wrap around.
    #[test]
    fn the_model_is_causal(sequence in prop::collection::vec(7_u32..12, 2..121), part in 0_usize..8) {
        let model = hyena("hyenadna-odd");
        let kept = 1 + part * (sequence.len() - 1) / 8;
        let whole = model.forward(&sequence);
        let start = model.forward(&sequence[..kept]);
        for (given, expected) in start.iter().zip(&whole) {
            prop_assert!((given - expected).abs() < 2e-5, "{given} and {expected}");
        }
    }

    #[test]
    fn the_long_convolution_is_a_sum(tokens in 1_usize..121, seed in any::<u64>()) {
        use rand::{Rng as _, SeedableRng as _};
        let (config, weights) = open("hyenadna-odd");
        let (width, n) = (config.d_model, config.max_seq_len);
        let part = format!("{}.mixer.filter_fn", layer_name(0));
        let load = || filter::Filter::load(&weights, &part, &config).unwrap();
        let golden = Golden::read("hyenadna-odd").numbers("filter.0");
        let bias = numbers(&weights, &format!("{part}.bias")).unwrap();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let x: Vec<f32> = (0..tokens * width).map(|_| rng.random_range(-1.0..1.0)).collect();
        let convolution = convolution::Convolution::new(load(), width);
        let mut y = Vec::new();
        convolution.apply(&x, &mut y);
        for t in 0..tokens {
            for c in 0..width {
                let mut sum = f64::from(bias[c] * x[t * width + c]);
                for back in 0..=t {
                    sum += f64::from(golden[c * n + back]) * f64::from(x[(t - back) * width + c]);
                }
                let (block, channel) = (c / filter::BLOCK, c % filter::BLOCK);
                let given = y[(block * tokens + t) * filter::BLOCK + channel];
                prop_assert!((f64::from(given) - sum).abs() < 1e-4, "{given} and {sum}");
            }
        }
    }
}
