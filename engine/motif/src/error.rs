//! What can be wrong with a pattern.

use crate::Alphabet;

/// Shorthand of this crate.
pub type Result<T, E = MotifError> = std::result::Result<T, E>;

/// Why a pattern cannot be read. Columns count characters of its text, from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MotifError {
    /// Another character was expected.
    #[error("column {column} of the pattern: expected {expected}, found `{found}`")]
    Syntax {
        /// Where.
        column: usize,
        /// What could stand there.
        expected: &'static str,
        /// What stands there.
        found: char,
    },
    /// The text ends too early.
    #[error("column {column} of the pattern: expected {expected}, but it ends")]
    End {
        /// Where.
        column: usize,
        /// What could stand there.
        expected: &'static str,
    },
    /// The alphabet has no such letter.
    #[error(
        "column {column} of the pattern: `{letter}` is no letter of {alphabet}; expected {expected}"
    )]
    Letter {
        /// Where.
        column: usize,
        /// The letter.
        letter: char,
        /// The alphabet.
        alphabet: Alphabet,
        /// Its letters, in words.
        expected: &'static str,
    },
    /// The second number of a repeat is the smaller one.
    #[error(
        "column {column} of the pattern: a repeat goes from fewer to more, not from {min} to {max}"
    )]
    Repeat {
        /// Where.
        column: usize,
        /// First number.
        min: usize,
        /// Second number.
        max: usize,
    },
    /// A class that no residue is in.
    #[error("column {column} of the pattern: nothing of {alphabet} is left to match here")]
    Nothing {
        /// Where.
        column: usize,
        /// The alphabet.
        alphabet: Alphabet,
    },
    /// The longest match would be too long.
    #[error("column {column} of the pattern: a match could be longer than {max} letters")]
    Length {
        /// Where the limit is passed.
        column: usize,
        /// The limit.
        max: usize,
    },
    /// The pattern's text is too long.
    #[error("the pattern has {given} bytes; at most {max} are allowed")]
    Text {
        /// Bytes given.
        given: usize,
        /// The limit.
        max: usize,
    },
    /// The pattern matches where nothing is.
    #[error("the pattern matches the empty sequence; one of its elements must occur at least once")]
    Empty,
}
