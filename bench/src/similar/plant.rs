//! Patterns that are parts of a graph, with changes.

use anyhow::Result;
use penstock::pattern::{Allowed, Graph, Host, Pattern, PatternEdge};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

use crate::matching::growth::sample;

/// A pattern, and where it was taken from.
pub(super) struct Planted {
    pub(super) pattern: Pattern,
    /// The label of each of its vertices.
    pub(super) labels: Vec<u32>,
    place: Vec<u32>,
    /// What the place scores.
    pub(super) score: f64,
}

impl Planted {
    /// Whether at least half of a mapping is the place.
    pub(super) fn is_at(&self, vertices: &[Option<u32>]) -> bool {
        let pairs = vertices.iter().zip(&self.place);
        2 * pairs.filter(|(found, own)| **found == Some(**own)).count() >= self.place.len()
    }
}

/// A part of the graph with 6 to 12 vertices, in which so many edges are added that the place
/// lacks, or labels changed to another vertex's: the one or the other by chance.
pub(super) fn plant(
    random: &mut ChaCha8Rng,
    graph: &Graph,
    host: &Host,
    changes: usize,
) -> Result<Planted> {
    let size = random.random_range(6..=12);
    let (pattern, place) = sample(random, graph, size)?;
    let mut vertices = pattern.vertices().to_vec();
    let mut edges = pattern.edges().to_vec();
    let mut labels: Vec<u32> = place.iter().map(|&v| graph.labels()[v as usize]).collect();
    let mut changed = Vec::new();
    while changed.len() < changes {
        let (a, b) = (random.random_range(0..size), random.random_range(0..size));
        if random.random_bool(0.5) {
            let there = edges.iter().any(|edge| {
                let ends = (edge.from as usize, edge.to as usize);
                ends == (a, b) || ends == (b, a)
            });
            if a != b && !there {
                edges.push(PatternEdge {
                    from: a as u32,
                    to: b as u32,
                    ..PatternEdge::default()
                });
                changed.push(size);
            }
        } else {
            let other = graph.labels()[random.random_range(0..graph.vertices())];
            if other != labels[a] && !changed.contains(&a) {
                labels[a] = other;
                vertices[a].labels = Allowed::one(other);
                changed.push(a);
            }
        }
    }
    let pattern = Pattern::new(false, vertices, edges)?;
    let mapping: Vec<Option<u32>> = place.iter().copied().map(Some).collect();
    let score = host.score(&pattern, &mapping, 0.0)?.score;
    Ok(Planted {
        pattern,
        labels,
        place,
        score,
    })
}
