use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::batch::Batch;
use super::kernel::isa::Isa;
use super::kernel::{self, Encoded, Run};
use super::options::Prepared;
use super::scoring::Scoring;
use super::*;
use crate::RerankError;

static GO: AtomicBool = AtomicBool::new(false);

/// Gotoh's recurrences with the whole matrices, as they are printed.
fn plain(scoring: &Scoring, a: Encoded<'_>, b: Encoded<'_>) -> i64 {
    let (m, n) = (a.letters.len(), b.letters.len());
    let low = -1_000_000_i64;
    let mut h = vec![vec![0; n + 1]; m + 1];
    let mut e = vec![vec![low; n + 1]; m + 1];
    let mut f = vec![vec![low; n + 1]; m + 1];
    let mut best = 0;
    let at = |bias: &[i8], i: usize| bias.get(i).map_or(0, |b| i64::from(*b));
    for i in 1..=m {
        for j in 1..=n {
            let s = i64::from(scoring.score(a.letters[i - 1], b.letters[j - 1]))
                + at(a.bias, i - 1)
                + at(b.bias, j - 1);
            let first = i64::from(scoring.gap_first());
            let next = i64::from(scoring.gap_next());
            e[i][j] = (e[i][j - 1] - next).max(h[i][j - 1] - first);
            f[i][j] = (f[i - 1][j] - next).max(h[i - 1][j] - first);
            h[i][j] = 0.max(h[i - 1][j - 1] + s).max(e[i][j]).max(f[i][j]);
            best = best.max(h[i][j]);
        }
    }
    best
}

fn check(options: &SequenceOptions, query: &[u8], targets: &[Vec<u8>]) {
    let prepared = Prepared::new(options).unwrap();
    let query = prepared.sequence(query);
    let sequences: Vec<_> = targets.iter().map(|t| prepared.sequence(t)).collect();
    let encoded: Vec<_> = sequences.iter().map(|s| s.encoded()).collect();
    let expected: Vec<i64> = encoded
        .iter()
        .map(|t| plain(&prepared.scoring, query.encoded(), *t))
        .collect();
    let mut batch = Batch::default();
    for isa in Isa::all() {
        let run = Run {
            isa: *isa,
            scoring: &prepared.scoring,
            stop: &GO,
        };
        for (targets, expected) in encoded
            .chunks(kernel::width(*isa))
            .zip(expected.chunks(kernel::width(*isa)))
        {
            batch.fill(run, targets);
            let scores = batch.scores(run, query.encoded(), targets);
            let scores: Vec<i64> = scores.iter().map(|s| i64::from(*s)).collect();
            assert_eq!(scores, expected, "{isa:?}");
            for (target, score) in targets.iter().zip(expected) {
                let one = gotoh::score(&prepared.scoring, query.encoded(), *target, &GO);
                assert_eq!(i64::from(one), *score);
            }
        }
    }
}

/// Letters that are there, that are not, and lower case.
fn protein(most: usize) -> impl Strategy<Value = Vec<u8>> {
    let letters = b"ARNDCQEGHILKMFPSTWYVBZXJUO*-arndw7";
    prop::collection::vec(prop::sample::select(letters.to_vec()), 0..most)
}

/// Relatives: pieces of one sequence with small changes, so that scores are high and gaps pay.
fn relatives(most: usize) -> impl Strategy<Value = (Vec<u8>, Vec<Vec<u8>>)> {
    let cut = (0..most, 0..most, 0..most, 0..12_usize, any::<u8>());
    (protein(most), prop::collection::vec(cut, 1..80)).prop_map(|(query, cuts)| {
        let piece = |(from, to, at, gap, letter): &(usize, usize, usize, usize, u8)| {
            let mut piece = query.clone();
            piece.truncate(*to);
            piece.drain(..(*from).min(piece.len()));
            if *letter % 2 == 0 {
                let at = (*at).min(piece.len());
                let end = (at + gap).min(piece.len());
                piece.drain(at..end);
            } else if *at < piece.len() {
                piece.splice(*at..*at, std::iter::repeat_n(b'W', *gap));
                piece[*at] = b"ARNDCQEG"[usize::from(*letter) % 8];
            }
            piece
        };
        let targets = cuts.iter().map(piece).collect();
        (query, targets)
    })
}

fn some_options() -> impl Strategy<Value = SequenceOptions> {
    let matrices = vec![Matrix::Blosum45, Matrix::Blosum62, Matrix::Blosum80];
    (
        prop::sample::select(matrices),
        0..30_u8,
        1..5_u8,
        any::<bool>(),
    )
        .prop_map(
            |(matrix, gap_open, gap_extend, composition)| SequenceOptions {
                matrix,
                gap_open,
                gap_extend,
                composition,
                ..SequenceOptions::default()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_sequences(
        query in protein(70),
        targets in prop::collection::vec(protein(70), 0..90),
        options in some_options(),
    ) {
        check(&options, &query, &targets);
    }

    /// Scores on both sides of what eight bits hold.
    #[test]
    fn related_sequences((query, targets) in relatives(140), options in some_options()) {
        check(&options, &query, &targets);
    }

    #[test]
    fn nucleotides(
        query in prop::collection::vec(prop::sample::select(b"ACGTUNacgt".to_vec()), 0..90),
        targets in prop::collection::vec(
            prop::collection::vec(prop::sample::select(b"ACGTNRt".to_vec()), 0..90), 1..40),
    ) {
        check(&SequenceOptions::dna(), &query, &targets);
    }

    /// The alignment that is traced has the score that it says, and the columns that it says.
    #[test]
    fn traces_add_up((query, targets) in relatives(90), options in some_options()) {
        let prepared = Prepared::new(&options).unwrap();
        let q = prepared.sequence(&query);
        for target in targets.iter().take(8) {
            let t = prepared.sequence(target);
            let found = align_pair(&query, target, &options, &GO).unwrap();
            let expected = plain(&prepared.scoring, q.encoded(), t.encoded());
            prop_assert_eq!(i64::from(found.score), expected);
            let (mut i, mut j) = (found.query.start, found.target.start);
            let (mut score, mut columns, mut same) = (0, 0, 0);
            let mut count = 0_usize;
            for byte in found.cigar.bytes() {
                if byte.is_ascii_digit() {
                    count = count * 10 + usize::from(byte - b'0');
                    continue;
                }
                columns += count;
                let gap = i64::from(prepared.scoring.gap_first())
                    + (count as i64 - 1) * i64::from(prepared.scoring.gap_next());
                match byte {
                    b'M' => for _ in 0..count {
                        score += i64::from(prepared.scoring.score(q.letters[i], t.letters[j]))
                            + gotoh::bias(q.encoded(), i) + gotoh::bias(t.encoded(), j);
                        same += usize::from(q.letters[i] == t.letters[j]);
                        (i, j) = (i + 1, j + 1);
                    },
                    b'I' => (i, score) = (i + count, score - gap),
                    _ => (j, score) = (j + count, score - gap),
                }
                count = 0;
            }
            prop_assert_eq!(score, expected);
            prop_assert_eq!((i, j), (found.query.end, found.target.end));
            prop_assert_eq!((columns, same), (found.columns, found.identities));
        }
    }

    #[test]
    fn all_pairs_as_one_query_after_another(
        sequences in prop::collection::vec(protein(60), 0..90), both in any::<bool>(),
    ) {
        let options = if both { SequenceOptions::dna() } else { SequenceOptions::default() };
        let keep = AllOptions { keep: 5 };
        let all = rerank_all(&sequences, None, &keep, &options, &GO, &|_, _| ()).unwrap();
        for (query, hits) in all.iter().enumerate() {
            let mut alone = rerank_sequences(&sequences[query], &sequences, &options, &GO).unwrap();
            alone.retain(|hit| hit.target != query);
            alone.truncate(5);
            let key = |hits: &[SequenceScore]| -> Vec<(usize, u32)> {
                hits.iter().map(|hit| (hit.target, hit.score)).collect()
            };
            prop_assert_eq!(key(hits), key(&alone));
        }
        // Every sequence as a candidate of the one before it: the same scores, fewer of them.
        let lists: Vec<Vec<u32>> = (0..sequences.len() as u32)
            .map(|i| if i == 0 { vec![] } else { vec![i - 1, i] })
            .collect();
        let some = rerank_all(&sequences, Some(&lists), &keep, &options, &GO, &|_, _| ()).unwrap();
        for (query, hits) in some.iter().enumerate() {
            let near = query.saturating_sub(1)..(query + 2).min(sequences.len());
            let mut found: Vec<usize> = hits.iter().map(|hit| hit.target).collect();
            found.sort_unstable();
            let expected: Vec<usize> = near.filter(|i| *i != query).collect();
            prop_assert_eq!(found, expected);
        }
    }
}

/// Past sixteen bits: 7,000 tryptophans score 77,000.
#[test]
fn very_high_scores() {
    let query = vec![b'W'; 7_000];
    let targets = vec![
        vec![b'W'; 7_000],
        vec![b'W'; 20],
        vec![b'W'; 24],
        vec![b'W'; 5_957],
    ];
    let hits = rerank_sequences(&query, &targets, &SequenceOptions::default(), &GO).unwrap();
    let mut scores: Vec<_> = hits.iter().map(|hit| (hit.target, hit.score)).collect();
    scores.sort_unstable();
    assert_eq!(scores, [(0, 77_000), (1, 220), (2, 264), (3, 65_527)]);
    assert_eq!(hits[0].evalue, 0.0);
    assert!(hits[0].log_evalue < hits[1].log_evalue);
}

#[test]
fn a_known_pair() {
    let options = SequenceOptions::default();
    let found = align_pair(b"HEAGAWGHEE", b"pawheae", &options, &GO).unwrap();
    // A W and HE, with a gap of one: 4 + 11 - 12 + 8 + 5; better without: AW alone and beyond.
    assert_eq!(found.score, 17);
    assert_eq!(&found.cigar, "3M");
    let found = align_pair(b"WWWWWKKKWWWWW", b"wwwwwwwwww", &options, &GO).unwrap();
    assert_eq!(found.score, 110 - 14);
    assert_eq!(found.cigar, "5M3I5M");
    assert_eq!(found.pairs()[4..6], [(4, 4), (8, 5)]);
    assert_eq!((found.query.clone(), found.target.clone()), (0..13, 0..10));
    assert_eq!((found.identities, found.columns), (10, 13));
    let none = align_pair(b"W", b"P", &options, &GO).unwrap();
    assert_eq!((none.score, none.cigar.as_str()), (0, ""));
    assert_eq!((none.query, none.target), (0..0, 0..0));
}

#[test]
fn both_strands_of_dna() {
    let query = b"AACCGGTTACGATTACAGATTC";
    let target = b"GGGGAATCTGTAATCGTAACCGGTTGGGG";
    let options = SequenceOptions::dna();
    let hit = rerank_sequences(query, &[target], &options, &GO).unwrap()[0];
    assert!(hit.reverse);
    assert_eq!(hit.score, 44);
    let found = align_pair(query, target, &options, &GO).unwrap();
    assert!(found.reverse);
    assert_eq!(found.pairs()[..2], [(21, 3), (20, 4)]);
    assert_eq!((found.query, found.target), (0..22, 3..25));
    let one = SequenceOptions {
        both_strands: false,
        ..options
    };
    assert!(rerank_sequences(query, &[target], &one, &GO).unwrap()[0].score < 44);
}

#[test]
fn nothing_and_nonsense() {
    let options = SequenceOptions::default();
    let hits = rerank_sequences(b"", &["MKV", ""], &options, &GO).unwrap();
    assert!(
        hits.iter()
            .all(|hit| hit.score == 0 && hit.log_evalue.is_finite())
    );
    let none: [&str; 0] = [];
    assert_eq!(rerank_sequences(b"MKV", &none, &options, &GO), Ok(vec![]));
    let free = SequenceOptions {
        gap_extend: 0,
        ..options.clone()
    };
    assert_eq!(
        rerank_sequences(b"M", &none, &free, &GO),
        Err(RerankError::Gaps {
            open: 11,
            extend: 0
        })
    );
    let odd = SequenceOptions {
        gap_open: 50,
        ..options.clone()
    };
    assert!(matches!(
        rerank_sequences(b"M", &none, &odd, &GO),
        Err(RerankError::NoStatistics { .. })
    ));
    let short = SequenceOptions {
        trace_cells: 3,
        ..options.clone()
    };
    assert_eq!(
        align_pair(b"MK", b"MK", &short, &GO),
        Err(RerankError::TooLong { cells: 4, limit: 3 })
    );
    let stop = AtomicBool::new(false);
    stop.store(true, Ordering::Relaxed);
    assert_eq!(
        rerank_sequences(b"M", &["M"], &options, &stop),
        Err(RerankError::Cancelled)
    );
    let bad = rerank_all(
        &["M"],
        Some(&[vec![1]]),
        &AllOptions::default(),
        &options,
        &GO,
        &|_, _| (),
    );
    assert!(matches!(
        bad,
        Err(RerankError::Candidate { candidate: 1, .. })
    ));
}
