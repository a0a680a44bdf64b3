//! Transcendental functions on vectors.

use super::lanes::Lanes;

/// `exp(x)`, relative error below 3e-7; 0 (to 1e-38) for what is under -87.
///
/// Reduced to `2^n * exp(r)` with |r| <= ln 2 / 2, the polynomial from Cephes (Moshier, `expf`).
#[inline(always)]
pub(crate) unsafe fn exp<S: Lanes>(x: S::V) -> S::V {
    unsafe {
        let x = S::min(S::max(x, S::splat(-87.0)), S::splat(88.0));
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        // ln 2 in two parts, so that the remainder keeps its digits.
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.987_569_1e-4);
        for c in [
            1.398_199_9e-3,
            8.333_452e-3,
            4.166_579_6e-2,
            0.166_666_65,
            0.5,
        ] {
            p = S::fma(p, r, S::splat(c));
        }
        let y = S::fma(p, S::mul(r, r), S::add(r, S::splat(1.0)));
        S::scale(y, n)
    }
}

/// `erf(x)`, absolute error below 3e-7: an odd rational function on [-3.83, 3.83], beyond which the
/// result is 1 in single precision (coefficients of `erf` in Eigen and XLA).
#[inline(always)]
pub(crate) unsafe fn erf<S: Lanes>(x: S::V) -> S::V {
    unsafe {
        let x = S::min(S::max(x, S::splat(-3.832_507)), S::splat(3.832_507));
        let x2 = S::mul(x, x);
        let mut p = S::splat(-2.726_142_4e-10);
        for c in [
            2.770_681_7e-8,
            -2.101_024e-6,
            -5.692_506_5e-5,
            -7.349_906_3e-4,
            -2.954_600_1e-3,
            -1.609_603_3e-2,
        ] {
            p = S::fma(p, x2, S::splat(c));
        }
        let mut q = S::splat(-1.456_607e-5);
        for c in [
            -2.133_740_3e-4,
            -1.682_827_8e-3,
            -7.373_329e-3,
            -1.426_474_7e-2,
        ] {
            q = S::fma(q, x2, S::splat(c));
        }
        S::div(S::mul(x, p), q)
    }
}

/// `x * Phi(x)`: the Gaussian error linear unit, not its tanh approximation.
#[inline(always)]
pub(crate) unsafe fn gelu<S: Lanes>(x: S::V) -> S::V {
    unsafe {
        let half = S::mul(x, S::splat(0.5));
        let e = erf::<S>(S::mul(x, S::splat(std::f32::consts::FRAC_1_SQRT_2)));
        S::fma(half, e, half)
    }
}

/// The tanh approximation of [`gelu`], which some models were trained with:
/// `x * sigmoid(2 * sqrt(2 / pi) * (x + 0.044715 x^3))`.
#[inline(always)]
pub(crate) unsafe fn gelu_tanh<S: Lanes>(x: S::V) -> S::V {
    unsafe {
        let cube = S::mul(S::mul(x, x), x);
        let inner = S::fma(cube, S::splat(0.044_715), x);
        let minus = S::mul(inner, S::splat(-1.595_769));
        S::div(x, S::add(S::splat(1.0), exp::<S>(minus)))
    }
}

/// `x * sigmoid(x)`.
#[inline(always)]
pub(crate) unsafe fn silu<S: Lanes>(x: S::V) -> S::V {
    unsafe {
        let minus = S::sub(S::zero(), x);
        S::div(x, S::add(S::splat(1.0), exp::<S>(minus)))
    }
}

/// `ln(1 + exp(x))`, absolute error below 1e-6: `max(x, 0) + ln(1 + e)` with `e = exp(-|x|)`, and
/// `ln(1 + e) = 2 atanh(e / (2 + e))` by its series, of which seven terms leave less than 1e-8 for
/// an argument of at most 1/3.
#[inline(always)]
pub(crate) unsafe fn softplus<S: Lanes>(x: S::V) -> S::V {
    unsafe {
        let minus = S::sub(S::zero(), x);
        let e = exp::<S>(S::min(x, minus));
        let s = S::div(e, S::add(S::splat(2.0), e));
        let s2 = S::mul(s, s);
        let mut p = S::splat(2.0 / 13.0);
        for c in [11.0_f32, 9.0, 7.0, 5.0, 3.0, 1.0] {
            p = S::fma(p, s2, S::splat(2.0 / c));
        }
        S::fma(p, s, S::max(x, S::zero()))
    }
}
