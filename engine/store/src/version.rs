//! Versions and tags of a table.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use penstock_types::{NameError, TableName, TagName};

use crate::error::{Result, StoreError};
use crate::store::Store;
use crate::table::Table;

/// Which version of a table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum VersionRef {
    /// The newest one.
    #[default]
    Latest,
    /// The one with this number.
    Number(u64),
    /// The one that this tag names.
    Tag(TagName),
}

impl fmt::Display for VersionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.pad("latest"),
            Self::Number(version) => version.fmt(f),
            Self::Tag(tag) => tag.fmt(f),
        }
    }
}

impl FromStr for VersionRef {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        match text.parse() {
            Ok(version) => Ok(Self::Number(version)),
            Err(_) => TagName::new(text).map(Self::Tag),
        }
    }
}

impl From<u64> for VersionRef {
    fn from(version: u64) -> Self {
        Self::Number(version)
    }
}

impl From<TagName> for VersionRef {
    fn from(tag: TagName) -> Self {
        Self::Tag(tag)
    }
}

/// One version of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// Its number.
    pub version: u64,
    /// When it was committed, by the writer's clock.
    pub timestamp: DateTime<Utc>,
    /// The tags that name it.
    pub tags: Vec<TagName>,
}

impl Table {
    /// All versions that were not cleaned up, oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn versions(&self) -> Result<Vec<VersionInfo>> {
        let lance = |error| StoreError::lance(self.name(), error);
        let tags = self.tags().await?;
        let mut versions = self.dataset().versions().await.map_err(lance)?;
        versions.sort_by_key(|version| version.version);
        Ok(versions
            .into_iter()
            .map(|version| VersionInfo {
                version: version.version,
                timestamp: version.timestamp,
                tags: tags
                    .iter()
                    .filter(|(_, is)| **is == version.version)
                    .map(|(tag, _)| tag.clone())
                    .collect(),
            })
            .collect())
    }

    /// All tags of the table and the versions they name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn tags(&self) -> Result<BTreeMap<TagName, u64>> {
        let tags = self
            .dataset()
            .tags()
            .list()
            .await
            .map_err(|error| StoreError::lance(self.name(), error))?;
        Ok(tags
            .into_iter()
            .filter_map(|(tag, contents)| Some((TagName::new(tag).ok()?, contents.version)))
            .collect())
    }
}

impl Store {
    /// Gives a version a lasting name; `gc` keeps what a tag names. Answers the version. The same
    /// tag on the same version again changes nothing.
    ///
    /// # Errors
    /// There is no such table or version; the tag names another version.
    pub async fn tag(&self, name: &TableName, tag: &TagName, at: &VersionRef) -> Result<u64> {
        let version = self.table_at(name, at).await?.version();
        let dataset = self.writer(name).await?;
        match dataset.tags().create(tag.as_str(), version).await {
            Ok(()) => Ok(version),
            Err(lance::Error::RefConflict { .. }) => {
                match dataset.tags().get_version(tag.as_str()).await {
                    Ok(is) if is == version => Ok(version),
                    Ok(is) => Err(StoreError::TagExists {
                        table: name.clone(),
                        tag: tag.to_string(),
                        is,
                    }),
                    Err(error) => Err(StoreError::lance(name, error)),
                }
            }
            Err(lance::Error::VersionNotFound { .. }) => Err(StoreError::NoVersion {
                table: name.clone(),
                version: version.to_string(),
            }),
            Err(error) => Err(StoreError::lance(name, error)),
        }
    }

    /// Removes a tag. The version itself stays until it is cleaned up.
    ///
    /// # Errors
    /// There is no such table or tag.
    pub async fn untag(&self, name: &TableName, tag: &TagName) -> Result<()> {
        let dataset = self.writer(name).await?;
        dataset
            .tags()
            .delete(tag.as_str())
            .await
            .map_err(|error| match error {
                lance::Error::RefNotFound { .. } => StoreError::NoVersion {
                    table: name.clone(),
                    version: tag.to_string(),
                },
                other => StoreError::lance(name, other),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        assert_eq!("latest".parse(), Ok(VersionRef::Latest));
        assert_eq!("17".parse(), Ok(VersionRef::Number(17)));
        let tag = TagName::new("paper-1").unwrap();
        assert_eq!("paper-1".parse(), Ok(VersionRef::Tag(tag)));
        assert!("1a".parse::<VersionRef>().is_err());
    }
}
