use arrow::array::{BooleanBuilder, Int32Builder, StringBuilder};
use arrow::datatypes::Float32Type;
use penstock_types::columns;
use proptest::prelude::*;

use super::super::contacts::*;
use super::*;
use crate::error::GraphError;

fn present(rows: &[Option<Vec<bool>>]) -> ArrayRef {
    let mut lists = ListBuilder::new(BooleanBuilder::new());
    for row in rows {
        lists.append_option(row.as_ref().map(|row| row.iter().copied().map(Some)));
    }
    Arc::new(lists.finish())
}

fn words(row: &[&str]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value(row.iter().copied().map(Some));
    Arc::new(lists.finish())
}

proptest! {
    /// Lattice points, so that distances equal the cutoff.
    #[test]
    fn all_pairs(
        atoms in prop::collection::vec(
            (prop::array::uniform3(-10..10_i8), prop::bool::weighted(0.9)), 1..60),
        cutoff in 1..16_u8,
        bond in 1..10_u8,
    ) {
        let places: Vec<_> = atoms.iter().map(|a| a.0.map(f32::from)).collect();
        let there: Vec<_> = atoms.iter().map(|a| a.1).collect();
        let sequence = "A".repeat(atoms.len());
        let rows = batch(vec![
            (columns::ID, ids(1)),
            (columns::SEQUENCE, sequences(&[&sequence])),
            (columns::CA_XYZ, triples::<Float32Type>(&[Some(places.clone())])),
            (columns::CA_PRESENT, present(&[Some(there.clone())])),
        ]);
        let options = ContactOptions {
            cutoff_angstrom: f32::from(cutoff),
            bond_angstrom: f32::from(bond),
            ..ContactOptions::default()
        };
        let made = contacts(&rows, &options, &GO).unwrap();
        if !there.contains(&true) {
            prop_assert_eq!((made.graphs.len(), made.without), (0, 1));
            return Ok(());
        }
        let graph = &made.graphs[0].graph;
        let mut plain = Vec::new();
        for b in 0..places.len() {
            for a in (0..b).filter(|a| there[*a] && there[b]) {
                let squared: f32 = (0..3).map(|i| (places[a][i] - places[b][i]).powi(2)).sum();
                let distance = squared.sqrt();
                if b == a + 1 && distance <= options.bond_angstrom {
                    plain.push((a as u32, b as u32, BOND, distance));
                } else if distance < options.cutoff_angstrom {
                    plain.push((a as u32, b as u32, CONTACT, distance));
                }
            }
        }
        plain.sort_by_key(|edge| (edge.0, edge.1));
        let distances = graph.edge_columns().get(DISTANCE).unwrap();
        let edges: Vec<_> = graph
            .iter_edges()
            .map(|edge| {
                let label = graph.edge_names().unwrap().name(edge.label).unwrap();
                (edge.from, edge.to, label, distances[edge.row as usize])
            })
            .collect();
        prop_assert_eq!(edges, plain);
    }
}

#[test]
fn names_labels_and_chains() {
    let mut numbers = ListBuilder::new(Int32Builder::new());
    numbers.append_value([Some(-1), Some(45), Some(45), Some(1)]);
    let places = [
        [0.0, 0.0, 0.0],
        [3.8, 0.0, 0.0],
        [0.0, 0.0, 0.0],
        [3.8, 3.0, 0.0],
    ];
    let rows = batch(vec![
        (columns::ID, ids(1)),
        (
            columns::DESCRIPTION,
            Arc::new(StringArray::from(vec!["four"])) as ArrayRef,
        ),
        (columns::SEQUENCE, sequences(&["GMXw"])),
        (
            columns::CA_XYZ,
            triples::<Float32Type>(&[Some(places.to_vec())]),
        ),
        (
            columns::CA_PRESENT,
            present(&[Some(vec![true, true, false, true])]),
        ),
        (columns::RESIDUE_CHAIN, words(&["A", "A", "A", "B"])),
        (
            columns::RESIDUE_NUMBER,
            Arc::new(numbers.finish()) as ArrayRef,
        ),
        (columns::RESIDUE_INSERTION, words(&["", "", "C", ""])),
        (columns::RESIDUE_NAME, words(&["GLY", "MSE", "", ""])),
    ]);
    let made = contacts(&rows, &ContactOptions::default(), &GO).unwrap();
    let named = &made.graphs[0];
    assert_eq!(
        (named.id.as_str(), named.description.as_deref()),
        ("row0", Some("four"))
    );
    assert_eq!(named.names, ["A:GLY-1", "A:MSE45", "A:UNK45C", "B:TRP1"]);
    let places = places.map(Some);
    assert_eq!(named.positions, [places[0], places[1], None, places[3]]);
    let graph = &named.graph;
    let labels = |graph: &penstock_pattern::Graph| -> Vec<String> {
        let names = graph.vertex_names().unwrap();
        graph
            .labels()
            .iter()
            .map(|l| names.name(*l).unwrap().to_owned())
            .collect()
    };
    assert_eq!(labels(graph), ["GLY", "MSE", "UNK", "TRP"]);
    assert_eq!(
        graph.vertex_columns().get(INDEX).unwrap(),
        [0.0, 1.0, 2.0, 3.0]
    );
    assert_eq!(
        graph.vertex_columns().get(NUMBER).unwrap(),
        [-1.0, 45.0, 45.0, 1.0]
    );
    let edges: Vec<_> = graph
        .iter_edges()
        .map(|e| (e.from, e.to, e.label))
        .collect();
    assert_eq!(edges, [(0, 1, 1), (0, 3, 0), (1, 3, 0)]);
    let options = ContactOptions {
        alphabet: Alphabet::Reduced,
        ..ContactOptions::default()
    };
    let made = contacts(&rows, &options, &GO).unwrap();
    assert_eq!(labels(&made.graphs[0].graph), ["G", "LVIM", "X", "FYW"]);
    // Without numbers residues count from 1, and nothing else is needed.
    let rows = rows.project(&[0, 2, 3, 4]).unwrap();
    let made = contacts(&rows, &ContactOptions::default(), &GO).unwrap();
    assert_eq!(made.graphs[0].names, ["GLY1", "MET2", "UNK3", "TRP4"]);
}

#[test]
fn every_amino_acid_has_one_class() {
    let mut seen = 0;
    for letter in b'A'..=b'Z' {
        let class = reduced(letter);
        let known = three_letters(letter) != "UNK" && !matches!(letter, b'U' | b'O');
        assert_eq!(class != "X", known, "{}", letter as char);
        seen += usize::from(known);
    }
    assert_eq!(seen, 20);
}

#[test]
fn what_cannot_be_made() {
    let make = |places: Option<Vec<[f32; 3]>>, options: &ContactOptions, stop: bool| {
        let there = places.as_ref().map(|p| vec![true; p.len()]);
        let rows = batch(vec![
            (columns::ID, ids(1)),
            (columns::SEQUENCE, sequences(&["AAA"])),
            (columns::CA_XYZ, triples::<Float32Type>(&[places])),
            (columns::CA_PRESENT, present(&[there])),
        ]);
        contacts(&rows, options, &AtomicBool::new(stop))
    };
    let plain = ContactOptions::default();
    assert_eq!(make(None, &plain, false).unwrap().without, 1);
    let short = make(Some(vec![[0.0; 3]; 2]), &plain, false);
    assert!(matches!(short, Err(GraphError::Row { .. })));
    let dense = |max_edges| ContactOptions { max_edges, ..plain };
    let three = || Some(vec![[0.0; 3]; 3]);
    assert!(make(three(), &dense(3), false).is_ok());
    let over = make(three(), &dense(2), false);
    assert!(matches!(over, Err(GraphError::TooLarge { .. })));
    assert!(matches!(
        make(three(), &plain, true),
        Err(GraphError::Cancelled)
    ));
    let options = ContactOptions {
        cutoff_angstrom: f32::NAN,
        ..plain
    };
    assert!(matches!(
        make(three(), &options, false),
        Err(GraphError::Option { .. })
    ));
    let rows = batch(vec![
        (columns::ID, ids(1)),
        (columns::SEQUENCE, sequences(&["A"])),
    ]);
    let lacks = contacts(&rows, &plain, &GO).unwrap_err();
    assert!(matches!(
        lacks,
        GraphError::Column {
            column: columns::CA_XYZ
        }
    ));
}
