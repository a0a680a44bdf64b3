//! `protein-kmer-v1`.

use arrow::array::{ArrayRef, RecordBatch, StringArray, StringViewArray};
use penstock_types::columns;
use proptest::prelude::*;
use std::sync::Arc;

use crate::common::{assert_golden, corpus, cosine_distance, encode, fasta, sequences};

const NAME: &str = "protein-kmer-v1";
/// Human ubiquitin (UniProt P62988).
const UBIQUITIN: &str =
    "MQIFVKTLTGKTITLEVEPSDTIENVKAKIQDKEGIPPDQQRLIFAGKQLEDGRTLSDYNIQKESTLHLVLRLRGG";
/// Melittin (UniProt P01501, residues 44 to 69).
const MELITTIN: &str = "GIGAVLKVLTTGLPALISWIKRKRQQ";

#[test]
fn golden() {
    let vectors = encode(NAME, &sequences(&[UBIQUITIN, MELITTIN]));
    assert_golden(
        vectors[0].as_ref().unwrap(),
        [
            -4.933118, -3.332891, -1.576136, 4.612707, -3.21905, 10.707336, 9.829302, -5.960196,
        ],
    );
    assert_golden(
        vectors[1].as_ref().unwrap(),
        [
            4.15502, -0.134396, 4.084814, -5.297054, -0.657995, 2.353001, 0.606153, -3.403398,
        ],
    );
}

#[test]
fn what_has_no_residue_is_null() {
    let vectors = encode(
        NAME,
        &sequences(&["", "XXXX", "-*-", "A", "XXAXX", "MK", "U"]),
    );
    let valid: Vec<bool> = vectors.iter().map(Option::is_some).collect();
    assert_eq!(valid, [false, false, false, true, true, true, true]);
    // No null slot either.
    let column: ArrayRef = Arc::new(StringArray::from(vec![None, Some("MK")]));
    let batch = RecordBatch::try_from_iter([(columns::SEQUENCE, column)]).unwrap();
    let again = encode(NAME, &batch);
    assert_eq!(again, [None, vectors[5].clone()]);
}

#[test]
fn every_text_layout_gives_the_same() {
    let rows = [UBIQUITIN, MELITTIN];
    let expected = encode(NAME, &sequences(&rows));
    let small: ArrayRef = Arc::new(StringArray::from_iter_values(rows));
    let view: ArrayRef = Arc::new(StringViewArray::from_iter_values(rows));
    for column in [small, view] {
        let batch = RecordBatch::try_from_iter([(columns::SEQUENCE, column)]).unwrap();
        assert_eq!(encode(NAME, &batch), expected);
        assert_eq!(encode(NAME, &batch.slice(1, 1)), expected[1..]);
    }
}

#[test]
fn a_mutant_is_nearer_than_a_stranger() {
    let mutant = UBIQUITIN.replace("VKTLTGK", "VRTISGK");
    let v = encode(NAME, &sequences(&[UBIQUITIN, &mutant, MELITTIN]));
    let v: Vec<_> = v.into_iter().map(Option::unwrap).collect();
    assert!(cosine_distance(&v[0], &v[1]) < 0.1);
    assert!(cosine_distance(&v[0], &v[2]) > 0.5);
}

#[test]
fn corpus_neighbours() {
    let Some(path) = corpus("protein/globins45.fa") else {
        return;
    };
    let globins: Vec<String> = fasta(&path)
        .into_iter()
        .map(|s| s.replace(['-', '.', '\n'], ""))
        .collect();
    let mut rows = globins.clone();
    rows.push(UBIQUITIN.to_owned());
    let vectors: Vec<_> = encode(NAME, &sequences(&rows))
        .into_iter()
        .map(Option::unwrap)
        .collect();
    let (ubiquitin, globins) = vectors.split_last().unwrap();
    for (i, globin) in globins.iter().enumerate() {
        let nearest = (0..globins.len())
            .filter(|j| *j != i)
            .map(|j| cosine_distance(globin, &globins[j]))
            .fold(f64::MAX, f64::min);
        assert!(nearest < cosine_distance(globin, ubiquitin), "{i}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The same bits alone, in a batch of any length, and on one thread.
    #[test]
    fn the_batch_does_not_matter(
        rows in prop::collection::vec("[A-Z*]{0,300}", 1..20),
        copies in 1_usize..60,
    ) {
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let mut long = Vec::new();
        for _ in 0..copies {
            long.extend(rows.iter().cloned());
        }
        let together = encode(NAME, &sequences(&long));
        for (i, row) in rows.iter().enumerate() {
            let alone = one_thread.install(|| encode(NAME, &sequences(&[row])));
            for copy in 0..copies {
                prop_assert_eq!(&together[copy * rows.len() + i], &alone[0]);
            }
        }
    }
}
