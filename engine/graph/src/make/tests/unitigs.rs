use std::collections::{BTreeMap, BTreeSet};

use penstock_types::columns;
use proptest::prelude::*;

use super::super::unitigs::*;
use super::*;
use crate::error::GraphError;

fn other(text: &str) -> String {
    let pair = |c| match c {
        'A' => 'T',
        'C' => 'G',
        'G' => 'C',
        _ => 'A',
    };
    text.chars().rev().map(pair).collect()
}

fn spell(unitig: &Unitig) -> String {
    unitig
        .bases
        .iter()
        .map(|b| b"ACGT"[usize::from(*b)] as char)
        .collect()
}

fn pieces(text: &str, k: usize) -> Vec<String> {
    let windows = text.as_bytes().windows(k);
    windows
        .map(|w| String::from_utf8(w.to_vec()).unwrap())
        .collect()
}

/// Everything that defines the graph, by strings alone.
fn check(sequence: &str, k: usize) -> Result<(), TestCaseError> {
    let compacted = compact(sequence.as_bytes(), k, &GO).unwrap();
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for piece in pieces(sequence, k).into_iter().filter(|p| !p.contains('N')) {
        *counts.entry(other(&piece).min(piece)).or_default() += 1;
    }
    let has = |text: &str| counts.contains_key(&other(text).min(text.to_owned()));
    let after = |text: &str| -> Vec<String> {
        let next = "ACGT".chars().map(|c| format!("{}{c}", &text[1..]));
        next.filter(|n| has(n)).collect()
    };
    // Each k-mer is in one unitig, once, and runs have no branch inside.
    let mut seen = BTreeSet::new();
    let spelled: Vec<String> = compacted.unitigs.iter().map(spell).collect();
    for (text, unitig) in spelled.iter().zip(&compacted.unitigs) {
        prop_assert!(*text <= other(text));
        let parts = pieces(text, k);
        let mut count = 0;
        for part in &parts {
            let lesser = other(part).min(part.clone());
            count += counts[&lesser];
            prop_assert!(seen.insert(lesser));
        }
        prop_assert_eq!(count, unitig.count);
        for pair in parts.windows(2) {
            prop_assert_eq!(after(&pair[0]), vec![pair[1].clone()]);
            prop_assert_eq!(after(&other(&pair[1])), vec![other(&pair[0])]);
        }
    }
    prop_assert_eq!(seen.len(), counts.len());
    // Links are all overlaps of k - 1 bases; no run could be longer.
    let mut links = BTreeSet::new();
    for (a, first) in spelled.iter().enumerate() {
        for (turned_a, x) in [(false, first.clone()), (true, other(first))] {
            let last = &x[x.len() - k..];
            let mut followers = Vec::new();
            for (b, second) in spelled.iter().enumerate() {
                for (turned_b, y) in [(false, second.clone()), (true, other(second))] {
                    if last[1..] == y[..k - 1] {
                        let flipped = turned_a != turned_b;
                        let (from, to) = (a.min(b) as u32, a.max(b) as u32);
                        links.insert(Link { from, to, flipped });
                        followers.push((b, y));
                    }
                }
            }
            if let [(b, y)] = &followers[..] {
                let back = after(&other(&y[..k]));
                prop_assert!(*b == a || back.len() > 1, "{} could go on", x);
            }
        }
    }
    prop_assert_eq!(&compacted.links, &links.into_iter().collect::<Vec<_>>());
    prop_assert_eq!(
        &compact(other_letters(sequence).as_bytes(), k, &GO).unwrap(),
        &compacted
    );
    Ok(())
}

fn other_letters(sequence: &str) -> String {
    let parts: Vec<String> = sequence.split('N').rev().map(other).collect();
    parts.join("N")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn as_defined(sequence in "[ACGT]{0,40}(N[ACGT]{0,30}){0,3}", k in 1..4_usize) {
        check(&sequence, 2 * k + 1)?;
    }

    /// Repeats, forwards and backwards.
    #[test]
    fn as_defined_with_repeats(parts in prop::collection::vec("[ACGT]{5,12}", 1..4), picks in prop::collection::vec((0..4_usize, any::<bool>()), 1..8), k in 1..6_usize) {
        let pick = |(i, turned): &(usize, bool)| {
            let part = &parts[i % parts.len()];
            if *turned { other(part) } else { part.clone() }
        };
        let sequence: String = picks.iter().map(pick).collect();
        check(&sequence, 2 * k + 1)?;
    }
}

#[test]
fn graphs_of_rows() {
    // A repeat between two unique flanks; a sequence too short; one of unknown bases.
    let (a, b, c) = ("ACCGTTGAC", "GGATTACAGGCATC", "TTCAATGCG");
    let repeated = format!("{a}{b}{c}{b}AGAGTCTCA");
    let circle = "ACGGTTCA".repeat(3);
    let rows = batch(vec![
        (columns::ID, ids(4)),
        (
            columns::SEQUENCE,
            sequences(&[&repeated, "ACGT", &"N".repeat(40), &circle]),
        ),
    ]);
    let options = UnitigOptions {
        k: 7,
        ..UnitigOptions::default()
    };
    let made = unitigs(&rows, &options, &GO).unwrap();
    assert_eq!((made.graphs.len(), made.without), (2, 2));
    let graph = &made.graphs[0].graph;
    assert_eq!((graph.vertices(), graph.edges()), (4, 3));
    let column = |name| graph.vertex_columns().get(name).unwrap();
    let repeat = (0..4).find(|v| column(COVERAGE)[*v] == 2.0).unwrap();
    assert_eq!(column(LENGTH)[repeat], 14.0);
    assert_eq!(column(GC)[repeat], 0.5);
    let names = graph.vertex_names().unwrap();
    assert_eq!(names.name(graph.labels()[repeat]), Some("gc40/len8"));
    assert_eq!(made.graphs[0].names, ["u0", "u1", "u2", "u3"]);
    assert_eq!(column(REPEATS), [0.0; 4]);
    let circle = &made.graphs[1].graph;
    assert_eq!((circle.vertices(), circle.edges()), (1, 0));
    assert_eq!(circle.vertex_columns().get(REPEATS).unwrap(), [1.0]);
    // 8 k-mers for 18 windows.
    assert_eq!(circle.vertex_columns().get(COVERAGE).unwrap(), [18.0 / 8.0]);
    for k in [0, 1, 2, 20, 33] {
        let options = UnitigOptions { k, ..options };
        assert!(matches!(
            unitigs(&rows, &options, &GO),
            Err(GraphError::Option { .. })
        ));
    }
    let options = UnitigOptions {
        max_bases: 24,
        ..options
    };
    assert!(matches!(
        unitigs(&rows, &options, &GO),
        Err(GraphError::TooLarge { .. })
    ));
    let stop = AtomicBool::new(true);
    assert!(matches!(
        compact(b"ACGTACGTA", 3, &stop),
        Err(GraphError::Cancelled)
    ));
}

/// The longest k-mer fills all but two bits of a word.
#[test]
fn the_longest_k() {
    let sequence = "ACGGTCATTACGGATCCATTGACCAGTTTACGCCATGACTTGGA";
    let compacted = compact(sequence.as_bytes(), LONGEST, &GO).unwrap();
    assert_eq!(compacted.unitigs.len(), 1);
    let spelled = spell(&compacted.unitigs[0]);
    assert_eq!(spelled, other(sequence).min(sequence.to_owned()));
}
