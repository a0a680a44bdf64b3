//! How surprising a score is.
//!
//! S. Karlin and S. F. Altschul, PNAS 87, 2264 (1990), doi:10.1073/pnas.87.6.2264; the length
//! adjustment is that of S. F. Altschul et al., Nucleic Acids Res. 29, 351 (2001),
//! doi:10.1093/nar/29.2.351. The constants are those that BLAST uses.

use super::scoring::Matrix;

/// Constants of the distribution of scores between unrelated sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KarlinAltschul {
    /// Scale of a score, in natural units (nats) per point.
    pub lambda: f64,
    /// Factor of the search space.
    pub k: f64,
    /// Growth of an alignment's length with its score, in residues per point; it and `beta` say
    /// how many residues at the ends no alignment can start from.
    pub alpha: f64,
    /// Offset of an alignment's length, in residues.
    pub beta: f64,
}

/// Gap costs, and the constants for them: (open, extend, lambda, K, alpha, beta).
type Row = (u8, u8, f64, f64, f64, f64);

const BLOSUM45: &[Row] = &[
    (13, 3, 0.207, 0.049, 1.5, -22.0),
    (12, 3, 0.199, 0.039, 1.8, -34.0),
    (16, 2, 0.210, 0.051, 1.5, -24.0),
    (15, 2, 0.203, 0.041, 1.7, -31.0),
    (14, 2, 0.195, 0.032, 1.9, -36.0),
    (13, 2, 0.185, 0.024, 2.2, -45.0),
    (12, 2, 0.171, 0.016, 2.8, -65.0),
    (19, 1, 0.205, 0.040, 1.9, -43.0),
    (18, 1, 0.198, 0.032, 2.0, -43.0),
];
const BLOSUM62: &[Row] = &[
    (11, 2, 0.297, 0.082, 1.1, -10.0),
    (10, 2, 0.291, 0.075, 1.3, -15.0),
    (9, 2, 0.279, 0.058, 1.5, -19.0),
    (8, 2, 0.264, 0.045, 1.8, -26.0),
    (7, 2, 0.239, 0.027, 2.5, -46.0),
    (13, 1, 0.292, 0.071, 1.2, -11.0),
    (12, 1, 0.283, 0.059, 1.5, -19.0),
    (11, 1, 0.267, 0.041, 1.9, -30.0),
    (10, 1, 0.243, 0.024, 2.5, -44.0),
    (9, 1, 0.206, 0.010, 4.0, -87.0),
];
const BLOSUM80: &[Row] = &[
    (13, 2, 0.336, 0.15, 0.59, -3.0),
    (9, 2, 0.319, 0.11, 0.76, -6.0),
    (8, 2, 0.308, 0.090, 0.89, -9.0),
    (7, 2, 0.293, 0.070, 1.1, -14.0),
    (11, 1, 0.314, 0.095, 0.90, -9.0),
    (10, 1, 0.299, 0.071, 1.1, -14.0),
    (9, 1, 0.279, 0.048, 1.4, -19.0),
];
const NUCLEOTIDE_2_3: &[Row] = &[
    (6, 2, 0.63, 0.42, 0.75, -2.0),
    (5, 2, 0.625, 0.41, 0.8, -2.0),
    (4, 2, 0.61, 0.35, 0.9, -3.0),
    (4, 4, 0.63, 0.42, 0.75, -2.0),
    (3, 3, 0.615, 0.37, 0.9, -3.0),
];
const NUCLEOTIDE_1_2: &[Row] = &[
    (2, 2, 1.33, 0.62, 1.2, 0.0),
    (1, 2, 1.30, 0.52, 1.4, -2.0),
    (3, 1, 1.32, 0.57, 1.3, -1.0),
    (2, 1, 1.29, 0.49, 1.4, -1.0),
    (1, 1, 1.14, 0.26, 2.2, -5.0),
];

impl KarlinAltschul {
    /// The constants that BLAST uses for a matrix and gap costs, where it has them.
    #[must_use]
    pub fn known(matrix: Matrix, gap_open: u8, gap_extend: u8) -> Option<Self> {
        let rows = match matrix {
            Matrix::Blosum45 => BLOSUM45,
            Matrix::Blosum62 => BLOSUM62,
            Matrix::Blosum80 => BLOSUM80,
            Matrix::Nucleotide { same: 2, other: -3 } => NUCLEOTIDE_2_3,
            Matrix::Nucleotide { same: 1, other: -2 } => NUCLEOTIDE_1_2,
            Matrix::Nucleotide { .. } => &[],
        };
        rows.iter()
            .find(|row| (row.0, row.1) == (gap_open, gap_extend))
            .map(|&(_, _, lambda, k, alpha, beta)| Self {
                lambda,
                k,
                alpha,
                beta,
            })
    }

    /// The score in bits, which can be compared between matrices.
    #[must_use]
    pub fn bits(&self, score: u32) -> f64 {
        (self.lambda * f64::from(score) - self.k.ln()) / std::f64::consts::LN_2
    }

    /// Residues of either sequence in which no alignment of chance starts: the solution of
    /// `l = alpha / lambda * ln(K (m - l) (n - l)) + beta`, or zero where it has none.
    #[must_use]
    pub fn edge(&self, query_residues: usize, target_residues: usize) -> f64 {
        let (m, n) = (query_residues as f64, target_residues as f64);
        let slope = self.alpha / self.lambda;
        let off = |l: f64| slope * (self.k * (m - l) * (n - l)).ln() + self.beta - l;
        let short = m.min(n);
        // Written so that a sequence of nothing (an offset of minus infinity) ends here too.
        if short < 1.0 || off(0.0) <= 0.0 {
            return 0.0;
        }
        // The offset falls ever faster, so tangents meet zero at or beyond the root, and come
        // back to it from there; at least one residue of the shorter sequence stays.
        let mut l = 0.0_f64;
        for _ in 0..8 {
            let fall = slope * (1.0 / (m - l) + 1.0 / (n - l)) + 1.0;
            let next = (l + off(l) / fall).clamp(0.0, short - 1.0);
            let step = (next - l).abs();
            l = next;
            if step < 1e-3 {
                break;
            }
        }
        l
    }

    /// The logarithm of how many alignments of chance between sequences of these lengths score as
    /// much.
    #[must_use]
    pub fn log_expected(&self, score: u32, query_residues: usize, target_residues: usize) -> f64 {
        self.log_space(query_residues, target_residues) - self.lambda * f64::from(score)
    }

    /// The logarithm of the space in which an alignment may start, times K.
    pub(crate) fn log_space(&self, query_residues: usize, target_residues: usize) -> f64 {
        let edge = self.edge(query_residues, target_residues);
        let m = (query_residues as f64 - edge).max(1.0);
        let n = (target_residues as f64 - edge).max(1.0);
        (self.k * m * n).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_blast_does() {
        let of = KarlinAltschul::known(Matrix::Blosum62, 11, 1).unwrap();
        assert!((of.bits(100) - 43.1).abs() < 0.05);
        let edge = of.edge(200, 300);
        let again = of.alpha / of.lambda * (of.k * (200.0 - edge) * (300.0 - edge)).ln() + of.beta;
        assert!((edge - again).abs() < 1e-2, "{edge} {again}");
        assert_eq!(of.edge(300, 200), edge);
        assert_eq!(of.edge(3, 200), 0.0);
        assert_eq!(of.edge(0, 0), 0.0);
        assert!(of.log_expected(50, 200, 300) > of.log_expected(51, 200, 300));
        assert_eq!(KarlinAltschul::known(Matrix::Blosum62, 20, 20), None);
    }
}
