//! What a pattern is.

use crate::alphabet::{Alphabet, LetterSet};
use crate::{Result, parse};

/// The longest match that a pattern may have, in letters.
pub const MAX_LENGTH: usize = 1_000;
/// The longest text of a pattern, in bytes.
pub const MAX_TEXT: usize = 8_192;

/// One element: `min` to `max` letters in a row, each of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element {
    /// What the letters may stand for: residues, or the bases `A C G T`.
    pub meaning: LetterSet,
    /// How many there are at least.
    pub min: usize,
    /// How many there are at most.
    pub max: usize,
}

/// Where a match ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum End {
    /// Anywhere.
    #[default]
    Anywhere,
    /// At the end of the sequence: `>`.
    AtEnd,
    /// With the last element, or at the end of the sequence in its stead: `[G>]`.
    LastOrEnd,
}

/// A pattern: elements in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pub(crate) alphabet: Alphabet,
    pub(crate) elements: Vec<Element>,
    pub(crate) at_start: bool,
    pub(crate) end: End,
}

impl Pattern {
    /// Reads a pattern in PROSITE's syntax; see the crate's documentation.
    ///
    /// ```
    /// use penstock_motif::{Alphabet, Pattern};
    ///
    /// let p_loop = Pattern::parse("[AG]-x(4)-G-K-[ST].", Alphabet::Protein)?;
    /// assert_eq!((p_loop.min_len(), p_loop.max_len()), (8, 8));
    /// let error = Pattern::parse("[AG-x", Alphabet::Protein).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "column 4 of the pattern: expected a letter or `]`, found `-`"
    /// );
    /// # Ok::<(), penstock_motif::MotifError>(())
    /// ```
    ///
    /// # Errors
    /// The text is no pattern; the error names the column and what was expected there. Or a match
    /// could be longer than [`MAX_LENGTH`], or empty.
    pub fn parse(text: &str, alphabet: Alphabet) -> Result<Self> {
        parse::pattern(text, alphabet)
    }

    /// The alphabet.
    #[must_use]
    pub fn alphabet(&self) -> Alphabet {
        self.alphabet
    }

    /// The elements, in their order.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// Whether a match begins at the first letter of the sequence: `<`.
    #[must_use]
    pub fn at_start(&self) -> bool {
        self.at_start
    }

    /// Where a match ends.
    #[must_use]
    pub fn end(&self) -> End {
        self.end
    }

    /// Letters of the shortest match.
    #[must_use]
    pub fn min_len(&self) -> usize {
        let all: usize = self.elements.iter().map(|element| element.min).sum();
        all - usize::from(self.end == End::LastOrEnd)
    }

    /// Letters of the longest match.
    #[must_use]
    pub fn max_len(&self) -> usize {
        self.elements.iter().map(|element| element.max).sum()
    }

    /// The pattern that matches the other strand where this one matches; `None` for proteins.
    #[must_use]
    pub fn reverse_complement(&self) -> Option<Self> {
        if self.alphabet != Alphabet::Dna {
            return None;
        }
        let elements = self.elements.iter().rev().map(|element| Element {
            meaning: Alphabet::paired(element.meaning),
            ..*element
        });
        Some(Self {
            alphabet: self.alphabet,
            elements: elements.collect(),
            at_start: self.end == End::AtEnd,
            end: if self.at_start {
                End::AtEnd
            } else {
                End::Anywhere
            },
        })
    }

    /// One position per letter of the longest match: the stored letters that match there, and
    /// whether the position may be left out.
    pub(crate) fn positions(&self) -> Vec<Position> {
        let mut positions = Vec::with_capacity(self.max_len());
        for element in &self.elements {
            let letters = self.alphabet.stored(element.meaning);
            positions.extend((0..element.max).map(|i| Position {
                letters,
                optional: i >= element.min,
            }));
        }
        positions
    }
}

/// One letter of a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) letters: LetterSet,
    pub(crate) optional: bool,
}
