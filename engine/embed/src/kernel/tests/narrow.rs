//! Products of low precision: every instruction set gives the same bits, and those are the sums
//! of the rounded numbers.

use proptest::prelude::*;

use super::super::dots::{bf16, scale, whole};
use super::super::narrow::{Narrow, NarrowScratch, Number, Path};
use super::super::*;
use super::{close, numbers};
use crate::Precision;

fn as_number(x: u16) -> f32 {
    f32::from_bits(u32::from(x) << 16)
}

/// A row as whole numbers and their scale.
fn bytes(row: &[f32]) -> (Vec<i64>, f32) {
    let (scale, inverse) = scale(row);
    (
        row.iter().map(|x| i64::from(whole(x * inverse))).collect(),
        scale,
    )
}

/// `x W^T + b` of rounded numbers, by plain loops in double precision.
fn expected(number: Number, x: &[f32], w: &[f32], bias: f32) -> f64 {
    let sum = match number {
        Number::Bf16 => (x.iter().zip(w))
            .map(|(x, w)| f64::from(as_number(bf16(*x))) * f64::from(as_number(bf16(*w))))
            .sum(),
        Number::Int8 => {
            let ((x, left), (w, right)) = (bytes(x), bytes(w));
            let sum: i64 = x.iter().zip(&w).map(|(x, w)| x * w).sum();
            sum as f64 * f64::from(left) * f64::from(right)
        }
    };
    sum + f64::from(bias)
}

#[test]
fn numbers_are_rounded_to_the_nearest() {
    for x in numbers(5, 2000)
        .into_iter()
        .chain([0.0, -0.0, f32::INFINITY, 3.4e38, 1.0])
    {
        let x = x * 3.0;
        assert_eq!(bf16(x), half::bf16::from_f32(x).to_bits(), "{x}");
    }
    // Halfway between two: to the one whose last bit is 0.
    assert_eq!(bf16(f32::from_bits(0x3f80_8000)), 0x3f80);
    assert_eq!(bf16(f32::from_bits(0x3f81_8000)), 0x3f82);
    for x in [
        f32::NAN,
        -f32::NAN,
        f32::from_bits(0x7fff_ffff),
        f32::from_bits(0x7f80_0001),
    ] {
        assert!(as_number(bf16(x)).is_nan());
    }
    for (x, y) in [
        (0.5, 0),
        (1.5, 2),
        (-1.5, -2),
        (-126.6, -127),
        (127.0, 127),
        (0.0, 0),
    ] {
        assert_eq!(whole(x), y);
    }
    assert_eq!(scale(&[1.0, -254.0, 3.0]), (2.0, 0.5));
    assert_eq!(scale(&[0.0, -0.0]), (0.0, 0.0));
    assert_eq!(scale(&[]), (0.0, 0.0));
    assert!(scale(&[1.0, f32::NAN]).0.is_nan());
    assert_eq!(scale(&[1.0, f32::NEG_INFINITY]).0, f32::INFINITY);
}

#[test]
fn what_is_not_finite_stays_so() {
    for number in [Number::Bf16, Number::Int8] {
        for path in Path::all(number) {
            for bad in [f32::NAN, f32::INFINITY] {
                let mut weight = numbers(1, 7 * 9);
                let mut from = numbers(2, 2 * 9);
                from[9 + 4] = bad;
                let mut to = [0.0; 14];
                let mut scratch = NarrowScratch::default();
                let narrow = Narrow::by(path, number, &weight, None, 9, 7);
                narrow.apply(&from, 9, &mut to, Output::Store, &mut scratch);
                assert!(to[..7].iter().all(|x| x.is_finite()));
                assert!(
                    to[7..].iter().all(|x| !x.is_finite()),
                    "{number:?} {path:?} {bad}"
                );
                weight[3 * 9 + 2] = bad;
                let narrow = Narrow::by(path, number, &weight, None, 9, 7);
                narrow.apply(&from, 9, &mut to, Output::Store, &mut scratch);
                assert!(!to[3].is_finite() && to[4].is_finite());
            }
        }
    }
}

#[test]
fn the_largest_sums_fit() {
    // Every product is 255 * 127 before what was added is taken away.
    for inputs in [4_usize, 1 << 16] {
        for path in Path::all(Number::Int8) {
            let narrow = Narrow::by(path, Number::Int8, &vec![1.0; inputs], None, inputs, 1);
            let mut to = [0.0];
            let from = vec![2.0; inputs];
            narrow.apply(
                &from,
                inputs,
                &mut to,
                Output::Store,
                &mut NarrowScratch::default(),
            );
            close(to[0], 2.0 * inputs as f64, 1e-6);
        }
    }
}

proptest! {
    #[test]
    fn narrow_products_equal_sums(
        rows in 1_usize..30,
        inputs in 1_usize..70,
        outputs in 1_usize..90,
        spare in 0_usize..5,
        bias in any::<bool>(),
        bytes in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let number = if bytes { Number::Int8 } else { Number::Bf16 };
        let stride = inputs + spare;
        let a = numbers(seed, rows * stride);
        let w = numbers(seed ^ 1, outputs * inputs);
        let b = bias.then(|| numbers(seed ^ 2, outputs));
        let before = numbers(seed ^ 3, rows * outputs);
        let mut first: Option<Vec<u32>> = None;
        for path in Path::all(number) {
            let narrow = Narrow::by(path, number, &w, b.as_deref(), inputs, outputs);
            let mut scratch = NarrowScratch::default();
            let mut c = before.clone();
            narrow.apply(&a, stride, &mut c, Output::Store, &mut scratch);
            for i in 0..rows {
                for j in 0..outputs {
                    let bias = b.as_ref().map_or(0.0, |b| b[j]);
                    let row = &a[i * stride..i * stride + inputs];
                    let y = expected(number, row, &w[j * inputs..(j + 1) * inputs], bias);
                    close(c[i * outputs + j], y, 1e-5);
                }
            }
            let bits: Vec<u32> = c.iter().map(|x| x.to_bits()).collect();
            prop_assert_eq!(first.get_or_insert(bits.clone()), &bits, "{:?} {:?}", number, path);
            // A row does not depend on its neighbours.
            let mut alone = vec![0.0; outputs];
            let last = &a[(rows - 1) * stride..];
            narrow.apply(last, stride, &mut alone, Output::Store, &mut scratch);
            prop_assert_eq!(&alone, &c[(rows - 1) * outputs..]);
            for output in [Output::Add(0.5), Output::Activate(Activation::Relu)] {
                let mut d = before.clone();
                narrow.apply(&a, stride, &mut d, output, &mut scratch);
                for ((d, c), before) in d.iter().zip(&c).zip(&before) {
                    let y = match output {
                        Output::Add(factor) => f64::from(*before) + f64::from(factor) * f64::from(*c),
                        _ => f64::from(c.max(0.0)),
                    };
                    close(*d, y, 1e-6);
                }
            }
        }
    }

    #[test]
    fn narrow_products_are_near(inputs in 1_usize..200, seed in any::<u64>()) {
        let (a, w) = (numbers(seed, inputs), numbers(seed ^ 1, inputs));
        let mut scratch = NarrowScratch::default();
        let exact: f64 = a.iter().zip(&w).map(|(a, w)| f64::from(*a) * f64::from(*w)).sum();
        // Each number is off by at most 2^-9 of it, or by half of 1/127 of the largest.
        for (precision, off) in [(Precision::Bf16, 1.0 / 512.0), (Precision::Int8, 0.5 / 127.0)] {
            let affine = Affine::new(precision, &w, None, inputs, 1);
            let mut y = [0.0];
            affine.apply(&a, inputs, &mut y, Output::Store, &mut scratch);
            let bound = inputs as f64 * (2.0 * off + off * off) + 1e-5;
            prop_assert!((f64::from(y[0]) - exact).abs() <= bound);
        }
    }
}
