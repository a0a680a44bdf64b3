//! The flat scan.
//!
//! Rows lie one after another: a row of 16 is half a cache line, which is the least that memory
//! hands over anyway, so stopping after a few coordinates would save no traffic.

use crate::dominance::Rows;

/// Whether a pattern vertex with the row `query` may be mapped to a vertex with this row.
#[inline]
pub fn dominates(query: &[u16], row: &[u16]) -> bool {
    debug_assert_eq!(query.len(), row.len());
    // Without a branch per coordinate the comparison is a few vector instructions.
    let exceeded = query.iter().zip(row).fold(false, |e, (q, r)| e | (q > r));
    !exceeded
}

/// The vertices that a pattern vertex with the row `query` may be mapped to: bit `v % 64` of word
/// `v / 64` is set for them. One pass over memory; rows of 16 are compared by AVX-512 or AVX2
/// where the processor has them.
pub fn dominated(query: &[u16], rows: &Rows) -> Vec<u64> {
    assert_eq!(query.len(), rows.width, "rows of another recipe");
    let mut words = vec![0_u64; rows.len().div_ceil(64)];
    #[cfg(target_arch = "x86_64")]
    if let Ok(query) = <&[u16; 16]>::try_from(query) {
        if is_x86_feature_detected!("avx512bw") {
            // SAFETY: the processor has the instructions.
            #[expect(unsafe_code, reason = "instructions that are detected at run time")]
            unsafe {
                avx512(query, &rows.values, &mut words);
            }
            return words;
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has the instructions.
            #[expect(unsafe_code, reason = "instructions that are detected at run time")]
            unsafe {
                avx2(query, &rows.values, &mut words);
            }
            return words;
        }
    }
    portable(query, &rows.values, &mut words);
    words
}

fn portable(query: &[u16], values: &[u16], words: &mut [u64]) {
    let width = query.len();
    for (word, block) in words.iter_mut().zip(values.chunks(64 * width)) {
        for (bit, row) in block.chunks_exact(width).enumerate() {
            *word |= u64::from(dominates(query, row)) << bit;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw")]
fn avx512(query: &[u16; 16], values: &[u16], words: &mut [u64]) {
    use std::arch::x86_64::{
        _mm256_loadu_si256, _mm512_broadcast_i64x4, _mm512_cmpgt_epu16_mask, _mm512_loadu_si512,
    };
    // SAFETY: reads 16 numbers of an array of 16.
    #[expect(unsafe_code, reason = "a vector load")]
    let query512 = unsafe { _mm512_broadcast_i64x4(_mm256_loadu_si256(query.as_ptr().cast())) };
    for (word, block) in words.iter_mut().zip(values.chunks(64 * 16)) {
        let mut pairs = block.chunks_exact(32);
        let mut bits = 0_u64;
        for (pair, rows) in pairs.by_ref().enumerate() {
            // SAFETY: reads the 32 numbers of the chunk.
            #[expect(unsafe_code, reason = "a vector load")]
            let rows = unsafe { _mm512_loadu_si512(rows.as_ptr().cast()) };
            let exceeded = _mm512_cmpgt_epu16_mask(query512, rows);
            let first = u64::from(exceeded & 0xffff == 0);
            let second = u64::from(exceeded >> 16 == 0);
            bits |= (first | second << 1) << (2 * pair);
        }
        let rest = pairs.remainder();
        if !rest.is_empty() {
            bits |= u64::from(dominates(query, rest)) << (2 * (block.len() / 32));
        }
        *word = bits;
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(query: &[u16; 16], values: &[u16], words: &mut [u64]) {
    use std::arch::x86_64::{
        _mm256_cmpeq_epi16, _mm256_loadu_si256, _mm256_max_epu16, _mm256_movemask_epi8,
    };
    // SAFETY: reads 16 numbers of an array of 16.
    #[expect(unsafe_code, reason = "a vector load")]
    let query = unsafe { _mm256_loadu_si256(query.as_ptr().cast()) };
    for (word, block) in words.iter_mut().zip(values.chunks(64 * 16)) {
        let mut bits = 0_u64;
        for (bit, row) in block.chunks_exact(16).enumerate() {
            // SAFETY: reads the 16 numbers of the chunk.
            #[expect(unsafe_code, reason = "a vector load")]
            let row = unsafe { _mm256_loadu_si256(row.as_ptr().cast()) };
            let equal = _mm256_cmpeq_epi16(_mm256_max_epu16(query, row), row);
            bits |= u64::from(_mm256_movemask_epi8(equal) == -1) << bit;
        }
        *word = bits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dominance::mix;

    /// Rows of small numbers, of which every third is at least the query.
    fn rows(count: usize, width: usize) -> (Vec<u16>, Vec<u16>) {
        let query: Vec<u16> = (0..width).map(|i| (mix(i as u64) % 4) as u16).collect();
        let number = |at: usize| {
            let lift = if (at / width).is_multiple_of(3) {
                query[at % width]
            } else {
                0
            };
            (mix(at as u64 + 99) % 5) as u16 + lift
        };
        let mut values: Vec<u16> = (0..count * width).map(number).collect();
        values[..width].fill(u16::MAX);
        (query, values)
    }

    #[test]
    fn instruction_sets_agree_for_every_remainder() {
        for count in [1, 2, 63, 64, 65, 127, 128, 1000, 1001] {
            let (query, values) = rows(count, 16);
            let mut expected = vec![0; count.div_ceil(64)];
            portable(&query, &values, &mut expected);
            for (v, row) in values.chunks(16).enumerate() {
                let all = query.iter().zip(row).all(|(q, r)| q <= r);
                assert_eq!(expected[v / 64] >> (v % 64) & 1 == 1, all);
            }
            let rows = Rows { width: 16, values };
            assert_eq!(dominated(&query, &rows), expected);
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                let mut words = vec![0; count.div_ceil(64)];
                let query = query.as_slice().try_into().unwrap();
                // SAFETY: the processor has the instructions.
                #[expect(unsafe_code, reason = "instructions that are detected at run time")]
                unsafe {
                    avx2(query, &rows.values, &mut words);
                }
                assert_eq!(words, expected);
            }
        }
    }

    #[test]
    fn other_widths_are_scanned_too() {
        let (query, values) = rows(130, 5);
        let found = dominated(
            &query,
            &Rows {
                width: 5,
                values: values.clone(),
            },
        );
        for (v, row) in values.chunks(5).enumerate() {
            assert_eq!(found[v / 64] >> (v % 64) & 1 == 1, dominates(&query, row));
        }
    }
}
