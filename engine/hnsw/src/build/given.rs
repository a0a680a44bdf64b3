//! A graph that was given: what is wrong with it, and its place in our arrays.

use std::cmp::Reverse;
use std::sync::atomic::Ordering;

use crate::error::{HnswError, Result};
use crate::layers::{GraphFault, Layers};
use crate::level::HIGHEST;
use crate::options::{Control, Options};
use crate::walk::NONE;

use super::insert::Graph;

/// Vertices between two looks at the caller's wish to stop.
const BATCH: usize = 4_096;

/// The order of the vertices of a given graph.
pub(super) struct Order {
    /// The entry point, then the highest layers first.
    pub(super) vertices: Vec<u32>,
    /// Layer of each, never rising.
    pub(super) levels: Vec<u8>,
}

/// Orders the vertices of a graph over `count` distinct rows.
pub(super) fn order(given: &Layers, count: usize) -> Result<Order, GraphFault> {
    let layers = given.layers.len();
    if layers > HIGHEST + 1 {
        return Err(GraphFault::Layers { layers });
    }
    let base = given.layers.first().map_or(0, |layer| layer.len());
    if base != count {
        return Err(GraphFault::Vertices {
            got: base,
            wanted: count,
        });
    }
    // Layers that each vertex is in.
    let mut heights = vec![0_u8; count];
    for (layer, list) in given.layers.iter().enumerate() {
        if list.is_empty() && layer > 0 {
            return Err(GraphFault::Empty { layer });
        }
        for (vertex, _) in list.iter() {
            let Some(height) = heights.get_mut(vertex as usize) else {
                return Err(GraphFault::Unknown { layer, vertex });
            };
            match usize::from(*height).cmp(&layer) {
                std::cmp::Ordering::Less => return Err(GraphFault::NotBelow { layer, vertex }),
                std::cmp::Ordering::Greater => return Err(GraphFault::Twice { layer, vertex }),
                std::cmp::Ordering::Equal => *height += 1,
            }
        }
    }
    let entry = given.entry;
    let height = heights.get(entry as usize).copied();
    if count > 0 && height.map(usize::from) != Some(layers) {
        return Err(GraphFault::Entry { entry });
    }
    let mut vertices: Vec<u32> = (0..count as u32).collect();
    vertices.sort_unstable_by_key(|vertex| {
        (
            Reverse(heights[*vertex as usize]),
            *vertex != entry,
            *vertex,
        )
    });
    let levels = vertices
        .iter()
        .map(|vertex| heights[*vertex as usize] - 1)
        .collect();
    Ok(Order { vertices, levels })
}

/// Writes the edges of `given` into a graph without any, whose vertices are in `order`.
pub(super) fn fill(
    graph: &Graph<'_>,
    given: &Layers,
    order: &[u32],
    options: &Options,
    control: &Control<'_>,
) -> Result<()> {
    let mut place = vec![NONE; order.len()];
    for (at, vertex) in order.iter().enumerate() {
        place[*vertex as usize] = at as u32;
    }
    let mut sorted: Vec<u32> = Vec::new();
    for (layer, list) in given.layers.iter().enumerate() {
        let most = match layer {
            0 => options.base_slots(),
            _ => options.edges,
        };
        for (done, (vertex, neighbours)) in list.iter().enumerate() {
            if done % BATCH == 0 {
                control.check()?;
            }
            let got = neighbours.len();
            if got > most {
                return Err(HnswError::Graph(GraphFault::Degree {
                    layer,
                    vertex,
                    got,
                    most,
                }));
            }
            sorted.clear();
            sorted.extend(neighbours);
            sorted.sort_unstable();
            if let Some(pair) = sorted.array_windows().find(|[a, b]| a == b) {
                return Err(HnswError::Graph(GraphFault::Parallel {
                    layer,
                    vertex,
                    neighbour: pair[0],
                }));
            }
            // Vertices of a layer are the first ones.
            let size = given.layers[layer].len();
            let slots = graph.list(layer, place[vertex as usize]);
            for (neighbour, slot) in neighbours.iter().zip(slots) {
                let neighbour = *neighbour;
                if neighbour == vertex {
                    return Err(HnswError::Graph(GraphFault::Loop { layer, vertex }));
                }
                let to = place.get(neighbour as usize).copied();
                let Some(to) = to.filter(|to| (*to as usize) < size) else {
                    return Err(HnswError::Graph(GraphFault::Neighbour {
                        layer,
                        vertex,
                        neighbour,
                    }));
                };
                slot.store(to, Ordering::Relaxed);
            }
            if layer == 0 && (done + 1) % BATCH == 0 {
                (control.progress)(done + 1, size);
            }
        }
        if layer == 0 {
            (control.progress)(order.len(), order.len());
        }
    }
    control.check()
}
