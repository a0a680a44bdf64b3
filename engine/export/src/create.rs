//! Making a snapshot.
//!
//! The rows are read once, in the order of the table version, and each column is cut into chunks
//! that go to the store as they become full. Memory holds one batch and one chunk per array.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use bytes::Bytes;
use chrono::Utc;
use futures::{StreamExt, TryStreamExt, stream};
use penstock_store::{BatchStream, CancelFn, Objects, Scan, Store, VersionRef};
use penstock_types::{Sha256Digest, SnapshotName, TableName, TagName, columns};

use crate::arrow_type::ArrowType;
use crate::canonical;
use crate::encode::{ColumnEncoder, Stored};
use crate::error::{ExportError, Result};
use crate::manifest::{Column, FORMAT, Manifest};
use crate::plan::Node;
use crate::snapshot::{
    DataFile, LATEST, NameFile, Snapshot, SnapshotEntry, data_key, digest_key, name_key,
    zarr_documents,
};
use crate::zarr;

/// Bytes of a batch read from the table, about.
const BATCH_BYTES: u64 = 8 << 20;

/// Objects that are being written at once: a local disk syncs them together, and a distant store is
/// not waited for one by one.
const WRITES_AHEAD: usize = 8;

/// What to pin.
#[derive(Debug, Clone)]
pub struct CreateRequest {
    /// The name to give.
    pub name: SnapshotName,
    /// The table.
    pub table: TableName,
    /// The version of the table.
    pub version: VersionRef,
    /// The columns; all of them if `None`. `id` is always among them, and the order is the table's.
    pub columns: Option<Vec<String>>,
    /// An SQL predicate that chooses the rows; all of them if `None`.
    pub filter: Option<String>,
}

/// Told how many rows are done.
pub type ProgressFn = Arc<dyn Fn(u64) + Send + Sync>;

/// How to make a snapshot.
#[derive(Clone, Default)]
pub struct CreateOptions {
    /// Told how many rows are done, after each batch.
    pub progress: Option<ProgressFn>,
    /// Asked before each batch whether to stop.
    pub cancel: Option<Arc<CancelFn>>,
}

/// A snapshot that was made, or was there.
#[derive(Debug, Clone)]
pub struct Created {
    /// The snapshot.
    pub snapshot: Snapshot,
    /// Its name.
    pub entry: SnapshotEntry,
    /// Whether the name was given to the same snapshot before.
    pub existed: bool,
}

impl Snapshot {
    /// Pins rows and columns of a table version under a name. The same request again answers the
    /// same snapshot.
    ///
    /// # Errors
    /// The name means something else already; table, version or column do not exist; the filter is
    /// no SQL predicate; a column has no array form; the caller cancelled; the store failed. In
    /// each case what was written is deleted again.
    pub async fn create(
        store: &Store,
        request: &CreateRequest,
        options: &CreateOptions,
    ) -> Result<Created> {
        let name = request.name.as_str();
        if name == LATEST {
            return Err(ExportError::ReservedName(name.to_owned()));
        }
        let table = store.table_at(&request.table, &request.version).await?;
        let draft = draft(&table.schema(), table.version(), request)?;
        let version_committed = table.dataset().version().timestamp;
        let objects = store.objects();

        if let Some(file) = NameFile::read(objects, name).await? {
            let entry = file.entry()?;
            let same_table = file.version_committed == version_committed;
            return match Self::open_digest(objects, entry.digest).await? {
                Some(snapshot) if same_table && is_of(snapshot.manifest(), &draft) => Ok(Created {
                    snapshot,
                    entry,
                    existed: true,
                }),
                _ => Err(ExportError::NameTaken {
                    name: name.to_owned(),
                    digest: entry.digest,
                }),
            };
        }

        let scan = Scan {
            columns: Some(draft.columns.iter().map(|c| c.name.clone()).collect()),
            filter: draft.filter.clone(),
            batch_bytes: Some(BATCH_BYTES),
            ordered: true,
            ..Scan::default()
        };
        let batches = table.scan(scan).await?;
        let snapshot = materialise(objects, batches, draft, options).await?;
        let version = VersionRef::Number(table.version());
        store
            .tag(&request.table, &pin(snapshot.digest())?, &version)
            .await?;
        let file = NameFile {
            name: name.to_owned(),
            digest: snapshot.digest().to_string(),
            created: Utc::now(),
            version_committed,
        };
        let bytes = canonical::to_vec(&file)?.into();
        if objects.put_if_absent(&name_key(name), bytes).await? {
            return Ok(Created {
                snapshot,
                entry: file.entry()?,
                existed: false,
            });
        }
        // Another creator was faster. If it pinned the same, both have what they asked for.
        let entry = Self::named(store, name).await?;
        if entry.digest == snapshot.digest() {
            Ok(Created {
                snapshot,
                entry,
                existed: true,
            })
        } else {
            Err(ExportError::NameTaken {
                name: name.to_owned(),
                digest: entry.digest,
            })
        }
    }
}

/// The tag that keeps a snapshot's table version.
fn pin(digest: Sha256Digest) -> Result<TagName> {
    let digits = digest.to_string();
    Ok(TagName::new(format!("snapshot-{}", &digits[..32]))?)
}

/// The manifest without rows and arrays.
pub(crate) fn draft(schema: &Schema, version: u64, request: &CreateRequest) -> Result<Manifest> {
    let mut named = request.columns.iter().flatten();
    if let Some(unknown) = named.find(|name| schema.index_of(name).is_err()) {
        return Err(ExportError::NotFound {
            what: "column",
            name: unknown.clone(),
        });
    }
    let wanted = |field: &Field| match &request.columns {
        Some(wanted) => field.name() == columns::ID || wanted.contains(field.name()),
        None => true,
    };
    let mut columns = Vec::new();
    for field in schema.fields().iter().filter(|field| wanted(field)) {
        Node::of(field)?;
        let arrow =
            ArrowType::of(field.data_type()).ok_or_else(|| column_type(field.name(), field))?;
        columns.push(Column {
            name: field.name().clone(),
            arrow,
            nullable: field.is_nullable(),
            metadata: contract(field.metadata()),
            arrays: Vec::new(),
        });
    }
    let filter = request.filter.as_deref().map(str::trim);
    Ok(Manifest {
        format: FORMAT,
        table: request.table.to_string(),
        version,
        metadata: contract(schema.metadata()),
        filter: filter.filter(|text| !text.is_empty()).map(str::to_owned),
        rows: 0,
        columns,
        arrays: Vec::new(),
    })
}

/// The metadata that belongs to the column contract; a back end's own keys stay out, so that they do
/// not change the digest.
fn contract(metadata: &HashMap<String, String>) -> BTreeMap<String, String> {
    let ours = metadata
        .iter()
        .filter(|(key, _)| key.starts_with("penstock:"));
    ours.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn column_type(column: &str, field: &Field) -> ExportError {
    ExportError::ColumnType {
        column: column.to_owned(),
        data_type: Box::new(field.data_type().clone()),
    }
}

/// Whether a snapshot is what the draft would become.
fn is_of(manifest: &Manifest, draft: &Manifest) -> bool {
    let plain = |manifest: &Manifest| {
        let mut plain = manifest.clone();
        plain.rows = 0;
        plain.arrays.clear();
        plain.columns.iter_mut().for_each(|c| c.arrays.clear());
        plain
    };
    plain(manifest) == plain(draft)
}

/// Writes the tree of a snapshot, and makes it the digest's unless the digest has one already.
pub(crate) async fn materialise(
    objects: &Objects,
    batches: BatchStream,
    draft: Manifest,
    options: &CreateOptions,
) -> Result<Snapshot> {
    let data = uuid::Uuid::now_v7().to_string();
    let tree = data_key(&data);
    let digest = match write_tree(objects, batches, draft, options, &tree).await {
        Ok(digest) => digest,
        Err(error) => {
            discard(objects, &tree).await;
            return Err(error);
        }
    };
    let pointer: Bytes = canonical::to_vec(&DataFile { data })?.into();
    let key = digest_key(digest, "data.json");
    // An error here may hide a success, so the tree stays.
    if !objects.put_if_absent(&key, pointer).await? {
        discard(objects, &tree).await;
    }
    let snapshot = Snapshot::open_digest(objects, digest).await?;
    snapshot.ok_or_else(|| ExportError::NotFound {
        what: "snapshot",
        name: digest.to_string(),
    })
}

/// Deletes a tree that nothing names. Best effort: what stays behind is found by its age.
async fn discard(objects: &Objects, tree: &str) {
    if let Err(error) = objects.delete_prefix(tree).await {
        tracing::warn!(%tree, %error, "a tree that is not needed could not be deleted");
    }
}

/// Chunks, documents and manifest.
async fn write_tree(
    objects: &Objects,
    batches: BatchStream,
    draft: Manifest,
    options: &CreateOptions,
    tree: &str,
) -> Result<Sha256Digest> {
    let manifest = write_arrays(objects, batches, draft, options, tree).await?;
    let (bytes, digest) = manifest.encode()?;
    let documents = zarr_documents(&manifest, digest)?.into_iter();
    let documents = documents.map(|(path, document)| (zarr::document_key(&path), document));
    store_all(objects, tree, documents.collect()).await?;
    let key = digest_key(digest, "manifest.json");
    objects.put(&key, bytes.into()).await?;
    Ok(digest)
}

async fn write_arrays(
    objects: &Objects,
    mut batches: BatchStream,
    mut manifest: Manifest,
    options: &CreateOptions,
    tree: &str,
) -> Result<Manifest> {
    let mut encoders = Vec::with_capacity(manifest.columns.len());
    for column in &manifest.columns {
        encoders.push(ColumnEncoder::new(&column.name, &column.node()?));
    }
    let cancelled = || options.cancel.as_ref().is_some_and(|cancel| cancel());
    loop {
        if cancelled() {
            return Err(ExportError::Cancelled);
        }
        let Some(batch) = batches.next().await.transpose()? else {
            break;
        };
        for (column, encoder) in manifest.columns.iter().zip(&mut encoders) {
            encoder.push(column_of(&batch, column)?)?;
            store_all(objects, tree, encoder.take()).await?;
        }
        manifest.rows += batch.num_rows() as u64;
        if let Some(progress) = &options.progress {
            progress(manifest.rows);
        }
    }
    let mut rest = Vec::new();
    for (column, encoder) in manifest.columns.iter_mut().zip(encoders) {
        let (arrays, chunks) = encoder.finish();
        rest.extend(chunks);
        column.arrays = arrays.iter().map(|array| array.name.clone()).collect();
        manifest.arrays.extend(arrays);
    }
    store_all(objects, tree, rest).await?;
    Ok(manifest)
}

fn column_of<'a>(batch: &'a RecordBatch, column: &Column) -> Result<&'a ArrayRef> {
    let missing = || ExportError::NotFound {
        what: "column",
        name: column.name.clone(),
    };
    let (index, field) = batch
        .schema_ref()
        .column_with_name(&column.name)
        .ok_or_else(missing)?;
    if *field.data_type() != column.arrow.to_arrow() {
        return Err(column_type(&column.name, field));
    }
    Ok(batch.column(index))
}

async fn store_all(objects: &Objects, tree: &str, chunks: Vec<Stored>) -> Result<()> {
    stream::iter(chunks)
        .map(|(key, bytes)| async move { objects.put(&format!("{tree}/{key}"), bytes).await })
        .buffer_unordered(WRITES_AHEAD)
        .try_collect::<()>()
        .await?;
    Ok(())
}
