//! Comparing the stored bytes with what was written.
//!
//! Lance's data files carry no checksum: a flipped bit is a silently wrong row. The hashes that
//! `backing.rs` recorded before each commit are what this compares with.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance_table::io::deletion::relative_deletion_file_path;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use penstock_types::TableName;

use crate::backing::FileRecord;
use crate::error::{Result, StoreError, first_line};
use crate::store::Store;

/// Files read at once.
const FILES_AT_ONCE: usize = 4;

/// Which versions of a table to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum VerifyScope {
    /// The newest.
    #[default]
    Latest,
    /// All that were not cleaned up.
    AllVersions,
}

/// Something wrong with a stored file. Paths are below the table's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum VerifyProblem {
    /// A version needs the file, and it is not there.
    Missing {
        /// The file.
        file: String,
    },
    /// The bytes are not those that were written.
    Changed {
        /// The file.
        file: String,
        /// BLAKE3 and length when it was written.
        recorded: String,
        /// BLAKE3 and length now.
        found: String,
    },
    /// Nothing was recorded when the file was written: another program wrote it.
    Unrecorded {
        /// The file.
        file: String,
    },
    /// A file or version that cannot be read.
    Unreadable {
        /// The file or version.
        file: String,
        /// Why not.
        reason: String,
    },
}

/// What verifying a table found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// The table.
    pub table: TableName,
    /// The versions looked at.
    pub versions: Vec<u64>,
    /// How many files were read.
    pub files: u64,
    /// How many bytes these were.
    pub bytes: u64,
    /// What is wrong, sorted.
    pub problems: Vec<VerifyProblem>,
}

impl VerifyReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Store {
    /// Reads every data, deletion and index file that the versions need, and compares it with what
    /// was recorded when it was written.
    ///
    /// # Errors
    /// There is no such table, or the store cannot be read. Damaged files are no error but findings.
    pub async fn verify(&self, name: &TableName, scope: VerifyScope) -> Result<VerifyReport> {
        let latest = self.writer(name).await?;
        let lance = |error| StoreError::lance(name, error);
        let mut report = VerifyReport {
            table: name.clone(),
            versions: Vec::new(),
            files: 0,
            bytes: 0,
            problems: Vec::new(),
        };
        let versions = match scope {
            VerifyScope::Latest => vec![latest.version_id()],
            VerifyScope::AllVersions => {
                let versions = latest.versions().await.map_err(lance)?;
                versions
                    .into_iter()
                    .map(|version| version.version)
                    .collect()
            }
        };
        let mut files = BTreeSet::new();
        for version in versions {
            report.versions.push(version);
            let listed = async {
                let dataset = latest.checkout_version(version).await.map_err(lance)?;
                self.files_of(name, &dataset).await
            };
            match listed.await {
                Ok(listed) => files.extend(listed),
                Err(error @ (StoreError::Unavailable { .. } | StoreError::Denied { .. })) => {
                    return Err(error);
                }
                Err(error) => report.problems.push(VerifyProblem::Unreadable {
                    file: format!("version {version}"),
                    reason: first_line(&error),
                }),
            }
        }
        let recorded = self.checksums(name).await?;
        let each: Vec<_> = files
            .into_iter()
            .map(|file| self.check_file(name, file, &recorded))
            .collect();
        let mut checked = futures::stream::iter(each).buffer_unordered(FILES_AT_ONCE);
        while let Some((bytes, problem)) = checked.try_next().await? {
            report.files += 1;
            report.bytes += bytes;
            report.problems.extend(problem);
        }
        report.problems.sort();
        Ok(report)
    }

    async fn files_of(&self, name: &TableName, dataset: &Dataset) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for fragment in dataset.fragments().iter() {
            files.extend(
                fragment
                    .files
                    .iter()
                    .map(|file| format!("data/{}", file.path)),
            );
            if let Some(deletions) = &fragment.deletion_file {
                files.push(relative_deletion_file_path(fragment.id, deletions));
            }
        }
        let indexes = dataset
            .load_indices()
            .await
            .map_err(|error| StoreError::lance(name, error))?;
        for index in indexes.iter() {
            let folder = format!("_indices/{}", index.uuid);
            let path = below(&self.table_path(name), &folder);
            let listed: Vec<_> = self
                .objects()
                .store()
                .list(Some(&path))
                .try_collect()
                .await?;
            if listed.is_empty() {
                files.push(folder.clone());
            }
            for meta in listed {
                let rest = meta.location.prefix_match(&path).map(|parts| {
                    parts
                        .map(|part| part.as_ref().to_owned())
                        .collect::<Vec<_>>()
                        .join("/")
                });
                files.extend(rest.map(|rest| format!("{folder}/{rest}")));
            }
        }
        Ok(files)
    }

    async fn check_file(
        &self,
        name: &TableName,
        file: String,
        recorded: &BTreeMap<String, FileRecord>,
    ) -> Result<(u64, Option<VerifyProblem>)> {
        let path = below(&self.table_path(name), &file);
        let got = match self.objects().store().get(&path).await {
            Ok(got) => got,
            Err(object_store::Error::NotFound { .. }) => {
                return Ok((0, Some(VerifyProblem::Missing { file })));
            }
            Err(error) => {
                let reason = first_line(&error);
                return Ok((0, Some(VerifyProblem::Unreadable { file, reason })));
            }
        };
        let mut hasher = blake3::Hasher::new();
        let mut bytes = 0;
        let mut stream = got.into_stream();
        while let Some(chunk) = stream.next().await {
            match chunk {
                Ok(chunk) => {
                    bytes += chunk.len() as u64;
                    hasher.update(&chunk);
                }
                Err(error) => {
                    let reason = first_line(&error);
                    return Ok((bytes, Some(VerifyProblem::Unreadable { file, reason })));
                }
            }
        }
        let found = FileRecord {
            blake3: hasher.finalize().to_hex().to_string(),
            bytes,
            file,
        };
        let problem = match recorded.get(&found.file) {
            None => Some(VerifyProblem::Unrecorded { file: found.file }),
            Some(recorded) if *recorded == found => None,
            Some(recorded) => {
                let words =
                    |record: &FileRecord| format!("{}, {} bytes", record.blake3, record.bytes);
                let (recorded, now) = (words(recorded), words(&found));
                Some(VerifyProblem::Changed {
                    file: found.file,
                    recorded,
                    found: now,
                })
            }
        };
        Ok((bytes, problem))
    }

    /// What was recorded of a table's files.
    async fn checksums(&self, name: &TableName) -> Result<BTreeMap<String, FileRecord>> {
        let mut all = BTreeMap::new();
        for object in self.objects().list(&format!("checksums/{name}")).await? {
            for record in self.checksum_records(&object.key).await? {
                all.insert(record.file.clone(), record);
            }
        }
        Ok(all)
    }

    async fn checksum_records(&self, key: &str) -> Result<Vec<FileRecord>> {
        let bytes = self.objects().get(key).await?;
        serde_json::from_slice(&bytes).map_err(|_| StoreError::Corrupt {
            detail: format!("the checksum file `{key}` holds no checksums"),
        })
    }

    /// Puts the checksum files together into one, without files that are gone. Called under the
    /// lease; what others add meanwhile is not touched.
    pub(crate) async fn tidy_checksums(&self, name: &TableName) -> Result<()> {
        let objects = self.objects().list(&format!("checksums/{name}")).await?;
        if objects.is_empty() {
            return Ok(());
        }
        let mut live = BTreeSet::new();
        let folder = self.table_path(name);
        let mut stored = self.objects().store().list(Some(&folder));
        while let Some(meta) = stored.try_next().await? {
            if let Some(parts) = meta.location.prefix_match(&folder) {
                let parts: Vec<_> = parts.map(|part| part.as_ref().to_owned()).collect();
                live.insert(parts.join("/"));
            }
        }
        let mut kept = Vec::new();
        for object in &objects {
            let records = self.checksum_records(&object.key).await?;
            kept.extend(
                records
                    .into_iter()
                    .filter(|record| live.contains(&record.file)),
            );
        }
        let json =
            serde_json::to_vec(&kept).map_err(|_| StoreError::Internal("checksums are no JSON"))?;
        let merged = format!("checksums/{name}/{}.json", uuid::Uuid::now_v7().simple());
        self.objects().put(&merged, Bytes::from(json)).await?;
        for object in objects {
            self.objects().delete(&object.key).await?;
        }
        Ok(())
    }
}

fn below(folder: &Path, rest: &str) -> Path {
    rest.split('/')
        .fold(folder.clone(), |path, part| path.join(part))
}
