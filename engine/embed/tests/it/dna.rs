//! `dna-kmer-v1`.

use proptest::prelude::*;

use crate::common::{assert_golden, corpus, cosine_distance, encode, fasta, sequences};

const NAME: &str = "dna-kmer-v1";

fn reverse_complement(sequence: &str) -> String {
    sequence
        .chars()
        .rev()
        .map(|c| match c {
            'A' => 'T',
            'C' => 'G',
            'G' => 'C',
            'T' => 'A',
            'R' => 'Y',
            'Y' => 'R',
            'K' => 'M',
            'M' => 'K',
            other => other,
        })
        .collect()
}

#[test]
fn golden() {
    let rows = [
        "GATTACAGATTACAGGCCTTAAACGT",
        "GGGCGGCGACCTCGCGGGTTTTCGCTATTTATGAAAATTTTCC",
    ];
    let vectors = encode(NAME, &sequences(&rows));
    assert_golden(
        vectors[0].as_ref().unwrap(),
        [
            8.30836, 9.657496, -9.457034, 5.756546, -6.257115, 6.934627, -5.865539, 1.097983,
        ],
    );
    assert_golden(
        vectors[1].as_ref().unwrap(),
        [
            0.191585, -6.306598, -5.142529, 1.171821, -2.377123, -11.841163, 0.33163, -0.819323,
        ],
    );
}

#[test]
fn what_has_no_tetramer_is_null() {
    let rows = [
        "",
        "ACG",
        "ACGNACGNACG",
        "NNNNNNNN",
        "ACGT",
        "acgt",
        "ACGU",
        "RYKMSWRYKM",
    ];
    let vectors = encode(NAME, &sequences(&rows));
    let valid: Vec<bool> = vectors.iter().map(Option::is_some).collect();
    assert_eq!(valid, [false, false, false, false, true, true, true, false]);
    assert_eq!(vectors[4], vectors[5]);
    assert_eq!(vectors[4], vectors[6]);
}

#[test]
fn an_even_sequence_has_a_finite_vector() {
    // Homopolymers and a word repeated, where counts are as uneven as they can be.
    let rows = ["A".repeat(100_000), "ACGT".repeat(1000), "AT".repeat(7)];
    assert!(encode(NAME, &sequences(&rows)).iter().all(Option::is_some));
}

#[test]
fn corpus_strands_and_reads() {
    let Some(path) = corpus("dna/lambda_virus.fa") else {
        return;
    };
    let lambda = fasta(&path).concat();
    assert_eq!(lambda.len(), 48_502);
    let both = encode(
        NAME,
        &sequences(&[lambda.clone(), reverse_complement(&lambda)]),
    );
    assert_eq!(both[0], both[1]);

    // Reads of 150 bases, either strand, find a window that they lie in.
    let starts: Vec<usize> = (0..lambda.len() - 2048).step_by(1024).collect();
    let windows: Vec<&str> = starts.iter().map(|s| &lambda[*s..s + 2048]).collect();
    let windows = encode(NAME, &sequences(&windows));
    let at: Vec<usize> = (0..200).map(|i| i * 211).collect();
    let reads: Vec<String> = at
        .iter()
        .enumerate()
        .map(|(i, at)| {
            let read = &lambda[*at..at + 150];
            if i % 2 == 0 {
                read.to_owned()
            } else {
                reverse_complement(read)
            }
        })
        .collect();
    let found = encode(NAME, &sequences(&reads))
        .into_iter()
        .zip(&at)
        .filter(|(read, at)| {
            let distance =
                |w: usize| cosine_distance(read.as_ref().unwrap(), windows[w].as_ref().unwrap());
            let nearest = (0..starts.len())
                .min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
                .unwrap();
            starts[nearest] <= **at && *at + 150 <= starts[nearest] + 2048
        })
        .count();
    println!("{found} of {} reads found their window first", at.len());
    assert!(found * 2 > at.len(), "{found}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bit for bit: a sequence and its reverse complement, with ambiguous letters among them.
    #[test]
    fn strands_are_equal(row in "[ACGT]{0,60}[ACGTNRYKM]{0,60}[ACGT]{0,400}") {
        let vectors = encode(NAME, &sequences(&[row.clone(), reverse_complement(&row)]));
        prop_assert_eq!(&vectors[0], &vectors[1]);
    }

    /// An ambiguous letter cuts; it is not skipped.
    #[test]
    fn ambiguity_breaks_words(a in "[ACGT]{20,40}", b in "[ACGT]{20,40}", cut in "[NRYSWKMBDHV]") {
        let rows = [format!("{a}{cut}{b}"), format!("{a}N{b}"), format!("{a}{b}")];
        let vectors = encode(NAME, &sequences(&rows));
        prop_assert_eq!(&vectors[0], &vectors[1]);
        prop_assert_ne!(&vectors[0], &vectors[2]);
    }

    #[test]
    fn the_batch_does_not_matter(rows in prop::collection::vec("[ACGTN]{0,300}", 1..20), copies in 1_usize..60) {
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
