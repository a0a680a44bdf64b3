//! Graphs of records against what can be said of them without the quick ways.

use std::collections::{BTreeMap, BTreeSet};

use penstock_graph::make::unitigs::{Compacted, compact};
use proptest::prelude::*;
use rand::{SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;

use super::contacts::{self, Chain};
use super::kmers;
use super::surface::{FaceFeature, Mesh, VertexFeature};
use super::*;

#[test]
fn rows_hold_the_senders() {
    let edges = [(2, 0), (0, 1), (1, 0), (2, 0), (3, 3)];
    let graph = Graph::from_edges(5, &edges).unwrap();
    assert_eq!((graph.vertices(), graph.edges()), (5, 5));
    assert_eq!(graph.offsets(), [0, 3, 4, 4, 5, 5]);
    assert_eq!(graph.senders(), [1, 2, 2, 0, 3]);
    let typed = Graph::from_typed_edges(5, &edges, &[7, 1, 2, 3, 4]).unwrap();
    assert_eq!(typed.types(0), Some(&[2, 3, 7][..]));
    assert_eq!(typed.types(2), Some(&[][..]));
    assert_eq!(graph.types(0), None);
    let looped = graph.with_loops();
    assert_eq!(looped.senders(), [0, 1, 2, 2, 0, 1, 2, 3, 4]);
    let csr = Graph::from_csr(vec![0, 3, 4, 4, 5, 5], vec![2, 1, 2, 0, 3]).unwrap();
    assert_eq!(csr, graph);
    assert_eq!(Graph::from_edges(0, &[]).unwrap().vertices(), 0);
}

#[test]
fn what_is_no_graph_is_refused() {
    let fault = |result: Result<Graph, GraphFault>| result.unwrap_err().to_string();
    assert_eq!(
        fault(Graph::from_edges(3, &[(0, 1), (3, 0)])),
        "edge 1 names vertex 3, and the graph has 3 vertices"
    );
    assert_eq!(
        fault(Graph::from_typed_edges(3, &[(0, 1)], &[])),
        "0 types of edges for 1 edges"
    );
    for (offsets, neighbours, said) in [
        (vec![], vec![], "offset 0 of a graph is 0, expected 0"),
        (vec![1, 1], vec![0], "offset 0 of a graph is 1, expected 0"),
        (
            vec![0, 2, 1, 2],
            vec![0, 0],
            "offset 2 of a graph is 1, expected at least 2",
        ),
        (
            vec![0, 1],
            vec![0, 0],
            "offset 1 of a graph is 1, expected 2, the number of neighbours",
        ),
        (
            vec![0, 1],
            vec![1],
            "edge 0 names vertex 1, and the graph has 1 vertices",
        ),
    ] {
        assert_eq!(fault(Graph::from_csr(offsets, neighbours)), said);
    }
}

/// Edges of a graph with their types.
fn edges(graph: &Graph) -> Vec<(u32, u32, Option<u8>)> {
    (0..graph.vertices() as u32)
        .flat_map(|to| {
            let types = graph.types(to);
            let row = graph.neighbours(to).iter().enumerate();
            row.map(move |(at, from)| (*from, to, types.map(|types| types[at])))
        })
        .collect()
}

fn chain() -> impl Strategy<Value = (String, Vec<Option<[f32; 3]>>)> {
    (0_usize..70).prop_flat_map(|len| {
        let atom = prop::option::weighted(0.85, prop::array::uniform3(-14.0_f32..14.0));
        (
            proptest::string::string_regex(&format!("[ACDEFGHIKLMNPQRSTVWYXBZ]{{{len}}}")).unwrap(),
            prop::collection::vec(atom, len),
        )
    })
}

proptest! {
    #[test]
    fn contacts_are_all_close_pairs((sequence, atoms) in chain(), cutoff in 0.5_f32..20.0) {
        let chain = Chain { sequence: sequence.as_bytes(), atoms: &atoms };
        let made = contacts::build(&chain, cutoff, &[contacts::Feature::Degree]).unwrap();
        let mut expected = Vec::new();
        for to in 0..atoms.len() {
            for from in 0..atoms.len() {
                let near = |a, b| contacts::distance_squared(a, b) < f64::from(cutoff).powi(2);
                let kind = match (from.abs_diff(to), atoms[from], atoms[to]) {
                    (0, ..) => continue,
                    (1, ..) => contacts::BOND,
                    (_, Some(a), Some(b)) if near(a, b) => contacts::CONTACT,
                    _ => continue,
                };
                expected.push((from as u32, to as u32, Some(kind)));
            }
        }
        prop_assert_eq!(edges(&made.graph), expected);
    }

    #[test]
    fn each_kmer_is_in_one_unitig(
        sequence in "([ACGT]{0,40}|[AC]{0,30}|(ACGTTC){0,6}|A{0,20}|[ACGTN]{0,60}){0,3}",
        k in prop::sample::select(vec![3_usize, 5, 7, 11, 31]),
    ) {
        let made = compacted(&sequence, k);
        let mut counts: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        for kmer in canonical(sequence.as_bytes(), k) {
            *counts.entry(kmer).or_default() += 1;
        }
        let mut seen = BTreeSet::new();
        for unitig in &made.unitigs {
            let letters = letters(&unitig.bases);
            let mut count = 0;
            for kmer in canonical(letters.as_bytes(), k) {
                count += counts[&kmer];
                prop_assert!(seen.insert(kmer), "twice");
            }
            prop_assert_eq!(count, unitig.count);
        }
        prop_assert!(seen.iter().eq(counts.keys()));
        check_links(&made, k)?;
        // The other strand.
        let other: String = sequence.bytes().rev().map(|base| match base {
            b'A' => 'T', b'C' => 'G', b'G' => 'C', b'T' => 'A', _ => 'N',
        }).collect();
        prop_assert_eq!(compacted(&other, k), made);
        let features = [
            kmers::Feature::Composition, kmers::Feature::Gc, kmers::Feature::Length,
            kmers::Feature::Coverage, kmers::Feature::Degree,
        ];
        let built = kmers::build(sequence.as_bytes(), k, &features).unwrap();
        prop_assert_eq!(&kmers::build(other.as_bytes(), k, &features).unwrap(), &built);
        for row in built.features.chunks(36) {
            prop_assert!((row[..32].iter().sum::<f32>() - 1.0).abs() < 1e-5);
            prop_assert!(row.iter().all(|x| x.is_finite() && *x >= 0.0));
        }
    }

    #[test]
    fn numbering_a_mesh_otherwise_numbers_its_graph_otherwise(seed in any::<u64>()) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (points, faces) = torus(7, 5);
        let mut place: Vec<u32> = (0..points.len() as u32).collect();
        place.shuffle(&mut rng);
        let mut order: Vec<usize> = (0..faces.len()).collect();
        order.shuffle(&mut rng);
        let mut moved = points.clone();
        for (point, to) in points.iter().zip(&place) {
            moved[*to as usize] = *point;
        }
        let shuffled: Vec<[u32; 3]> =
            order.iter().map(|f| faces[*f].map(|v| place[v as usize])).collect();
        let (a, b) = (Mesh::new(points, faces), Mesh::new(moved, shuffled));
        let of = [
            FaceFeature::Normal, FaceFeature::Area, FaceFeature::AreaClass,
            FaceFeature::Dihedral, FaceFeature::Degree,
        ];
        let mut back = vec![0_u32; order.len()];
        for (new, old) in order.iter().enumerate() {
            back[*old] = new as u32;
        }
        renumbered(&a.of_faces(&of).unwrap(), &b.of_faces(&of).unwrap(), &back)?;
        let of = [
            VertexFeature::Normal, VertexFeature::Curvature, VertexFeature::Area,
            VertexFeature::Degree,
        ];
        renumbered(&a.of_vertices(&of).unwrap(), &b.of_vertices(&of).unwrap(), &place)?;
    }
}

fn letters(bases: &[u8]) -> String {
    bases
        .iter()
        .map(|b| char::from(b"ACGT"[usize::from(*b)]))
        .collect()
}

fn flipped(bases: &[u8]) -> Vec<u8> {
    bases.iter().rev().map(|b| 3 - b).collect()
}

fn compacted(sequence: &str, k: usize) -> Compacted {
    compact(
        sequence.as_bytes(),
        k,
        &std::sync::atomic::AtomicBool::new(false),
    )
    .unwrap()
}

/// The k-mers of a sequence, each as the lesser of its strands, one by one.
fn canonical(sequence: &[u8], k: usize) -> Vec<Vec<u8>> {
    let known = |kmer: &&[u8]| kmer.iter().all(|letter| b"ACGT".contains(letter));
    let other = |letter: &u8| match letter {
        b'A' => b'T',
        b'C' => b'G',
        b'G' => b'C',
        _ => b'A',
    };
    let lesser = |kmer: &[u8]| kmer.to_vec().min(kmer.iter().rev().map(other).collect());
    sequence.windows(k).filter(known).map(lesser).collect()
}

/// Compares links with what overlaps of the unitigs' ends say, and looks for unitigs that should
/// have been one.
fn check_links(made: &Compacted, k: usize) -> Result<(), TestCaseError> {
    // Both readings of each unitig, with its number.
    let read: Vec<(u32, Vec<u8>)> = (0..)
        .zip(&made.unitigs)
        .flat_map(|(at, u)| [(at, u.bases.clone()), (at, flipped(&u.bases))])
        .collect();
    let follows = |a: &[u8], b: &[u8]| a[a.len() - (k - 1)..] == b[..k - 1];
    let mut pairs = BTreeSet::new();
    for (i, (a, first)) in read.iter().enumerate() {
        let after: Vec<_> = (0..read.len())
            .filter(|j| follows(first, &read[*j].1))
            .collect();
        for j in &after {
            let b = read[*j].0;
            pairs.insert((*a.min(&b), *a.max(&b)));
        }
        if let [only] = after[..] {
            let before = read
                .iter()
                .filter(|(_, bases)| follows(bases, &read[only].1))
                .count();
            let joins = before == 1 && read[only].0 != *a;
            prop_assert!(
                !joins,
                "{} and {} are one",
                letters(first),
                letters(&read[only].1)
            );
        }
        prop_assert_eq!(read[i].0, *a);
    }
    let links = made.links.iter().map(|link| (link.from, link.to));
    let linked: BTreeSet<_> = links.collect();
    prop_assert_eq!(pairs, linked);
    Ok(())
}

/// The vertices of `a` have the numbers `to` in `b`, with the same edges and features.
fn renumbered(a: &Featured, b: &Featured, to: &[u32]) -> Result<(), TestCaseError> {
    let mut moved: Vec<_> = edges(&a.graph)
        .into_iter()
        .map(|(from, at, kind)| (to[from as usize], to[at as usize], kind))
        .collect();
    moved.sort_unstable_by_key(|(from, at, _)| (*at, *from));
    prop_assert_eq!(moved, edges(&b.graph));
    let width = a.features.len() / a.graph.vertices();
    for (row, to) in a.features.chunks(width).zip(to) {
        let other = &b.features[*to as usize * width..][..width];
        for (x, y) in row.iter().zip(other) {
            prop_assert!((x - y).abs() < 1e-5, "{:?} {:?}", row, other);
        }
    }
    Ok(())
}

/// A torus of `2 n m` faces, and one face apart.
fn torus(n: u32, m: u32) -> (Vec<[f64; 3]>, Vec<[u32; 3]>) {
    let mut points = Vec::new();
    let mut faces = Vec::new();
    for i in 0..n {
        for j in 0..m {
            let u = f64::from(i) / f64::from(n) * std::f64::consts::TAU;
            let v = f64::from(j) / f64::from(m) * std::f64::consts::TAU;
            let r = 2.0 + v.cos();
            points.push([r * u.cos(), r * u.sin(), v.sin()]);
            let at = |i: u32, j: u32| (i % n) * m + j % m;
            faces.push([at(i, j), at(i + 1, j), at(i + 1, j + 1)]);
            faces.push([at(i, j), at(i + 1, j + 1), at(i, j + 1)]);
        }
    }
    let first = points.len() as u32;
    points.extend([[9.0, 0.0, 0.0], [9.0, 1.0, 0.0], [9.0, 0.0, 1.0]]);
    faces.push([first, first + 1, first + 2]);
    (points, faces)
}

#[test]
fn residues_are_classes() {
    let atoms = [
        Some([0.0; 3]),
        None,
        Some([7.9, 0.0, 0.0]),
        Some([8.0, 0.0, 0.0]),
    ];
    let chain = Chain {
        sequence: b"aYBV",
        atoms: &atoms,
    };
    let features = [contacts::Feature::Residue, contacts::Feature::Present];
    let made = contacts::build(&chain, 8.0, &features).unwrap();
    let class = |row: &[f32]| row[..21].iter().position(|x| *x == 1.0);
    let rows: Vec<&[f32]> = made.features.chunks(22).collect();
    let classes: Vec<_> = rows.iter().map(|row| class(row)).collect();
    assert_eq!(classes, [Some(0), Some(19), Some(20), Some(17)]);
    assert_eq!(
        rows.iter().map(|row| row[21]).collect::<Vec<_>>(),
        [1.0, 0.0, 1.0, 1.0]
    );
    // 7.9 is closer than 8, and 8 is not.
    assert_eq!(made.graph.neighbours(0), [1, 2]);
    assert_eq!(
        made.graph.types(0),
        Some(&[contacts::BOND, contacts::CONTACT][..])
    );
}

#[test]
fn a_cube_is_known_by_its_angles() {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_4};
    let corner = |i: u32| [f64::from(i & 1), f64::from(i >> 1 & 1), f64::from(i >> 2)];
    // Each square as two triangles with corners of their own, as STL has them.
    let squares = [
        [0, 2, 3, 1],
        [4, 5, 7, 6],
        [0, 1, 5, 4],
        [2, 6, 7, 3],
        [0, 4, 6, 2],
        [1, 3, 7, 5],
    ];
    let mut points = Vec::new();
    for [a, b, c, d] in squares {
        points.extend([a, b, c, a, c, d].map(corner));
    }
    let faces: Vec<[u32; 3]> = (0..12).map(|f| [3 * f, 3 * f + 1, 3 * f + 2]).collect();
    let mesh = Mesh::new(points, faces);
    let made = mesh
        .of_faces(&[FaceFeature::Dihedral, FaceFeature::Area])
        .unwrap();
    assert_eq!((made.graph.vertices(), made.graph.edges()), (12, 36));
    for row in made.features.chunks(4) {
        for (x, angle) in row.iter().zip([0.0, FRAC_PI_2, FRAC_PI_2, 0.0]) {
            assert!((f64::from(*x) - angle).abs() < 1e-6, "{row:?}");
        }
    }
    let made = mesh
        .of_vertices(&[VertexFeature::Curvature, VertexFeature::Normal])
        .unwrap();
    // 12 edges and 6 diagonals, both directions.
    assert_eq!((made.graph.vertices(), made.graph.edges()), (8, 36));
    assert_eq!(made.items.unwrap().len(), 36);
    for row in made.features.chunks(4) {
        // A quarter of a turn lacks at each corner: 8 of them make 4 pi.
        assert!(
            (f64::from(row[0]) - 2.0 * FRAC_PI_4).abs() < 1e-6,
            "{row:?}"
        );
        let length = row[1..].iter().map(|x| x * x).sum::<f32>();
        assert!((length - 1.0).abs() < 1e-6);
    }
}

#[test]
fn broken_meshes_have_graphs() {
    // Points in one place, a face that is a line, one that is there twice, and ten on one edge.
    let points = vec![
        [0.0; 3],
        [1.0, 0.0, 0.0],
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0; 3],
    ];
    let mut faces = vec![[0, 1, 2], [0, 1, 3], [4, 2, 3], [3, 3, 3]];
    faces.extend([[0, 1, 3]; 10]);
    let mesh = Mesh::new(points, faces);
    let features = [
        FaceFeature::Normal,
        FaceFeature::Area,
        FaceFeature::AreaClass,
        FaceFeature::Dihedral,
        FaceFeature::Degree,
    ];
    let made = mesh.of_faces(&features).unwrap();
    assert_eq!(made.graph.vertices(), 14);
    assert!(made.features.iter().all(|x| x.is_finite()));
    let features = [
        VertexFeature::Normal,
        VertexFeature::Curvature,
        VertexFeature::Area,
    ];
    let made = mesh.of_vertices(&features).unwrap();
    assert_eq!(made.items, Some(vec![0, 1, 1, 2, 0]));
    assert!(made.features.iter().all(|x| x.is_finite()));
    let bare = Mesh::new(vec![[0.0; 3], [1.0; 3]], Vec::new());
    let made = bare.of_vertices(&features).unwrap();
    assert_eq!((made.graph.vertices(), made.graph.edges()), (2, 0));
    assert!(made.features.iter().all(|x| x.is_finite()));
}
