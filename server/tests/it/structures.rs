//! A PDB file of made-up chains whose letters follow their shape, so that a head can learn it.

use std::fmt::Write as _;

/// Residues of helix, of strand and of neither in each chain.
pub(crate) const PARTS: [usize; 3] = [12, 10, 8];

/// Letters of each state, with the names of the residues.
const LETTERS: [&[(char, &str)]; 3] = [
    &[
        ('A', "ALA"),
        ('L', "LEU"),
        ('E', "GLU"),
        ('K', "LYS"),
        ('M', "MET"),
    ],
    &[
        ('V', "VAL"),
        ('I', "ILE"),
        ('Y', "TYR"),
        ('F', "PHE"),
        ('T', "THR"),
    ],
    &[
        ('G', "GLY"),
        ('P', "PRO"),
        ('N', "ASN"),
        ('D', "ASP"),
        ('S', "SER"),
    ],
];

/// C-alpha atoms on a screw: radius, rise and turn (degrees) of each residue.
const SCREWS: [[f64; 3]; 3] = [[2.3, 1.5, 100.0], [0.9, 3.3, -170.0], [0.0, 3.8, 0.0]];

/// A chain's name and sequence.
pub(crate) type Chain = (char, String);

/// The file, and the chains in it: 40 of 30 residues, of which the last has no C-alpha.
pub(crate) fn structures() -> (String, Vec<Chain>) {
    let mut text =
        String::from("HEADER    MADE-UP PROTEINS                        01-JAN-26   9ABC\n");
    let mut chains = Vec::new();
    // A linear congruential generator (Knuth's constants): letters without a pattern.
    let mut state = 1u64;
    let mut random = |n: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let mut serial = 0;
    for chain in ('A'..='Z').chain('a'..='n') {
        let mut sequence = String::new();
        let mut number = 0;
        for (part, count) in PARTS.into_iter().enumerate() {
            let [radius, rise, turn] = SCREWS[part];
            for i in 0..count {
                serial += 1;
                number += 1;
                let (letter, residue) = LETTERS[part][random(LETTERS[part].len())];
                sequence.push(letter);
                let angle = (turn * i as f64).to_radians();
                // The parts lie apart: each is judged by itself.
                let (x, y) = (
                    radius * angle.cos() + 60.0 * part as f64,
                    radius * angle.sin(),
                );
                let z = rise * i as f64;
                // Of the last residue the C-alpha was not seen.
                let atom = if number == PARTS.iter().sum::<usize>() {
                    "N "
                } else {
                    "CA"
                };
                let element = &atom[..1];
                writeln!(
                    text,
                    "ATOM  {serial:5}  {atom}  {residue} {chain}{number:4}    {x:8.3}{y:8.3}{z:8.3}  1.00  0.00           {element}"
                )
                .unwrap();
            }
        }
        writeln!(text, "TER").unwrap();
        chains.push((chain, sequence));
    }
    text.push_str("END\n");
    (text, chains)
}

/// The states of every chain, by how it was made.
pub(crate) fn states() -> String {
    let letters = ["H", "E", "C"];
    let parts = PARTS.iter().zip(letters);
    parts.map(|(count, letter)| letter.repeat(*count)).collect()
}
