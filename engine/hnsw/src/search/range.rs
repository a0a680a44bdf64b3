//! All rows within a radius.

use penstock_types::Metric;

use crate::codes::vector_stride;
use crate::error::Result;
use crate::filter::{Filter, Way};
use crate::index::Hnsw;
use crate::options::within;
use crate::scratch::Scratch;
use crate::simd::isa::dispatch;
use crate::simd::lanes::Lanes;
use crate::walk::{Links, NONE};

use super::{Found, Hit, MAX_EF, by_distance, exact_kernel, walk_from_top};

/// How the rows within a radius are searched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeOptions {
    /// Candidates that the walk keeps before it spreads within the radius.
    pub ef: usize,
    /// Hits at the most. Where more rows lie within the radius, some of the nearest are missed.
    pub limit: usize,
    /// A row near the query, the query's own where it is one of the index: the search spreads from
    /// it too. Of vectors that are nearly equal some have links to the others and none from them,
    /// so that no walk comes to them. A row that there is not is passed over.
    pub from: Option<u32>,
}

impl Default for RangeOptions {
    fn default() -> Self {
        Self {
            ef: 128,
            limit: 65_536,
            from: None,
        }
    }
}

impl Hnsw {
    /// The rows at a distance of at most `radius`, which is in the metric's own terms (squared under
    /// L2), nearest first. `candidates` counts the distances computed.
    ///
    /// A walk goes to the query's surroundings; from there every vertex within the radius is
    /// expanded until none is left. Fewer allowed rows than `ef` are compared one by one.
    ///
    /// # Errors
    /// As for [`Hnsw::search`].
    pub fn range<'s>(
        &self,
        query: &[f32],
        radius: f32,
        options: &RangeOptions,
        filter: Option<&Filter>,
        scratch: &'s mut Scratch,
    ) -> Result<Found<'s>> {
        within("ef", options.ef, 1, MAX_EF)?;
        self.check_filter(filter)?;
        let directed = self.prepare(query, scratch)?;
        let allowed = filter.map_or(self.places.placed(), Filter::count);
        let way = if allowed <= options.ef {
            Way::Scan
        } else {
            Way::Walk
        };
        let mut candidates = 0;
        if directed && way == Way::Scan {
            candidates = self.scan_allowed(allowed, filter, scratch);
            scratch.hits.retain(|hit| hit.distance <= radius);
        } else if directed {
            candidates = spread(self.isa, self, radius, options, filter, scratch);
            scratch.hits.sort_unstable_by(by_distance);
        }
        scratch.hits.truncate(options.limit);
        Ok(Found {
            hits: &scratch.hits,
            candidates,
            way,
        })
    }
}

dispatch! {
    fn spread(
        index: &Hnsw,
        radius: f32,
        options: &RangeOptions,
        filter: Option<&Filter>,
        scratch: &mut Scratch,
    ) -> usize = kernel;
}

/// # Safety
/// As for [`Lanes`]; the scratch was prepared for this index, which has a vertex.
#[inline(always)]
unsafe fn kernel<L: Lanes>(
    index: &Hnsw,
    radius: f32,
    options: &RangeOptions,
    filter: Option<&Filter>,
    scratch: &mut Scratch,
) -> usize {
    // SAFETY: links are vertices, and `seen` covers all vertices.
    unsafe {
        let compared = walk_from_top::<L>(index, options.ef, scratch);
        let Scratch {
            seen,
            pool,
            bridges: frontier,
            query,
            hits,
            ..
        } = scratch;
        let metric: Metric = index.metric();
        let stride = vector_stride(index.dim);
        let mut visit = |vertex: u32, frontier: &mut Vec<u32>| {
            let mut near = false;
            for vector in index.places.vectors_of(vertex) {
                let numbers = &index.vectors[vector as usize * stride..][..stride];
                let distance = exact_kernel::<L>(metric, query, numbers);
                if distance <= radius {
                    near = true;
                    let rows = index.places.allowed(vector, filter);
                    hits.extend(rows.map(|row| Hit { row, distance }));
                }
            }
            if near {
                frontier.push(vertex);
            }
            hits.len() < options.limit
        };
        frontier.clear();
        // What the walk saw and let go is not nearer than what it kept.
        let mut go_on = true;
        seen.reset(index.places.vertices());
        for (vertex, _) in pool.iter() {
            seen.insert(vertex);
            go_on = go_on && visit(vertex, frontier);
        }
        let own = options.from.and_then(|row| index.places.vector(row));
        if let Some(vertex) = own.map(|vector| index.places.vertex(vector))
            && seen.insert(vertex)
        {
            go_on = go_on && visit(vertex, frontier);
        }
        let links = index.base();
        while go_on {
            let Some(vertex) = frontier.pop() else { break };
            for slot in 0..links.slots() {
                let link = links.get(vertex as usize * links.slots() + slot);
                if link == NONE {
                    break;
                }
                if go_on && seen.insert(link) {
                    go_on = visit(link, frontier);
                }
            }
        }
        compared + seen.log.len()
    }
}
