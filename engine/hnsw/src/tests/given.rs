//! Graphs of other builders.

use std::sync::atomic::AtomicBool;

use penstock_types::Metric;

use super::{clustered, common, index, options, truth};
use crate::walk::NONE;
use crate::{
    Control, Filter, GraphFault, Hnsw, HnswError, Layer, Layers, Options, RangeOptions, Scratch,
};

const DIM: usize = 16;

fn distinct(rows: &[f32], options: &Options) -> Vec<u32> {
    Hnsw::distinct_rows(rows, DIM, options, &Control::default()).unwrap()
}

fn freeze(rows: &[f32], options: &Options, graph: &Layers) -> Result<Hnsw, HnswError> {
    Hnsw::from_graph(rows, DIM, options, graph, &Control::default())
}

/// Every row's nearest others, by the definition, in one layer; exact, and without long edges.
fn nearest_neighbours(rows: &[f32], distinct: &[u32], metric: Metric, degree: usize) -> Layers {
    let vectors: Vec<f32> = distinct
        .iter()
        .flat_map(|row| &rows[*row as usize * DIM..][..DIM])
        .copied()
        .collect();
    let mut base = Layer::default();
    for (vertex, vector) in vectors.chunks_exact(DIM).enumerate() {
        let hits = truth(&vectors, DIM, vector, metric, degree, |row| row != vertex);
        base.push(vertex as u32, hits.into_iter().map(|hit| hit.row));
    }
    Layers {
        entry: 0,
        layers: vec![base],
    }
}

/// The graph of an index, as one that was given.
fn graph_of(index: &Hnsw, distinct: &[u32]) -> Layers {
    // Vertices of the index, by the distinct row.
    let vertex_of = |row: u32| index.places.vertex(index.places.vector(row).unwrap());
    let mut name = vec![NONE; distinct.len()];
    for (i, row) in distinct.iter().enumerate() {
        name[vertex_of(*row) as usize] = i as u32;
    }
    let base = (&index.base[..], 2 * index.options.edges);
    let upper = index
        .upper
        .iter()
        .map(|links| (&links[..], index.options.edges));
    let layers = std::iter::once(base).chain(upper).map(|(links, slots)| {
        let mut layer = Layer::default();
        for (vertex, list) in links.chunks_exact(slots).enumerate() {
            let links = list.iter().take_while(|link| **link != NONE);
            layer.push(name[vertex], links.map(|link| name[*link as usize]));
        }
        layer
    });
    Layers {
        entry: name[0],
        layers: layers.collect(),
    }
}

/// How many vertices a search of the base layer comes to.
fn reached(index: &Hnsw) -> usize {
    let slots = 2 * index.options.edges;
    let count = index.places.vertices();
    let mut seen = vec![false; count];
    let mut queue = vec![0_u32];
    seen[0] = true;
    let mut next = 0;
    while let Some(vertex) = queue.get(next).copied() {
        next += 1;
        for link in &index.base[vertex as usize * slots..][..slots] {
            if *link != NONE && !std::mem::replace(&mut seen[*link as usize], true) {
                queue.push(*link);
            }
        }
    }
    queue.len()
}

#[test]
fn our_own_graph_given_back_answers_the_same() {
    for metric in Metric::ALL {
        let (mut rows, _) = clustered(3_000, DIM, 20, 4);
        // Copies, a row without a direction, and rows that codes cannot tell apart.
        rows.extend_from_within(..100 * DIM);
        rows.extend([0.0; DIM]);
        let mut near = rows[..DIM].to_vec();
        near[3] += 1e-6;
        rows.extend(near);
        let options = options(metric, 2);
        let ours = Hnsw::build(&rows, DIM, &options, &Control::default()).unwrap();
        let distinct = distinct(&rows, &options);
        assert_eq!(distinct.len(), ours.places.vertices());
        let graph = graph_of(&ours, &distinct);
        let given = freeze(&rows, &options, &graph).unwrap();
        assert_eq!(reached(&given), distinct.len());
        let mut bytes = Vec::new();
        given.write_to(&mut bytes).unwrap();
        let read = Hnsw::read_from(&bytes[..], 1 << 30).unwrap();
        let only = Filter::new(ours.len(), |row| row % 3 != 1);
        let (mut a, mut b) = (Scratch::new(), Scratch::new());
        for query in rows.chunks_exact(DIM).step_by(41) {
            for filter in [None, Some(&only)] {
                let expected = ours.search(query, 10, 60, filter, &mut a).unwrap();
                for other in [&given, &read] {
                    let found = other.search(query, 10, 60, filter, &mut b).unwrap();
                    assert_eq!(found.hits, expected.hits, "{metric}");
                }
            }
            let range = RangeOptions::default();
            let distance = expected_distance(metric);
            let expected = ours.range(query, distance, &range, None, &mut a).unwrap();
            let found = read.range(query, distance, &range, None, &mut b).unwrap();
            assert_eq!(found.hits, expected.hits, "{metric}");
        }
    }
}

/// One within which a row has some others.
fn expected_distance(metric: Metric) -> f32 {
    match metric {
        Metric::L2 => 6.0,
        Metric::Cosine => 0.2,
        Metric::Dot => -20.0,
    }
}

#[test]
fn a_graph_of_nearest_neighbours_is_joined_and_searched() {
    for metric in [Metric::L2, Metric::Cosine] {
        // Clusters far apart: islands of their own among nearest neighbours.
        let (all, of) = clustered(2_050, DIM, 40, 9);
        let mut all = all;
        for (row, centre) in all.chunks_exact_mut(DIM).zip(&of) {
            row[centre % DIM] += 30.0 + *centre as f32;
        }
        let (rows, queries) = all.split_at(2_000 * DIM);
        let mut rows = rows.to_vec();
        rows.extend_from_within(..500 * DIM);
        let options = options(metric, 1);
        let distinct = distinct(&rows, &options);
        assert_eq!(distinct.len(), 2_000);
        let graph = nearest_neighbours(&rows, &distinct, metric, 32);
        let given = freeze(&rows, &options, &graph).unwrap();
        assert_eq!((given.len(), reached(&given)), (2_500, 2_000));
        let mut scratch = Scratch::new();
        let mut found = 0;
        for query in queries.chunks_exact(DIM) {
            let truth = truth(&rows, DIM, query, metric, 10, |_| true);
            let answer = given.search(query, 10, 400, None, &mut scratch).unwrap();
            found += common(answer.hits, &truth);
        }
        assert!(found >= 450, "{metric}: {found} of 500");
        // A crowd of equals is found whole.
        let answer = given
            .search(&rows[..DIM], 2, 50, None, &mut scratch)
            .unwrap();
        let hits: Vec<u32> = answer.hits.iter().map(|hit| hit.row).collect();
        assert_eq!(hits, [0, 2_000], "{metric}");
    }
}

#[test]
fn vertices_without_edges_are_joined() {
    let (rows, _) = clustered(700, DIM, 10, 2);
    let mut narrow = options(Metric::L2, 1);
    (narrow.edges, narrow.ef_construction) = (2, 8);
    let distinct = distinct(&rows, &narrow);
    let mut base = Layer::default();
    (0..distinct.len() as u32).for_each(|vertex| base.push(vertex, []));
    let mut top = Layer::default();
    top.push(7, []);
    let graph = Layers {
        entry: 7,
        layers: vec![base, top],
    };
    let given = freeze(&rows, &narrow, &graph).unwrap();
    assert_eq!(reached(&given), 700);
    assert_eq!(given.upper.len(), 1);
    let mut scratch = Scratch::new();
    let answer = given.search(&rows[..DIM], 1, 700, None, &mut scratch);
    assert_eq!(answer.unwrap().hits[0].row, 0);
}

#[test]
fn few_rows_and_none_are_an_index() {
    let usual = options(Metric::L2, 1);
    let empty = freeze(&[], &usual, &Layers::default()).unwrap();
    assert!(empty.is_empty());
    let without = Layers {
        entry: 0,
        layers: vec![Layer::default()],
    };
    assert!(freeze(&[], &usual, &without).unwrap().is_empty());
    let mut base = Layer::default();
    base.push(0, []);
    let one = Layers {
        entry: 0,
        layers: vec![base],
    };
    let index = freeze(&[1.0; DIM], &usual, &one).unwrap();
    let mut scratch = Scratch::new();
    let answer = index.search(&[0.0; DIM], 5, 5, None, &mut scratch).unwrap();
    assert_eq!(answer.hits.len(), 1);
}

#[test]
fn what_is_wrong_with_a_graph_is_said() {
    let (rows, _) = clustered(8, DIM, 2, 1);
    let mut narrow = options(Metric::L2, 1);
    narrow.edges = 2;
    let distinct = distinct(&rows, &narrow);
    let layer = |list: &[(u32, &[u32])]| {
        let mut layer = Layer::default();
        for (vertex, neighbours) in list {
            layer.push(*vertex, neighbours.iter().copied());
        }
        layer
    };
    let ring = |i: u32| ((i + 1) % 8, (i + 7) % 8);
    let base = || {
        let mut base = Layer::default();
        for i in 0..8 {
            base.push(i, [ring(i).0, ring(i).1]);
        }
        base
    };
    let with = |vertex: usize, neighbours: &[u32]| {
        let mut changed = Layer::default();
        for (i, (v, old)) in base().iter().enumerate() {
            let list = if i == vertex { neighbours } else { old };
            changed.push(v, list.iter().copied());
        }
        changed
    };
    let fault = |entry, layers: Vec<Layer>| match freeze(&rows, &narrow, &Layers { entry, layers })
    {
        Err(HnswError::Graph(fault)) => fault,
        other => panic!("{other:?}"),
    };
    assert_eq!(distinct.len(), 8);
    let sound = Layers {
        entry: 3,
        layers: vec![base(), layer(&[(3, &[5]), (5, &[3])])],
    };
    assert!(freeze(&rows, &narrow, &sound).is_ok());
    assert_eq!(
        fault(0, vec![base(); 17]),
        GraphFault::Layers { layers: 17 }
    );
    for layers in [vec![], vec![layer(&[(0, &[])])]] {
        let got = layers.len();
        assert_eq!(fault(0, layers), GraphFault::Vertices { got, wanted: 8 });
    }
    assert_eq!(
        fault(0, vec![base(), layer(&[])]),
        GraphFault::Empty { layer: 1 }
    );
    assert_eq!(
        fault(0, vec![base(), layer(&[(8, &[])])]),
        GraphFault::Unknown {
            layer: 1,
            vertex: 8
        }
    );
    assert_eq!(
        fault(0, vec![base(), layer(&[(2, &[]), (2, &[])])]),
        GraphFault::Twice {
            layer: 1,
            vertex: 2
        }
    );
    assert_eq!(
        fault(4, vec![base(), layer(&[(2, &[])]), layer(&[(4, &[])])]),
        GraphFault::NotBelow {
            layer: 2,
            vertex: 4
        }
    );
    assert_eq!(
        fault(3, vec![base(), layer(&[(2, &[])])]),
        GraphFault::Entry { entry: 3 }
    );
    assert_eq!(fault(9, vec![base()]), GraphFault::Entry { entry: 9 });
    assert_eq!(
        fault(0, vec![with(1, &[0, 2, 3, 4, 5])]),
        GraphFault::Degree {
            layer: 0,
            vertex: 1,
            got: 5,
            most: 4
        }
    );
    assert_eq!(
        fault(0, vec![with(1, &[0, 1])]),
        GraphFault::Loop {
            layer: 0,
            vertex: 1
        }
    );
    for (neighbours, neighbour) in [(&[0, 8][..], 8), (&[NONE], NONE)] {
        assert_eq!(
            fault(0, vec![with(1, neighbours)]),
            GraphFault::Neighbour {
                layer: 0,
                vertex: 1,
                neighbour
            }
        );
    }
    // In the rows, but not in the layer.
    assert_eq!(
        fault(3, vec![base(), layer(&[(3, &[5])])]),
        GraphFault::Neighbour {
            layer: 1,
            vertex: 3,
            neighbour: 5
        }
    );
    assert_eq!(
        fault(0, vec![with(1, &[2, 0, 2])]),
        GraphFault::Parallel {
            layer: 0,
            vertex: 1,
            neighbour: 2
        }
    );
    // As for a build.
    let mut bad = rows.clone();
    bad[20] = f32::NAN;
    let error = freeze(&bad, &narrow, &sound);
    assert!(matches!(error, Err(HnswError::NotFinite { row: 1 })));
    let cancel = AtomicBool::new(true);
    let control = Control {
        cancel: &cancel,
        ..Control::default()
    };
    let error = Hnsw::from_graph(&rows, DIM, &narrow, &sound, &control);
    assert!(matches!(error, Err(HnswError::Cancelled)));
}

#[test]
fn every_vertex_of_a_build_is_reached() {
    for (seed, edges) in [(1, 2), (2, 3), (3, 16)] {
        let (rows, _) = clustered(4_000, DIM, 60, seed);
        let options = Options {
            edges,
            ef_construction: 20,
            ..options(Metric::L2, 2)
        };
        let index = Hnsw::build(&rows, DIM, &options, &Control::default()).unwrap();
        assert_eq!(reached(&index), index.places.vertices());
    }
    let whole = index(&clustered(1_000, DIM, 5, 3).0, DIM, Metric::Cosine);
    assert_eq!(reached(&whole), whole.places.vertices());
}
