//! A matcher that tries every injective mapping, vertex by vertex in the pattern's order.

use penstock_pattern::{Graph, Pattern};

/// All matches, in lexicographic order.
pub(crate) fn matches(graph: &Graph, pattern: &Pattern, induced: bool) -> Vec<Vec<u32>> {
    let mut found = Vec::new();
    extend(graph, pattern, induced, &mut Vec::new(), &mut found);
    found
}

fn extend(
    graph: &Graph,
    pattern: &Pattern,
    induced: bool,
    mapping: &mut Vec<u32>,
    found: &mut Vec<Vec<u32>>,
) {
    let u = mapping.len();
    if u == pattern.vertices().len() {
        found.push(mapping.clone());
        return;
    }
    for v in 0..graph.vertices() as u32 {
        if mapping.contains(&v) || !vertex_fits(graph, pattern, u, v) {
            continue;
        }
        if let Some(&first) = mapping.first()
            && graph.graph_of(first) != graph.graph_of(v)
        {
            continue;
        }
        mapping.push(v);
        if (0..u).all(|w| pair_fits(graph, pattern, induced, mapping, u, w)) {
            extend(graph, pattern, induced, mapping, found);
        }
        mapping.pop();
    }
}

fn vertex_fits(graph: &Graph, pattern: &Pattern, u: usize, v: u32) -> bool {
    let vertex = &pattern.vertices()[u];
    vertex.labels.allows(graph.labels()[v as usize])
        && vertex.near.iter().all(|near| {
            let column = graph.vertex_columns().get(&near.column).unwrap();
            near.holds(column[v as usize])
        })
}

/// Both directions between two pattern vertices.
fn pair_fits(
    graph: &Graph,
    pattern: &Pattern,
    induced: bool,
    mapping: &[u32],
    u: usize,
    w: usize,
) -> bool {
    [(u, w), (w, u)].into_iter().all(|(a, b)| {
        let wanted = pattern.edges().iter().find(|edge| {
            let ends = (edge.from as usize, edge.to as usize);
            ends == (a, b) || !pattern.is_directed() && ends == (b, a)
        });
        let there = graph.edge(mapping[a], mapping[b]);
        match (wanted, there) {
            (None, None) => true,
            (None, Some(_)) => !induced,
            (Some(_), None) => false,
            (Some(wanted), Some(there)) => {
                wanted.labels.allows(there.label)
                    && wanted.near.iter().all(|near| {
                        let column = graph.edge_columns().get(&near.column).unwrap();
                        near.holds(column[there.row as usize])
                    })
            }
        }
    })
}
