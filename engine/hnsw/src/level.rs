//! Layers of the vertices.

/// The highest layer that any vertex is in.
pub(crate) const HIGHEST: usize = 15;

/// A well mixed 64-bit number (the finaliser of SplitMix64; Steele, Lea and Flood 2014,
/// <https://doi.org/10.1145/2660193.2660195>).
pub(crate) fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The layer of a row: at least `l` with probability `edges^-l` (Malkov and Yashunin 2018,
/// <https://arxiv.org/abs/1603.09320>, section 4).
pub(crate) fn of(row: usize, edges: usize, seed: u64) -> usize {
    let bits = mix(mix(seed) ^ row as u64) >> 11;
    let uniform = (bits as f64 + 1.0) / (1_u64 << 53) as f64;
    ((-uniform.ln() / (edges as f64).ln()) as usize).min(HIGHEST)
}

/// Vertices expected in layer 1, 2, ...
pub(crate) fn expected(rows: usize, edges: usize) -> Vec<usize> {
    std::iter::successors(Some(rows / edges), |n| Some(n / edges))
        .take(HIGHEST)
        .take_while(|n| *n > 0)
        .collect()
}
