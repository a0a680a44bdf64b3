//! Rust client of the REST interface
