//! Eigenvectors of small symmetric matrices.

/// Sweeps of rotations; quadratic convergence needs six or so.
const SWEEPS: usize = 32;

/// Eigenvalues, largest first, and the eigenvector of each, of norm 1, by Jacobi's rotations. They
/// are slower than a root of the characteristic polynomial, but stay exact where eigenvalues
/// coincide, as they do for points on a line.
pub(crate) fn symmetric<const N: usize>(mut a: [[f64; N]; N]) -> [(f64, [f64; N]); N] {
    let mut v: [[f64; N]; N] =
        std::array::from_fn(|i| std::array::from_fn(|j| if i == j { 1.0 } else { 0.0 }));
    let scale = a.iter().flatten().fold(0.0_f64, |m, x| m.max(x.abs()));
    for _ in 0..SWEEPS {
        let mut off = 0.0_f64;
        for (p, row) in a.iter().enumerate() {
            off = row[p + 1..].iter().fold(off, |m, x| m.max(x.abs()));
        }
        if off <= scale * 1e-17 {
            break;
        }
        for p in 0..N {
            for q in p + 1..N {
                rotate(&mut a, &mut v, p, q);
            }
        }
    }
    let mut pairs = std::array::from_fn(|i| (a[i][i], std::array::from_fn(|k| v[k][i])));
    pairs.sort_by(|x: &(f64, [f64; N]), y| y.0.total_cmp(&x.0));
    pairs
}

/// Makes `a[p][q]` zero.
fn rotate<const N: usize>(a: &mut [[f64; N]; N], v: &mut [[f64; N]; N], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    // The smaller of the two angles; `theta` may be infinite, and then nothing turns.
    let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    for row in a.iter_mut() {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
    let (upper, lower) = a.split_at_mut(q);
    for (x, y) in upper[p].iter_mut().zip(&mut lower[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
    a[p][q] = 0.0;
    a[q][p] = 0.0;
    for row in v.iter_mut() {
        let (x, y) = (row[p], row[q]);
        row[p] = c * x - s * y;
        row[q] = s * x + c * y;
    }
}
