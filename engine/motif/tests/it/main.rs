//! The language and the matcher, against a regular-expression engine and by hand.

#![allow(clippy::unwrap_used, clippy::panic)]

mod known;
mod language;
mod oracle;
mod random;
mod required;
