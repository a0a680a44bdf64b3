//! Names of tables, tags, snapshots and heads.
//!
//! A name becomes a folder, a URL segment and an SQL identifier, so it is a letter followed by at
//! most 63 letters, digits, `_`, `-` or `.`, without `..`. What begins with `_` belongs to the
//! program.

use std::fmt;
use std::str::FromStr;

/// Why a word is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no {what} name: it must begin with a letter and go on with at most 63 letters, \
     digits, `_`, `-` or `.` (never `..`)"
)]
pub struct NameError {
    what: &'static str,
    given: String,
}

fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
        && !text.contains("..")
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(String);

        impl $type {
            /// Checks and keeps the name.
            ///
            /// # Errors
            /// The text breaks the rules in the module's documentation.
            pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
                let given = text.into();
                if is_name(&given) {
                    Ok(Self(given))
                } else {
                    Err(NameError { what: $what, given })
                }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The name of a table.
    TableName,
    "table"
);
name!(
    /// The name of a tag: a lasting name of one table version.
    TagName,
    "tag"
);
name!(
    /// The name of a snapshot.
    SnapshotName,
    "snapshot"
);
name!(
    /// The name of a trained head.
    HeadName,
    "head"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["a", "scope40", "E.coli-K12", &"a".repeat(64)] {
            assert!(TableName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "_t", "1a", "a/b", "a..b", "a b", "é", &"a".repeat(65)] {
            assert!(TableName::new(bad).is_err(), "{bad}");
        }
    }
}
