//! Checkpoints that the Hugging Face hub's own tools have downloaded.
//!
//! The cache's layout is that of the hub's Python package (its guide "Manage the cache"):
//! `models--ORG--NAME/refs/REVISION` holds a commit, `models--ORG--NAME/snapshots/COMMIT/` its
//! files. What writes there is [`crate::hub`].

use std::fmt;
use std::path::{Path, PathBuf};

/// A name on the hub: `ORG/NAME`, or `ORG/NAME@REVISION` with a branch, tag or commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HubName<'a> {
    repository: &'a str,
    organisation: &'a str,
    name: &'a str,
    revision: Option<&'a str>,
}

impl fmt::Display for HubName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.repository)?;
        self.revision.map_or(Ok(()), |at| write!(f, "@{at}"))
    }
}

impl<'a> HubName<'a> {
    /// None for what is no such name.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (repository, revision) = match text.split_once('@') {
            Some((repository, revision)) => (repository, Some(revision)),
            None => (text, None),
        };
        let (organisation, name) = repository.split_once('/')?;
        [organisation, name]
            .into_iter()
            .chain(revision)
            .all(is_plain)
            .then_some(Self {
                repository,
                organisation,
                name,
                revision,
            })
    }

    /// `ORG/NAME`.
    pub(crate) const fn repository(self) -> &'a str {
        self.repository
    }

    /// The name without the organisation, which a column keeps.
    pub(crate) const fn short(self) -> &'a str {
        self.name
    }

    /// The branch, tag or commit.
    pub(crate) fn revision(self) -> &'a str {
        self.revision.unwrap_or("main")
    }

    /// The same model at a commit; none for what is no commit.
    pub(crate) fn at<'b>(self, commit: &'b str) -> Option<HubName<'b>>
    where
        'a: 'b,
    {
        is_plain(commit).then_some(HubName {
            revision: Some(commit),
            ..self
        })
    }

    /// Its folder's name in a cache.
    pub(crate) fn folder_name(self) -> String {
        format!("models--{}--{}", self.organisation, self.name)
    }

    /// Its files in a cache, where they are there.
    pub(crate) fn folder(self, cache: &Path) -> Option<PathBuf> {
        let repository = cache.join(self.folder_name());
        let commit = std::fs::read_to_string(repository.join("refs").join(self.revision()))
            .unwrap_or_else(|_| self.revision().to_owned());
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
pub(crate) fn is_plain(part: &str) -> bool {
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
        assert_eq!(
            (name.short(), name.revision()),
            ("esm2_t6_8M_UR50D", "c731040f")
        );
        assert_eq!(name.folder_name(), "models--facebook--esm2_t6_8M_UR50D");
        assert_eq!(name.to_string(), "facebook/esm2_t6_8M_UR50D@c731040f");
        assert_eq!(HubName::parse("a/b").unwrap().revision(), "main");
        assert_eq!(HubName::parse("a/b").unwrap().to_string(), "a/b");
        for text in [
            "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/b@..", "a/b@", "a b/c",
        ] {
            assert_eq!(HubName::parse(text), None, "{text}");
        }
    }
}
