//! The object store below the tables, and what it adds to Lance's own.
//!
//! 1. On a local disk every write goes through `LocalFileSystem::with_fsync`, so that data,
//!    deletion and index files and their folders are on the platter before the manifest that names
//!    them is. Lance reaches it only under the scheme `file-object-store`: under `file` it writes
//!    past every object store. Reading keeps the faster `file`.
//! 2. Every data, deletion and index file is hashed with BLAKE3 while its bytes go by. The
//!    commit handler writes the hashes to `_penstock/checksums/TABLE/` before it commits, whatever
//!    operation made the files.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use lance_io::object_store::WrappingObjectStore;
use lance_table::format::{IndexMetadata, Manifest, Transaction};
use lance_table::io::commit::{
    CommitError, CommitHandler, ConditionalPutCommitHandler, ManifestLocation,
    ManifestNamingScheme, ManifestWriter,
};
use object_store::list::PaginatedListStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    UploadPart,
};
use serde::{Deserialize, Serialize};

/// The suffix of a table's folder.
pub(crate) const TABLE_SUFFIX: &str = ".lance";
/// The program's own folder below the root.
pub(crate) const OWN: &str = "_penstock";

/// What was known of one file when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileRecord {
    /// Path below the table's folder.
    pub(crate) file: String,
    /// BLAKE3, hexadecimal.
    pub(crate) blake3: String,
    /// Length.
    pub(crate) bytes: u64,
}

/// The files written and not yet recorded, by table folder.
#[derive(Debug)]
pub(crate) struct Recorder {
    root: Path,
    pending: Mutex<HashMap<String, Vec<FileRecord>>>,
    written: AtomicU64,
}

impl Recorder {
    pub(crate) fn new(root: Path) -> Self {
        Self {
            root,
            pending: Mutex::default(),
            written: AtomicU64::new(0),
        }
    }

    /// How many objects were written through this store.
    pub(crate) fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// The table folder and the path below it, of a file whose bytes are to be recorded.
    fn place(&self, location: &Path) -> Option<(String, String)> {
        let mut parts = location.prefix_match(&self.root)?;
        let table = parts
            .next()?
            .as_ref()
            .strip_suffix(TABLE_SUFFIX)?
            .to_owned();
        let rest: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
        let first = rest.first()?;
        matches!(first.as_str(), "data" | "_deletions" | "_indices")
            .then(|| (table, rest.join("/")))
    }

    fn record(&self, location: &Path, hash: &blake3::Hash, bytes: u64) {
        self.written.fetch_add(1, Ordering::Relaxed);
        if let Some((table, file)) = self.place(location) {
            let record = FileRecord {
                file,
                blake3: hash.to_hex().to_string(),
                bytes,
            };
            self.lock().entry(table).or_default().push(record);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<FileRecord>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets files that were removed again before any commit.
    pub(crate) fn forget(&self, table: &str, files: &[String]) {
        if let Some(records) = self.lock().get_mut(table) {
            records.retain(|record| !files.contains(&record.file));
        }
    }

    /// Writes what is pending for a table. Called before every commit.
    pub(crate) async fn flush(
        &self,
        table: &str,
        store: &dyn ObjectStore,
    ) -> object_store::Result<()> {
        let Some(records) = self
            .lock()
            .remove(table)
            .filter(|records| !records.is_empty())
        else {
            return Ok(());
        };
        let path =
            checksums(&self.root, table).join(format!("{}.json", uuid::Uuid::now_v7().simple()));
        let written = async {
            let json =
                serde_json::to_vec(&records).map_err(|source| object_store::Error::Generic {
                    store: "checksums",
                    source: Box::new(source),
                })?;
            store.put(&path, json.into()).await
        }
        .await;
        if let Err(error) = written {
            self.lock()
                .entry(table.to_owned())
                .or_default()
                .extend(records);
            return Err(error);
        }
        Ok(())
    }
}

/// The folder of a table's checksums.
pub(crate) fn checksums(root: &Path, table: &str) -> Path {
    root.clone().join(OWN).join("checksums").join(table)
}

/// Puts [`Watched`] around Lance's object stores.
#[derive(Debug)]
pub(crate) struct Wrapper {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) local: bool,
}

impl WrappingObjectStore for Wrapper {
    fn wrap(&self, _prefix: &str, original: Arc<dyn ObjectStore>) -> Arc<dyn ObjectStore> {
        let inner = if self.local {
            Arc::new(LocalFileSystem::new().with_fsync(true))
        } else {
            original
        };
        Arc::new(Watched {
            inner,
            recorder: self.recorder.clone(),
        })
    }

    fn wrap_paginated(
        &self,
        _prefix: &str,
        original: Arc<dyn PaginatedListStore>,
    ) -> Option<Arc<dyn PaginatedListStore>> {
        // Only writes are watched.
        Some(original)
    }
}

/// An object store that hashes what is written.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn ObjectStore>,
    recorder: Arc<Recorder>,
}

impl fmt::Display for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Watched {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> object_store::Result<PutResult> {
        let mut hasher = blake3::Hasher::new();
        for bytes in &payload {
            hasher.update(bytes);
        }
        let length = payload.content_length() as u64;
        let result = self.inner.put_opts(location, payload, opts).await?;
        self.recorder.record(location, &hasher.finalize(), length);
        Ok(result)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(WatchedUpload {
            inner: self.inner.put_multipart_opts(location, opts).await?,
            recorder: self.recorder.clone(),
            location: location.clone(),
            hasher: blake3::Hasher::new(),
            bytes: 0,
        }))
    }

    async fn get_opts(
        &self,
        location: &Path,
        options: GetOptions,
    ) -> object_store::Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> object_store::Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    // Copies and renames are not watched: Lance's Rust writers name a data, deletion or index file
    // once and for good. A file that came about otherwise is reported by `verify` as unrecorded.
    async fn copy_opts(
        &self,
        from: &Path,
        to: &Path,
        options: CopyOptions,
    ) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }

    async fn rename_opts(
        &self,
        from: &Path,
        to: &Path,
        options: RenameOptions,
    ) -> object_store::Result<()> {
        self.inner.rename_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct WatchedUpload {
    inner: Box<dyn MultipartUpload>,
    recorder: Arc<Recorder>,
    location: Path,
    hasher: blake3::Hasher,
    bytes: u64,
}

#[async_trait]
impl MultipartUpload for WatchedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        // Parts are handed over in the order of the file; only their transfer is concurrent.
        for bytes in &data {
            self.hasher.update(bytes);
        }
        self.bytes += data.content_length() as u64;
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let result = self.inner.complete().await?;
        self.recorder
            .record(&self.location, &self.hasher.finalize(), self.bytes);
        Ok(result)
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.inner.abort().await
    }
}

/// Commits with a conditional put, after the checksums of the files were written.
///
/// With `expect`, it commits that version or none: Lance would otherwise rebase a transaction on
/// whatever others committed, without knowing what the rows mean to us.
#[derive(Debug, Clone)]
pub(crate) struct Commits {
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) expect: Option<u64>,
}

#[async_trait]
impl CommitHandler for Commits {
    fn is_version_not_found_definitive(&self) -> bool {
        ConditionalPutCommitHandler.is_version_not_found_definitive()
    }

    fn propagate_commit_error_after_success(&self) -> bool {
        ConditionalPutCommitHandler.propagate_commit_error_after_success()
    }

    async fn commit(
        &self,
        manifest: &mut Manifest,
        indices: Option<Vec<IndexMetadata>>,
        base_path: &Path,
        object_store: &lance_io::object_store::ObjectStore,
        manifest_writer: ManifestWriter,
        naming_scheme: ManifestNamingScheme,
        transaction: Option<Transaction>,
    ) -> Result<ManifestLocation, CommitError> {
        if self
            .expect
            .is_some_and(|version| version != manifest.version)
        {
            return Err(CommitError::CommitConflict);
        }
        let table = base_path
            .filename()
            .and_then(|name| name.strip_suffix(TABLE_SUFFIX));
        if let Some(table) = table {
            self.recorder
                .flush(table, object_store.inner.as_ref())
                .await
                .map_err(|error| CommitError::OtherError(error.into()))?;
        }
        ConditionalPutCommitHandler
            .commit(
                manifest,
                indices,
                base_path,
                object_store,
                manifest_writer,
                naming_scheme,
                transaction,
            )
            .await
    }
}
