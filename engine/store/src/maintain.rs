//! Deleting rows, compaction and clean-up.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use lance::Dataset;
use lance::dataset::cleanup::CleanupPolicyBuilder;
use lance::dataset::optimize::{CompactionOptions, compact_files};
use lance::dataset::transaction::Operation;
use penstock_types::TableName;
use serde::{Deserialize, Serialize};

use crate::commit::{ATTEMPTS, RowSet, back_off};
use crate::error::{Result, StoreError};
use crate::keys::{Outcome, find_between, properties};
use crate::load::addresses;
use crate::scan::READ_AHEAD;
use crate::store::Store;

/// Markers of idempotency keys are kept at least so long.
const KEYS_LAST: Duration = Duration::from_secs(30 * 24 * 3600);

/// How rows are deleted.
#[derive(Debug, Clone, Default)]
pub struct DeleteOptions {
    /// Idempotency key: a second deletion with this key answers the outcome of the first.
    pub key: Option<String>,
}

/// What a deletion did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteOutcome {
    /// The version without the rows.
    pub version: u64,
    /// How many rows these were.
    pub rows_deleted: u64,
    /// Whether this is the outcome of an earlier deletion with the same key.
    #[serde(default, skip_serializing)]
    pub replayed: bool,
}

/// What a compaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactOutcome {
    /// The version afterwards.
    pub version: u64,
    /// Fragments that were rewritten.
    pub fragments_removed: u64,
    /// Fragments that they became.
    pub fragments_added: u64,
    /// Files no longer needed by the newest version.
    pub files_removed: u64,
    /// Files written.
    pub files_added: u64,
}

/// What a clean-up removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcOutcome {
    /// Bytes.
    pub bytes_removed: u64,
    /// Versions.
    pub versions_removed: u64,
    /// Data files.
    pub data_files_removed: u64,
    /// Index files.
    pub index_files_removed: u64,
}

fn as_delete(name: &TableName, key: &str, found: Option<Outcome>) -> Result<Option<DeleteOutcome>> {
    match found {
        None => Ok(None),
        Some(Outcome::Delete(outcome)) => Ok(Some(DeleteOutcome {
            replayed: true,
            ..outcome
        })),
        Some(_) => Err(StoreError::KeyReused {
            table: name.clone(),
            key: key.to_owned(),
        }),
    }
}

impl Store {
    /// Deletes the rows that an SQL predicate holds for. Windows of a contig are rows of their own:
    /// `id = 'x' OR parent = 'x'` deletes both.
    ///
    /// # Errors
    /// There is no such table; the predicate cannot be read; the key was used for another request;
    /// other writers were faster too often; the store cannot be written.
    pub async fn delete(
        &self,
        name: &TableName,
        predicate: &str,
        options: DeleteOptions,
    ) -> Result<DeleteOutcome> {
        crate::predicate::check_predicate(predicate)?;
        let mut base = Arc::new(self.writer(name).await?);
        if let Some(key) = &options.key {
            let found = self.find_key(name, key, Some(&base)).await?;
            if let Some(earlier) = as_delete(name, key, found)? {
                return Ok(earlier);
            }
        }
        let lock = self.commit_lock(name);
        let _one_at_a_time = lock.lock().await;
        let mut intended = false;
        for attempt in 0..ATTEMPTS {
            let since = base.version_id();
            let latest = self.writer(name).await?;
            if latest.version_id() != since {
                if let Some(key) = &options.key {
                    let found = find_between(name, key, &latest, since).await?;
                    if let Some(earlier) = as_delete(name, key, found)? {
                        return Ok(earlier);
                    }
                }
                base = Arc::new(latest);
            }
            let since = base.version_id();
            let rows = matching(name, &base, predicate).await?;
            let mut outcome = DeleteOutcome {
                version: since,
                rows_deleted: rows.len(),
                replayed: false,
            };
            if let (Some(key), false) = (&options.key, intended) {
                self.key_intent(name, key, since).await?;
                intended = true;
            }
            let mut done = rows.is_empty();
            if !done {
                outcome.version += 1;
                let deletions = rows.delete_from(name, &base).await?;
                let operation = Operation::Delete {
                    updated_fragments: deletions.updated,
                    deleted_fragment_ids: deletions.removed,
                    predicate: predicate.to_owned(),
                };
                let stored = Outcome::Delete(outcome.clone());
                let properties = properties(options.key.as_deref(), &stored)?;
                done = self
                    .commit_next(name, Some(&base), operation, properties)
                    .await?
                    .is_some();
            }
            if done {
                if let Some(key) = &options.key {
                    self.key_done(name, key, since, Outcome::Delete(outcome.clone()))
                        .await;
                }
                return Ok(outcome);
            }
            back_off(attempt).await;
        }
        Err(StoreError::Conflict {
            table: name.clone(),
            detail: "they were faster".to_owned(),
        })
    }

    /// Rewrites small fragments, and those with many deleted rows, into larger ones. Under the
    /// table's maintenance lease.
    ///
    /// # Errors
    /// There is no such table, another job maintains it, or the store cannot be written.
    pub async fn compact(&self, name: &TableName) -> Result<CompactOutcome> {
        let lease = self.lease(name, "compaction").await?;
        let compacted = self.compact_under(name).await;
        lease.check()?;
        lease.release().await?;
        compacted
    }

    async fn compact_under(&self, name: &TableName) -> Result<CompactOutcome> {
        let lance = |error| StoreError::lance(name, error);
        let mut dataset = self.writer(name).await?;
        let options = CompactionOptions {
            target_rows_per_fragment: 256 << 10,
            max_bytes_per_file: Some(512 << 20),
            // Rows move at once with their index entries: readers never see one without the other.
            defer_index_remap: false,
            num_threads: Some(1),
            ..CompactionOptions::default()
        };
        let metrics = compact_files(&mut dataset, options, None)
            .await
            .map_err(lance)?;
        Ok(CompactOutcome {
            version: dataset.version_id(),
            fragments_removed: metrics.fragments_removed as u64,
            fragments_added: metrics.fragments_added as u64,
            files_removed: metrics.files_removed as u64,
            files_added: metrics.files_added as u64,
        })
    }

    /// Removes versions older than this, and the files that only they need. Versions that a tag
    /// names stay, and so does the newest. Files that no version names stay for a week, because a
    /// write may be in progress. Under the table's maintenance lease.
    ///
    /// # Errors
    /// There is no such table, another job maintains it, or the store cannot be written.
    pub async fn gc(&self, name: &TableName, older_than: Duration) -> Result<GcOutcome> {
        let lease = self.lease(name, "clean-up").await?;
        let cleaned = self.gc_under(name, older_than).await;
        lease.check()?;
        lease.release().await?;
        cleaned
    }

    async fn gc_under(&self, name: &TableName, older_than: Duration) -> Result<GcOutcome> {
        let lance = |error| StoreError::lance(name, error);
        let dataset = self.writer(name).await?;
        let age = chrono::Duration::from_std(older_than).unwrap_or(chrono::Duration::MAX);
        let before = chrono::Utc::now()
            .checked_sub_signed(age)
            .unwrap_or_default();
        let policy = CleanupPolicyBuilder::default()
            .before_timestamp(before)
            // Never true: a table whose writes are in progress would be destroyed.
            .delete_unverified(false)
            .error_if_tagged_old_versions(false)
            .build();
        let removed = dataset.cleanup_with_policy(policy).await.map_err(lance)?;
        self.tidy_checksums(name).await?;
        self.tidy_keys(name, older_than.max(KEYS_LAST)).await?;
        Ok(GcOutcome {
            bytes_removed: removed.bytes_removed,
            versions_removed: removed.old_versions,
            data_files_removed: removed.data_files_removed,
            index_files_removed: removed.index_files_removed,
        })
    }

    async fn tidy_keys(&self, name: &TableName, older_than: Duration) -> Result<()> {
        let age = chrono::Duration::from_std(older_than).unwrap_or(chrono::Duration::MAX);
        let Some(before) = chrono::Utc::now().checked_sub_signed(age) else {
            return Ok(());
        };
        for marker in self.objects().list(&format!("keys/{name}")).await? {
            if marker.modified < before {
                self.objects().delete(&marker.key).await?;
            }
        }
        Ok(())
    }
}

/// The rows that a predicate holds for.
async fn matching(name: &TableName, base: &Dataset, predicate: &str) -> Result<RowSet> {
    let unread = |error: lance::Error| match error {
        lance::Error::InvalidInput { .. }
        | lance::Error::Schema { .. }
        | lance::Error::FieldNotFound { .. }
        | lance::Error::NotSupported { .. } => StoreError::predicate(predicate, &error),
        other => StoreError::lance(name, other),
    };
    let mut scanner = base.scan();
    scanner
        .filter(predicate)
        .and_then(|scanner| scanner.empty_project())
        .map_err(unread)?;
    scanner
        .with_row_address()
        .scan_in_order(false)
        .io_buffer_size(READ_AHEAD);
    let mut rows = RowSet::default();
    let mut stream = scanner.try_into_stream().await.map_err(unread)?;
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(unread)?;
        for address in addresses(&batch)?.values() {
            rows.insert(*address);
        }
    }
    Ok(rows)
}
