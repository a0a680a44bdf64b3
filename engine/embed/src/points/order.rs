//! Orders that depend on the points alone.

use rand::RngCore as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

/// Bits of an axis in a Morton code.
const BITS: u32 = 21;

/// The place of a snapped point on Morton's curve (Morton 1966): the bits of its coordinates in
/// turn. Coordinates lie in -2^24..=2^24.
pub(super) fn morton(point: [i32; 3]) -> u64 {
    let [x, y, z] = point.map(|x| {
        let x = (x + (1 << 24)) >> (25 - BITS);
        apart(x.clamp(0, (1 << BITS) - 1) as u64)
    });
    x | y << 1 | z << 2
}

/// The 21 bits of a number, three apart.
const fn apart(x: u64) -> u64 {
    let x = (x | x << 32) & 0x001f_0000_0000_ffff;
    let x = (x | x << 16) & 0x001f_0000_ff00_00ff;
    let x = (x | x << 8) & 0x100f_00f0_0f00_f00f;
    let x = (x | x << 4) & 0x10c3_0c30_c30c_30c3;
    (x | x << 2) & 0x1249_2492_4924_9249
}

/// The numbers below `n`, shuffled: the same way on every machine and in every version
/// (Fisher and Yates, by a stream of `ChaCha8`).
pub(super) fn shuffled(n: usize) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(0x706f_696e_7473);
    let mut order: Vec<u32> = (0..n as u32).collect();
    for last in (1..n).rev() {
        let at = (u128::from(rng.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, at as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn morton_interleaves() {
        let corner = -(1 << 24);
        assert_eq!(morton([corner; 3]), 0);
        assert_eq!(morton([1 << 24; 3]), (1 << 63) - 1);
        let one = corner + (1 << 4);
        assert_eq!(morton([one, corner, corner]), 1);
        assert_eq!(morton([corner, one, corner]), 2);
        assert_eq!(morton([corner, corner, one]), 4);
        let far = corner + (0b101 << 4);
        assert_eq!(morton([far, corner, corner]), 0b100_0001);
    }

    #[test]
    fn shuffling_keeps_all() {
        for n in [0, 1, 2, 1000] {
            let mut order = shuffled(n);
            assert_eq!(order, shuffled(n));
            order.sort_unstable();
            assert!(order.into_iter().eq(0..n as u32));
        }
    }
}
