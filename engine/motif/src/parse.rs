//! Reading patterns.

use std::iter::Peekable;
use std::str::Chars;

use crate::alphabet::{Alphabet, LetterSet};
use crate::error::{MotifError, Result};
use crate::pattern::{Element, End, MAX_LENGTH, MAX_TEXT, Pattern};

const ELEMENT: &str = "a letter, `x`, `[` or `{`";

pub(crate) fn pattern(text: &str, alphabet: Alphabet) -> Result<Pattern> {
    if text.len() > MAX_TEXT {
        return Err(MotifError::Text {
            given: text.len(),
            max: MAX_TEXT,
        });
    }
    Parser {
        rest: text.chars().peekable(),
        column: 1,
        alphabet,
    }
    .pattern()
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    column: usize,
    alphabet: Alphabet,
}

/// An element, and whether the end of the sequence may stand in its stead.
struct Read {
    element: Element,
    or_end: bool,
    column: usize,
}

impl Parser<'_> {
    fn pattern(mut self) -> Result<Pattern> {
        self.blank();
        let at_start = self.take('<');
        let mut pattern = Pattern {
            alphabet: self.alphabet,
            elements: Vec::new(),
            at_start,
            end: End::Anywhere,
        };
        let mut length = 0;
        loop {
            self.blank();
            let read = self.element()?;
            length += read.element.max;
            if length > MAX_LENGTH {
                return Err(MotifError::Length {
                    column: read.column,
                    max: MAX_LENGTH,
                });
            }
            if read.element.max > 0 {
                pattern.elements.push(read.element);
            }
            self.blank();
            if read.or_end {
                pattern.end = End::LastOrEnd;
                self.finish("`.` or the end, after `[...>]`")?;
                break;
            }
            if self.take('>') {
                pattern.end = End::AtEnd;
                self.finish("`.` or the end, after `>`")?;
                break;
            }
            match self.rest.peek() {
                None => break,
                Some('.') => {
                    self.finish("the end, after `.`")?;
                    break;
                }
                Some('-') => {
                    self.next();
                }
                // Hyphens may be left out, so that a plain sequence is a pattern.
                Some(_) => {}
            }
        }
        if pattern.min_len() == 0 {
            return Err(MotifError::Empty);
        }
        Ok(pattern)
    }

    fn element(&mut self) -> Result<Read> {
        let column = self.column;
        let mut or_end = false;
        let meaning = match self.rest.peek().copied() {
            Some('[') => {
                self.next();
                let class = self.class(']', "a letter or `]`", true)?;
                or_end = class.1;
                class.0
            }
            Some('{') => {
                self.next();
                let class = self.class('}', "a letter or `}`", false)?;
                self.alphabet.complement_of(class.0)
            }
            Some(letter) if letter.is_ascii_alphabetic() => self.letter()?,
            _ => return Err(self.unexpected(ELEMENT)),
        };
        if meaning.is_empty() {
            return Err(MotifError::Nothing {
                column,
                alphabet: self.alphabet,
            });
        }
        let (min, max) = match self.rest.peek() {
            Some('(') if !or_end => self.repeat()?,
            _ => (1, 1),
        };
        Ok(Read {
            element: Element { meaning, min, max },
            or_end,
            column,
        })
    }

    /// The letters of a class, and whether `>` is among them.
    fn class(
        &mut self,
        close: char,
        expected: &'static str,
        end_allowed: bool,
    ) -> Result<(LetterSet, bool)> {
        let mut meaning = LetterSet::EMPTY;
        loop {
            match self.rest.peek().copied() {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    meaning = meaning | self.letter()?
                }
                Some('>') if end_allowed && !meaning.is_empty() => {
                    // The other strand would need a first element that can be the start instead.
                    if self.alphabet != Alphabet::Protein {
                        return Err(self.unexpected(expected));
                    }
                    self.next();
                    return match self.take(close) {
                        true => Ok((meaning, true)),
                        false => Err(self.unexpected("`]`, after `>` in a class")),
                    };
                }
                Some(found) if found == close && !meaning.is_empty() => {
                    self.next();
                    return Ok((meaning, false));
                }
                _ if meaning.is_empty() => return Err(self.unexpected("a letter")),
                _ => return Err(self.unexpected(expected)),
            }
        }
    }

    fn letter(&mut self) -> Result<LetterSet> {
        let column = self.column;
        let Some(letter) = self.next() else {
            return Err(self.unexpected("a letter"));
        };
        if letter.eq_ignore_ascii_case(&'x') {
            return Ok(self.alphabet.any());
        }
        u8::try_from(letter.to_ascii_uppercase())
            .ok()
            .and_then(|letter| self.alphabet.meaning(letter))
            .ok_or(MotifError::Letter {
                column,
                letter,
                alphabet: self.alphabet,
                expected: match self.alphabet {
                    Alphabet::Protein => "an amino acid, B, J, X or Z",
                    Alphabet::Dna => "one of A C G T U R Y S W K M B D H V N",
                },
            })
    }

    /// `(n)` or `(n,m)`.
    fn repeat(&mut self) -> Result<(usize, usize)> {
        let column = self.column;
        self.next();
        let min = self.number()?;
        let max = if self.take(',') { self.number()? } else { min };
        if !self.take(')') {
            return Err(self.unexpected("`)`, `,` or a digit"));
        }
        if min > max {
            return Err(MotifError::Repeat { column, min, max });
        }
        Ok((min, max))
    }

    fn number(&mut self) -> Result<usize> {
        let column = self.column;
        let mut number = None;
        while let Some(digit) = self.rest.peek().and_then(|c| c.to_digit(10)) {
            self.next();
            let value = number.unwrap_or(0) * 10 + digit as usize;
            if value > MAX_LENGTH {
                return Err(MotifError::Length {
                    column,
                    max: MAX_LENGTH,
                });
            }
            number = Some(value);
        }
        number.ok_or_else(|| self.unexpected("a number"))
    }

    /// Nothing but `.` and blanks may follow.
    fn finish(&mut self, expected: &'static str) -> Result<()> {
        self.blank();
        self.take('.');
        self.blank();
        match self.rest.peek() {
            None => Ok(()),
            Some(_) => Err(self.unexpected(expected)),
        }
    }

    fn blank(&mut self) {
        while self.rest.peek().is_some_and(char::is_ascii_whitespace) {
            self.next();
        }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        self.column += 1;
        Some(next)
    }

    fn take(&mut self, wanted: char) -> bool {
        let is = self.rest.peek() == Some(&wanted);
        if is {
            self.next();
        }
        is
    }

    fn unexpected(&mut self, expected: &'static str) -> MotifError {
        let column = self.column;
        match self.rest.peek() {
            Some(found) => MotifError::Syntax {
                column,
                expected,
                found: *found,
            },
            None => MotifError::End { column, expected },
        }
    }
}
