//! Literals that every match contains.

use penstock_motif::{Alphabet, MatchOptions, Motif, Pattern};

fn required(alphabet: Alphabet, pattern: &str, most: usize) -> Option<Vec<String>> {
    let options = MatchOptions {
        both_strands: true,
        ..MatchOptions::default()
    };
    let motif = Motif::new(Pattern::parse(pattern, alphabet).unwrap(), options);
    motif.required(most).map(|required| required.literals)
}

#[test]
fn literals() {
    use Alphabet::{Dna, Protein};
    for (alphabet, pattern, most, literals) in [
        (Protein, "RGD", 1, &["RGD"][..]),
        (Protein, "[AG]-x(4)-G-K-[ST]", 2, &["GKS", "GKT"]),
        (Protein, "[AG]-x(4)-G-K-[ST]", 1, &["GK"]),
        (Protein, "[DN]-W", 4, &["BW", "DW", "NW"]),
        (
            Protein,
            "F-[GSTV]-P-R-L-[G>]",
            4,
            &["FGPRL", "FSPRL", "FTPRL", "FVPRL"],
        ),
        (Protein, "A-C(2,3)-D", 1, &["ACC"]),
        (Protein, "A-C(0,1)-D", 1, &["D"]),
        (Protein, "[ILVM]", 1, &[]),
        (Dna, "GATC", 2, &["GATC", "GAUC"]),
        (Dna, "GGGCC", 16, &["GGCCC", "GGGCC"]),
        // Both strands, half the literals each: the T of the other strand may be a stored U.
        (Dna, "GAC", 4, &["GAC", "GTC", "GUC"]),
    ] {
        let found = required(alphabet, pattern, most);
        match literals {
            [] => assert_eq!(found, None),
            _ => assert_eq!(found.unwrap(), literals, "{pattern}"),
        }
    }
}

#[test]
fn rarer_literals_have_smaller_shares() {
    let share = |text| {
        let pattern = Pattern::parse(text, Alphabet::Protein).unwrap();
        let motif = Motif::new(pattern, MatchOptions::default());
        motif.required(8).unwrap().share
    };
    assert!(share("WWC") < share("RGD"));
    assert!(share("RGD") < share("GK"));
    assert!(share("L") > 0.09);
}
