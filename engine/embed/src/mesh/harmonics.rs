//! Real spherical harmonics, for sums whose power per degree no rotation changes.
//!
//! Kazhdan, Funkhouser and Rusinkiewicz 2003, "Rotation invariant spherical harmonic
//! representation of 3D shape descriptors" (doi:10.2312/SGP/SGP03/156-165): a rotation mixes the
//! harmonics of one degree by an orthogonal matrix, so the norm of their coefficients stays.

/// The highest degree.
pub(crate) const DEGREES: usize = 10;
/// Harmonics of degree 0 to [`DEGREES`].
pub(crate) const COUNT: usize = (DEGREES + 1) * (DEGREES + 1);

const TRIANGLE: usize = (DEGREES + 1) * (DEGREES + 2) / 2;

/// The recurrence of normalised associated Legendre functions, tabulated.
#[derive(Debug)]
pub(crate) struct Harmonics {
    up: [f64; TRIANGLE],
    down: [f64; TRIANGLE],
    diagonal: [f64; DEGREES + 1],
}

const fn at(l: usize, m: usize) -> usize {
    l * (l + 1) / 2 + m
}

impl Harmonics {
    pub(crate) fn new() -> Self {
        let mut up = [0.0; TRIANGLE];
        let mut down = [0.0; TRIANGLE];
        let mut diagonal = [0.0; DEGREES + 1];
        for l in 0..=DEGREES {
            let lf = l as f64;
            if l > 0 {
                diagonal[l] = ((2.0 * lf + 1.0) / (2.0 * lf)).sqrt();
            }
            for m in 0..l {
                let mf = m as f64;
                let a = ((4.0 * lf * lf - 1.0) / (lf * lf - mf * mf)).sqrt();
                up[at(l, m)] = a;
                if l >= 2 && m + 2 <= l {
                    let p = lf - 1.0;
                    down[at(l, m)] = a * ((p * p - mf * mf) / (4.0 * p * p - 1.0)).sqrt();
                }
            }
        }
        // Scaled so that the degree-0 harmonic is 1; m > 0 carries sqrt 2.
        diagonal[0] = 1.0;
        Self { up, down, diagonal }
    }

    /// The solid harmonics of a vector no longer than 1, degree by degree: `r^l Y_lm`, which go
    /// smoothly to zero at the origin for every degree above 0. Scaled so that the squares of one
    /// degree add up to `(2l + 1) r^2l`.
    #[inline]
    pub(crate) fn eval(&self, [x, y, z]: [f64; 3], out: &mut [f64; COUNT]) {
        let r2 = x * x + y * y + z * z;
        // (c, s) are the real and imaginary parts of (x + iy)^m.
        let (mut c, mut s) = (1.0, 0.0);
        let mut diagonal = 1.0;
        for m in 0..=DEGREES {
            let factor = if m == 0 {
                1.0
            } else {
                std::f64::consts::SQRT_2
            };
            let (cm, sm) = (factor * c, factor * s);
            let (mut before, mut here) = (0.0, diagonal);
            let mut l = m;
            loop {
                let centre = l * l + l;
                out[centre + m] = here * cm;
                if m > 0 {
                    out[centre - m] = here * sm;
                }
                l += 1;
                if l > DEGREES {
                    break;
                }
                let next = self.up[at(l, m)] * z * here - self.down[at(l, m)] * r2 * before;
                before = here;
                here = next;
            }
            if m < DEGREES {
                (c, s) = (c * x - s * y, c * y + s * x);
                diagonal *= self.diagonal[m + 1];
            }
        }
    }
}

/// The sum over the orders of a degree of the products of two sets of coefficients.
pub(crate) fn power(a: &[f64; COUNT], b: &[f64; COUNT], degree: usize) -> f64 {
    let range = degree * degree..(degree + 1) * (degree + 1);
    a[range.clone()]
        .iter()
        .zip(&b[range])
        .map(|(x, y)| x * y)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addition_theorem() {
        let harmonics = Harmonics::new();
        let (u, v) = ([0.48, 0.6, 0.64], [-0.36, 0.48, 0.8]);
        let (mut a, mut b) = ([0.0; COUNT], [0.0; COUNT]);
        harmonics.eval(u, &mut a);
        harmonics.eval(v, &mut b);
        let cos: f64 = u.iter().zip(&v).map(|(x, y)| x * y).sum();
        let (mut before, mut here) = (0.0, 1.0);
        for l in 0..=DEGREES {
            let lf = l as f64;
            assert!((power(&a, &a, l) - (2.0 * lf + 1.0)).abs() < 1e-10, "{l}");
            assert!(
                (power(&a, &b, l) - (2.0 * lf + 1.0) * here).abs() < 1e-10,
                "{l}"
            );
            let next = ((2.0 * lf + 1.0) * cos * here - lf * before) / (lf + 1.0);
            before = here;
            here = next;
        }
    }
}
