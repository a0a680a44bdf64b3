//! Nothing to use: this crate's `Cargo.toml` pins the features of shared dependencies, so that
//! every command builds each of them once.
