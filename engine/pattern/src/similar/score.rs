//! The score of a mapping, from the mapping alone.

use crate::error::{PatternError, Result};
use crate::host::Host;
use crate::pattern::Pattern;
use crate::similar::Score;
use crate::similar::plan::{Plan, bits};

pub(super) fn of(
    host: &Host,
    pattern: &Pattern,
    mapping: &[Option<u32>],
    mismatch: f64,
) -> Result<Score> {
    let plan = Plan::new(host, pattern, &[])?;
    let mut images = Vec::with_capacity(mapping.len());
    for image in mapping {
        images.push(match image {
            None => None,
            Some(vertex) => Some(*host.inner().get(*vertex as usize).ok_or(
                PatternError::NoVertex {
                    what: "an image",
                    vertex: *vertex,
                    vertices: host.vertices(),
                },
            )?),
        });
    }
    let mut seen: Vec<u32> = images.iter().flatten().copied().collect();
    seen.sort_unstable();
    if images.len() != plan.vertices || seen.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(PatternError::Mapping {
            vertices: plan.vertices,
        });
    }
    let (mut right, mut wrong, mut edges) = (0, 0, 0);
    for (u, image) in images.iter().enumerate() {
        let Some(v) = *image else { continue };
        match plan.fits(u, v) {
            true => right += 1,
            false => wrong += 1,
        }
        for w in bits(plan.near[u]).take_while(|w| *w < u) {
            if let Some(x) = images[w] {
                edges += plan.agreeing((u, v), (w, x));
            }
        }
    }
    Ok(plan.score(right, wrong, edges, mismatch))
}

impl Plan<'_> {
    pub(super) fn score(&self, right: u32, wrong: u32, edges: u32, mismatch: f64) -> Score {
        let whole = (self.vertices + self.edges) as f64;
        Score {
            score: (f64::from(right + edges) + mismatch * f64::from(wrong)) / whole,
            vertices_matched: right,
            vertices_wrong: wrong,
            edges_matched: edges,
        }
    }
}
