//! Graphs of tables, which are graphs already: features of their vertices.

use std::collections::HashMap;

use penstock_types::columns;
use serde::Deserialize;

use super::{Graph, GraphFault};

/// What is read of a table of graphs.
pub(crate) const COLUMNS: &[&str] = &[
    columns::PARENT,
    columns::VERTEX,
    columns::LABEL,
    columns::NEIGHBOURS,
];

/// What the hash of a label is told apart by.
const CONTEXT: &str = "penstock graph recipe label";

/// What is known of a vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Feature {
    /// Which of the recipe's labels it has; zeros for another label, or for any.
    Label,
    /// So many numbers of +1 / sqrt(width) or -1 / sqrt(width) by BLAKE3 of its label; zeros for
    /// any label.
    LabelHash(usize),
    /// ln(1 + neighbours).
    Degree,
}

impl Feature {
    pub(crate) const fn width(self, labels: usize) -> usize {
        match self {
            Self::Label => labels,
            Self::LabelHash(width) => width,
            Self::Degree => 1,
        }
    }
}

/// The signs of a label, scaled to a length of 1.
fn hashed(label: &str, width: usize) -> Vec<f32> {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
    hasher.update(label.as_bytes());
    let mut bytes = vec![0; width.div_ceil(8)];
    hasher.finalize_xof().fill(&mut bytes);
    let size = 1.0 / (width as f32).sqrt();
    (0..width)
        .map(|at| match bytes[at / 8] >> (at % 8) & 1 {
            1 => size,
            _ => -size,
        })
        .collect()
}

/// Features of all vertices: `[vertices, width]`.
///
/// # Errors
/// There is not one label, or none, for each vertex.
pub(crate) fn features(
    graph: &Graph,
    given: &[Option<&str>],
    (labels, features): (&[String], &[Feature]),
) -> Result<Vec<f32>, GraphFault> {
    GraphFault::one_label_each(given.len(), graph.vertices())?;
    let places: HashMap<&str, usize> = labels.iter().map(String::as_str).zip(0..).collect();
    let width: usize = features.iter().map(|f| f.width(labels.len())).sum();
    let mut all = vec![0.0_f32; graph.vertices() * width];
    let mut known: HashMap<(&str, usize), Vec<f32>> = HashMap::new();
    for ((row, label), vertex) in all.chunks_exact_mut(width).zip(given).zip(0_u32..) {
        let mut rest = row;
        for feature in features {
            let (part, after) = rest.split_at_mut(feature.width(labels.len()));
            rest = after;
            match (feature, label) {
                (Feature::Label, Some(label)) => {
                    if let Some(place) = places.get(label) {
                        part[*place] = 1.0;
                    }
                }
                (Feature::LabelHash(width), Some(label)) => {
                    let signs = known.entry((*label, *width));
                    part.copy_from_slice(signs.or_insert_with(|| hashed(label, *width)));
                }
                (Feature::Label | Feature::LabelHash(_), None) => {}
                (Feature::Degree, _) => {
                    part[0] = (graph.neighbours(vertex).len() as f32).ln_1p();
                }
            }
        }
    }
    Ok(all)
}
