use proptest::prelude::*;

use super::*;

fn rows(vertices: usize, pairs: &[(u32, u32)], labels: &[Option<&str>]) -> Vec<Vec<f32>> {
    let graph = Graph::undirected(vertices, pairs, None).unwrap();
    let rows = GraphSage::new().vertices(&graph, labels).unwrap();
    rows.chunks(DIM).map(<[f32]>::to_vec).collect()
}

/// The module's formula, number by number.
fn expected(vertices: usize, pairs: &[(u32, u32)], labels: &[Option<&str>]) -> Vec<Vec<f64>> {
    let graph = Graph::undirected(vertices, pairs, None).unwrap();
    let mut hops: Vec<Vec<Vec<f64>>> = vec![Vec::new(); 3];
    for (vertex, label) in labels.iter().enumerate() {
        let mut x = match label {
            Some(label) => signs(label).map(f64::from).to_vec(),
            None => vec![0.0; SIGNS],
        };
        let degree = graph.neighbours(vertex as u32).len() as f64;
        x.push(0.75 * degree / (degree + 4.0));
        hops[0].push(x);
    }
    for hop in 1..3 {
        for vertex in 0..vertices {
            let list = graph.neighbours(vertex as u32);
            let mut mean = vec![0.0; HOP];
            for neighbour in list {
                for (to, x) in mean.iter_mut().zip(&hops[hop - 1][*neighbour as usize]) {
                    *to += x / list.len() as f64;
                }
            }
            hops[hop].push(mean);
        }
    }
    (0..vertices)
        .map(|vertex| {
            let weighted = hops.iter().zip([1.0, 0.75, 0.5]);
            let row: Vec<f64> = weighted
                .flat_map(|(hop, weight)| hop[vertex].iter().map(move |x| weight * x))
                .collect();
            let length = row.iter().map(|x| x * x).sum::<f64>().sqrt().max(1e-300);
            row.into_iter().map(|x| x / length).collect()
        })
        .collect()
}

const LABELS: [Option<&str>; 5] = [Some("A"), Some("C"), Some(""), Some("kinase"), None];

proptest! {
    #[test]
    fn equals_the_formula(
        labels in prop::collection::vec(0_usize..5, 1..30),
        pairs in prop::collection::btree_set((0_u32..30, 0_u32..30), 0..80),
    ) {
        let labels: Vec<_> = labels.into_iter().map(|at| LABELS[at]).collect();
        let count = labels.len() as u32;
        let pairs: Vec<_> = pairs.into_iter().filter(|(a, b)| a < b && *b < count).collect();
        let given = rows(labels.len(), &pairs, &labels);
        for (given, wanted) in given.iter().zip(expected(labels.len(), &pairs, &labels)) {
            for (x, y) in given.iter().zip(wanted) {
                prop_assert!((f64::from(*x) - y).abs() < 1e-6, "{x} {y}");
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let labels: Vec<String> = (0..9_000_u32).map(|v| (v * v % 37).to_string()).collect();
    let labels: Vec<_> = labels.iter().map(|label| Some(label.as_str())).collect();
    let pairs: Vec<(u32, u32)> = (1..9_000_u32)
        .flat_map(|v| [(v / 3, v), (v * 7 % v.max(2), v)])
        .collect();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build()
            .unwrap()
            .install(|| rows(9_000, &pairs, &labels))
    };
    let bits =
        |rows: Vec<Vec<f32>>| -> Vec<u32> { rows.iter().flatten().map(|x| x.to_bits()).collect() };
    let one = bits(run(1));
    assert!(one == bits(run(3)));
}

#[test]
fn equal_neighbourhoods_have_equal_rows() {
    // Two paths whose last labels differ, the one turned round: up to two edges from C, labels and
    // degrees are the same.
    let labels = ["A", "B", "C", "B", "D", "F"].map(Some);
    let alone = rows(6, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)], &labels);
    let turned = ["E", "D", "B", "C", "B", "A"].map(Some);
    let tree = rows(6, &[(5, 4), (4, 3), (3, 2), (2, 1), (1, 0)], &turned);
    let distance =
        |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
    assert!(distance(&alone[2], &tree[3]) < 1e-12);
    // E and F are two edges from the next vertex, whose row is another.
    assert!(distance(&alone[3], &tree[2]) > 1e-3);
    for row in alone.iter().chain(&tree) {
        let length: f32 = row.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-6);
    }
}

#[test]
fn labels_are_one_for_each_vertex() {
    let graph = Graph::from_edges(2, &[(0, 1), (1, 0)]).unwrap();
    let sage = GraphSage::new();
    let error = sage.vertices(&graph, &[Some("A")]).unwrap_err();
    assert_eq!(error.to_string(), "1 labels for 2 vertices");
    // Nothing is known of a vertex alone with any label; of one with an edge its degree is.
    let alone = rows(3, &[(0, 1)], &[None; 3]);
    assert!(alone[2].iter().all(|x| *x == 0.0));
    assert!(alone[0][SIGNS] > 0.0);
    let none = Graph::from_edges(0, &[]).unwrap();
    assert!(sage.vertices(&none, &[]).unwrap().is_empty());
}
