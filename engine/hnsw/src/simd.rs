//! Distances in the widest vectors of the processor, chosen at run time.

pub(crate) mod isa;
pub(crate) mod lanes;
#[cfg(test)]
mod tests;

use lanes::Lanes;

/// Asks for the cache line of an address; harmless for any address.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// The squared Euclidean distance of two vectors of `n` numbers.
///
/// # Safety
/// As for [`Lanes`]; both pointers are good for `n` numbers.
#[inline(always)]
pub(crate) unsafe fn l2<L: Lanes>(a: *const f32, b: *const f32, n: usize) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { fold::<L, true>(a, b, n) }
}

/// The inner product of two vectors of `n` numbers.
///
/// # Safety
/// As for [`l2`].
#[inline(always)]
pub(crate) unsafe fn dot<L: Lanes>(a: *const f32, b: *const f32, n: usize) -> f32 {
    // SAFETY: the caller's promise.
    unsafe { fold::<L, false>(a, b, n) }
}

/// One more term of a sum. The kernels have no closures around vectors: a closure is a function
/// of its own, which has the instructions of the set only if it happens to be inlined first.
#[inline(always)]
unsafe fn step<L: Lanes, const L2: bool>(x: L::V, y: L::V, sum: L::V) -> L::V {
    // SAFETY: the caller's promise.
    unsafe {
        if L2 {
            let gap = L::sub(x, y);
            L::fma(gap, gap, sum)
        } else {
            L::fma(x, y, sum)
        }
    }
}

#[inline(always)]
unsafe fn fold<L: Lanes, const L2: bool>(a: *const f32, b: *const f32, n: usize) -> f32 {
    // SAFETY: every load lies within the `n` numbers.
    unsafe {
        let mut sums = [L::zero(); 4];
        let mut at = 0;
        while at + 4 * L::WIDTH <= n {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = at + i * L::WIDTH;
                *sum = step::<L, L2>(L::load(a.add(at)), L::load(b.add(at)), *sum);
            }
            at += 4 * L::WIDTH;
        }
        while at + L::WIDTH <= n {
            sums[0] = step::<L, L2>(L::load(a.add(at)), L::load(b.add(at)), sums[0]);
            at += L::WIDTH;
        }
        if at < n {
            let (x, y) = (L::part(a.add(at), n - at), L::part(b.add(at), n - at));
            sums[1] = step::<L, L2>(x, y, sums[1]);
        }
        L::sum(L::add(L::add(sums[0], sums[1]), L::add(sums[2], sums[3])))
    }
}

/// The next vector of `left` numbers, filled up with zeros.
#[inline(always)]
unsafe fn next<L: Lanes>(at: *const f32, left: usize) -> L::V {
    // SAFETY: the caller's promise.
    unsafe {
        if left >= L::WIDTH {
            L::load(at)
        } else {
            L::part(at, left)
        }
    }
}

/// Queries and rows of a tile of the scan: that many sums stay in registers.
pub(crate) const TILE: (usize, usize) = (4, 2);

/// Squared distances (`L2`) or inner products of a tile's queries with its rows.
///
/// # Safety
/// As for [`Lanes`]; every pointer is good for `n` numbers.
#[inline(always)]
pub(crate) unsafe fn tile<L: Lanes, const L2: bool>(
    queries: [*const f32; TILE.0],
    rows: [*const f32; TILE.1],
    n: usize,
) -> [[f32; TILE.1]; TILE.0] {
    let ([a, b, c, d], [x, y]) = (queries, rows);
    // SAFETY: every load lies within the `n` numbers.
    unsafe {
        // Each sum by its name: the compiler keeps an array of them in memory, at a fifth of the speed.
        let (mut ax, mut ay, mut bx, mut by) = (L::zero(), L::zero(), L::zero(), L::zero());
        let (mut cx, mut cy, mut dx, mut dy) = (L::zero(), L::zero(), L::zero(), L::zero());
        let mut at = 0;
        while at < n {
            let left = n - at;
            let (x, y) = (next::<L>(x.add(at), left), next::<L>(y.add(at), left));
            let query = next::<L>(a.add(at), left);
            ax = step::<L, L2>(x, query, ax);
            ay = step::<L, L2>(y, query, ay);
            let query = next::<L>(b.add(at), left);
            bx = step::<L, L2>(x, query, bx);
            by = step::<L, L2>(y, query, by);
            let query = next::<L>(c.add(at), left);
            cx = step::<L, L2>(x, query, cx);
            cy = step::<L, L2>(y, query, cy);
            let query = next::<L>(d.add(at), left);
            dx = step::<L, L2>(x, query, dx);
            dy = step::<L, L2>(y, query, dy);
            at += L::WIDTH;
        }
        [
            [L::sum(ax), L::sum(ay)],
            [L::sum(bx), L::sum(by)],
            [L::sum(cx), L::sum(cy)],
            [L::sum(dx), L::sum(dy)],
        ]
    }
}
