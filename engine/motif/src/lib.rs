#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod alphabet;
mod automaton;
pub mod error;
mod filter;
pub mod literal;
pub mod matcher;
mod parse;
pub mod pattern;
mod program;

pub use alphabet::{Alphabet, LetterSet, reverse_complement};
pub use error::{MotifError, Result};
pub use literal::Required;
pub use matcher::{Hit, MatchOptions, Motif, Overlaps, Scratch, Stopped, Strand};
pub use pattern::{Element, End, MAX_LENGTH, MAX_TEXT, Pattern};
