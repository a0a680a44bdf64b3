//! One table look-up per letter, thirty-two letters at a time where the processor has AVX2.

/// For each letter, `A` to `Z`, a byte. Entry 1 is of `A`: the low five bits of its code.
pub(crate) type Table = [u8; 32];

/// Replaces letters by their bytes in the table, all other bytes by 0. Both are equally long.
pub(super) fn look_up(table: &Table, letters: &[u8], out: &mut [u8]) {
    debug_assert_eq!(letters.len(), out.len());
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "calls a function of an instruction set")]
        // SAFETY: the processor has AVX2; it was asked.
        unsafe {
            avx2(table, letters, out);
        }
        return;
    }
    portable(table, letters, out);
}

fn portable(table: &Table, letters: &[u8], out: &mut [u8]) {
    for (out, letter) in out.iter_mut().zip(letters) {
        let is = letter.is_ascii_uppercase();
        *out = table[usize::from(letter & 31)] & 0_u8.wrapping_sub(u8::from(is));
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(table: &Table, letters: &[u8], out: &mut [u8]) {
    use std::arch::x86_64::{
        __m256i, _mm_loadu_si128, _mm256_and_si256, _mm256_blendv_epi8,
        _mm256_broadcastsi128_si256, _mm256_cmpgt_epi8, _mm256_loadu_si256, _mm256_set1_epi8,
        _mm256_shuffle_epi8, _mm256_slli_epi16, _mm256_storeu_si256, _mm256_xor_si256,
    };

    let half = |which: usize| {
        #[expect(unsafe_code, reason = "loads half the table")]
        // SAFETY: sixteen bytes from 0 or 16 on are within the thirty-two of the table.
        let half = unsafe { _mm_loadu_si128(table.as_ptr().add(16 * which).cast()) };
        _mm256_broadcastsi128_si256(half)
    };
    let (low, high) = (half(0), half(1));
    let (letter_chunks, letters) = letters.as_chunks::<32>();
    let (out_chunks, out) = out.as_chunks_mut::<32>();
    for (letters, out) in letter_chunks.iter().zip(out_chunks) {
        #[expect(unsafe_code, reason = "loads a vector")]
        // SAFETY: the chunk has thirty-two bytes.
        let letters = unsafe { _mm256_loadu_si256(letters.as_ptr().cast::<__m256i>()) };
        // `A` to `Z` become 1 to 26; as signed numbers all other bytes lie outside.
        let numbers = _mm256_xor_si256(letters, _mm256_set1_epi8(0x40));
        let is_letter = _mm256_and_si256(
            _mm256_cmpgt_epi8(numbers, _mm256_set1_epi8(0)),
            _mm256_cmpgt_epi8(_mm256_set1_epi8(27), numbers),
        );
        // A shuffle reads four bits of each number; the fifth, moved to the top, chooses the half.
        let fifth = _mm256_slli_epi16::<3>(numbers);
        let found = _mm256_blendv_epi8(
            _mm256_shuffle_epi8(low, numbers),
            _mm256_shuffle_epi8(high, numbers),
            fifth,
        );
        let found = _mm256_and_si256(found, is_letter);
        #[expect(unsafe_code, reason = "stores a vector")]
        // SAFETY: the chunk has thirty-two bytes.
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast::<__m256i>(), found);
        }
    }
    portable(table, letters, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place() {
        let table: Table = std::array::from_fn(|i| (i * 7 + 1) as u8);
        let bytes: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        for from in 0..40 {
            let letters = &bytes[from..];
            let expected: Vec<u8> = letters
                .iter()
                .map(|byte| match byte {
                    b'A'..=b'Z' => table[usize::from(byte - b'A' + 1)],
                    _ => 0,
                })
                .collect();
            let mut out = vec![9; letters.len()];
            look_up(&table, letters, &mut out);
            assert_eq!(out, expected);
            out.fill(9);
            portable(&table, letters, &mut out);
            assert_eq!(out, expected);
        }
    }
}
