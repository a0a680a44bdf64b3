//! Graphs as rows of the column contract ([`penstock_types::columns`]), and back.
//!
//! A graph is a row of its own, followed by a row for each vertex: its `parent` is the graph's id,
//! its `id` that with `/` and the vertex's number. What becomes of the graph becomes of its
//! vertices: replacing it removes those that it no longer has.

mod maker;
mod outline;
mod points;
mod read;
mod write;

pub use maker::{MakeRows, RowMaker};
pub use outline::{Head, Outline, Outlines, short_hash};
pub use points::Points;
pub use read::{Reader, Union};
pub use write::{Origin, write, write_by};

use penstock_pattern::{DominanceRecipe, Labels};

/// The recipe of the column `dominance`.
pub const RECIPE: DominanceRecipe = DominanceRecipe {
    buckets: penstock_types::columns::DOMINANCE_WIDTH as usize,
    rounds: 2,
    edge_classes: 4,
    seed: 0,
};

/// The id of a vertex's row.
#[must_use]
pub fn vertex_id(graph: &str, vertex: u32) -> String {
    format!("{graph}/{vertex}")
}

/// The number that a label's name has in the column `dominance`, the same in every table: the first
/// bytes of its BLAKE3 digest. Never 0, the label of what has none.
#[must_use]
pub fn number_of(name: &str) -> u32 {
    let digest = blake3::hash(name.as_bytes());
    let [a, b, c, d, ..] = *digest.as_bytes();
    u32::from_le_bytes([a, b, c, d]) | 1
}

/// The name of a label; its number in digits where labels have no names.
pub(crate) fn name_of(names: Option<&Labels>, label: u32) -> String {
    match names {
        None => label.to_string(),
        Some(names) => names
            .name(label)
            .map_or_else(|| label.to_string(), str::to_owned),
    }
}

#[cfg(test)]
mod tests;
