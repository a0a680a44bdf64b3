//! Checkpoints that the Hugging Face hub's own tools have downloaded.
//!
//! The cache's layout is that of the hub's Python package (its guide "Manage the cache"):
//! `models--ORG--NAME/refs/REVISION` holds a commit, `models--ORG--NAME/snapshots/COMMIT/` its
//! files. Nothing is downloaded here: a solver's nodes have no network, and what a column was made
//! with should be pinned by whoever fetched it.

use std::path::{Path, PathBuf};

/// A name on the hub: `ORG/NAME`, or `ORG/NAME@REVISION` with a branch, tag or commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HubName<'a> {
    organisation: &'a str,
    pub(crate) name: &'a str,
    revision: &'a str,
}

impl<'a> HubName<'a> {
    /// None for what is no such name.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (path, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (organisation, name) = path.split_once('/')?;
        [organisation, name, revision]
            .into_iter()
            .all(is_plain)
            .then_some(Self {
                organisation,
                name,
                revision,
            })
    }

    /// Its files in a cache, where they are there.
    pub(crate) fn folder(self, cache: &Path) -> Option<PathBuf> {
        let repository = cache.join(format!("models--{}--{}", self.organisation, self.name));
        let commit = std::fs::read_to_string(repository.join("refs").join(self.revision))
            .unwrap_or_else(|_| self.revision.to_owned());
        let commit = commit.trim();
        let folder = repository.join("snapshots").join(commit);
        (is_plain(commit) && folder.is_dir()).then_some(folder)
    }
}

/// The files of the model that is called so, of whichever organisation has one.
pub(crate) fn by_short_name(cache: &Path, name: &str) -> Option<PathBuf> {
    let end = format!("--{name}");
    let mut folders: Vec<String> = std::fs::read_dir(cache)
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    folders.sort();
    folders.iter().find_map(|folder| {
        let organisation = folder
            .strip_prefix("models--")?
            .strip_suffix(end.as_str())?;
        HubName::parse(&format!("{organisation}/{name}"))?.folder(cache)
    })
}

/// A part of a path that leads nowhere else.
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && part
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name = HubName::parse("facebook/esm2_t6_8M_UR50D@c731040f").unwrap();
        assert_eq!((name.organisation, name.revision), ("facebook", "c731040f"));
        assert_eq!(HubName::parse("a/b").unwrap().revision, "main");
        for text in [
            "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/b@..", "a/b@", "a b/c",
        ] {
            assert_eq!(HubName::parse(text), None, "{text}");
        }
    }
}
