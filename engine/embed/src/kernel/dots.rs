//! Vectors of short dot products, the step of a product of low precision.
//!
//! Both sides lie in words of 32 bits: two numbers of `bfloat16`, or four bytes. Each lane of a
//! vector adds to its sum the dot product of its word of the weights with one word of a row. All
//! implementations of one kind of number give the same bits, whatever the instruction set (but for
//! numbers under 1e-38, which the `bfloat16` instruction takes for zero).

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::marker::PhantomData;

#[cfg(target_arch = "x86_64")]
use super::lanes::{Avx2, Avx512};
use super::lanes::{Lanes, Portable};

/// The instructions for one kind of number.
///
/// # Safety
/// As of [`Lanes`]. Pointers must be good for as many words as the lanes are wide.
pub(crate) trait Dots {
    /// What the sums become.
    type Lanes: Lanes;
    /// One word of weights for each lane.
    type Words: Copy;
    /// One sum for each lane.
    type Sum: Copy;
    /// Whether sums are in units of a row's and a column's scale.
    const SCALED: bool;

    unsafe fn load(at: *const u32) -> Self::Words;
    /// Sums before the first step.
    unsafe fn start(at: *const i32) -> Self::Sum;
    /// `sum + word . weights`.
    unsafe fn add(sum: Self::Sum, word: u32, weights: Self::Words) -> Self::Sum;
    unsafe fn numbers(sum: Self::Sum) -> <Self::Lanes as Lanes>::V;
    /// Rounds a row and gives its scale; what is over its end becomes zero.
    fn round(row: &[f32], to: &mut [u32]) -> f32;
}

/// The nearest number of `bfloat16`, ties to even; NaN stays NaN.
#[inline(always)]
pub(crate) fn bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    let rounded = (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16;
    if x.is_nan() { 0x7fc0 } else { rounded }
}

/// Two numbers as they lie in a word.
#[inline(always)]
pub(crate) fn pair([first, second]: [u16; 2]) -> u32 {
    u32::from(first) | u32::from(second) << 16
}

#[inline(always)]
fn round_bf16(row: &[f32], to: &mut [u32]) -> f32 {
    let (pairs, last) = row.as_chunks::<2>();
    for (to, [x, y]) in to.iter_mut().zip(pairs) {
        *to = pair([bf16(*x), bf16(*y)]);
    }
    if let ([x], Some(to)) = (last, to.last_mut()) {
        *to = pair([bf16(*x), 0]);
    }
    1.0
}

/// Numbers of `bfloat16` by an instruction set without them: each is the upper half of a number
/// of single precision, and the product of two is exact there.
pub(crate) struct Bf16<S>(PhantomData<S>);

impl<S: Lanes> Dots for Bf16<S> {
    type Lanes = S;
    type Words = (S::V, S::V);
    type Sum = S::V;
    const SCALED: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const u32) -> (S::V, S::V) {
        unsafe { S::halves(at) }
    }
    #[inline(always)]
    unsafe fn start(_: *const i32) -> S::V {
        unsafe { S::zero() }
    }
    #[inline(always)]
    unsafe fn add(sum: S::V, word: u32, (first, second): (S::V, S::V)) -> S::V {
        unsafe {
            // The second product first, as the instruction does.
            let sum = S::fma(S::splat(f32::from_bits(word & 0xffff_0000)), second, sum);
            S::fma(S::splat(f32::from_bits(word << 16)), first, sum)
        }
    }
    #[inline(always)]
    unsafe fn numbers(sum: S::V) -> S::V {
        sum
    }
    #[inline(always)]
    fn round(row: &[f32], to: &mut [u32]) -> f32 {
        round_bf16(row, to)
    }
}

/// Numbers of `bfloat16` by AVX-512 BF16.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Bf16Native;

#[cfg(target_arch = "x86_64")]
impl Dots for Bf16Native {
    type Lanes = Avx512;
    type Words = __m512bh;
    type Sum = __m512;
    const SCALED: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const u32) -> __m512bh {
        // SAFETY: the caller's pointer is good for 16 words; any bits are such a vector.
        unsafe { at.cast::<__m512bh>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn start(_: *const i32) -> __m512 {
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    unsafe fn add(sum: __m512, word: u32, weights: __m512bh) -> __m512 {
        // SAFETY: both types are 512 bits, any of which mean something.
        unsafe {
            let word = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(word as i32));
            _mm512_dpbf16_ps(sum, word, weights)
        }
    }
    #[inline(always)]
    unsafe fn numbers(sum: __m512) -> __m512 {
        sum
    }
    #[inline(always)]
    fn round(row: &[f32], to: &mut [u32]) -> f32 {
        round_bf16(row, to)
    }
}

/// What is added to a rounded input, so that it is a byte without a sign.
pub(crate) const OFFSET: i32 = 128;

/// Under it a row's largest number has no finite inverse; such a row is taken for zero.
const NOTHING: f32 = 1e-30;

/// The scale of a row, its largest magnitude over 127, and the scale's inverse. NaN where the row
/// holds a NaN, infinite where it holds an infinity.
#[inline(always)]
pub(crate) fn scale(row: &[f32]) -> (f32, f32) {
    // As whole numbers the bits have the order of the magnitudes, and NaN is the largest.
    let largest = row
        .iter()
        .fold(0, |largest, x| largest.max(x.to_bits() & 0x7fff_ffff));
    let largest = f32::from_bits(largest);
    if largest < NOTHING {
        return (0.0, 0.0);
    }
    (largest / 127.0, 127.0 / largest)
}

/// The nearest whole number, ties to even, of one below 2^22.
#[inline(always)]
pub(crate) fn whole(x: f32) -> i32 {
    // Adding 1.5 * 2^23 leaves no bits after the point.
    ((x + 12_582_912.0).to_bits() as i32).wrapping_sub(0x4b40_0000)
}

#[inline(always)]
fn round_int8(row: &[f32], to: &mut [u32]) -> f32 {
    let (scale, inverse) = scale(row);
    let byte = |x: f32| (whole(x * inverse).wrapping_add(OFFSET)) as u8;
    let (words, last) = row.as_chunks::<4>();
    for (to, x) in to.iter_mut().zip(words) {
        *to = u32::from_le_bytes(x.map(byte));
    }
    if let (false, Some(to)) = (last.is_empty(), to.last_mut()) {
        let mut bytes = [0; 4];
        for (to, x) in bytes.iter_mut().zip(last) {
            *to = byte(*x);
        }
        *to = u32::from_le_bytes(bytes);
    }
    scale
}

/// Bytes without a sign times bytes with one, added up in 32 bits, by plain loops.
pub(crate) struct Int8;

impl Dots for Int8 {
    type Lanes = Portable;
    type Words = [u32; 4];
    type Sum = [i32; 4];
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const u32) -> [u32; 4] {
        unsafe { at.cast::<[u32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn start(at: *const i32) -> [i32; 4] {
        unsafe { at.cast::<[i32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn add(sum: [i32; 4], word: u32, weights: [u32; 4]) -> [i32; 4] {
        let row = word.to_le_bytes();
        std::array::from_fn(|lane| {
            let weights = weights[lane].to_le_bytes();
            row.iter().zip(weights).fold(sum[lane], |sum, (x, w)| {
                sum + i32::from(*x) * i32::from(w as i8)
            })
        })
    }
    #[inline(always)]
    unsafe fn numbers(sum: [i32; 4]) -> [f32; 4] {
        sum.map(|x| x as f32)
    }
    #[inline(always)]
    fn round(row: &[f32], to: &mut [u32]) -> f32 {
        round_int8(row, to)
    }
}

/// The same by AVX-512 VNNI.
#[cfg(target_arch = "x86_64")]
pub(crate) struct Int8Native;

#[cfg(target_arch = "x86_64")]
impl Dots for Int8Native {
    type Lanes = Avx512;
    type Words = __m512i;
    type Sum = __m512i;
    const SCALED: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const u32) -> __m512i {
        unsafe { _mm512_loadu_si512(at.cast()) }
    }
    #[inline(always)]
    unsafe fn start(at: *const i32) -> __m512i {
        unsafe { _mm512_loadu_si512(at.cast()) }
    }
    #[inline(always)]
    unsafe fn add(sum: __m512i, word: u32, weights: __m512i) -> __m512i {
        unsafe { _mm512_dpbusd_epi32(sum, _mm512_set1_epi32(word as i32), weights) }
    }
    #[inline(always)]
    unsafe fn numbers(sum: __m512i) -> __m512 {
        unsafe { _mm512_cvtepi32_ps(sum) }
    }
    #[inline(always)]
    fn round(row: &[f32], to: &mut [u32]) -> f32 {
        round_int8(row, to)
    }
}

/// Defines the same by products of 16 bits: the even bytes and the odd ones apart, which no sum
/// of two can overflow.
#[cfg(target_arch = "x86_64")]
macro_rules! by_halves {
    ($(#[$doc:meta])* $name:ident, $lanes:ty, $word:ty, $numbers:ty, $load:ident, $left:ident,
     $right:ident, $splat:ident, $multiply:ident, $sum:ident, $convert:ident) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl Dots for $name {
            type Lanes = $lanes;
            type Words = ($word, $word);
            type Sum = $word;
            const SCALED: bool = true;

            #[inline(always)]
            unsafe fn load(at: *const u32) -> ($word, $word) {
                unsafe {
                    let words = $load(at.cast());
                    ($right::<8>($left::<8>(words)), $right::<8>(words))
                }
            }
            #[inline(always)]
            unsafe fn start(at: *const i32) -> $word {
                unsafe { $load(at.cast()) }
            }
            #[inline(always)]
            unsafe fn add(sum: $word, word: u32, (even, odd): ($word, $word)) -> $word {
                unsafe {
                    let x = $splat((word & 0x00ff_00ff) as i32);
                    let y = $splat((word >> 8 & 0x00ff_00ff) as i32);
                    $sum($sum(sum, $multiply(x, even)), $multiply(y, odd))
                }
            }
            #[inline(always)]
            unsafe fn numbers(sum: $word) -> $numbers {
                unsafe { $convert(sum) }
            }
            #[inline(always)]
            fn round(row: &[f32], to: &mut [u32]) -> f32 {
                round_int8(row, to)
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
by_halves!(
    /// Bytes by AVX-512 without VNNI.
    Int8Avx512, Avx512, __m512i, __m512, _mm512_loadu_si512, _mm512_slli_epi16,
    _mm512_srai_epi16, _mm512_set1_epi32, _mm512_madd_epi16, _mm512_add_epi32, _mm512_cvtepi32_ps
);
#[cfg(target_arch = "x86_64")]
by_halves!(
    /// Bytes by AVX2.
    Int8Avx2, Avx2, __m256i, __m256, _mm256_loadu_si256, _mm256_slli_epi16,
    _mm256_srai_epi16, _mm256_set1_epi32, _mm256_madd_epi16, _mm256_add_epi32, _mm256_cvtepi32_ps
);
