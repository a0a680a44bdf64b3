//! Random patterns and sequences.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use penstock_motif::matcher::Stopped;
use penstock_motif::{Alphabet, Hit, MatchOptions, Motif, MotifError, Overlaps, Pattern, Scratch};
use proptest::prelude::*;

use crate::oracle::{Drawn, drawn};

fn sequence(letters: &'static str, len: std::ops::Range<usize>) -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(letters.as_bytes()), len)
        .prop_map(|letters| letters.into_iter().map(char::from).collect())
}

fn motif(drawn: &Drawn, both_strands: bool, overlaps: Overlaps) -> Result<Motif, MotifError> {
    let pattern = Pattern::parse(&drawn.text(), drawn.alphabet)?;
    Ok(Motif::new(
        pattern,
        MatchOptions {
            both_strands,
            overlaps,
        },
    ))
}

/// What the pattern finds is what the regular expression finds.
fn check(drawn: &Drawn, sequence: &str, both_strands: bool) -> Result<(), TestCaseError> {
    let motif = match motif(drawn, both_strands, Overlaps::Every) {
        Ok(motif) => motif,
        Err(MotifError::Nothing { .. } | MotifError::Empty) => return Ok(()),
        Err(error) => return Err(TestCaseError::fail(format!("{}: {error}", drawn.text()))),
    };
    let expected = drawn.hits(sequence, both_strands);
    prop_assert_eq!(
        motif.find_all(sequence.as_bytes()),
        expected.clone(),
        "{} in {}",
        drawn.text(),
        sequence
    );
    if let Some(required) = motif.required(16) {
        let contained = required.literals.iter().any(|one| sequence.contains(one));
        prop_assert!(contained || expected.is_empty(), "{:?}", required);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn proteins_as_a_regular_expression(
        drawn in drawn(Alphabet::Protein),
        sequence in sequence("AACCDDEENXBZJK", 0..40),
    ) {
        check(&drawn, &sequence, false)?;
    }

    #[test]
    fn dna_as_a_regular_expression(
        drawn in drawn(Alphabet::Dna),
        sequence in sequence("AACCGGTTACGTRYNU", 0..40),
        both_strands in any::<bool>(),
    ) {
        check(&drawn, &sequence, both_strands)?;
    }

    #[test]
    fn which_overlaps_are_left(
        drawn in drawn(Alphabet::Dna),
        sequence in sequence("ACGT", 0..60),
    ) {
        let Ok(every) = motif(&drawn, true, Overlaps::Every) else { return Ok(()) };
        let every = every.find_all(sequence.as_bytes());
        for overlaps in [Overlaps::NotIncluded, Overlaps::Disjoint] {
            let mut left: Vec<Hit> = Vec::new();
            for hit in &every {
                let clashes = left.iter().filter(|is| is.strand == hit.strand).any(|is| match overlaps {
                    Overlaps::NotIncluded => hit.end <= is.end,
                    _ => hit.start < is.end,
                });
                if !clashes {
                    left.push(*hit);
                }
            }
            let found = motif(&drawn, true, overlaps).unwrap().find_all(sequence.as_bytes());
            prop_assert_eq!(found, left);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A long sequence is searched in blocks, short ones in one: they must agree at the seams.
    #[test]
    fn blocks_meet(
        drawn in drawn(Alphabet::Protein),
        period in sequence("AACCDDEENXBZJKKKKKKKK", 1..40),
        len in 4_000_usize..13_000,
        gap in proptest::option::of((0_usize..200, 0_usize..60)),
    ) {
        let mut drawn = drawn;
        if let Some((min, more)) = gap {
            drawn.parts.insert(drawn.parts.len() / 2, crate::oracle::Part {
                letters: "x".into(),
                negated: false,
                repeat: Some((min, min + more)),
            });
        }
        let text: Vec<u8> = period.bytes().cycle().take(len).collect();
        let Ok(motif) = motif(&drawn, false, Overlaps::Every) else { return Ok(()) };
        let found = motif.find_all(&text);
        let pattern = motif.pattern();
        let mut expected = Vec::new();
        for start in 0..text.len() {
            if drawn.at_start && start > 0 {
                break;
            }
            if let Some(end) = naive(pattern, &text, start) {
                expected.push((start, end));
            }
        }
        let found: Vec<_> = found.iter().map(|hit| (hit.start, hit.end)).collect();
        prop_assert_eq!(found, expected, "{}", drawn.text());
    }
}

/// The furthest end, by the set of ends after each element.
fn naive(pattern: &Pattern, text: &[u8], start: usize) -> Option<usize> {
    use penstock_motif::End;
    let step = |ends: &[bool], element: &penstock_motif::Element| {
        let matches = |byte: &u8| {
            pattern
                .alphabet()
                .meaning(*byte)
                .is_some_and(|meaning| meaning.is_subset(element.meaning))
        };
        let mut now = ends.to_vec();
        let mut all = vec![false; ends.len()];
        for count in 0..=element.max {
            if count >= element.min {
                all.iter_mut().zip(&now).for_each(|(all, now)| *all |= now);
            }
            let next = (0..now.len()).map(|i| i > 0 && now[i - 1] && matches(&text[start + i - 1]));
            now = next.collect();
        }
        all
    };
    let reach = (text.len() - start).min(pattern.max_len());
    let mut ends = vec![false; reach + 1];
    ends[0] = true;
    let (last, body) = pattern.elements().split_last()?;
    for element in body {
        if !ends.contains(&true) {
            return None;
        }
        ends = step(&ends, element);
    }
    let before_last = ends.clone();
    ends = step(&ends, last);
    let at_end = text.len() - start;
    let whole = ends.iter().rposition(|end| *end);
    match pattern.end() {
        End::Anywhere => whole.map(|end| start + end),
        End::AtEnd => (ends.get(at_end) == Some(&true)).then_some(text.len()),
        End::LastOrEnd if before_last.get(at_end) == Some(&true) => Some(text.len()),
        End::LastOrEnd => whole.map(|end| start + end),
    }
}

#[test]
fn a_visitor_or_a_flag_ends_the_search() {
    let pattern = Pattern::parse("A", Alphabet::Protein).unwrap();
    let motif = Motif::new(pattern, MatchOptions::default());
    let (mut scratch, text) = (Scratch::default(), vec![b'A'; 100_000]);
    let mut seen = 0;
    let stopped = motif.find(&text, &mut scratch, &AtomicBool::new(false), |hit| {
        assert_eq!(hit.start, seen);
        seen += 1;
        if seen == 5 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!((stopped, seen), (ControlFlow::Break(Stopped::Visitor), 5));

    let cancelled = AtomicBool::new(false);
    let mut seen = 0;
    let stopped = motif.find(&text, &mut scratch, &cancelled, |_| {
        seen += 1;
        cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    assert_eq!(stopped, ControlFlow::Break(Stopped::Cancelled));
    assert!((1..text.len()).contains(&seen));
}
