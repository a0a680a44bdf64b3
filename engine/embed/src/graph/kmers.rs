//! DNA: unitigs of a sequence as vertices, and what is known of them.

use std::sync::atomic::AtomicBool;

pub(crate) use penstock_graph::make::unitigs::LONGEST;
use penstock_graph::make::unitigs::{Compacted, compact};
use serde::Deserialize;

use super::{Featured, Graph, GraphFault};

/// Classes of three bases that are one on both strands.
const TRIMERS: usize = 32;

/// What is known of a unitig.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feature {
    /// Shares of the 32 trimers (the lesser of both strands, ascending) in its bases.
    Composition,
    /// Share of G and C in its bases.
    Gc,
    /// ln of the number of its k-mers.
    Length,
    /// ln of how often, on average, the sequence has each of its k-mers.
    Coverage,
    /// ln(1 + neighbours).
    Degree,
}

impl Feature {
    pub(crate) const fn width(self) -> usize {
        match self {
            Self::Composition => TRIMERS,
            Self::Gc | Self::Length | Self::Coverage | Self::Degree => 1,
        }
    }
}

/// The graph of the unitigs of a sequence, undirected.
pub(crate) fn build(
    sequence: &[u8],
    k: usize,
    features: &[Feature],
) -> Result<Featured, GraphFault> {
    let Compacted { unitigs, links } = compact(sequence, k, &AtomicBool::new(false))
        .map_err(|error| GraphFault::Sequence(error.to_string()))?;
    // On whichever strand.
    let mut pairs: Vec<(u32, u32)> = links.iter().map(|link| (link.from, link.to)).collect();
    pairs.dedup();
    let graph = Graph::undirected(unitigs.len(), &pairs, None)?;
    let width: usize = features.iter().map(|f| f.width()).sum();
    let classes = trimers();
    let mut values = Vec::with_capacity(unitigs.len() * width);
    for (at, unitig) in unitigs.iter().enumerate() {
        let kmers = unitig.bases.len() - k + 1;
        for feature in features {
            match feature {
                Feature::Composition => {
                    let mut counts = [0_u32; TRIMERS];
                    for three in unitig.bases.windows(3) {
                        let code = three
                            .iter()
                            .fold(0, |code, base| code * 4 + usize::from(*base));
                        counts[usize::from(classes[code])] += 1;
                    }
                    let all = (unitig.bases.len() - 2) as f32;
                    values.extend(counts.map(|count| count as f32 / all));
                }
                Feature::Gc => {
                    let strong = unitig.bases.iter().filter(|b| matches!(**b, 1 | 2)).count();
                    values.push(strong as f32 / unitig.bases.len() as f32);
                }
                Feature::Length => values.push((kmers as f32).ln()),
                Feature::Coverage => values.push((unitig.count as f32 / kmers as f32).ln()),
                Feature::Degree => {
                    let degree = graph.neighbours(at as u32).len();
                    values.push((degree as f32).ln_1p());
                }
            }
        }
    }
    Ok(Featured {
        graph,
        features: values,
        items: None,
    })
}

/// The class of each of the 64 trimers.
fn trimers() -> [u8; 64] {
    let mut classes = [0; 64];
    let mut next = 0;
    for code in 0..64_usize {
        // Its reverse complement.
        let other = ((3 - code % 4) << 4) | ((3 - code / 4 % 4) << 2) | (3 - code / 16);
        classes[code] = match other < code {
            true => classes[other],
            false => {
                next += 1;
                next - 1
            }
        };
    }
    classes
}
