use penstock_pattern::{Columns, GraphBuilder};
use proptest::prelude::*;

use super::*;
use crate::Named;

/// A graph of `n` vertices with these edges, labels and attributes.
fn named(id: &str, directed: bool, n: u32, edges: &[(u32, u32)], rich: bool) -> Named {
    let mut pairs: Vec<(u32, u32)> = edges
        .iter()
        .map(|(a, b)| (a % n, b % n))
        .filter(|(a, b)| a != b)
        .map(|(a, b)| {
            if directed {
                (a, b)
            } else {
                (a.min(b), a.max(b))
            }
        })
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut builder = GraphBuilder {
        directed,
        labels: (0..n).map(|v| v % 3).collect(),
        edges: pairs.clone(),
        vertex_names: Some(["GLY", "ALA", "é"].iter().collect()),
        ..GraphBuilder::default()
    };
    if rich {
        builder.edge_labels = (0..pairs.len() as u32).map(|e| e % 2).collect();
        builder.edge_names = Some(["contact", "bond"].iter().collect());
        let mut columns = Columns::default();
        columns.insert("area", (0..n).map(|v| v as f32 * 0.5).collect());
        builder.vertex_columns = columns;
        let mut columns = Columns::default();
        columns.insert(
            "distance",
            pairs.iter().map(|(a, b)| (a * 7 + b) as f32).collect(),
        );
        builder.edge_columns = columns;
    }
    Named {
        id: id.to_owned(),
        description: None,
        graph: builder.build().unwrap(),
        names: (0..n).map(|v| format!("A:{v}")).collect(),
        positions: (0..n)
            .map(|v| (v % 2 == 0).then_some([v as f32, 0.0, 1.0]))
            .collect(),
    }
}

fn rows(graphs: &[Named]) -> Union {
    let origin = Origin::default();
    let mut reader = Reader::default();
    // Vertices may come before their graph.
    let mut batches = Vec::new();
    for graph in graphs {
        batches.extend(
            write(graph.clone(), origin.clone())
                .unwrap()
                .map(Result::unwrap),
        );
    }
    for batch in batches.iter().rev() {
        reader.push(batch).unwrap();
    }
    reader.finish().unwrap()
}

fn same(union: &Union, graphs: &[Named]) {
    assert_eq!(
        union.graph.vertices(),
        graphs.iter().map(|g| g.graph.vertices()).sum::<usize>()
    );
    for named in graphs {
        let at = union.ids.iter().position(|id| *id == named.id).unwrap();
        let first = union.graph.starts()[at];
        let (graph, all) = (&named.graph, &union.graph);
        for v in 0..graph.vertices() as u32 {
            assert_eq!(union.place(first + v), (named.id.as_str(), v));
            let label = |names: Option<&Labels>, label| name_of(names, label);
            assert_eq!(
                label(all.vertex_names(), all.labels()[(first + v) as usize]),
                label(graph.vertex_names(), graph.labels()[v as usize])
            );
            let near: Vec<u32> = all
                .neighbours(first + v)
                .iter()
                .map(|w| w - first)
                .collect();
            assert_eq!(near, graph.neighbours(v));
            for w in graph.neighbours(v) {
                let (a, b) = (
                    graph.edge(v, *w).unwrap(),
                    all.edge(first + v, first + w).unwrap(),
                );
                if graph.has_edge_labels() {
                    assert_eq!(
                        label(graph.edge_names(), a.label),
                        label(all.edge_names(), b.label)
                    );
                    let distance = |g: &penstock_pattern::Graph, row: u32| {
                        g.edge_columns().get("distance").unwrap()[row as usize]
                    };
                    assert_eq!(distance(graph, a.row), distance(all, b.row));
                }
            }
        }
        if let Some(area) = graph.vertex_columns().get("area") {
            let all = &all.vertex_columns().get("area").unwrap()[first as usize..][..area.len()];
            assert_eq!(area, all);
        }
    }
}

proptest! {
    #[test]
    fn written_and_read_is_the_same(
        directed: bool,
        graphs in prop::collection::vec((1..12_u32, prop::collection::vec((0..12_u32, 0..12_u32), 0..30), any::<bool>()), 1..5),
    ) {
        let graphs: Vec<Named> = graphs
            .iter()
            .enumerate()
            .map(|(i, (n, edges, rich))| named(&format!("g{i}"), directed, *n, edges, *rich))
            .collect();
        same(&rows(&graphs), &graphs);
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let origin = Origin::default();
    let both = [
        named("a", false, 3, &[(0, 1)], false),
        named("b", true, 3, &[(0, 1)], false),
    ];
    let mut reader = Reader::default();
    let pushed = both
        .iter()
        .flat_map(|g| write(g.clone(), origin.clone()).unwrap())
        .map(|b| reader.push(&b.unwrap()));
    let error = pushed.collect::<crate::Result<Vec<_>>>().unwrap_err();
    assert!(
        error.to_string().contains("directed and undirected"),
        "{error}"
    );

    let batches: Vec<_> = write(both[0].clone(), origin)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut reader = Reader::default();
    reader.push(&batches[1]).unwrap();
    assert!(
        reader
            .finish()
            .unwrap_err()
            .to_string()
            .contains("no row of the graph")
    );
    let mut reader = Reader::default();
    reader.push(&batches[0]).unwrap();
    reader.push(&batches[1].slice(1, 2)).unwrap();
    let error = reader.finish().unwrap_err();
    assert!(error.to_string().contains("`a/0`"), "{error}");
    let mut reader = Reader::default();
    batches
        .iter()
        .chain([&batches[1]])
        .for_each(|batch| reader.push(batch).unwrap());
    assert!(reader.finish().unwrap_err().to_string().contains("twice"));
}

#[test]
fn hashes_follow_the_graph() {
    let origin = Origin::default();
    let hash = |named: &Named| {
        let head = write(named.clone(), origin.clone())
            .unwrap()
            .next()
            .unwrap()
            .unwrap();
        let hashes = head.column_by_name("content_hash").unwrap().clone();
        arrow::array::AsArray::as_fixed_size_binary(&hashes)
            .value(0)
            .to_vec()
    };
    let one = named("a", false, 5, &[(0, 1), (1, 2)], true);
    assert_eq!(
        hash(&one),
        hash(&named("b", false, 5, &[(1, 2), (0, 1)], true))
    );
    assert_ne!(
        hash(&one),
        hash(&named("a", false, 5, &[(0, 1), (1, 3)], true))
    );
    assert_ne!(
        hash(&one),
        hash(&named("a", true, 5, &[(0, 1), (1, 2)], true))
    );
}
