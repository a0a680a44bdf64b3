use std::collections::BTreeSet;

use arrow::compute::concat_batches;
use penstock_pattern::{Graph, GraphBuilder};
use proptest::prelude::*;

use super::*;
use crate::Named;
use crate::rows::{Origin, write};

fn graph(directed: bool, labels: &[u32], edges: &BTreeSet<(u32, u32)>) -> Graph {
    let count = labels.len() as u32;
    let edges = edges.iter().map(|(a, b)| (a % count, b % count));
    let edges: BTreeSet<(u32, u32)> = edges
        .filter(|(a, b)| a != b)
        .map(|(a, b)| {
            if directed {
                (a, b)
            } else {
                (a.min(b), a.max(b))
            }
        })
        .collect();
    let builder = GraphBuilder {
        directed,
        labels: labels.to_vec(),
        edges: edges.into_iter().collect(),
        vertex_names: Some(["A", "", "C"].iter().collect()),
        ..GraphBuilder::default()
    };
    builder.build().unwrap()
}

fn rows(id: &str, graph: &Graph) -> RecordBatch {
    let named = Named {
        id: id.to_owned(),
        description: None,
        graph: graph.clone(),
        names: Vec::new(),
        positions: Vec::new(),
    };
    let batches: Vec<_> = write(named, Origin::default())
        .unwrap()
        .collect::<Result<_>>()
        .unwrap();
    concat_batches(&batches[0].schema(), &batches).unwrap()
}

fn head(id: &str, graph: &Graph) -> Head {
    Head {
        id: id.into(),
        directed: graph.is_directed(),
        vertices: graph.vertices() as u32,
        edges: graph.edges() as u64,
    }
}

/// Passes over single rows in this order until all graphs are whole, and how many that took.
fn gather(batch: &RecordBatch, order: &[usize], mut outlines: Outlines) -> (Vec<Outline>, usize) {
    let (mut found, mut passes) = (Vec::new(), 0);
    while outlines.left() > 0 {
        passes += 1;
        for row in order {
            found.extend(outlines.push(&batch.slice(*row, 1)).unwrap());
        }
        outlines.end_of_rows().unwrap();
    }
    (found, passes)
}

fn check(outline: &Outline, graph: &Graph) {
    assert_eq!(outline.offsets.len(), graph.vertices() + 1);
    for vertex in 0..graph.vertices() {
        let range = outline.offsets[vertex] as usize..outline.offsets[vertex + 1] as usize;
        let both: BTreeSet<u32> = graph
            .neighbours(vertex as u32)
            .iter()
            .chain(graph.neighbours_in(vertex as u32))
            .copied()
            .collect();
        assert!(outline.neighbours[range].iter().eq(both.iter()));
        let name = &outline.names[outline.labels[vertex] as usize];
        let names = graph.vertex_names().unwrap();
        assert_eq!(Some(name.as_str()), names.name(graph.labels()[vertex]));
    }
}

proptest! {
    #[test]
    fn rows_in_any_order_make_the_graphs(
        directed in any::<bool>(),
        labels in prop::collection::vec(prop::collection::vec(0_u32..3, 1..12), 1..5),
        edges in prop::collection::btree_set((0_u32..50, 0_u32..50), 0..30),
        shuffle in any::<prop::sample::Index>(),
        stride in 1_usize..40,
        scarce in any::<bool>(),
    ) {
        let graphs: Vec<Graph> = labels.iter().map(|l| graph(directed, l, &edges)).collect();
        let ids: Vec<String> = (0..graphs.len()).map(|g| format!("g{g}")).collect();
        let parts: Vec<RecordBatch> =
            ids.iter().zip(&graphs).map(|(id, graph)| rows(id, graph)).collect();
        let batch = concat_batches(&parts[0].schema(), &parts).unwrap();
        // Rows of all graphs between each other.
        let count = batch.num_rows();
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|row| (row * stride % 41, row ^ shuffle.index(8)));
        let heads: Vec<Head> = ids.iter().zip(&graphs).map(|(id, g)| head(id, g)).collect();
        // Room for one graph, or for all.
        let room = match scarce {
            true => heads.iter().map(Head::bytes).max().unwrap(),
            false => u64::MAX,
        };
        let (found, passes) = gather(&batch, &order, Outlines::new(heads, room));
        prop_assert_eq!(found.len(), graphs.len());
        prop_assert!(passes == 1 || scarce && passes <= graphs.len());
        for outline in &found {
            let at = ids.iter().position(|id| **id == *outline.id).unwrap();
            check(outline, &graphs[at]);
        }
    }
}

#[test]
fn rows_one_after_the_other_take_one_pass() {
    let edges: BTreeSet<(u32, u32)> = (0..8).map(|v| (v, v + 1)).collect();
    let graphs = [graph(false, &[0; 9], &edges), graph(true, &[1; 7], &edges)];
    let parts = [rows("a", &graphs[0]), rows("b", &graphs[1])];
    let batch = concat_batches(&parts[0].schema(), &parts).unwrap();
    let heads = vec![head("a", &graphs[0]), head("b", &graphs[1])];
    let order: Vec<usize> = (0..batch.num_rows()).collect();
    let room = heads[0].bytes();
    let (found, passes) = gather(&batch, &order, Outlines::new(heads.clone(), room));
    assert_eq!((found.len(), passes), (2, 1));
    assert_eq!(found[0].hashes.len(), 9);

    // Only what was asked for, and nothing that is not whole.
    let mut one = Outlines::new(heads[1..].to_vec(), room);
    let found = one.push(&batch).unwrap();
    assert_eq!((found.len(), &*found[0].id), (1, "b"));
    let mut none = Outlines::new(heads.clone(), room);
    assert!(none.push(&batch.slice(0, 5)).unwrap().is_empty());
    let error = none.end_of_rows().unwrap_err();
    assert_eq!(error.to_string(), "row `a/4`: this vertex is missing");
    let mut twice = Outlines::new(heads, room);
    twice.push(&batch.slice(0, 5)).unwrap();
    let error = twice.push(&batch.slice(3, 1)).unwrap_err();
    assert_eq!(error.to_string(), "row `a/2`: this vertex stands twice");
}

#[test]
fn every_row_of_a_graph_that_changed_has_another_hash() {
    let path: BTreeSet<(u32, u32)> = (0..5).map(|v| (v, v + 1)).collect();
    let mut longer = path.clone();
    longer.insert((0, 2));
    let hashes = |edges| -> Vec<Vec<u8>> {
        let batch = rows("g", &graph(false, &[0; 6], edges));
        let hashes = batch.column_by_name(columns::CONTENT_HASH).unwrap();
        let hashes = hashes.as_fixed_size_binary();
        (0..7).map(|row| hashes.value(row).to_vec()).collect()
    };
    let (before, after) = (hashes(&path), hashes(&longer));
    assert!(before.iter().zip(&after).all(|(a, b)| a != b));
    assert_eq!(before, hashes(&path));
}
