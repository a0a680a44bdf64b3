//! What a mesh parser says when it gives up.
//!
//! The parsers work on bytes and know neither file names nor limits; [`Fault::named`] adds those.

use crate::{Position, ReadContext, ReadError};

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The bytes break the format's rules, or hold no mesh.
    Malformed {
        at: Position,
        expected: String,
        found: String,
    },
    /// The bytes may be right, and this reader does not read them.
    Unsupported { what: String, advice: &'static str },
    /// More bytes, once decompressed, than a record may have.
    Limit { at: Position },
}

impl Fault {
    pub(super) fn new(at: Position, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Malformed {
            at,
            expected: expected.into(),
            found: found.into(),
        }
    }

    pub(super) fn line(line: u64, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Position::Line(line), expected, found)
    }

    pub(super) fn byte(byte: usize, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(Position::Byte(byte as u64), expected, found)
    }

    pub(super) fn unsupported(what: impl Into<String>, advice: &'static str) -> Self {
        Self::Unsupported {
            what: what.into(),
            advice,
        }
    }

    /// The error of the crate, with the file's name.
    pub(super) fn named(self, context: &ReadContext) -> ReadError {
        match self {
            Self::Malformed {
                at,
                expected,
                found,
            } => context.malformed(at, expected, found),
            Self::Unsupported { what, advice } => context.unsupported(what, advice),
            Self::Limit { at } => context.too_large(at),
        }
    }
}

/// Bytes as text for a message: a little of them, control characters escaped.
pub(super) fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "the end of the line or file".to_owned();
    }
    let short = &bytes[..bytes.len().min(40)];
    let mut text = String::from("`");
    for c in String::from_utf8_lossy(short).chars() {
        if c.is_control() {
            text.extend(c.escape_default());
        } else {
            text.push(c);
        }
    }
    text.push_str(if short.len() < bytes.len() {
        "...`"
    } else {
        "`"
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_is_short_and_printable() {
        assert_eq!(shown(b"ab c"), "`ab c`");
        assert_eq!(shown(b"a\0b\x1b"), "`a\\u{0}b\\u{1b}`");
        assert!(shown(&[b'x'; 1000]).len() < 50);
    }
}
