mod recurrent;

use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

mod narrow;

use super::*;

fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect()
}

fn close(given: f32, expected: f64, tolerance: f64) {
    let difference = (f64::from(given) - expected).abs();
    assert!(
        difference <= tolerance * (1.0 + expected.abs()),
        "{given} instead of {expected}"
    );
}

/// The error function to double precision, by its series and continued fraction.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut sum, mut term) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}

fn activation(x: f64, which: Activation) -> f64 {
    match which {
        Activation::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
        Activation::GeluTanh => {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x);
            0.5 * x * (1.0 + inner.tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::LeakyRelu => x.max(0.2 * x),
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

const ALL: [Activation; 5] = [
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Silu,
];

#[test]
fn activations_over_their_range() {
    let xs: Vec<f32> = (-2000..=2000).map(|i| i as f32 / 100.0).collect();
    let identity = Linear::new(&[1.0], None, 1, 1);
    for which in ALL {
        let mut ys = vec![0.0; xs.len()];
        let output = Output::Activate(which);
        matmul(&xs, 1, xs.len(), &identity, &mut ys, 1, output);
        for (x, y) in xs.iter().zip(ys) {
            close(y, activation(f64::from(*x), which), 1e-6);
        }
    }
}

proptest! {
    #[test]
    fn product_equals_sums(
        rows in 1_usize..40,
        inputs in 1_usize..70,
        outputs in 1_usize..90,
        spare in 0_usize..5,
        bias in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let (lda, ldc) = (inputs + spare, outputs + spare);
        let a = numbers(seed, rows * lda);
        let w = numbers(seed ^ 1, outputs * inputs);
        let b = bias.then(|| numbers(seed ^ 2, outputs));
        let before = numbers(seed ^ 3, rows * ldc);
        let linear = Linear::new(&w, b.as_deref(), inputs, outputs);
        for output in [Output::Store, Output::Add(0.5), Output::Activate(Activation::Gelu)] {
            let mut c = before.clone();
            matmul(&a, lda, rows, &linear, &mut c, ldc, output);
            for i in 0..rows {
                for j in 0..outputs {
                    let mut sum = b.as_ref().map_or(0.0, |b| f64::from(b[j]));
                    for k in 0..inputs {
                        sum += f64::from(a[i * lda + k]) * f64::from(w[j * inputs + k]);
                    }
                    let expected = match output {
                        Output::Store => sum,
                        Output::Add(factor) => f64::from(before[i * ldc + j]) + f64::from(factor) * sum,
                        Output::Activate(which) => activation(sum, which),
                    };
                    close(c[i * ldc + j], expected, 1e-5);
                }
                // What lies between the rows is somebody else's.
                prop_assert_eq!(&c[i * ldc + outputs..(i + 1) * ldc], &before[i * ldc + outputs..(i + 1) * ldc]);
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_its_neighbours(rows in 2_usize..30, inputs in 1_usize..50, outputs in 1_usize..50, seed in any::<u64>()) {
        let a = numbers(seed, rows * inputs);
        let linear = Linear::new(&numbers(seed ^ 1, outputs * inputs), None, inputs, outputs);
        let mut together = vec![0.0; rows * outputs];
        matmul(&a, inputs, rows, &linear, &mut together, outputs, Output::Store);
        for i in 0..rows {
            let mut alone = vec![0.0; outputs];
            matmul(&a[i * inputs..(i + 1) * inputs], inputs, 1, &linear, &mut alone, outputs, Output::Store);
            prop_assert_eq!(&alone, &together[i * outputs..(i + 1) * outputs]);
        }
    }

    #[test]
    fn norms(width in 1_usize..100, rows in 1_usize..6, rms in any::<bool>(), bias in any::<bool>(), seed in any::<u64>()) {
        let norm = Norm {
            kind: if rms { NormKind::Rms } else { NormKind::Layer },
            epsilon: 1e-5,
            weight: numbers(seed, width),
            bias: bias.then(|| numbers(seed ^ 1, width)),
        };
        let stride = width + 3;
        let from = numbers(seed ^ 2, rows * stride);
        let mut to = vec![0.0; rows * width];
        norm.apply(&from, stride, &mut to);
        let mut in_place = from.clone();
        norm.apply_in_place(&mut in_place, stride);
        for i in 0..rows {
            let row: Vec<f64> = from[i * stride..i * stride + width].iter().map(|x| f64::from(*x)).collect();
            let mean = if rms { 0.0 } else { row.iter().sum::<f64>() / width as f64 };
            let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
            for j in 0..width {
                let y = (row[j] - mean) / (variance + 1e-5).sqrt() * f64::from(norm.weight[j])
                    + norm.bias.as_ref().map_or(0.0, |b| f64::from(b[j]));
                close(to[i * width + j], y, 2e-4);
                prop_assert_eq!(to[i * width + j], in_place[i * stride + j]);
            }
            prop_assert_eq!(&in_place[i * stride + width..(i + 1) * stride], &from[i * stride + width..(i + 1) * stride]);
        }
    }

    #[test]
    fn gates(rows in 1_usize..5, n in 1_usize..50, seed in any::<u64>()) {
        let before = numbers(seed, rows * 2 * n);
        for which in ALL {
            let mut after = before.clone();
            gate(&mut after, n, which);
            for (after, before) in after.chunks(2 * n).zip(before.chunks(2 * n)) {
                for j in 0..n {
                    close(after[j], activation(f64::from(before[j]), which) * f64::from(before[n + j]), 1e-6);
                }
            }
        }
    }

    #[test]
    fn attention_equals_its_definition(
        heads in 1_usize..4,
        half in 1_usize..20,
        tokens in 1_usize..60,
        turned in any::<bool>(),
        biased in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let dim = 2 * half;
        let width = heads * dim;
        let qkv: Vec<f32> = numbers(seed, tokens * 3 * width).iter().map(|x| x * 3.0).collect();
        let mut rotary = Rotary::new(10_000.0, dim);
        rotary.reserve(tokens);
        let bias = RelativeBias::new(heads, tokens + 5, |head, offset| (head as f32 + 1.0) * 0.1 * offset as f32);
        let attention = Attention {
            heads,
            head_dim: dim,
            scale: 0.3,
            rotary: turned.then_some(&rotary),
            bias: biased.then_some(&bias),
        };
        let mut to = vec![0.0; tokens * width];
        let mut maps = vec![0.0; heads * tokens * tokens];
        attention.apply(&qkv, tokens, &mut to, Some(&mut maps), &mut AttentionScratch::default());

        let turn = |row: &[f32], position: usize| -> Vec<f64> {
            let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            if !turned {
                return row;
            }
            (0..dim).map(|i| {
                let angle = position as f64 * 10_000_f64.powf(-((i % half) as f64) / half as f64);
                let other = if i < half { -row[i + half] } else { row[i - half] };
                row[i] * angle.cos() + other * angle.sin()
            }).collect()
        };
        for head in 0..heads {
            for i in 0..tokens {
                let row = |part: usize, at: usize| &qkv[at * 3 * width + part * width + head * dim..][..dim];
                let query = turn(row(0, i), i);
                let scores: Vec<f64> = (0..tokens).map(|j| {
                    let key = turn(row(1, j), j);
                    let dot: f64 = query.iter().zip(&key).map(|(a, b)| a * b).sum();
                    let offset = j as f64 - i as f64;
                    dot * 0.3 + if biased { (head as f64 + 1.0) * 0.1 * offset } else { 0.0 }
                }).collect();
                let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = scores.iter().map(|s| (s - largest).exp()).sum();
                let share = |j: usize| (scores[j] - largest).exp() / total;
                for j in 0..tokens {
                    close(maps[(head * tokens + i) * tokens + j], share(j), 1e-5);
                }
                for k in 0..dim {
                    let y: f64 = (0..tokens).map(|j| share(j) * f64::from(row(2, j)[k])).sum();
                    close(to[i * width + head * dim + k], y, 2e-5);
                }
            }
        }
    }
}

#[test]
fn panels_are_whole_vectors() {
    let width = lane_width();
    assert_eq!(padded(1, width), width);
    assert_eq!(padded(width, width), width);
    assert_eq!(padded(width + 1, width), 2 * width);
}

fn logistic_shares(row: &[f32]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = row
        .iter()
        .map(|x| (f64::from(*x) - f64::from(largest)).exp())
        .collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|x| x / sum).collect()
}

proptest! {
    #[test]
    fn softmax_of_groups(group in 1_usize..70, groups in 1_usize..9, scale in 0.1_f32..30.0, seed in any::<u64>()) {
        let from: Vec<f32> = numbers(seed, group * groups).iter().map(|x| x * scale).collect();
        let mut to = from.clone();
        softmax_groups(&mut to, group);
        for (from, to) in from.chunks(group).zip(to.chunks(group)) {
            for (given, expected) in to.iter().zip(logistic_shares(from)) {
                close(*given, expected, 2e-6);
            }
        }
    }

    #[test]
    fn sums_by_slices(
        rows in 0_usize..40,
        heads in 1_usize..5,
        slices in 1_usize..30,
        head_dim in 1_usize..70,
        seed in any::<u64>(),
    ) {
        let shape = SliceSums { heads, slices, head_dim };
        let weights = numbers(seed, rows * heads * slices);
        let values = numbers(seed ^ 1, rows * heads * head_dim);
        let before = numbers(seed ^ 2, heads * slices * (head_dim + 1));
        let mut to = before.clone();
        shape.add(&weights, &values, &mut to);
        for h in 0..heads {
            for g in 0..slices {
                for c in 0..=head_dim {
                    let at = (h * slices + g) * (head_dim + 1) + c;
                    let mut sum = f64::from(before[at]);
                    for row in 0..rows {
                        let value = if c == head_dim {
                            1.0
                        } else {
                            f64::from(values[(row * heads + h) * head_dim + c])
                        };
                        sum += f64::from(weights[(row * heads + h) * slices + g]) * value;
                    }
                    close(to[at], sum, 1e-5);
                }
            }
        }
    }

    #[test]
    fn gathered_rows(rows in 0_usize..20, width in 1_usize..70, tables in 1_usize..9, seed in any::<u64>()) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let x = numbers(seed, rows * width);
        let (a, b) = (numbers(seed ^ 1, tables * width), numbers(seed ^ 2, tables * width));
        let mut pick = || -> Vec<u32> { (0..rows).map(|_| rng.random_range(0..tables as u32)).collect() };
        let (first, second) = (pick(), pick());
        for which in ALL {
            let mut to = x.clone();
            let gather = |table, rows| Gather { table, rows };
            gather_add(&mut to, width, gather(&a, &first), gather(&b, &second), which);
            for i in 0..rows {
                for j in 0..width {
                    let sum = f64::from(x[i * width + j])
                        + f64::from(a[first[i] as usize * width + j])
                        + f64::from(b[second[i] as usize * width + j]);
                    close(to[i * width + j], activation(sum, which), 2e-6);
                }
            }
        }
    }
}
