//! Convolutions, scans and gates of recurrent models, against plain loops.

use super::*;

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
