use super::isa::{Isa, dispatch};
use super::lanes::Lanes;
use super::{dot, l2, tile};

dispatch! { fn run_l2(a: &[f32], b: &[f32]) -> f32 = kernel_l2; }
dispatch! { fn run_dot(a: &[f32], b: &[f32]) -> f32 = kernel_dot; }
dispatch! { fn run_tile(a: &[f32], b: &[f32]) -> [[f32; 2]; 4] = kernel_tile; }
dispatch! { fn run_dots(query: &[i8], rows: &[u8]) -> [i32; 4] = kernel_dots; }

#[inline(always)]
unsafe fn kernel_l2<L: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    unsafe { l2::<L>(a.as_ptr(), b.as_ptr(), a.len()) }
}

#[inline(always)]
unsafe fn kernel_dot<L: Lanes>(a: &[f32], b: &[f32]) -> f32 {
    unsafe { dot::<L>(a.as_ptr(), b.as_ptr(), a.len()) }
}

#[inline(always)]
unsafe fn kernel_tile<L: Lanes>(a: &[f32], b: &[f32]) -> [[f32; 2]; 4] {
    unsafe { tile::<L, true>([a.as_ptr(); 4], [b.as_ptr(); 2], a.len()) }
}

#[inline(always)]
unsafe fn kernel_dots<L: Lanes>(query: &[i8], rows: &[u8]) -> [i32; 4] {
    let n = query.len();
    let rows = [0, 1, 2, 3].map(|row| rows[row * n..][..n].as_ptr());
    unsafe { L::dots(query.as_ptr(), rows, n) }
}

#[test]
fn every_set_agrees_with_plain_sums() {
    for isa in Isa::available() {
        for n in 1..150 {
            let a: Vec<f32> = (0..n).map(|i| ((i * 7 % 11) as f32) - 4.5).collect();
            let b: Vec<f32> = (0..n).map(|i| ((i * 5 % 13) as f32) - 6.25).collect();
            let gaps: f32 = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum();
            let product: f32 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
            let close = |x: f32, y: f32| (x - y).abs() <= 1e-5 * gaps.max(1.0);
            assert!(close(run_l2(isa, &a, &b), gaps), "{isa:?} {n}");
            assert!(close(run_dot(isa, &a, &b), product), "{isa:?} {n}");
            for sum in run_tile(isa, &a, &b).as_flattened() {
                assert!(close(*sum, gaps), "{isa:?} {n}");
            }
        }
    }
}

#[test]
fn codes_at_their_extremes_do_not_saturate() {
    for isa in Isa::available() {
        for n in [64, 128, 768] {
            for extreme in [-128_i8, 127] {
                let query = vec![extreme; n];
                let rows = vec![255_u8; 4 * n];
                let sum = i32::from(extreme) * 255 * n as i32;
                assert_eq!(run_dots(isa, &query, &rows), [sum; 4], "{isa:?}");
            }
            let query: Vec<i8> = (0..n).map(|i| (i * 37 % 251) as u8 as i8).collect();
            let rows: Vec<u8> = (0..4 * n).map(|i| (i * 91 % 253) as u8).collect();
            let plain = [0, 1, 2, 3].map(|row| {
                let row = &rows[row * n..][..n];
                query
                    .iter()
                    .zip(row)
                    .map(|(q, r)| i32::from(*q) * i32::from(*r))
                    .sum::<i32>()
            });
            assert_eq!(run_dots(isa, &query, &rows), plain, "{isa:?}");
        }
    }
}
