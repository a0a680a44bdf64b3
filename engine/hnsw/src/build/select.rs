//! Which candidates become links (Malkov and Yashunin 2018, algorithm 4, without its extensions).

use crate::simd::lanes::Lanes;

use super::insert::{Graph, Workspace};

impl Graph<'_> {
    /// Puts into `workspace.kept` at most `most` of `candidates` (nearest first, with their keys
    /// from `vertex`): each that is nearer to `vertex` than to any kept before it. Of equal
    /// vectors one is kept, so that a crowd of them does not become an island.
    ///
    /// # Safety
    /// As for [`Lanes`].
    #[inline(always)]
    pub(super) unsafe fn select<L: Lanes>(
        &self,
        vertex: u32,
        candidates: &[(u32, f32)],
        most: usize,
        workspace: &mut Workspace,
    ) {
        let bias = &self.codes.bias;
        let kept = &mut workspace.kept;
        kept.clear();
        for (candidate, key) in candidates {
            if kept.len() == most {
                break;
            }
            // A key lacks the probe's own bias; with it both sides are distances.
            let distance = key + bias[vertex as usize];
            let own = bias[*candidate as usize];
            let probe = self.probe(*candidate, &mut workspace.other);
            let mut diverse = true;
            for four in kept.chunks(4) {
                let mut ids = [four[0]; 4];
                ids[..four.len()].copy_from_slice(four);
                // SAFETY: all candidates are vertices.
                let keys = unsafe { self.codes.keys::<L>(&probe, ids) };
                for key in keys {
                    diverse &= key + own > distance;
                }
                if !diverse {
                    break;
                }
            }
            if diverse {
                kept.push(*candidate);
            }
        }
    }
}
