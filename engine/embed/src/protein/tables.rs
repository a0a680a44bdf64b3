//! Constants of `protein-kmer-v1`.

/// Residues in the order of the tables, which is that of BLOSUM62.
pub(super) const RESIDUES: [u8; 20] = *b"ARNDCQEGHILKMFPSTWYV";

/// Background frequencies, in units of 1e-5 (Robinson and Robinson 1991,
/// doi:10.1073/pnas.88.20.8880).
pub(super) const BACKGROUND: [u32; 20] = [
    7805, 5129, 4487, 5364, 1925, 4264, 6295, 7377, 2199, 5142, 9019, 5744, 2243, 3856, 5203, 7120,
    5841, 1330, 3216, 6441,
];

/// Murphy's alphabet of ten letters, as groups (Murphy, Wallqvist and Levy 2000,
/// doi:10.1093/protein/13.3.149).
pub(super) const GROUPS: [&[u8]; 10] = [
    b"LVIM", b"C", b"A", b"G", b"ST", b"P", b"FYW", b"EDNQ", b"KR", b"H",
];

/// The number by which [`SCALES`] are divided.
pub(super) const SCALE_UNIT: f64 = 2048.0;

/// Correlation of each scale between aligned residues.
pub(super) const CORRELATIONS: [f64; 19] = [
    0.515914, 0.467243, 0.444211, 0.424795, 0.368411, 0.348540, 0.318867, 0.276089, 0.266013,
    0.240880, 0.202834, 0.201015, 0.196861, 0.184331, 0.166087, 0.140202, 0.131046, 0.081456,
    0.049836,
];

/// Nineteen scales of the residues: the eigenvectors, other than the constant one, of substitution
/// as BLOSUM62 counts it (Henikoff and Henikoff 1992, doi:10.1073/pnas.89.22.10915): the
/// functions f of a residue, uncorrelated with each other, for which f(a) predicts f(b) best where
/// a and b are aligned. Each is multiplied by its correlation. From q(a, b) = p(a) p(b)
/// exp(0.3176 s(a, b)); the test of this module derives them again.
pub(super) const SCALES: [[i16; 19]; 20] = [
    [
        -21, -154, -328, 271, 282, -197, -259, 497, -476, -738, -716, -290, 426, -21, -159, -316,
        292, -2, 27,
    ], // A
    [
        -469, -49, 231, -813, 8, -113, -1367, -573, -33, 343, 363, -615, 324, 59, -907, -46, -350,
        -4, -12,
    ], // R
    [
        -884, 188, -101, -697, 7, 86, 76, 956, 655, 1536, -542, 503, 192, 180, -117, -230, 153, 4,
        -1,
    ], // N
    [
        -1150, 103, 351, -1027, 161, -167, 2025, -320, 2, 27, 273, -648, 426, -74, 8, 79, 99, 1, -5,
    ], // D
    [
        1043, -555, -674, 684, 5050, 2034, 108, -624, 262, 240, 126, 121, -106, 42, 11, 4, -17, -8,
        -3,
    ], // C
    [
        -506, -22, 348, -763, 3, -94, -370, -426, -64, -235, -138, 541, -343, -196, -388, 823, 690,
        -138, 5,
    ], // Q
    [
        -801, -15, 439, -1006, 41, -176, 313, -570, -136, -533, -196, 720, -575, 67, -75, -443,
        -299, 33, 6,
    ], // E
    [
        -1477, 1246, -1968, 1462, -354, 56, 10, -392, 121, 13, 187, 58, -93, 2, 9, -7, 6, -1, 2,
    ], // G
    [
        -243, 341, 283, -957, -648, 1729, -538, 790, 2692, -1245, 50, -688, -447, 169, 221, 16, 21,
        -3, -3,
    ], // H
    [
        1472, -776, -394, 291, -245, -531, 302, -147, 341, -11, 90, 177, 206, 512, -12, 142, -170,
        -159, 348,
    ], // I
    [
        1480, -717, -355, 225, -261, -518, 94, -345, 379, 273, -107, -151, -211, -777, 74, -160, 7,
        -121, -67,
    ], // L
    [
        -543, -96, 333, -776, 42, -217, -1081, -623, -259, 237, 175, -177, 220, 207, 996, -90, 189,
        -13, 11,
    ], // K
    [
        974, -450, -165, 67, -160, -328, -65, -250, 188, 153, -92, -39, -155, -331, -20, 250, 133,
        1070, 120,
    ], // M
    [
        1565, 365, -103, -63, -996, 1629, 394, -203, -1083, 573, -475, -726, -988, 660, -47, 20,
        71, -25, -22,
    ], // F
    [
        -1060, -752, 2635, 2359, -218, 266, 43, -94, 103, 125, -4, 4, -13, 0, -19, -10, -16, -5, 2,
    ], // P
    [
        -458, 7, -141, -154, 213, -110, -94, 717, -364, -85, -361, -54, -17, -238, 268, 522, -573,
        -20, -25,
    ], // S
    [
        47, -250, -15, -81, 251, -347, -94, 1269, -508, -60, 1084, -2, -497, -84, -42, -176, 169,
        -3, 23,
    ], // T
    [
        3151, 7047, 2554, 271, 1002, -1695, -12, 79, 315, -28, -65, -43, 12, 61, 12, -6, -18, -15,
        0,
    ], // W
    [
        1312, 734, 203, -358, -1131, 2335, 63, 21, -532, -187, 489, 828, 1060, -578, 15, -69, -67,
        8, 8,
    ], // Y
    [
        1188, -708, -328, 300, -148, -550, 210, 7, 214, -237, 184, 315, 333, 785, -32, 129, -25,
        50, -244,
    ], // V
];

#[cfg(test)]
mod tests {
    use super::*;

    /// BLOSUM62, lower triangle, in units of half a bit.
    const BLOSUM62: &str = "
        4
        -1 5
        -2 0 6
        -2 -2 1 6
        0 -3 -3 -3 9
        -1 1 0 0 -3 5
        -1 0 0 2 -4 2 5
        0 -2 0 -1 -3 -2 -2 6
        -2 0 1 -1 -3 0 0 -2 8
        -1 -3 -3 -3 -1 -3 -3 -4 -3 4
        -1 -2 -3 -4 -1 -2 -3 -4 -3 2 4
        -1 2 0 -1 -3 1 1 -2 -1 -3 -2 5
        -1 -1 -2 -3 -1 0 -2 -3 -2 1 2 -1 5
        -2 -3 -3 -3 -2 -3 -3 -3 -1 0 0 -3 0 6
        -1 -2 -2 -1 -3 -1 -1 -2 -2 -3 -3 -1 -2 -4 7
        1 -1 1 0 -1 0 0 0 -1 -2 -2 0 -1 -2 -1 4
        0 -1 0 -1 -1 -1 -1 -2 -2 -1 -1 -1 -1 -2 -1 1 5
        -3 -3 -4 -4 -2 -2 -3 -2 -2 -3 -2 -3 -1 1 -4 -3 -2 11
        -2 -2 -2 -3 -2 -1 -2 -3 2 -1 -1 -2 -1 3 -3 -2 -2 2 7
        0 -3 -3 -3 -1 -2 -2 -3 -3 3 1 -2 1 -1 -2 -2 0 -3 -1 4
    ";

    #[test]
    fn the_scales_are_eigenvectors_of_substitution() {
        let rows: Vec<Vec<f64>> = BLOSUM62
            .trim()
            .lines()
            .map(|line| {
                line.split_whitespace()
                    .map(|s| s.parse().unwrap())
                    .collect()
            })
            .collect();
        let total: f64 = BACKGROUND.iter().map(|&p| f64::from(p)).sum();
        let p = BACKGROUND.map(|p| f64::from(p) / total);
        let mut q = [[0.0; 20]; 20];
        for a in 0..20 {
            for b in 0..20 {
                let score = rows[a.max(b)][a.min(b)];
                q[a][b] = p[a] * p[b] * (0.3176 * score).exp();
            }
        }
        let sum: f64 = q.iter().flatten().sum();
        let marginal: Vec<f64> = q.iter().map(|row| row.iter().sum::<f64>()).collect();
        for k in 0..19 {
            let scale = |a: usize| f64::from(SCALES[a][k]) / SCALE_UNIT;
            let variance: f64 = (0..20).map(|a| marginal[a] / sum * scale(a).powi(2)).sum();
            assert!((variance.sqrt() - CORRELATIONS[k]).abs() < 1e-3, "{k}");
            for a in 0..20 {
                let image: f64 = (0..20).map(|b| q[a][b] / marginal[a] * scale(b)).sum();
                assert!((image - CORRELATIONS[k] * scale(a)).abs() < 1e-3, "{k} {a}");
            }
        }
    }

    #[test]
    fn each_residue_has_one_group() {
        let mut letters: Vec<u8> = GROUPS.concat();
        letters.sort_unstable();
        let mut residues = RESIDUES.to_vec();
        residues.sort_unstable();
        assert_eq!(letters, residues);
    }
}
