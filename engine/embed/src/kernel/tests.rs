use proptest::prelude::*;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::product::{lane_width, padded};
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
        Activation::Silu => x / (1.0 + (-x).exp()),
    }
}

const ALL: [Activation; 4] = [
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Relu,
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

#[test]
fn softplus_over_its_range() {
    let mut xs: Vec<f32> = (-2000..2000).map(|i| i as f32 / 20.0).collect();
    let given = xs.clone();
    softplus(&mut xs);
    for (x, y) in given.iter().zip(xs) {
        let x = f64::from(*x);
        close(y, x.max(0.0) + (-x.abs()).exp().ln_1p(), 1e-6);
    }
}

#[test]
fn gates_multiply_the_sum_by_silu() {
    let (mut a, b, z) = (numbers(1, 48), numbers(2, 48), numbers(3, 48));
    let first = a.clone();
    gate_sum(&mut a, &b, &z);
    for i in 0..48 {
        let z = f64::from(z[i]);
        let sum = f64::from(first[i]) + f64::from(b[i]);
        close(a[i], sum * activation(z, Activation::Silu), 1e-5);
    }
}

/// Rows of `channels` numbers, with zeros up to the stride.
fn spread(rows: &[f32], channels: usize, stride: usize) -> Vec<f32> {
    let mut wide = Vec::with_capacity(rows.len() / channels * stride);
    for row in rows.chunks_exact(channels) {
        wide.extend_from_slice(row);
        wide.resize(wide.len() + stride - channels, 0.0);
    }
    wide
}

proptest! {
    #[test]
    fn convolutions_reach_back_and_not_over_the_ends(
        rows in 1_usize..20, channels in 1_usize..40, taps in 1_usize..5, seed in any::<u64>(),
        backward in any::<bool>(), silu in any::<bool>(),
    ) {
        let stride = padded(channels, ROW);
        let (weight, bias) = (numbers(seed, channels * taps), numbers(seed ^ 1, channels));
        let x = numbers(seed ^ 2, rows * channels);
        let conv = Depthwise::new(&weight, Some(&bias), channels, stride);
        let wide = spread(&x, channels, stride);
        let first = rows / 3;
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        let mut y = vec![0.0; (rows - first) * stride];
        conv.apply(&wide, first, direction, silu, &mut y);
        for row in first..rows {
            for channel in 0..channels {
                let mut sum = f64::from(bias[channel]);
                for back in 0..taps {
                    let source = if backward { row.checked_add(back) } else { row.checked_sub(back) };
                    if let Some(source) = source.filter(|source| *source < rows) {
                        let tap = weight[channel * taps + taps - 1 - back];
                        sum += f64::from(x[source * channels + channel]) * f64::from(tap);
                    }
                }
                let expected = if silu { activation(sum, Activation::Silu) } else { sum };
                close(y[(row - first) * stride + channel], expected, 1e-5);
            }
        }
    }

    #[test]
    fn scans_equal_the_recurrence(
        rows in 1_usize..30, channels in 1_usize..40, states in 1_usize..19, seed in any::<u64>(),
        backward in any::<bool>(), cut in 0_usize..30,
    ) {
        let stride = padded(channels, ROW);
        let rates: Vec<f32> = numbers(seed, channels * states).iter().map(|a| -2.0 * a.abs()).collect();
        let skip = numbers(seed ^ 1, channels);
        let x = numbers(seed ^ 2, rows * channels);
        let dt: Vec<f32> = numbers(seed ^ 3, rows * channels).iter().map(|x| x.abs()).collect();
        let bc_stride = 2 * states + 3;
        let bc = numbers(seed ^ 4, rows * bc_stride);
        let scan = Scan::new(&rates, &skip, states, stride);
        let (wide_x, wide_dt) = (spread(&x, channels, stride), spread(&dt, channels, stride));
        let direction = if backward { Direction::Backward } else { Direction::Forward };
        // In two calls, which carry the state.
        let cut = cut.min(rows);
        let mut parts = vec![0..cut, cut..rows];
        if backward {
            parts.reverse();
        }
        let mut state = vec![0.0; scan.carried()];
        let mut y = vec![0.0; rows * stride];
        for part in parts {
            let wide = part.start * stride..part.end * stride;
            let input = ScanInput {
                x: &wide_x[wide.clone()],
                steps: &wide_dt[wide.clone()],
                bc: &bc[part.start * bc_stride..part.end * bc_stride],
                bc_stride,
                bc_first: 2,
            };
            scan.apply(input, direction, &mut state, &mut y[wide]);
        }
        for channel in 0..channels {
            let mut h = vec![0.0_f64; states];
            for step in 0..rows {
                let row = if backward { rows - 1 - step } else { step };
                let (x, dt) = (f64::from(x[row * channels + channel]), f64::from(dt[row * channels + channel]));
                let mut sum = f64::from(skip[channel]) * x;
                for (n, h) in h.iter_mut().enumerate() {
                    let rate = f64::from(rates[channel * states + n]);
                    let b = f64::from(bc[row * bc_stride + 2 + n]);
                    let c = f64::from(bc[row * bc_stride + 2 + states + n]);
                    *h = (dt * rate).exp() * *h + dt * x * b;
                    sum += c * *h;
                }
                close(y[row * stride + channel], sum, 1e-5);
            }
        }
    }
}
