//! The graph of an `hnsw_rs` index as `penstock_hnsw::Hnsw::from_graph` takes it.

use std::collections::HashSet;

use hnsw_rs::prelude::{Distance, Hnsw};
use penstock_hnsw::{Layer, Layers};

/// The layers of an index whose vectors were inserted with the numbers 0, 1, ... of distinct rows.
///
/// `hnsw_rs` may name neighbours that are not of the layer, and keeps lists of layers above a point's
/// own, to climb by; both are left out. Of the points in the highest layer the first is the entry
/// point, as it does not tell its own.
pub fn layers_of<T, D>(index: &Hnsw<'_, T, D>) -> Layers
where
    T: Clone + Send + Sync,
    D: Distance<T> + Send + Sync,
{
    let points = index.get_point_indexation();
    let mut graph = Layers::default();
    // It holds each point in its own highest layer alone. The highest come first, so that layers are
    // there when they are added to.
    for level in (0..index.get_max_level()).rev() {
        for point in points.get_layer_iterator(level) {
            let vertex = point.get_origin_id() as u32;
            if graph.layers.is_empty() {
                graph.layers.resize_with(level + 1, Layer::default);
                graph.entry = vertex;
            }
            let lists = point.get_neighborhood_id();
            for (layer, (list, into)) in lists.iter().zip(&mut graph.layers[..=level]).enumerate() {
                let mut named = HashSet::from([vertex]);
                let neighbours = list
                    .iter()
                    .filter(|neighbour| usize::from(neighbour.p_id.0) >= layer)
                    .map(|neighbour| neighbour.d_id as u32)
                    .filter(|neighbour| named.insert(*neighbour));
                into.push(vertex, neighbours);
            }
        }
    }
    graph
}
