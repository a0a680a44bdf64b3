use penstock_graph::Named;
use penstock_graph::rows::{Origin, write_by};
use penstock_pattern::GraphBuilder;

use super::*;

/// A graph with a hub, by a small congruence; with labels of edges where wanted.
fn named(directed: bool, edge_labels: bool) -> Named {
    const VERTICES: u32 = 700;
    let mut edges: Vec<(u32, u32)> = (1..VERTICES).map(|v| (0, v)).collect();
    edges.extend((1..VERTICES - 1).map(|v| (v, v + 1)));
    edges.extend(
        (1..VERTICES - 40)
            .step_by(3)
            .map(|v| (v, v + 2 + v * v % 37)),
    );
    if directed {
        edges.extend((1..VERTICES).step_by(7).map(|v| (v, 0)));
    }
    let builder = GraphBuilder {
        directed,
        labels: (0..VERTICES).map(|v| v * v % 11).collect(),
        edge_labels: match edge_labels {
            true => (0..edges.len() as u32).map(|e| e * e % 6).collect(),
            false => Vec::new(),
        },
        edges,
        ..GraphBuilder::default()
    };
    Named {
        id: "hub".into(),
        description: None,
        graph: builder.build().unwrap(),
        names: Vec::new(),
        positions: Vec::new(),
    }
}

#[test]
fn tensors_and_integers_write_the_same_rows() {
    for (directed, edge_labels) in [(false, false), (false, true), (true, false), (true, true)] {
        let rows = |by: DominanceBy| -> Vec<_> {
            let named = named(directed, edge_labels);
            let rows = write_by(named, Origin::default(), &by.maker()).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let integers = rows(DominanceBy::Integers);
        assert_eq!(integers.iter().map(|b| b.num_rows()).sum::<usize>(), 701);
        assert_eq!(rows(DominanceBy::Tensors), integers);
        assert_eq!(rows(DominanceBy::Auto), integers);
    }
}

#[test]
fn a_graph_without_edges_has_rows() {
    let builder = GraphBuilder {
        labels: vec![3, 5],
        ..GraphBuilder::default()
    };
    let graph = builder.build().unwrap();
    let recipe = penstock_graph::rows::RECIPE;
    assert_eq!(
        tensors(&recipe, &graph).unwrap(),
        recipe.embed(&graph).unwrap()
    );
}

#[test]
fn words_and_who_they_name() {
    for by in DominanceBy::ALL {
        assert_eq!(by.to_string().parse(), Ok(by));
    }
    let error = "gpu".parse::<DominanceBy>().unwrap_err();
    assert!(error.to_string().contains("tensors"), "{error}");
    // Forced tensors are no default, whatever the device.
    assert_eq!(DominanceBy::Integers.maker(), RowMaker::default());
    assert_ne!(DominanceBy::Tensors.maker(), RowMaker::default());
}
