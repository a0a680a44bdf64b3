//! The walk over allowed vertices, with forbidden ones as bridges between them, after ACORN (Patel
//! et al. 2024, <https://arxiv.org/abs/2403.04871>).

use crate::filter::{Filter, WIDTH};
use crate::index::Hnsw;
use crate::scratch::Scratch;
use crate::simd::isa::dispatch;
use crate::simd::lanes::Lanes;
use crate::simd::prefetch;
use crate::walk::{Links, NONE, admit};

/// Allowed rows from all over the table that a walk starts from, beside the entry: the allowed ones
/// may lie far from where the query does.
const SEEDS: usize = 64;

dispatch! {
    /// Writes the hits to the scratch; returns the distances computed.
    pub(super) fn run(
        index: &Hnsw,
        k: usize,
        ef: usize,
        filter: &Filter,
        scratch: &mut Scratch,
    ) -> usize = kernel;
}

/// # Safety
/// As for [`Lanes`]; the scratch was prepared for this index, which has a vertex, and the filter is
/// for it.
#[inline(always)]
unsafe fn kernel<L: Lanes>(
    index: &Hnsw,
    k: usize,
    ef: usize,
    filter: &Filter,
    scratch: &mut Scratch,
) -> usize {
    let mut compared = 0;
    let Scratch {
        seen,
        pool,
        bridges,
        query,
        codes,
        ..
    } = scratch;
    let probe = index.quantiser.probe(&query[..index.dim], codes);
    seen.reset(index.places.vertices());
    pool.reset(ef);
    let links = index.base();
    let allowed = |vertex: u32| index.places.any(vertex, filter);
    // SAFETY: links are vertices, and `seen` covers all vertices.
    unsafe {
        let (entry, _) = index.entry::<L>(&probe, &mut compared);
        for row in filter.spread(SEEDS) {
            if let Some(vector) = index.places.vector(row) {
                seen.insert(index.places.vertex(vector));
            }
        }
        admit::<L>(&index.codes, &probe, &seen.log, pool);
        let mut from = Some(entry);
        while let Some(vertex) = from {
            let before = seen.log.len();
            let most = before + links.slots() * WIDTH;
            bridges.clear();
            let start = vertex as usize * links.slots();
            if vertex == entry && allowed(entry) {
                seen.insert(entry);
            }
            for slot in 0..links.slots() {
                let link = links.get(start + slot);
                if link == NONE {
                    break;
                }
                if allowed(link) {
                    seen.insert(link);
                } else {
                    prefetch(links.address(link));
                    prefetch(links.address(link).wrapping_add(16));
                    bridges.push(link);
                }
            }
            'bridges: for bridge in &*bridges {
                let start = *bridge as usize * links.slots();
                for slot in 0..links.slots() {
                    if seen.log.len() >= most {
                        break 'bridges;
                    }
                    let link = links.get(start + slot);
                    if link == NONE {
                        break;
                    }
                    if !seen.contains(link) && allowed(link) {
                        seen.insert(link);
                    }
                }
            }
            admit::<L>(&index.codes, &probe, &seen.log[before..], pool);
            from = pool.expand();
        }
        compared += seen.log.len();
        index.rank::<L>(k, Some(filter), scratch);
    }
    compared
}
