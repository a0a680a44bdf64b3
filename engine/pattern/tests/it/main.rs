//! Tests of the whole crate: published counts, and random graphs against a matcher that tries
//! everything.
#![allow(clippy::unwrap_used, clippy::panic)]

mod brute;
mod corpus;
mod formats;
mod isomorphism;
mod random;
mod similar;
mod vf2;
