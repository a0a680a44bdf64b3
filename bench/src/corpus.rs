//! Real files to measure with.

use std::path::{Path, PathBuf};

/// A file or folder of the corpus.
pub(crate) fn corpus(path: &str) -> PathBuf {
    let root = std::env::var_os("PENSTOCK_CORPUS").map(PathBuf::from);
    root.unwrap_or_else(|| PathBuf::from("../shared/corpus"))
        .join(path)
}

/// What was named, or a file of the corpus.
pub(crate) fn or_corpus(named: Option<&Path>, path: &str) -> PathBuf {
    named.map_or_else(|| corpus(path), Path::to_owned)
}
