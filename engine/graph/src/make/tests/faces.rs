use arrow::datatypes::{Float64Type, Int32Type};
use penstock_types::columns;
use proptest::prelude::*;

use super::super::faces::*;
use super::*;
use crate::error::GraphError;
use crate::motif::{FindOptions, LabelMatch, Motif, find};
use crate::named::Named;

fn make(points: &[[f64; 3]], faces_: &[[i32; 3]], options: &FaceOptions) -> crate::Result<Named> {
    let rows = batch(vec![
        (columns::ID, ids(1)),
        (
            columns::VERTICES,
            triples::<Float64Type>(&[Some(points.to_vec())]),
        ),
        (
            columns::FACES,
            triples::<Int32Type>(&[Some(faces_.to_vec())]),
        ),
    ]);
    Ok(faces(&rows, options, &GO)?.graphs.remove(0))
}

fn label(named: &Named, vertex: usize) -> &str {
    let graph = &named.graph;
    graph
        .vertex_names()
        .unwrap()
        .name(graph.labels()[vertex])
        .unwrap()
}

/// From, to, label, dihedral.
fn edges(named: &Named) -> Vec<(u32, u32, &str, f32)> {
    let graph = &named.graph;
    let angles = graph.edge_columns().get(DIHEDRAL).unwrap();
    let names = graph.edge_names().unwrap();
    graph
        .iter_edges()
        .map(|e| {
            (
                e.from,
                e.to,
                names.name(e.label).unwrap(),
                angles[e.row as usize],
            )
        })
        .collect()
}

/// The unit cube, faces outwards.
fn cube() -> (Vec<[f64; 3]>, Vec<[i32; 3]>) {
    let points = (0..8).map(|i| [f64::from(i & 1), f64::from(i >> 1 & 1), f64::from(i >> 2)]);
    let squares = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    let faces = squares
        .iter()
        .flat_map(|[a, b, c, d]| [[*a, *b, *c], [*a, *c, *d]]);
    (points.collect(), faces.collect())
}

#[test]
fn a_cube_in_and_out() {
    let (points, faces_) = cube();
    // As STL has it: each face with vertices of its own.
    let own: Vec<_> = faces_
        .iter()
        .flatten()
        .map(|v| points[*v as usize])
        .collect();
    let own_faces: Vec<_> = (0..12).map(|f| [3 * f, 3 * f + 1, 3 * f + 2]).collect();
    let options = FaceOptions::default();
    let out = make(&points, &faces_, &options).unwrap();
    assert_eq!(make(&own, &own_faces, &options).unwrap(), out);
    let inside: Vec<_> = faces_.iter().map(|[a, b, c]| [*a, *c, *b]).collect();
    let within = make(&points, &inside, &options).unwrap();
    for (named, kind, curvature, angle) in [
        (&out, "sharp convex", "medium/convex", 90.0),
        (&within, "sharp concave", "medium/concave", -90.0),
    ] {
        let edges = edges(named);
        assert_eq!(edges.len(), 18);
        let bent = edges
            .iter()
            .filter(|e| e.2 == kind && (e.3 - angle).abs() < 1e-4);
        assert_eq!(bent.count(), 12);
        let flat = edges.iter().filter(|e| e.2 == "flat" && e.3.abs() < 1e-4);
        assert_eq!(flat.count(), 6);
        assert!((0..12).all(|v| label(named, v) == curvature));
        assert_eq!(named.graph.vertex_columns().get(AREA).unwrap(), [0.5; 12]);
    }
    let place = out.positions[0].unwrap();
    let expected = [1.0 / 3.0, 2.0 / 3.0, 0.0];
    assert!(
        (0..3).all(|i| (place[i] - expected[i]).abs() < 1e-6),
        "{place:?}"
    );
}

proptest! {
    /// Two triangles, folded along their side.
    #[test]
    fn a_fold(degrees in -175.0..175.0_f64, turned in any::<bool>()) {
        let fold = degrees.to_radians();
        let points = [
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [0.3, -1.0, 0.0],
            [0.6, 2.0 * fold.cos(), -2.0 * fold.sin()],
        ];
        // The first looks up; the second falls away from it where the surface is convex.
        let second = if turned { [0, 3, 1] } else { [0, 1, 3] };
        let named = make(&points, &[[1, 0, 2], second], &FaceOptions::default()).unwrap();
        let edges = edges(&named);
        prop_assert_eq!(edges.len(), 1);
        prop_assert!((f64::from(edges[0].3) - degrees).abs() < 1e-3, "{:?}", edges[0]);
        let class = match degrees {
            d if d <= -60.0 => "sharp concave",
            d if d < -15.0 => "concave",
            d if d <= 15.0 => "flat",
            d if d < 60.0 => "convex",
            _ => "sharp convex",
        };
        prop_assert_eq!(edges[0].2, class);
    }
}

#[test]
fn sides_of_many_faces_and_bounds() {
    // A book of four pages.
    let mut points = vec![[0.0; 3], [0.0, 0.0, 1.0]];
    points.extend([
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [-1.0, 0.0, 0.0],
        [0.0, -0.1, 0.0],
    ]);
    let pages = [[0, 1, 2], [0, 1, 3], [0, 1, 4], [0, 1, 5]];
    let options = FaceOptions::default();
    let book = make(&points, &pages, &options).unwrap();
    let pairs: Vec<_> = edges(&book).iter().map(|e| (e.0, e.1)).collect();
    assert_eq!(pairs, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]);
    assert!(label(&book, 3).starts_with("tiny/") && label(&book, 0).starts_with("medium/"));
    let bounded = |max_faces, max_edges| {
        let options = FaceOptions {
            max_faces,
            max_edges,
            ..options
        };
        make(&points, &pages, &options)
    };
    assert!(bounded(4, 6).is_ok());
    assert!(matches!(bounded(3, 6), Err(GraphError::TooLarge { .. })));
    assert!(matches!(bounded(4, 5), Err(GraphError::TooLarge { .. })));
    // Faces without area, a face twice, a vertex that is not there, a far one.
    let odd = make(&points, &[[0, 0, 1], [0, 1, 2], [0, 1, 2]], &options).unwrap();
    assert_eq!(odd.graph.edges(), 3);
    let missing = make(&points, &[[0, 1, 6]], &options);
    assert!(matches!(missing, Err(GraphError::Row { .. })));
    let far = make(
        &[[0.0; 3], [1e300, 0.0, 0.0], [0.0, 1.0, 0.0]],
        &[[0, 1, 2]],
        &options,
    );
    assert!(matches!(far, Err(GraphError::Row { .. })));
    let options = FaceOptions {
        flat_degrees: 70.0,
        ..options
    };
    assert!(matches!(
        make(&points, &pages, &options),
        Err(GraphError::Option { .. })
    ));
    let rows = batch(vec![
        (columns::ID, ids(1)),
        (
            columns::VERTICES,
            triples::<Float64Type>(&[Some(Vec::new())]),
        ),
        (columns::FACES, triples::<Int32Type>(&[Some(Vec::new())])),
    ]);
    assert_eq!(
        faces(&rows, &FaceOptions::default(), &GO).unwrap().without,
        1
    );
    let stop = AtomicBool::new(true);
    let stopped = surface(&points, vec![[0, 1, 2]], 10, &stop);
    assert!(matches!(stopped, Err(GraphError::Cancelled)));
}

/// A cube's corner of three half squares is at each of its corners of that kind.
#[test]
fn a_patch_recurs() {
    let (points, faces_) = cube();
    let named = make(&points, &faces_, &FaceOptions::default()).unwrap();
    let patch = Motif::of_patch(&named, &[0, 1], LabelMatch::Exact).unwrap();
    let options = FindOptions {
        tolerance: 1e-3,
        max_rmsd: 1e-3,
        area_tolerance: 1e-3,
        ..FindOptions::default()
    };
    let found = find(&patch, &named, &options).unwrap();
    // The two halves of each of six squares, either way round, and other pairs as far apart.
    let halves = |v: &[u32]| v[0] / 2 == v[1] / 2;
    let own = found.occurrences.iter().filter(|o| halves(&o.vertices));
    assert_eq!(own.count(), 12);
    let apart = |a: u32, b: u32| {
        let (a, b) = (
            named.positions[a as usize].unwrap(),
            named.positions[b as usize].unwrap(),
        );
        (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f32>().sqrt()
    };
    let all = (0..12).flat_map(|a| (0..12).map(move |b| (a, b)));
    let plain = all.filter(|(a, b)| a != b && (apart(*a, *b) - apart(0, 1)).abs() <= 1e-3);
    assert_eq!(found.occurrences.len(), plain.count());
}
