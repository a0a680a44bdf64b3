//! The letters of sequences, what they stand for, and how common they are.

use std::fmt;
use std::ops::BitOr;

/// A set of the letters `A` to `Z`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct LetterSet(u32);

impl LetterSet {
    /// No letter.
    pub const EMPTY: Self = Self(0);

    /// The set of these letters; bytes other than `A` to `Z` are left out.
    #[must_use]
    pub fn of(letters: &[u8]) -> Self {
        letters
            .iter()
            .fold(Self::EMPTY, |set, letter| set | Self::one(*letter))
    }

    fn one(letter: u8) -> Self {
        Self(if letter.is_ascii_uppercase() {
            1 << (letter - b'A')
        } else {
            0
        })
    }

    /// Whether a byte is one of the letters. Bytes other than `A` to `Z` never are.
    #[must_use]
    pub fn contains(self, byte: u8) -> bool {
        let bit = byte.wrapping_sub(b'A');
        bit < 26 && self.0 >> bit & 1 == 1
    }

    /// Whether there is no letter in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many letters there are.
    #[must_use]
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether all of these letters are in the other set.
    #[must_use]
    pub fn is_subset(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The letters, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (b'A'..=b'Z').filter(move |letter| self.contains(*letter))
    }

    const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for LetterSet {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for LetterSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters: String = self.iter().map(char::from).collect();
        write!(f, "[{letters}]")
    }
}

/// Which letters a sequence is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alphabet {
    /// Amino acids by the IUPAC-IUB one-letter code (doi:10.1111/j.1432-1033.1984.tb07877.x), with
    /// `U` selenocysteine and `O` pyrrolysine. `B` is `[DN]`, `Z` is `[EQ]`, `J` is `[IL]`, `X` any.
    Protein,
    /// Nucleotides by the IUPAC-IUB code of incomplete specification
    /// (doi:10.1093/nar/13.9.3021): `R Y S W K M B D H V N`. `U` is `T`.
    Dna,
}

impl Alphabet {
    /// Everything that a letter can stand for: residues, or the bases `A C G T`.
    const fn everything(self) -> LetterSet {
        match self {
            // All letters but B, J, X, Z.
            Self::Protein => LetterSet(0x03FF_FFFF & !(1 << 1 | 1 << 9 | 1 << 23 | 1 << 25)),
            Self::Dna => LetterSet(1 | 1 << 2 | 1 << 6 | 1 << 19),
        }
    }

    /// What a letter stands for: one residue or base, or all that it may be. `None` where the
    /// alphabet has no such letter.
    #[must_use]
    pub fn meaning(self, letter: u8) -> Option<LetterSet> {
        let bases: &[u8] = match (self, letter) {
            (Self::Protein, b'B') => b"DN",
            (Self::Protein, b'Z') => b"EQ",
            (Self::Protein, b'J') => b"IL",
            (Self::Protein, b'X') | (Self::Dna, b'N') => return Some(self.everything()),
            (Self::Protein, b'A'..=b'Z') | (Self::Dna, b'A' | b'C' | b'G' | b'T') => {
                return Some(LetterSet::one(letter));
            }
            (Self::Dna, b'U') => b"T",
            (Self::Dna, b'R') => b"AG",
            (Self::Dna, b'Y') => b"CT",
            (Self::Dna, b'S') => b"CG",
            (Self::Dna, b'W') => b"AT",
            (Self::Dna, b'K') => b"GT",
            (Self::Dna, b'M') => b"AC",
            (Self::Dna, b'B') => b"CGT",
            (Self::Dna, b'D') => b"AGT",
            (Self::Dna, b'H') => b"ACT",
            (Self::Dna, b'V') => b"ACG",
            _ => return None,
        };
        Some(LetterSet::of(bases))
    }

    /// What `x` stands for.
    pub(crate) fn any(self) -> LetterSet {
        self.everything()
    }

    /// What is left of everything.
    pub(crate) fn complement_of(self, meaning: LetterSet) -> LetterSet {
        self.everything().without(meaning)
    }

    /// The stored letters that certainly match: those that stand for nothing outside the meaning.
    pub(crate) fn stored(self, meaning: LetterSet) -> LetterSet {
        (b'A'..=b'Z')
            .filter(|letter| {
                self.meaning(*letter)
                    .is_some_and(|of| of.is_subset(meaning))
            })
            .fold(LetterSet::EMPTY, |set, letter| set | LetterSet::one(letter))
    }

    /// The bases that pair with these.
    pub(crate) fn paired(meaning: LetterSet) -> LetterSet {
        meaning.iter().fold(LetterSet::EMPTY, |set, base| {
            set | LetterSet::one(match base {
                b'A' => b'T',
                b'C' => b'G',
                b'G' => b'C',
                _ => b'A',
            })
        })
    }

    /// About which share of all stored letters is in the set. It decides what is looked for first,
    /// never what is found.
    pub(crate) fn share(self, letters: LetterSet) -> f64 {
        let of = |letter: u8| match self {
            Self::Protein => f64::from(SWISS_PROT[usize::from(letter - b'A')]) / 10_000.0,
            Self::Dna => match letter {
                b'A' | b'C' | b'G' | b'T' => 0.25,
                _ => 0.0,
            },
        };
        letters.iter().map(of).sum::<f64>().clamp(1e-6, 1.0)
    }

    /// The word for messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Protein => "protein",
            Self::Dna => "DNA",
        }
    }
}

impl fmt::Display for Alphabet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The other strand of a stretch of DNA, as it is read there: codes become their pairs, `U` pairs as
/// `T` does. Bytes that are no nucleotide code stay.
#[must_use]
pub fn reverse_complement(letters: &[u8]) -> Vec<u8> {
    let pair = |letter: &u8| match letter {
        b'A' => b'T',
        b'C' => b'G',
        b'G' => b'C',
        b'T' | b'U' => b'A',
        b'R' => b'Y',
        b'Y' => b'R',
        b'K' => b'M',
        b'M' => b'K',
        b'B' => b'V',
        b'V' => b'B',
        b'D' => b'H',
        b'H' => b'D',
        other => *other,
    };
    letters.iter().rev().map(pair).collect()
}

/// Residues of each letter, `A` to `Z`, per 10,000: the amino-acid composition in the release
/// statistics of UniProtKB/Swiss-Prot, 2023.
const SWISS_PROT: [u16; 26] = [
    825, 0, 138, 546, 672, 386, 707, 227, 591, 0, 580, 965, 241, 406, 0, 474, 393, 553, 665, 536,
    0, 686, 110, 0, 292, 0,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_code_matches_where_all_that_it_may_be_does() {
        let stored = |alphabet: Alphabet, letters: &str| {
            let meaning = letters.bytes().fold(LetterSet::EMPTY, |set, letter| {
                set | alphabet.meaning(letter).unwrap()
            });
            alphabet
                .stored(meaning)
                .iter()
                .map(char::from)
                .collect::<String>()
        };
        for (letters, matching) in [
            ("A", "A"),
            ("T", "TU"),
            ("R", "AGR"),
            ("AG", "AGR"),
            ("W", "ATUW"),
            ("V", "ACGMRSV"),
            ("N", "ABCDGHKMNRSTUVWY"),
        ] {
            assert_eq!(stored(Alphabet::Dna, letters), matching);
        }
        for (letters, matching) in [
            ("D", "D"),
            ("DN", "BDN"),
            ("B", "BDN"),
            ("ILV", "IJLV"),
            ("X", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            ("U", "U"),
        ] {
            assert_eq!(stored(Alphabet::Protein, letters), matching);
        }
        assert_eq!(Alphabet::Dna.meaning(b'E'), None);
        assert_eq!(Alphabet::Dna.meaning(b'a'), None);
    }

    #[test]
    fn the_shares_are_shares() {
        for alphabet in [Alphabet::Protein, Alphabet::Dna] {
            let all = alphabet.share(alphabet.any());
            assert!((0.999..=1.0).contains(&all), "{all}");
        }
    }

    #[test]
    fn pairs() {
        for letter in b"ACGTRYSWKMBDHVN" {
            let pair = reverse_complement(&[*letter])[0];
            let meaning = |code| Alphabet::Dna.meaning(code).unwrap();
            assert_eq!(Alphabet::paired(meaning(*letter)), meaning(pair));
            assert_eq!(reverse_complement(&[pair]), [*letter]);
        }
        assert_eq!(reverse_complement(b"AACU"), b"AGTT");
        for (code, pair) in [
            (b'R', b'Y'),
            (b'S', b'S'),
            (b'K', b'M'),
            (b'B', b'V'),
            (b'N', b'N'),
        ] {
            let meaning = |code| Alphabet::Dna.meaning(code).unwrap();
            assert_eq!(Alphabet::paired(meaning(code)), meaning(pair));
        }
    }
}
