//! Lines of a text file, and fields of a line.

use std::io::BufRead;

use crate::error::{Fault, PatternError, Result};

/// Reads line by line into one buffer.
pub(super) struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            number: 0,
        }
    }

    /// The next line with its number from 1, without its end; nothing at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>> {
        self.buffer.clear();
        if self.reader.read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        Ok(Some(Line {
            number: self.number,
            rest: self.buffer.trim_ascii_end(),
        }))
    }

    /// The number of the line that was read last.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

/// What is left of a line.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: u64,
    pub(super) rest: &'a [u8],
}

impl<'a> Line<'a> {
    pub(super) fn fault(&self, fault: Fault) -> PatternError {
        PatternError::Line {
            line: self.number,
            fault,
        }
    }

    /// The next field; blanks and tabs, and commas, stand between fields.
    pub(super) fn field(&mut self) -> Option<&'a [u8]> {
        let gap = |b: &u8| matches!(b, b' ' | b'\t' | b',' | b'\r');
        let start = self.rest.iter().position(|b| !gap(b))?;
        let rest = &self.rest[start..];
        let end = rest.iter().position(gap).unwrap_or(rest.len());
        self.rest = &rest[end..];
        Some(&rest[..end])
    }

    /// The next field, which has to be there.
    pub(super) fn want(&mut self, what: &'static str) -> Result<&'a [u8]> {
        self.field()
            .ok_or_else(|| self.fault(Fault::Missing { what }))
    }

    /// The next field as a whole number.
    pub(super) fn number(&mut self, what: &'static str) -> Result<u32> {
        let field = self.want(what)?;
        self.parse_number(field, what)
    }

    pub(super) fn parse_number(&self, field: &[u8], what: &'static str) -> Result<u32> {
        whole(field).ok_or_else(|| {
            self.fault(Fault::Field {
                what,
                text: text(field),
                wanted: "a whole number below 2^32",
            })
        })
    }

    /// A field as a finite number.
    pub(super) fn parse_float(&self, field: &[u8], what: &'static str) -> Result<f32> {
        let parsed = std::str::from_utf8(field).ok().and_then(|s| s.parse().ok());
        parsed.filter(|x: &f32| x.is_finite()).ok_or_else(|| {
            self.fault(Fault::Field {
                what,
                text: text(field),
                wanted: "a finite number",
            })
        })
    }

    /// That nothing is left.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.field() {
            None => Ok(()),
            Some(field) => Err(self.fault(Fault::Extra { text: text(field) })),
        }
    }
}

/// Digits as a number.
pub(super) fn whole(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 10 {
        return None;
    }
    let mut number = 0_u64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = 10 * number + u64::from(digit - b'0');
    }
    u32::try_from(number).ok()
}

/// Bytes for a message: no more than a line of them.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}
