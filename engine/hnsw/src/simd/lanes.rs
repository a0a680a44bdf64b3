//! Vectors of single-precision numbers and of codes.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// A vector of `WIDTH` numbers and the instructions on it.
///
/// # Safety
/// The methods of an implementation may only run on a processor with its instructions, inside a
/// function that enables them. Pointers must be good for `WIDTH` numbers, those of `part` and
/// `dots` for the count given.
pub(crate) trait Lanes: Copy {
    /// Numbers in a vector.
    const WIDTH: usize;
    /// The vector.
    type V: Copy;

    unsafe fn zero() -> Self::V;
    unsafe fn load(at: *const f32) -> Self::V;
    /// The first `n` < `WIDTH` numbers, then zeros.
    unsafe fn part(at: *const f32, n: usize) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The sum of the numbers.
    unsafe fn sum(v: Self::V) -> f32;
    /// The inner products of a query's codes with the codes of four rows; `n` is a multiple of 64.
    unsafe fn dots(query: *const i8, rows: [*const u8; 4], n: usize) -> [i32; 4];
}

#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512;

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx512 {
    const WIDTH: usize = 16;
    type V = __m512;

    #[inline(always)]
    unsafe fn zero() -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn part(at: *const f32, n: usize) -> __m512 {
        unsafe { _mm512_maskz_loadu_ps((1_u16 << n).wrapping_sub(1), at) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn sum(v: __m512) -> f32 {
        unsafe { _mm512_reduce_add_ps(v) }
    }
    #[inline(always)]
    unsafe fn dots(query: *const i8, rows: [*const u8; 4], n: usize) -> [i32; 4] {
        unsafe {
            let mut sums = [_mm512_setzero_si512(); 4];
            let mut at = 0;
            while at < n {
                let q = _mm512_loadu_si512(query.add(at).cast());
                for (sum, row) in sums.iter_mut().zip(rows) {
                    let codes = _mm512_loadu_si512(row.add(at).cast());
                    *sum = _mm512_dpbusd_epi32(*sum, codes, q);
                }
                at += 64;
            }
            let mut halves = [_mm256_setzero_si256(); 4];
            for (half, sum) in halves.iter_mut().zip(sums) {
                *half = _mm256_add_epi32(
                    _mm512_castsi512_si256(sum),
                    _mm512_extracti64x4_epi64::<1>(sum),
                );
            }
            fold_four(halves)
        }
    }
}

/// The four sums of eight numbers each.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn fold_four(v: [__m256i; 4]) -> [i32; 4] {
    // SAFETY: AVX2 is enabled by the caller; the store fills the array.
    unsafe {
        let pairs = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]), _mm256_hadd_epi32(v[2], v[3]));
        let sums = _mm_add_epi32(
            _mm256_castsi256_si128(pairs),
            _mm256_extracti128_si256::<1>(pairs),
        );
        let mut out = [0_i32; 4];
        _mm_storeu_si128(out.as_mut_ptr().cast(), sums);
        out
    }
}

#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2;

#[cfg(target_arch = "x86_64")]
impl Lanes for Avx2 {
    const WIDTH: usize = 8;
    type V = __m256;

    #[inline(always)]
    unsafe fn zero() -> __m256 {
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(at) }
    }
    #[inline(always)]
    unsafe fn part(at: *const f32, n: usize) -> __m256 {
        let mut numbers = [0.0_f32; 8];
        unsafe {
            std::ptr::copy_nonoverlapping(at, numbers.as_mut_ptr(), n);
            _mm256_loadu_ps(numbers.as_ptr())
        }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn sum(v: __m256) -> f32 {
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
    // `maddubs` would saturate, so both sides are widened to 16 bits first.
    #[inline(always)]
    unsafe fn dots(query: *const i8, rows: [*const u8; 4], n: usize) -> [i32; 4] {
        unsafe {
            let mut sums = [_mm256_setzero_si256(); 4];
            let mut at = 0;
            while at < n {
                let q = _mm256_cvtepi8_epi16(_mm_loadu_si128(query.add(at).cast()));
                for (sum, row) in sums.iter_mut().zip(rows) {
                    let codes = _mm256_cvtepu8_epi16(_mm_loadu_si128(row.add(at).cast()));
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(codes, q));
                }
                at += 16;
            }
            fold_four(sums)
        }
    }
}

/// Four numbers that the compiler may keep in one vector, as it does on 64-bit ARM.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

macro_rules! each {
    ($i:ident, $value:expr) => {
        std::array::from_fn::<f32, 4, _>(|$i| $value)
    };
}

impl Lanes for Portable {
    const WIDTH: usize = 4;
    type V = [f32; 4];

    #[inline(always)]
    unsafe fn zero() -> [f32; 4] {
        [0.0; 4]
    }
    #[inline(always)]
    unsafe fn load(at: *const f32) -> [f32; 4] {
        unsafe { at.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn part(at: *const f32, n: usize) -> [f32; 4] {
        each!(i, if i < n { unsafe { *at.add(i) } } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn add(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        each!(i, a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: [f32; 4], b: [f32; 4]) -> [f32; 4] {
        each!(i, a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn fma(a: [f32; 4], b: [f32; 4], c: [f32; 4]) -> [f32; 4] {
        each!(i, a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn sum(v: [f32; 4]) -> f32 {
        (v[0] + v[1]) + (v[2] + v[3])
    }
    #[inline(always)]
    unsafe fn dots(query: *const i8, rows: [*const u8; 4], n: usize) -> [i32; 4] {
        rows.map(|row| {
            (0..n)
                .map(|i| unsafe { i32::from(*query.add(i)) * i32::from(*row.add(i)) })
                .sum()
        })
    }
}
