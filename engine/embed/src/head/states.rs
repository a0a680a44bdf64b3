//! The three states of secondary structure, and the letters that mean them.
//!
//! Eight states become three as is usual: H, G and I (the helices) are H, E and B are E, all
//! others C (Rost & Sander 1993, doi:10.1006/jmbi.1993.1413; the letters are DSSP's, Kabsch &
//! Sander 1983, doi:10.1002/bip.360221211; P, the polyproline helix of later versions of DSSP, is
//! C). Some write `L` or `~` for C, and the PDB's own lists a blank.

use super::{HeadFault, MASKED};

/// The states, in the order of a head's scores: helix, strand, coil.
pub const STATES: [&str; 3] = ["H", "E", "C"];

/// Helix.
pub const HELIX: u8 = 0;
/// Strand.
pub const STRAND: u8 = 1;
/// All else.
pub const COIL: u8 = 2;

/// The letters that are taken for "not observed" unless others are named. DSSP and the PDB write
/// a blank for coil; who writes `-` for it names other letters.
pub const MASK_LETTERS: &str = "-.?*X";

/// Reads letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letters {
    masked: String,
}

impl Default for Letters {
    fn default() -> Self {
        Self::new(MASK_LETTERS)
    }
}

impl Letters {
    /// With these letters for residues that count for nothing, whatever else they may mean.
    #[must_use]
    pub fn new(masked: &str) -> Self {
        Self {
            masked: masked.to_owned(),
        }
    }

    /// The letters for residues that count for nothing.
    #[must_use]
    pub fn masked(&self) -> &str {
        &self.masked
    }

    /// A label for each letter: a state, or [`MASKED`].
    ///
    /// # Errors
    /// A letter is neither.
    pub fn read(&self, text: &str) -> Result<Vec<u8>, HeadFault> {
        text.chars()
            .enumerate()
            .map(|(at, letter)| match letter {
                _ if self.masked.contains(letter) => Ok(MASKED),
                'H' | 'G' | 'I' => Ok(HELIX),
                'E' | 'B' => Ok(STRAND),
                'C' | 'L' | 'T' | 'S' | 'P' | ' ' | '~' | '-' | '.' => Ok(COIL),
                _ => Err(HeadFault::Letter { letter, at }),
            })
            .collect()
    }
}

/// Masks labels by a line of marks, one for each: `0` and `X` mask, `1`, `-`, `.` and a blank do
/// not. (The PDB's list of disorder has X and -, masks of training sets have 0 and 1.)
///
/// # Errors
/// There are more or fewer marks than labels, or another letter among them.
pub fn mask(labels: &mut [u8], marks: &str) -> Result<(), HeadFault> {
    let given = marks.chars().count();
    if given != labels.len() {
        return Err(HeadFault::Labels {
            labels: given,
            items: labels.len(),
        });
    }
    for (at, (label, mark)) in labels.iter_mut().zip(marks.chars()).enumerate() {
        match mark {
            '0' | 'X' => *label = MASKED,
            '1' | '-' | '.' | ' ' => {}
            letter => return Err(HeadFault::Mark { letter, at }),
        }
    }
    Ok(())
}
