//! Secondary structure from C-alpha atoms alone.
//!
//! Distances between residues two, three and four apart, within ranges around those of an ideal
//! helix and strand, after Y. Zhang and J. Skolnick (TM-align), Nucleic Acids Res. 33, 2302 (2005),
//! doi:10.1093/nar/gki524.

use super::tm::squared;

/// What a residue is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secondary {
    Coil,
    Helix,
    Strand,
    Turn,
}

/// Distances i-i+2, i-i+3, i-i+4, i+1-i+4 are as those of neighbours two, three, three, two apart;
/// the values are for 2, 3 and 4 apart, in angstrom.
const HELIX: ([f64; 3], f64) = ([5.45, 5.18, 6.37], 2.1);
const STRAND: ([f64; 3], f64) = ([6.1, 10.4, 13.0], 1.42);
/// Five residues whose ends are closer than this turn.
const TURN: f64 = 8.0;

pub(super) fn assign(chain: &[[f64; 3]]) -> Vec<Secondary> {
    let mut kinds = vec![Secondary::Coil; chain.len()];
    for (i, five) in chain.windows(5).enumerate() {
        let d = |a: usize, b: usize| squared(five[a], five[b]).sqrt();
        let found = [
            (d(0, 2), 0),
            (d(1, 3), 0),
            (d(2, 4), 0),
            (d(0, 3), 1),
            (d(1, 4), 1),
            (d(0, 4), 2),
        ];
        let like =
            |(ideal, off): ([f64; 3], f64)| found.iter().all(|(d, k)| (d - ideal[*k]).abs() < off);
        kinds[i + 2] = if like(HELIX) {
            Secondary::Helix
        } else if like(STRAND) {
            Secondary::Strand
        } else if d(0, 4) < TURN {
            Secondary::Turn
        } else {
            Secondary::Coil
        };
    }
    kinds
}
