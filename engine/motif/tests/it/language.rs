//! What is a pattern, and what is said of a text that is none.

use penstock_motif::{Alphabet, End, MatchOptions, Motif, Pattern};

#[test]
fn spellings_of_one_pattern() {
    for (alphabet, spellings) in [
        (
            Alphabet::Protein,
            &[
                "[AG]-x(4)-G-K-[ST]",
                "[AG]-x(4)-G-K-[ST].",
                " [ga] - X(4,4) - g - k - [TS] . ",
                "[AG]x(4)GK[ST]",
                "[AG]xXxxGK[ST]",
                "[AGG]-x(2)-x(2)-G-A(0)-K-[ST]",
            ][..],
        ),
        (Alphabet::Protein, &["B-x", "[DN]-x", "[BN]-x(1)"]),
        (
            Alphabet::Protein,
            &["<A(2,3)-{P}>", "<A(2,3){P}>.", "< A(2,3) - {P} > ."],
        ),
        (
            Alphabet::Dna,
            &["GANTC", "GAxTC", "G-A-[ACGT]-T-C", "gaNuc"],
        ),
        (Alphabet::Dna, &["{A}", "B", "[CGT]", "{AA}"]),
    ] {
        let stretched = |text: &str| {
            let pattern = Pattern::parse(text, alphabet).unwrap();
            let elements: Vec<_> = pattern
                .elements()
                .iter()
                .flat_map(|element| {
                    let once = (element.meaning, element.min == element.max);
                    vec![once; element.max]
                })
                .collect();
            (elements, pattern.at_start(), pattern.end())
        };
        for spelling in spellings {
            assert_eq!(stretched(spelling), stretched(spellings[0]), "{spelling}");
        }
    }
    let parsed = Pattern::parse("F-[GSTV]-P-R-L-[G>].", Alphabet::Protein).unwrap();
    assert_eq!(parsed.end(), End::LastOrEnd);
    assert_eq!((parsed.min_len(), parsed.max_len()), (5, 6));
}

#[test]
fn what_is_wrong_and_where() {
    use Alphabet::{Dna, Protein};
    for (alphabet, text, message) in [
        (
            Protein,
            "",
            "column 1 of the pattern: expected a letter, `x`, `[` or `{`, but it ends",
        ),
        (
            Protein,
            "A-",
            "column 3 of the pattern: expected a letter, `x`, `[` or `{`, but it ends",
        ),
        (
            Protein,
            "A--C",
            "column 3 of the pattern: expected a letter, `x`, `[` or `{`, found `-`",
        ),
        (
            Protein,
            "A-é",
            "column 3 of the pattern: expected a letter, `x`, `[` or `{`, found `é`",
        ),
        (
            Protein,
            "é",
            "column 1 of the pattern: expected a letter, `x`, `[` or `{`, found `é`",
        ),
        (
            Protein,
            "A-x*",
            "column 4 of the pattern: expected a letter, `x`, `[` or `{`, found `*`",
        ),
        (
            Protein,
            "A<C",
            "column 2 of the pattern: expected a letter, `x`, `[` or `{`, found `<`",
        ),
        (
            Protein,
            "[]",
            "column 2 of the pattern: expected a letter, found `]`",
        ),
        (
            Protein,
            "[AC",
            "column 4 of the pattern: expected a letter or `]`, but it ends",
        ),
        (
            Protein,
            "[A-C]",
            "column 3 of the pattern: expected a letter or `]`, found `-`",
        ),
        (
            Protein,
            "{A]",
            "column 3 of the pattern: expected a letter or `}`, found `]`",
        ),
        (
            Protein,
            "{A>}",
            "column 3 of the pattern: expected a letter or `}`, found `>`",
        ),
        (
            Protein,
            "[>A]",
            "column 2 of the pattern: expected a letter, found `>`",
        ),
        (
            Protein,
            "[G>A]",
            "column 4 of the pattern: expected `]`, after `>` in a class, found `A`",
        ),
        (
            Protein,
            "A-[G>]-A",
            "column 7 of the pattern: expected `.` or the end, after `[...>]`, found `-`",
        ),
        (
            Protein,
            "A-[G>](2)",
            "column 7 of the pattern: expected `.` or the end, after `[...>]`, found `(`",
        ),
        (
            Protein,
            "A>-C",
            "column 3 of the pattern: expected `.` or the end, after `>`, found `-`",
        ),
        (
            Protein,
            "A.C",
            "column 3 of the pattern: expected the end, after `.`, found `C`",
        ),
        (
            Protein,
            "A()",
            "column 3 of the pattern: expected a number, found `)`",
        ),
        (
            Protein,
            "A(2",
            "column 4 of the pattern: expected `)`, `,` or a digit, but it ends",
        ),
        (
            Protein,
            "A(2;3)",
            "column 4 of the pattern: expected `)`, `,` or a digit, found `;`",
        ),
        (
            Protein,
            "A(2,x)",
            "column 5 of the pattern: expected a number, found `x`",
        ),
        (
            Protein,
            "A-x(5,2)",
            "column 4 of the pattern: a repeat goes from fewer to more, not from 5 to 2",
        ),
        (
            Protein,
            "x(1001)",
            "column 3 of the pattern: a match could be longer than 1000 letters",
        ),
        (
            Protein,
            "x(99999999999999999999)",
            "column 3 of the pattern: a match could be longer than 1000 letters",
        ),
        (
            Protein,
            "x(600)-A-x(400)",
            "column 10 of the pattern: a match could be longer than 1000 letters",
        ),
        (
            Protein,
            "A-{X}",
            "column 3 of the pattern: nothing of protein is left to match here",
        ),
        (
            Protein,
            "x(0,3)",
            "the pattern matches the empty sequence; one of its elements must occur at least once",
        ),
        (
            Protein,
            "[G>]",
            "the pattern matches the empty sequence; one of its elements must occur at least once",
        ),
        (
            Dna,
            "GAE",
            "column 3 of the pattern: `E` is no letter of DNA; expected one of A C G T U R Y S W K M B D H V N",
        ),
        (
            Dna,
            "GA[GF]",
            "column 5 of the pattern: `F` is no letter of DNA; expected one of A C G T U R Y S W K M B D H V N",
        ),
        (
            Dna,
            "G{N}",
            "column 2 of the pattern: nothing of DNA is left to match here",
        ),
        (
            Dna,
            "G[A>]",
            "column 4 of the pattern: expected a letter or `]`, found `>`",
        ),
    ] {
        let error = Pattern::parse(text, alphabet).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
    let long = "A".repeat(10_000);
    let error = Pattern::parse(&long, Protein).unwrap_err().to_string();
    assert_eq!(
        error,
        "the pattern has 10000 bytes; at most 8192 are allowed"
    );
}

#[test]
fn the_longest_patterns_match() {
    for len in [1, 62, 63, 64, 65, 126, 127, 128, 254, 255, 256, 999, 1000] {
        let text = format!("A({},{len})-C", len - 1);
        if len == 1000 {
            assert!(Pattern::parse(&text, Alphabet::Protein).is_err());
            continue;
        }
        let pattern = Pattern::parse(&text, Alphabet::Protein).unwrap();
        let motif = Motif::new(pattern, MatchOptions::default());
        let mut sequence = vec![b'A'; len + 1];
        sequence.push(b'C');
        let hits = motif.find_all(&sequence);
        let starts: Vec<_> = hits.iter().map(|hit| hit.start).collect();
        assert_eq!(starts, [1, 2], "{len}");
        assert!(hits.iter().all(|hit| hit.end == len + 2));
    }
}
