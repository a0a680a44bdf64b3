//! Lines, words and numbers of text formats.
//!
//! Numbers are read with `lexical-core`, which rounds correctly and takes bytes as they are, so
//! that no line has to become a `str` first.

use std::cell::Cell;

use super::fault::{Fault, shown};

/// Space within a line, or a line's end.
#[inline]
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// Without space at either end.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// The lines of a text, with their numbers from 1. A text without a line feed that has carriage
/// returns is split at those.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    number: u64,
    end: u8,
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let old_mac =
            memchr::memchr(b'\n', bytes).is_none() && memchr::memchr(b'\r', bytes).is_some();
        Self {
            rest: bytes,
            number: 0,
            end: if old_mac { b'\r' } else { b'\n' },
        }
    }

    /// Number of the line that was given last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What has not been given yet.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        self.number += 1;
        let line = match memchr::memchr(self.end, self.rest) {
            Some(end) => {
                let line = &self.rest[..end];
                self.rest = &self.rest[end + 1..];
                line
            }
            None => std::mem::take(&mut self.rest),
        };
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// Takes the next word off a line; empty at the line's end.
#[inline]
pub(super) fn word<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let mut bytes = *rest;
    while let [first, tail @ ..] = bytes
        && is_space(*first)
    {
        bytes = tail;
    }
    let end = bytes
        .iter()
        .position(|b| is_space(*b))
        .unwrap_or(bytes.len());
    *rest = &bytes[end..];
    &bytes[..end]
}

/// A floating-point number that fills the word. May be NaN or infinite.
#[inline]
pub(super) fn float(word: &[u8]) -> Option<f64> {
    lexical_core::parse::<f64>(word).ok()
}

/// An integer that fills the word.
#[inline]
pub(super) fn integer(word: &[u8]) -> Option<i64> {
    lexical_core::parse::<i64>(word).ok()
}

/// Takes three coordinates off a line.
///
/// # Errors
/// There are not three numbers.
#[inline]
pub(super) fn xyz(rest: &mut &[u8], line: u64) -> Result<[f64; 3], Fault> {
    let mut xyz = [0.0; 3];
    for slot in &mut xyz {
        let word = word(rest);
        *slot = float(word).ok_or_else(|| wanted("a coordinate", word, line))?;
    }
    Ok(xyz)
}

/// A word that is not what it should be.
#[cold]
pub(super) fn wanted(what: &str, found: &[u8], line: u64) -> Fault {
    Fault::line(line, what, shown(found))
}

/// The words of a text regardless of its lines, which are counted only when an error needs one.
pub(super) struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Offset up to which lines have been counted, and the line there: so that asking often
    /// costs one pass in all.
    counted: Cell<(usize, u64)>,
}

impl<'a> Words<'a> {
    /// Begins at byte `at` of the whole file, so that lines are counted from the file's start.
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self {
            bytes,
            at,
            counted: Cell::new((0, 1)),
        }
    }

    /// Offset of the next unread byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn seek(&mut self, at: usize) {
        self.at = at.min(self.bytes.len());
    }

    pub(super) fn bytes_left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Line of the last word read.
    pub(super) fn line(&self) -> u64 {
        let (from, line) = match self.counted.get() {
            (from, line) if from <= self.at => (from, line),
            _ => (0, 1),
        };
        let ends = memchr::memchr_iter(b'\n', &self.bytes[from..self.at]).count();
        let line = line + ends as u64;
        self.counted.set((self.at, line));
        line
    }

    /// The next word; empty at the end.
    #[inline]
    pub(super) fn next(&mut self) -> &'a [u8] {
        let mut rest = &self.bytes[self.at..];
        let found = word(&mut rest);
        self.at = self.bytes.len() - rest.len();
        found
    }

    /// The next word, left in place.
    pub(super) fn peek(&self) -> &'a [u8] {
        word(&mut &self.bytes[self.at..])
    }

    /// The rest of the line, without its end, which is skipped.
    pub(super) fn rest_of_line(&mut self) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        self.at = (self.at + end + 1).min(self.bytes.len());
        trim(&rest[..end])
    }

    #[inline]
    pub(super) fn float(&mut self, what: &str) -> Result<f64, Fault> {
        let word = self.next();
        float(word).ok_or_else(|| wanted(what, word, self.line()))
    }

    #[inline]
    pub(super) fn integer(&mut self, what: &str) -> Result<i64, Fault> {
        let word = self.next();
        integer(word).ok_or_else(|| wanted(what, word, self.line()))
    }

    /// A count: not negative.
    pub(super) fn count(&mut self, what: &str) -> Result<usize, Fault> {
        let word = self.next();
        integer(word)
            .and_then(|n| usize::try_from(n).ok())
            .ok_or_else(|| wanted(what, word, self.line()))
    }
}

/// Text that a file gives, at most 2,000 characters of it; `None` where there is nothing to see.
pub(super) fn text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(trim(bytes));
    let clean: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .take(2000)
        .collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_ending() {
        for text in ["a\nb\nc", "a\r\nb\r\nc\r\n", "a\rb\rc"] {
            let lines: Vec<_> = Lines::new(text.as_bytes()).collect();
            assert_eq!(lines, [b"a", b"b", b"c"], "{text:?}");
        }
    }

    #[test]
    fn numbers() {
        for (word, value) in [
            ("1", 1.0),
            ("-1.5e-3", -1.5e-3),
            ("+2", 2.0),
            (".5", 0.5),
            ("5.", 5.0),
            ("1E5", 1e5),
        ] {
            assert_eq!(float(word.as_bytes()), Some(value), "{word}");
        }
        assert!(float(b"nan").is_some_and(f64::is_nan));
        for word in ["", "1.0x", "-", "1,5", "-1.#IND"] {
            assert_eq!(float(word.as_bytes()), None, "{word}");
        }
        assert_eq!(integer(b"+7"), Some(7));
        assert_eq!(integer(b"7.0"), None);
        assert_eq!(integer(b"99999999999999999999"), None);
    }

    #[test]
    fn words_know_their_line() {
        let mut words = Words::new(b"a b\n\n c", 0);
        assert_eq!(
            [words.next(), words.next(), words.next()],
            [b"a", b"b", b"c"]
        );
        assert_eq!(words.line(), 3);
        assert_eq!(words.next(), b"");
    }
}
