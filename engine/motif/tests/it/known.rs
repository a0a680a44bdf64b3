//! Known patterns on sequences made by hand.

use penstock_motif::{Alphabet, MatchOptions, Motif, Overlaps, Pattern};

fn found(alphabet: Alphabet, pattern: &str, sequence: &str, options: MatchOptions) -> Vec<String> {
    let pattern = Pattern::parse(pattern, alphabet).unwrap();
    Motif::new(pattern, options)
        .find_all(sequence.as_bytes())
        .into_iter()
        .map(|hit| {
            let text = &sequence[hit.start..hit.end];
            format!("{}-{} {} {text}", hit.start, hit.end, hit.strand)
        })
        .collect()
}

fn protein(pattern: &str, sequence: &str) -> Vec<String> {
    found(
        Alphabet::Protein,
        pattern,
        sequence,
        MatchOptions::default(),
    )
}

fn dna(pattern: &str, sequence: &str) -> Vec<String> {
    let options = MatchOptions {
        both_strands: true,
        ..MatchOptions::default()
    };
    found(Alphabet::Dna, pattern, sequence, options)
}

const ZINC_FINGER: &str = "C-x(2,4)-C-x(3)-[LIVMFYWC]-x(8)-H-x(3,5)-H.";

#[test]
fn proteins() {
    for (pattern, sequence, hits) in [
        // PS00017, ATP/GTP-binding site motif A (P-loop), in the first residues of human HRas.
        (
            "[AG]-x(4)-G-K-[ST].",
            "MTEYKLVVVGAGGVGKSALTIQ",
            &["9-17 + GAGGVGKS"][..],
        ),
        // PS00001, N-glycosylation: neither proline may stand there.
        (
            "N-{P}-[ST]-{P}.",
            "NGSANPSANGSPNNTS",
            &["0-4 + NGSA", "12-16 + NNTS"],
        ),
        ("N-{P}-[ST]-{P}.", "NNSSN", &["0-4 + NNSS", "1-5 + NSSN"]),
        ("N-{P}-[ST]-{P}.", "NNSTA", &["0-4 + NNST", "1-5 + NSTA"]),
        // PS00028, zinc finger C2H2.
        (
            ZINC_FINGER,
            "AACKKCAAALAAAAAAAAHKKKHA",
            &["2-23 + CKKCAAALAAAAAAAAHKKKH"],
        ),
        (
            ZINC_FINGER,
            "CAAAACAAAFAAAAAAAAHAAAAAH",
            &["0-25 + CAAAACAAAFAAAAAAAAHAAAAAH"],
        ),
        (ZINC_FINGER, "CAAAAACAAAFAAAAAAAAHAAAAAH", &[]),
        (
            ZINC_FINGER,
            "CAACAAAFAAAAAAAAHAAAHAH",
            &["0-23 + CAACAAAFAAAAAAAAHAAAHAH"],
        ),
        // Overlaps, the furthest end, and the ends of the sequence.
        (
            "A-x(1,3)-A",
            "AAAAA",
            &["0-5 + AAAAA", "1-5 + AAAA", "2-5 + AAA"],
        ),
        ("<M-x(2)", "MAAMAA", &["0-3 + MAA"]),
        ("K-[DE]-L>", "KDLKEL", &["3-6 + KEL"]),
        ("<A(3)>", "AAA", &["0-3 + AAA"]),
        ("<A(3)>", "AAAA", &[]),
        // PS00539, pyrokinins.
        (
            "F-[GSTV]-P-R-L-[G>].",
            "FSPRLGAFGPRL",
            &["0-6 + FSPRLG", "7-12 + FGPRL"],
        ),
        // Residues that are not known match only where all that they may be does.
        ("[ST]-x-[DE]", "SXDTXXSAB", &["0-3 + SXD"]),
        ("[DN]-{K}", "BADXNBN", &["0-2 + BA", "4-6 + NB", "5-7 + BN"]),
        ("C-U", "CUCC", &["0-2 + CU"]),
        ("RGD", "ARGDRGD", &["1-4 + RGD", "4-7 + RGD"]),
        ("RGD", "RG", &[]),
        ("RGD", "", &[]),
    ] {
        assert_eq!(protein(pattern, sequence), hits, "{pattern} in {sequence}");
    }
}

#[test]
fn strands() {
    for (pattern, sequence, hits) in [
        ("GATC", "AGATCA", &["1-5 + GATC"][..]),
        ("GGNCC", "GGACC", &["0-5 + GGACC"]),
        ("GAAA", "GAAATTTC", &["0-4 + GAAA", "4-8 - TTTC"]),
        (
            "TATAWAW",
            "TATAAATTTTATA",
            &["0-7 + TATAAAT", "6-13 - TTTTATA"],
        ),
        // One stretch, both strands: reported once.
        ("RAATTN", "GAATTC", &["0-6 + GAATTC"]),
        ("<ATG", "ATGCAT", &["0-3 + ATG", "3-6 - CAT"]),
        ("ATG>", "ATGCATG", &["4-7 + ATG"]),
        (
            "CA(2,3)",
            "CAAATTTG",
            &["0-4 + CAAA", "4-8 - TTTG", "5-8 - TTG"],
        ),
        ("A-x(0,1)-T", "ATT", &["0-3 + ATT"]),
        // Codes that are stored.
        ("GAR", "GARGAAGAN", &["0-3 + GAR", "3-6 + GAA"]),
        ("ACG", "ACGU", &["0-3 + ACG", "1-4 - CGU"]),
        ("NNN", "RYN", &["0-3 + RYN"]),
    ] {
        assert_eq!(dna(pattern, sequence), hits, "{pattern} in {sequence}");
    }
    let one = MatchOptions::default();
    assert_eq!(
        found(Alphabet::Dna, "GAAA", "GAAATTTC", one),
        ["0-4 + GAAA"]
    );
}

#[test]
fn overlaps() {
    for (overlaps, hits) in [
        (
            Overlaps::Every,
            &["0-3 + AAA", "1-4 + AAA", "2-5 + AAA"][..],
        ),
        (
            Overlaps::NotIncluded,
            &["0-3 + AAA", "1-4 + AAA", "2-5 + AAA"],
        ),
        (Overlaps::Disjoint, &["0-3 + AAA"]),
    ] {
        let options = MatchOptions {
            overlaps,
            ..MatchOptions::default()
        };
        assert_eq!(found(Alphabet::Protein, "AAA", "AAAAA", options), hits);
    }
    let options = MatchOptions {
        overlaps: Overlaps::NotIncluded,
        ..MatchOptions::default()
    };
    let hits = found(Alphabet::Protein, "A-x(1,3)-A", "AAAAA", options);
    assert_eq!(hits, ["0-5 + AAAAA"]);
}
