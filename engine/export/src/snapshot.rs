//! Snapshots in a store: finding, reading and checking them.
//!
//! Below the store's own folder (`_penstock/`):
//!
//! | object | holds |
//! | --- | --- |
//! | `snapshots/data/{uuid}/...` | a Zarr v3 tree: chunks and `zarr.json` documents |
//! | `snapshots/sha256-{digest}/manifest.json` | the manifest, whose SHA-256 is the digest |
//! | `snapshots/sha256-{digest}/data.json` | the uuid of the tree that holds the digest's bytes |
//! | `snapshots/names/{name}.json` | name, digest, time of creation |
//!
//! They are written in this order, and a snapshot exists once `data.json` does. An object store has
//! no rename and the digest is known only when the last chunk is, so chunks cannot lie below the
//! digest; and two creators of one digest must not share a folder, as the one that gives up deletes
//! its own. The manifest does not name the tree, because equal content must have an equal digest.
//! What a killed creator leaves is a tree that no `data.json` names; its uuid (version 7) tells its
//! age.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::{StreamExt, TryStreamExt, stream};
use penstock_store::{Objects, Store};
use penstock_types::{Sha256Digest, SnapshotName};
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use crate::crc;
use crate::error::{Damage, ExportError, Result};
use crate::manifest::{Array, Manifest};
use crate::partition::{self, Partition, Rank};
use crate::zarr;

/// The name that always means the newest snapshot.
pub const LATEST: &str = "latest";

/// Reads that are under way at once, so that a distant store is not waited for chunk by chunk.
pub(crate) const READS_AHEAD: usize = 3;

/// A name and what it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// The name.
    pub name: SnapshotName,
    /// The digest of the snapshot.
    pub digest: Sha256Digest,
    /// When the name was given.
    pub created: DateTime<Utc>,
}

/// `names/{name}.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NameFile {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) created: DateTime<Utc>,
    /// When the table version was committed: tells a table from one of the same name that was
    /// made after it had been dropped.
    pub(crate) version_committed: DateTime<Utc>,
}

impl NameFile {
    pub(crate) fn entry(&self) -> Result<SnapshotEntry> {
        let digest = self.digest.parse().map_err(|_| ExportError::Corrupt {
            object: format!("names/{}.json", self.name),
            problem: Damage::Form("the digest is none".into()),
        })?;
        Ok(SnapshotEntry {
            name: SnapshotName::new(self.name.as_str())?,
            digest,
            created: self.created,
        })
    }

    pub(crate) async fn read(objects: &Objects, name: &str) -> Result<Option<Self>> {
        let Some(bytes) = objects.get_opt(&name_key(name)).await? else {
            return Ok(None);
        };
        json_of(&format!("names/{name}.json"), &bytes).map(Some)
    }
}

/// `sha256-{digest}/data.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DataFile {
    pub(crate) data: String,
}

pub(crate) fn name_key(name: &str) -> String {
    format!("snapshots/names/{name}.json")
}

pub(crate) fn digest_key(digest: Sha256Digest, file: &str) -> String {
    format!("snapshots/sha256-{digest}/{file}")
}

pub(crate) fn data_key(data: &str) -> String {
    format!("snapshots/data/{data}")
}

fn json_of<T: for<'de> Deserialize<'de>>(object: &str, bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| ExportError::Corrupt {
        object: object.to_owned(),
        problem: Damage::Form(error.to_string()),
    })
}

/// What a key of the Zarr tree holds.
#[derive(Debug, Clone)]
pub enum ZarrObject {
    /// A metadata document.
    Metadata(Bytes),
    /// A chunk: read it with [`Snapshot::chunk`].
    Chunk {
        /// The array.
        array: String,
        /// The chunk's number.
        index: u64,
        /// Bytes of the object.
        length: u64,
        /// CRC-32C of its elements (all bytes but the last four).
        crc32c: u32,
    },
    /// A chunk outside of the array's grid: there is none, and never will be.
    OutsideGrid,
    /// No key of the tree.
    Missing,
}

/// What [`Snapshot::verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Chunks read.
    pub chunks: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Damaged chunks.
    pub damaged: u64,
    /// The first hundred of them, with what is wrong.
    pub problems: Vec<(String, Damage)>,
}

impl VerifyReport {
    /// Whether every chunk is as it was written.
    #[must_use]
    pub const fn is_ok(&self) -> bool {
        self.damaged == 0
    }
}

/// An immutable list of rows and columns of a table version. Cheap to clone.
#[derive(Clone)]
pub struct Snapshot(Arc<Inner>);

/// Reads an object of the Zarr tree from elsewhere, by its key.
pub type FetchFn = dyn Fn(
        String,
    )
        -> BoxFuture<'static, std::result::Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>
    + Send
    + Sync;

/// Where the chunks are.
enum Tree {
    /// In a store, below this prefix.
    Stored(Objects, String),
    /// Elsewhere: a server that serves the snapshot.
    Fetched(Arc<FetchFn>),
}

struct Inner {
    tree: Tree,
    digest: Sha256Digest,
    manifest: Manifest,
    bytes: Bytes,
    schema: SchemaRef,
    documents: BTreeMap<String, Bytes>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Snapshot(sha256:{})", self.0.digest)
    }
}

impl Snapshot {
    /// Opens a snapshot by name, by `latest`, or by digest (64 digits, alone or after `sha256:` or
    /// `sha256-`).
    ///
    /// # Errors
    /// There is none, its manifest is damaged or newer than this program, or the store failed.
    pub async fn open(store: &Store, name_or_digest: &str) -> Result<Self> {
        let digest = Self::resolve(store, name_or_digest).await?;
        Self::open_digest(store.objects(), digest)
            .await?
            .ok_or_else(|| ExportError::NotFound {
                what: "snapshot",
                name: name_or_digest.to_owned(),
            })
    }

    /// The digest that a name, `latest` or a digest means.
    ///
    /// # Errors
    /// There is no such name, or the store failed. A digest is not looked up.
    pub async fn resolve(store: &Store, name_or_digest: &str) -> Result<Sha256Digest> {
        let bare = name_or_digest
            .strip_prefix("sha256:")
            .or_else(|| name_or_digest.strip_prefix("sha256-"))
            .unwrap_or(name_or_digest);
        if let Ok(digest) = bare.parse() {
            return Ok(digest);
        }
        Ok(Self::named(store, name_or_digest).await?.digest)
    }

    /// What a name, or `latest`, names.
    ///
    /// # Errors
    /// There is no such name, or the store failed.
    pub async fn named(store: &Store, name: &str) -> Result<SnapshotEntry> {
        let missing = || ExportError::NotFound {
            what: "snapshot",
            name: name.to_owned(),
        };
        if name == LATEST {
            let newest = Self::list(store).await?.into_iter();
            return newest
                .max_by_key(|entry| (entry.created, entry.name.clone()))
                .ok_or_else(missing);
        }
        SnapshotName::new(name).map_err(|_| missing())?;
        NameFile::read(store.objects(), name)
            .await?
            .ok_or_else(missing)?
            .entry()
    }

    /// The names, sorted.
    ///
    /// # Errors
    /// The store failed.
    pub async fn list(store: &Store) -> Result<Vec<SnapshotEntry>> {
        let objects = store.objects();
        let names: Vec<String> = objects
            .list("snapshots/names")
            .await?
            .into_iter()
            .filter_map(|object| {
                let name = object.key.rsplit('/').next()?.strip_suffix(".json")?;
                SnapshotName::new(name).ok().map(|_| name.to_owned())
            })
            .collect();
        let files: Vec<Option<NameFile>> = stream::iter(names)
            .map(|name| async move { NameFile::read(objects, &name).await })
            .buffered(16)
            .try_collect()
            .await?;
        let mut entries: Vec<SnapshotEntry> = files
            .iter()
            .flatten()
            .map(NameFile::entry)
            .collect::<Result<_>>()?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    pub(crate) async fn open_digest(
        objects: &Objects,
        digest: Sha256Digest,
    ) -> Result<Option<Self>> {
        let Some(pointer) = objects.get_opt(&digest_key(digest, "data.json")).await? else {
            return Ok(None);
        };
        let pointer: DataFile = json_of(&format!("sha256-{digest}/data.json"), &pointer)?;
        let bytes = objects
            .get_opt(&digest_key(digest, "manifest.json"))
            .await?
            .ok_or_else(|| ExportError::Corrupt {
                object: format!("sha256-{digest}/manifest.json"),
                problem: Damage::Missing,
            })?;
        let manifest = Manifest::decode(&bytes, digest)?;
        let documents = zarr_documents(&manifest, digest)?;
        Ok(Some(Self(Arc::new(Inner {
            tree: Tree::Stored(objects.clone(), data_key(&pointer.data)),
            digest,
            schema: manifest.schema(),
            manifest,
            bytes,
            documents,
        }))))
    }

    /// A snapshot whose chunks come from elsewhere, such as from a server: `fetch` reads them by
    /// their keys in the Zarr tree. Each is compared with the manifest, and the manifest with the
    /// digest, so that nobody on the way can change anything unseen.
    ///
    /// # Errors
    /// The bytes are not the manifest of that digest, or one newer than this program.
    pub fn remote(digest: Sha256Digest, manifest: Bytes, fetch: Arc<FetchFn>) -> Result<Self> {
        let bytes = manifest;
        let manifest = Manifest::decode(&bytes, digest)?;
        let documents = zarr_documents(&manifest, digest)?;
        Ok(Self(Arc::new(Inner {
            tree: Tree::Fetched(fetch),
            digest,
            schema: manifest.schema(),
            manifest,
            bytes,
            documents,
        })))
    }

    /// SHA-256 of the manifest's bytes.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        self.0.digest
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The manifest's bytes, whose SHA-256 is the digest.
    #[must_use]
    pub fn manifest_bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// The Arrow schema of all columns.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    /// Rows.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.0.manifest.rows
    }

    /// Where the Zarr tree lies, for readers that go to the store directly: a `file://` or `s3://`
    /// URL.
    ///
    /// # Errors
    /// The store has no URL for it.
    pub fn location(&self) -> Result<String> {
        match &self.0.tree {
            Tree::Stored(objects, prefix) => Ok(objects.url(prefix)?),
            Tree::Fetched(_) => Err(ExportError::NotFound {
                what: "place in a store of snapshot",
                name: self.0.digest.to_string(),
            }),
        }
    }

    /// The array of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn array(&self, name: &str) -> Result<&Array> {
        self.manifest()
            .array(name)
            .ok_or_else(|| ExportError::NotFound {
                what: "array",
                name: name.to_owned(),
            })
    }

    /// The position of an array in the manifest.
    pub(crate) fn index_of(&self, name: &str) -> Result<usize> {
        let mut names = self.manifest().arrays.iter();
        names
            .position(|array| array.name == name)
            .ok_or_else(|| ExportError::NotFound {
                what: "array",
                name: name.to_owned(),
            })
    }

    /// What a key of the Zarr tree holds, such as `zarr.json` or `ca_xyz/values/c/0/0`.
    #[must_use]
    pub fn zarr_object(&self, key: &str) -> ZarrObject {
        match zarr::parse(self.manifest(), key) {
            zarr::Key::Metadata(path) => match self.0.documents.get(path) {
                Some(document) => ZarrObject::Metadata(document.clone()),
                None => ZarrObject::Missing,
            },
            zarr::Key::Chunk { array, index } => match array.chunks.get(index as usize) {
                Some(chunk) => ZarrObject::Chunk {
                    array: array.name.clone(),
                    index,
                    length: chunk.length,
                    crc32c: chunk.crc32c,
                },
                None => ZarrObject::OutsideGrid,
            },
            zarr::Key::OutsideGrid => ZarrObject::OutsideGrid,
            zarr::Key::Missing => ZarrObject::Missing,
        }
    }

    /// Every key of the Zarr tree that is no chunk, and its document.
    pub(crate) fn documents(&self) -> &BTreeMap<String, Bytes> {
        &self.0.documents
    }

    /// The bytes of a stored chunk, checked: the elements, then four bytes of CRC-32C.
    ///
    /// # Errors
    /// There is no such chunk, it is damaged, or the store failed.
    pub async fn chunk(&self, array: &str, index: u64) -> Result<Bytes> {
        self.chunk_of(self.array(array)?, index).await
    }

    pub(crate) async fn chunk_of(&self, array: &Array, index: u64) -> Result<Bytes> {
        let key = array.chunk_key(index);
        let chunk = array
            .chunks
            .get(index as usize)
            .ok_or_else(|| ExportError::NotFound {
                what: "chunk",
                name: key.clone(),
            })?;
        let corrupt = |problem| ExportError::Corrupt {
            object: key.clone(),
            problem,
        };
        let bytes = match &self.0.tree {
            Tree::Stored(objects, prefix) => objects
                .get_opt(&format!("{prefix}/{key}"))
                .await?
                .ok_or_else(|| corrupt(Damage::Missing))?,
            Tree::Fetched(fetch) => fetch(key.clone()).await.map_err(ExportError::Fetch)?,
        };
        crc::check(&bytes, chunk).map_err(corrupt)?;
        Ok(bytes)
    }

    /// The rows that a rank owns.
    ///
    /// # Errors
    /// The partition names what there is not, or its boundaries are none.
    pub async fn partition(&self, partition: &Partition, rank: Rank) -> Result<Range<u64>> {
        let rows = self.rows();
        match partition {
            Partition::Petsc => Ok(partition::petsc(rows, rank)),
            Partition::AlignChunk { array } => {
                let array = self.array(array)?;
                if array.depth > 0 {
                    return Err(ExportError::NotFound {
                        what: "array with one entry for each row",
                        name: array.name.clone(),
                    });
                }
                Ok(partition::align_chunk(rows, array.chunk_rows(), rank))
            }
            Partition::BalanceBytes { column } => self.balance(column, rank).await,
            Partition::Explicit(bounds) => partition::explicit(rows, bounds, rank),
        }
    }

    /// Reads every chunk and compares it with the manifest.
    ///
    /// # Errors
    /// The store failed. Damage is reported, not an error.
    pub async fn verify(&self) -> Result<VerifyReport> {
        let chunks = self
            .manifest()
            .arrays
            .iter()
            .flat_map(|array| (0..array.chunks.len() as u64).map(move |index| (array, index)));
        let mut reads = stream::iter(chunks)
            .map(|(array, index)| async move { self.chunk_of(array, index).await })
            .buffer_unordered(READS_AHEAD);
        let mut report = VerifyReport::default();
        while let Some(read) = reads.next().await {
            report.chunks += 1;
            match read {
                Ok(bytes) => report.bytes += bytes.len() as u64,
                Err(ExportError::Corrupt { object, problem }) => {
                    report.damaged += 1;
                    if report.problems.len() < 100 {
                        report.problems.push((object, problem));
                    }
                }
                Err(error) => return Err(error),
            }
        }
        report.problems.sort_by(|a, b| a.0.cmp(&b.0));
        Ok(report)
    }
}

/// The documents of a whole snapshot's tree.
pub(crate) fn zarr_documents(
    manifest: &Manifest,
    digest: Sha256Digest,
) -> Result<BTreeMap<String, Bytes>> {
    let root = json!({"penstock": {
        "snapshot": format!("sha256:{digest}"),
        "table": manifest.table,
        "version": manifest.version,
        "filter": manifest.filter,
        "rows": manifest.rows,
    }});
    let documents = zarr::documents(manifest, &root, |_| Map::new())?;
    Ok(documents
        .into_iter()
        .map(|(path, document)| (path, document.into()))
        .collect())
}
