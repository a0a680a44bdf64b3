//! Vectors of saturating integers.
//!
//! A score `s` is kept as `s - 128` in eight bits (`s - 32768` in sixteen): the floor of the local
//! alignment, zero, is then where the subtraction saturates by itself, and the whole range of the
//! integer serves for scores.

/// A vector of `WIDTH` scores, one per target, and the instructions on it.
///
/// # Safety
/// The methods of an implementation may only run on a processor with its instructions, inside a
/// function that enables them. Pointers must be good for `WIDTH` elements.
pub(super) trait Lanes: Copy {
    /// Scores in a vector.
    const WIDTH: usize;
    /// The number that stands for a score of zero: the least of the element.
    const FLOOR: i16;
    /// A score.
    type Element: Copy + Into<i32> + Default;
    /// The vector.
    type V: Copy;

    /// A number in all lanes; it fits the element.
    unsafe fn splat(x: i16) -> Self::V;
    unsafe fn load(at: *const Self::Element) -> Self::V;
    unsafe fn store(at: *mut Self::Element, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    /// `table[letter]` for each of `WIDTH` letters under 32; the table has 32 numbers.
    unsafe fn look_up(table: *const i8, letters: *const u8) -> Self::V;
    /// `WIDTH` small numbers.
    unsafe fn widen(at: *const i8) -> Self::V;
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2x16, Avx2x32, Avx512x32, Avx512x64};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Lanes;

    /// 64 scores of eight bits.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx512x64;

    impl Lanes for Avx512x64 {
        const WIDTH: usize = 64;
        const FLOOR: i16 = i8::MIN as i16;
        type Element = i8;
        type V = __m512i;

        #[inline(always)]
        unsafe fn splat(x: i16) -> __m512i {
            unsafe { _mm512_set1_epi8(x as i8) }
        }
        #[inline(always)]
        unsafe fn load(at: *const i8) -> __m512i {
            unsafe { _mm512_loadu_si512(at.cast()) }
        }
        #[inline(always)]
        unsafe fn store(at: *mut i8, v: __m512i) {
            unsafe { _mm512_storeu_si512(at.cast(), v) }
        }
        #[inline(always)]
        unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
            unsafe { _mm512_adds_epi8(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
            unsafe { _mm512_subs_epi8(a, b) }
        }
        #[inline(always)]
        unsafe fn max(a: __m512i, b: __m512i) -> __m512i {
            unsafe { _mm512_max_epi8(a, b) }
        }
        #[inline(always)]
        unsafe fn look_up(table: *const i8, letters: *const u8) -> __m512i {
            unsafe {
                let letters = _mm512_loadu_si512(letters.cast());
                let low = _mm512_broadcast_i32x4(_mm_loadu_si128(table.cast()));
                let high = _mm512_broadcast_i32x4(_mm_loadu_si128(table.add(16).cast()));
                let upper = _mm512_test_epi8_mask(letters, _mm512_set1_epi8(16));
                let low = _mm512_shuffle_epi8(low, letters);
                _mm512_mask_shuffle_epi8(low, upper, high, letters)
            }
        }
        #[inline(always)]
        unsafe fn widen(at: *const i8) -> __m512i {
            unsafe { Self::load(at) }
        }
    }

    /// 32 scores of sixteen bits.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx512x32;

    impl Lanes for Avx512x32 {
        const WIDTH: usize = 32;
        const FLOOR: i16 = i16::MIN;
        type Element = i16;
        type V = __m512i;

        #[inline(always)]
        unsafe fn splat(x: i16) -> __m512i {
            unsafe { _mm512_set1_epi16(x) }
        }
        #[inline(always)]
        unsafe fn load(at: *const i16) -> __m512i {
            unsafe { _mm512_loadu_si512(at.cast()) }
        }
        #[inline(always)]
        unsafe fn store(at: *mut i16, v: __m512i) {
            unsafe { _mm512_storeu_si512(at.cast(), v) }
        }
        #[inline(always)]
        unsafe fn add(a: __m512i, b: __m512i) -> __m512i {
            unsafe { _mm512_adds_epi16(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m512i, b: __m512i) -> __m512i {
            unsafe { _mm512_subs_epi16(a, b) }
        }
        #[inline(always)]
        unsafe fn max(a: __m512i, b: __m512i) -> __m512i {
            unsafe { _mm512_max_epi16(a, b) }
        }
        #[inline(always)]
        unsafe fn look_up(table: *const i8, letters: *const u8) -> __m512i {
            unsafe { _mm512_cvtepi8_epi16(Avx2x32::look_up(table, letters)) }
        }
        #[inline(always)]
        unsafe fn widen(at: *const i8) -> __m512i {
            unsafe { _mm512_cvtepi8_epi16(_mm256_loadu_si256(at.cast())) }
        }
    }

    /// 32 scores of eight bits.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx2x32;

    impl Lanes for Avx2x32 {
        const WIDTH: usize = 32;
        const FLOOR: i16 = i8::MIN as i16;
        type Element = i8;
        type V = __m256i;

        #[inline(always)]
        unsafe fn splat(x: i16) -> __m256i {
            unsafe { _mm256_set1_epi8(x as i8) }
        }
        #[inline(always)]
        unsafe fn load(at: *const i8) -> __m256i {
            unsafe { _mm256_loadu_si256(at.cast()) }
        }
        #[inline(always)]
        unsafe fn store(at: *mut i8, v: __m256i) {
            unsafe { _mm256_storeu_si256(at.cast(), v) }
        }
        #[inline(always)]
        unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_adds_epi8(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_subs_epi8(a, b) }
        }
        #[inline(always)]
        unsafe fn max(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_max_epi8(a, b) }
        }
        #[inline(always)]
        unsafe fn look_up(table: *const i8, letters: *const u8) -> __m256i {
            unsafe {
                let letters = _mm256_loadu_si256(letters.cast());
                let low = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.cast()));
                let high = _mm256_broadcastsi128_si256(_mm_loadu_si128(table.add(16).cast()));
                // Bit 4 of a letter, moved to where the blend looks.
                let upper = _mm256_slli_epi16::<3>(letters);
                let low = _mm256_shuffle_epi8(low, letters);
                _mm256_blendv_epi8(low, _mm256_shuffle_epi8(high, letters), upper)
            }
        }
        #[inline(always)]
        unsafe fn widen(at: *const i8) -> __m256i {
            unsafe { Self::load(at) }
        }
    }

    /// 16 scores of sixteen bits.
    #[derive(Debug, Clone, Copy)]
    pub(in super::super) struct Avx2x16;

    impl Lanes for Avx2x16 {
        const WIDTH: usize = 16;
        const FLOOR: i16 = i16::MIN;
        type Element = i16;
        type V = __m256i;

        #[inline(always)]
        unsafe fn splat(x: i16) -> __m256i {
            unsafe { _mm256_set1_epi16(x) }
        }
        #[inline(always)]
        unsafe fn load(at: *const i16) -> __m256i {
            unsafe { _mm256_loadu_si256(at.cast()) }
        }
        #[inline(always)]
        unsafe fn store(at: *mut i16, v: __m256i) {
            unsafe { _mm256_storeu_si256(at.cast(), v) }
        }
        #[inline(always)]
        unsafe fn add(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_adds_epi16(a, b) }
        }
        #[inline(always)]
        unsafe fn sub(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_subs_epi16(a, b) }
        }
        #[inline(always)]
        unsafe fn max(a: __m256i, b: __m256i) -> __m256i {
            unsafe { _mm256_max_epi16(a, b) }
        }
        #[inline(always)]
        unsafe fn look_up(table: *const i8, letters: *const u8) -> __m256i {
            unsafe {
                let letters = _mm_loadu_si128(letters.cast());
                let low = _mm_loadu_si128(table.cast());
                let high = _mm_loadu_si128(table.add(16).cast());
                let upper = _mm_slli_epi16::<3>(letters);
                let low = _mm_shuffle_epi8(low, letters);
                let high = _mm_shuffle_epi8(high, letters);
                _mm256_cvtepi8_epi16(_mm_blendv_epi8(low, high, upper))
            }
        }
        #[inline(always)]
        unsafe fn widen(at: *const i8) -> __m256i {
            unsafe { _mm256_cvtepi8_epi16(_mm_loadu_si128(at.cast())) }
        }
    }
}

macro_rules! portable {
    ($(#[$meta:meta])* $name:ident, $element:ty, $width:literal) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name;

        impl Lanes for $name {
            const WIDTH: usize = $width;
            const FLOOR: i16 = <$element>::MIN as i16;
            type Element = $element;
            type V = [$element; $width];

            #[inline(always)]
            unsafe fn splat(x: i16) -> Self::V {
                [x as $element; $width]
            }
            #[inline(always)]
            unsafe fn load(at: *const $element) -> Self::V {
                unsafe { at.cast::<Self::V>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(at: *mut $element, v: Self::V) {
                unsafe { at.cast::<Self::V>().write_unaligned(v) }
            }
            #[inline(always)]
            unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i].saturating_add(b[i]))
            }
            #[inline(always)]
            unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| a[i].saturating_sub(b[i]))
            }
            #[inline(always)]
            unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
                std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
            }
            #[inline(always)]
            unsafe fn look_up(table: *const i8, letters: *const u8) -> Self::V {
                unsafe {
                    let table = &*table.cast::<[i8; 32]>();
                    let letters = &*letters.cast::<[u8; $width]>();
                    letters.map(|letter| <$element>::from(table[usize::from(letter & 31)]))
                }
            }
            #[inline(always)]
            unsafe fn widen(at: *const i8) -> Self::V {
                unsafe { at.cast::<[i8; $width]>().read_unaligned().map(<$element>::from) }
            }
        }
    };
}

portable!(
    /// 16 scores of eight bits, which the compiler may keep in one vector.
    Portable16, i8, 16
);
portable!(
    /// 8 scores of sixteen bits.
    Portable8, i16, 8
);
