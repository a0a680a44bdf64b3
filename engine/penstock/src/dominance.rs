//! Who computes the rows of the column `dominance`: integers on the CPU, or tensors.

use std::fmt;
use std::str::FromStr;

use penstock_embed::dominance::{Class, Rounds};
use penstock_embed::{EmbedError, Graph as Arcs};
use penstock_graph::rows::RowMaker;
use penstock_pattern::Graph;
use penstock_pattern::dominance::{DominanceRecipe, EdgeClass, Rows, Way};

use crate::Error;

/// Vertices from which on tensors are worth their way to a GPU and back: integers take a
/// tenth of a second for fewer.
const LARGE: usize = 100_000;

/// Who computes the rows of the column `dominance`, which the exact search for patterns is sieved
/// by. The rows are equal to the last bit, whoever does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DominanceBy {
    /// Tensors for graphs of 100,000 vertices and more where they live on a GPU, else integers. Should the tensors fail, such as for want
    /// of memory, integers take their place.
    #[default]
    Auto,
    /// The integer code of `penstock-pattern`, on the CPU. There it takes as long as the tensors
    /// with the lists of neighbours that are made for them, and an eighth of their memory: 64 bytes a
    /// vertex.
    Integers,
    /// The message-passing layer [`penstock_embed::dominance`], on the device of this process.
    /// About 500 bytes a vertex and 20 for each of its neighbours are held meanwhile.
    Tensors,
}

impl DominanceBy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Integers, Self::Tensors];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Integers => "integers",
            Self::Tensors => "tensors",
        }
    }

    /// What makes the rows where graphs are written.
    #[must_use]
    pub fn maker(self) -> RowMaker {
        match self {
            Self::Tensors => RowMaker::new(|recipe, graph| Ok(tensors(recipe, graph)?)),
            Self::Auto if penstock_embed::device::is_gpu() => RowMaker::new(|recipe, graph| {
                if graph.vertices() < LARGE {
                    return Ok(recipe.embed(graph)?);
                }
                tensors(recipe, graph).or_else(|error| {
                    tracing::warn!(%error, "dominance rows are computed on the CPU instead");
                    Ok(recipe.embed(graph)?)
                })
            }),
            Self::Auto | Self::Integers => RowMaker::default(),
        }
    }
}

impl fmt::Display for DominanceBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that names nobody who computes dominance rows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of auto, integers and tensors")]
pub struct UnknownDominance(pub String);

impl FromStr for DominanceBy {
    type Err = UnknownDominance;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|by| by.as_str() == word);
        found.ok_or_else(|| UnknownDominance(word.to_owned()))
    }
}

/// The rows by the message-passing layer.
fn tensors(recipe: &DominanceRecipe, graph: &Graph) -> Result<Rows, Error> {
    recipe.check()?;
    let ways: &[Way] = match graph.is_directed() {
        true => &[Way::Out, Way::In],
        false => &[Way::Both],
    };
    // Of each class and way the arcs, from the neighbour that is added to the vertex that adds it.
    let mut arcs: Vec<Vec<(u32, u32)>> = vec![Vec::new(); recipe.edge_classes * ways.len()];
    for edge in graph.iter_edges() {
        let class = match graph.has_edge_labels() {
            true => recipe.class(edge.label),
            false => 0,
        };
        let first = class * ways.len();
        arcs[first].push((edge.to, edge.from));
        arcs[first + ways.len() - 1].push((edge.from, edge.to));
    }
    let parts = arcs
        .into_iter()
        .enumerate()
        .filter(|(_, arcs)| !arcs.is_empty())
        .map(|(at, arcs)| {
            let class = EdgeClass {
                class: at / ways.len(),
                way: ways[at % ways.len()],
            };
            let arcs = Arcs::from_edges(graph.vertices(), &arcs).map_err(EmbedError::Graph)?;
            Ok((arcs, recipe.neighbour_weights(class)))
        })
        .collect::<Result<Vec<_>, EmbedError>>()?;
    let classes: Vec<Class<'_>> = parts
        .iter()
        .map(|(graph, weights)| Class { graph, weights })
        .collect();
    let mut initial = vec![0; graph.vertices() * recipe.buckets];
    for (row, label) in initial.chunks_exact_mut(recipe.buckets).zip(graph.labels()) {
        row[0] = 1;
        row[recipe.bucket(*label)] = 1;
    }
    let rounds = Rounds {
        buckets: recipe.buckets,
        rounds: recipe.rounds,
        own: &recipe.self_weights(),
        classes: &classes,
    };
    Ok(Rows {
        width: recipe.buckets,
        values: rounds.rows(&initial)?,
    })
}

#[cfg(test)]
mod tests;
