//! The program's own files under `_penstock/`: snapshots, jobs, leases, uploads.

use std::ops::Range;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt, TryStreamExt};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use tokio::io::AsyncWriteExt;

use crate::backing::OWN;
use crate::error::{Result, StoreError};

/// Simultaneous writers of the start-up probe.
const PROBE_WRITERS: u8 = 32;
/// The objects of the start-up probe: one that fits a packet, one that some servers spool.
const PROBE_SIZES: [usize; 2] = [64, 6 << 20];

/// The bytes of one object, as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>;

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its length in bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// The program's own files. A key is a path below `_penstock/` with `/` between segments. A write
/// is whole or absent, and on a local disk it is synced before it is acknowledged. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    root: Path,
    root_url: String,
    local_root: Option<PathBuf>,
}

/// Writes one object of any length. Nothing is visible before [`ObjectWriter::finish`].
#[derive(Debug)]
pub struct ObjectWriter {
    writer: BufWriter,
}

impl ObjectWriter {
    /// Adds bytes.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        Ok(self.writer.put(bytes).await?)
    }

    /// Makes the object visible.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn finish(mut self) -> Result<()> {
        self.writer
            .shutdown()
            .await
            .map_err(|source| StoreError::Io {
                what: "finishing an object",
                source,
            })
    }

    /// Gives up: nothing becomes visible.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn abort(mut self) -> Result<()> {
        Ok(self.writer.abort().await?)
    }
}

impl Objects {
    pub(crate) fn new(
        store: Arc<dyn ObjectStore>,
        root: Path,
        root_url: String,
        local_root: Option<PathBuf>,
    ) -> Self {
        Self {
            store,
            root,
            root_url,
            local_root,
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    fn folder(&self) -> Path {
        self.root.clone().join(OWN)
    }

    fn path(&self, key: &str) -> Result<Path> {
        let bad = |segment: &str| matches!(segment, "" | "." | "..") || segment.contains('\\');
        if key.split('/').any(bad) {
            return Err(StoreError::Key(key.to_owned()));
        }
        let path = Path::parse(key).map_err(|_| StoreError::Key(key.to_owned()))?;
        Ok(path
            .parts()
            .fold(self.folder(), |folder, part| folder.join(part)))
    }

    fn prefix(&self, prefix: &str) -> Result<Path> {
        match prefix.trim_end_matches('/') {
            "" => Ok(self.folder()),
            prefix => self.path(prefix),
        }
    }

    fn key(&self, path: &Path) -> Option<String> {
        let parts = path.prefix_match(&self.folder())?;
        Some(
            parts
                .map(|part| part.as_ref().to_owned())
                .collect::<Vec<_>>()
                .join("/"),
        )
    }

    fn missing(key: &str, error: object_store::Error) -> StoreError {
        match error {
            object_store::Error::NotFound { .. } => StoreError::NoObject(key.to_owned()),
            other => other.into(),
        }
    }

    /// The object's bytes.
    ///
    /// # Errors
    /// There is no such object, or the store cannot be read.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        let got = self
            .store
            .get(&self.path(key)?)
            .await
            .map_err(|e| Self::missing(key, e))?;
        Ok(got.bytes().await?)
    }

    /// The object's bytes, `None` where there is no such object.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn get_opt(&self, key: &str) -> Result<Option<Bytes>> {
        match self.get(key).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(StoreError::NoObject(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Some of the object's bytes.
    ///
    /// # Errors
    /// There is no such object, the range does not begin in it, or the store cannot be read.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let path = self.path(key)?;
        self.store
            .get_range(&path, range)
            .await
            .map_err(|e| Self::missing(key, e))
    }

    /// The object's bytes, as they come.
    ///
    /// # Errors
    /// There is no such object, or the store cannot be read.
    pub async fn get_stream(&self, key: &str) -> Result<ByteStream> {
        let got = self
            .store
            .get(&self.path(key)?)
            .await
            .map_err(|e| Self::missing(key, e))?;
        Ok(got.into_stream().map_err(StoreError::from).boxed())
    }

    /// Writes an object, or writes it anew.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.store.put(&self.path(key)?, bytes.into()).await?;
        Ok(())
    }

    /// Writes an object unless there is one; answers whether it was written.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<bool> {
        self.create(&self.path(key)?, bytes).await
    }

    async fn create(&self, path: &Path, bytes: Bytes) -> Result<bool> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self.store.put_opts(path, bytes.into(), options).await {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes an object of any length piece by piece.
    ///
    /// # Errors
    /// The key is none.
    pub fn writer(&self, key: &str) -> Result<ObjectWriter> {
        let writer = BufWriter::new(self.store.clone(), self.path(key)?);
        Ok(ObjectWriter { writer })
    }

    /// Removes an object; removing what is not there is no error.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn delete(&self, key: &str) -> Result<()> {
        match self.store.delete(&self.path(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes all objects below a prefix of whole segments; answers how many.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn delete_prefix(&self, prefix: &str) -> Result<u64> {
        self.remove_all(&self.prefix(prefix)?).await
    }

    pub(crate) async fn remove_all(&self, folder: &Path) -> Result<u64> {
        let paths = self
            .store
            .list(Some(folder))
            .map_ok(|meta| meta.location)
            .boxed();
        let mut removed = 0;
        let mut stream = self.store.delete_stream(paths);
        while let Some(result) = stream.next().await {
            match result {
                Ok(_) => removed += 1,
                Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(removed)
    }

    /// All objects below a prefix of whole segments, sorted by key.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectInfo>> {
        let mut found: Vec<ObjectInfo> = self
            .store
            .list(Some(&self.prefix(prefix)?))
            .try_filter_map(|meta| {
                let info = self.key(&meta.location).map(|key| ObjectInfo {
                    key,
                    size: meta.size,
                    modified: meta.last_modified,
                });
                futures::future::ready(Ok(info))
            })
            .try_collect()
            .await?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(found)
    }

    /// The object's length in bytes.
    ///
    /// # Errors
    /// There is no such object, or the store cannot be read.
    pub async fn size(&self, key: &str) -> Result<u64> {
        let meta = self
            .store
            .head(&self.path(key)?)
            .await
            .map_err(|e| Self::missing(key, e))?;
        Ok(meta.size)
    }

    /// Whether there is such an object.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        match self.size(key).await {
            Ok(_) => Ok(true),
            Err(StoreError::NoObject(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where other programs find the object: a `file://` or `s3://` URL.
    ///
    /// # Errors
    /// The key is none.
    pub fn url(&self, key: &str) -> Result<String> {
        self.path(key)?;
        Ok(format!("{}/{OWN}/{key}", self.root_url))
    }

    /// The object's path on this machine, `None` in a bucket.
    #[must_use]
    pub fn local_path(&self, key: &str) -> Option<PathBuf> {
        self.path(key).ok()?;
        Some(self.local_root.as_ref()?.join(OWN).join(key))
    }

    /// Names of the folders directly below the root.
    pub(crate) async fn root_folders(&self) -> Result<Vec<String>> {
        let listed = self.store.list_with_delimiter(Some(&self.root)).await?;
        Ok(listed
            .common_prefixes
            .iter()
            .filter_map(|path| path.filename().map(str::to_owned))
            .collect())
    }

    /// Has many writers create one object at once. Exactly one may win, and its bytes must be
    /// there afterwards, else commits would be lost in silence. A writer that got no answer (some
    /// servers hang up on a body that they do not want) is neither.
    pub(crate) async fn probe(&self, uri: &str) -> Result<()> {
        for bytes in PROBE_SIZES {
            let name = format!("probe/{}", uuid::Uuid::new_v4().simple());
            let path = self.path(&name)?;
            let content = |writer| Bytes::from(vec![writer; bytes]);
            let attempts = (0..PROBE_WRITERS).map(|writer| self.create(&path, content(writer)));
            let outcome = futures::future::join_all(attempts).await;
            let stored = self.get_opt(&name).await;
            let removed = self.delete(&name).await;
            let mut winners = Vec::new();
            let mut unanswered = None;
            for (writer, attempt) in (0..).zip(outcome) {
                match attempt {
                    Ok(true) => winners.push(writer),
                    Ok(false) => {}
                    Err(error) => unanswered = Some(error),
                }
            }
            match (&winners[..], unanswered) {
                // An object that is made now cannot be missing; its bucket can.
                ([], Some(StoreError::NoObject(_))) => {
                    return Err(StoreError::NoBucket {
                        uri: uri.to_owned(),
                    });
                }
                ([], Some(error)) => return Err(error),
                ([winner], _) if stored?.is_some_and(|stored| stored == content(*winner)) => {}
                _ => {
                    return Err(StoreError::UnsafeStore {
                        uri: uri.to_owned(),
                        winners: winners.len(),
                        attempts: usize::from(PROBE_WRITERS),
                        bytes,
                    });
                }
            }
            removed?;
        }
        Ok(())
    }
}
