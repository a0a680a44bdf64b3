//! Loading rows: many batches, one atomic commit.
//!
//! Every row pushed is compared with the table by its `id`. A row whose content hash, name and
//! description are as the table has them is dropped (unchanged); another is written, and what it
//! replaces is deleted (updated); the rest is added. Memory holds a few batches, 64 MB of ids (more
//! are on disk, see `seen.rs`) and at most two bits per row of the table; nothing grows with
//! the load.
//!
//! **Other writers.** The commit makes exactly the version after the one that the load was compared
//! with, or it fails. If others were faster, the rows that they wrote are compared with the ids of
//! the load, and the commit is tried again on top: an id is never in the table twice, and of two
//! writes of one id the later commit wins as a whole. Only where a row that the load left out as
//! unchanged was changed meanwhile, the load fails with a conflict and has to be repeated.
//!
//! **Columns.** Feature columns that the load does not bring are null in its rows. Feature columns
//! that the table lacks are added first, all null, as a version of their own: readers see the
//! column without values, then with all values of the load, never some of them. Unchanged rows are
//! not touched, so a feature that they lack is filled by `add_feature`, not by a load.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{Schema, SchemaRef};
use lance::Dataset;
use penstock_types::{FeatureSpec, Kind, TableName, columns};
use serde::{Deserialize, Serialize};

use crate::check;
use crate::commit::RowSet;
use crate::error::{Result, StoreError};
use crate::keys::Outcome;
use crate::seen::Seen;
use crate::store::Store;
use crate::writer::FragmentWriter;

mod finish;
mod resolve;
mod windows;

/// Rows and bytes that are compared with the table at once.
const CHUNK_ROWS: usize = 8192;
const CHUNK_BYTES: usize = 16 << 20;

/// What a load does with an id that the table has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadMode {
    /// Replaces the row unless it is unchanged.
    #[default]
    Upsert,
    /// Refuses it.
    Append,
}

/// How rows are loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Idempotency key: a second load with this key answers the outcome of the first.
    pub key: Option<String>,
    /// What becomes of ids that the table has.
    pub mode: LoadMode,
}

/// What a load did. `added`, `updated` and `unchanged` count records of the files; windows of
/// contigs are counted apart.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LoadOutcome {
    /// The version that has the rows.
    pub version: u64,
    /// Records with an id that the table did not have.
    pub added: u64,
    /// Records that replaced others.
    pub updated: u64,
    /// Records that the table had as they are, and repetitions within the load.
    pub unchanged: u64,
    /// Windows added.
    pub windows_added: u64,
    /// Windows replaced.
    pub windows_updated: u64,
    /// Windows that were there as they are.
    pub windows_unchanged: u64,
    /// Windows removed because their contig changed and the load does not have them.
    pub windows_removed: u64,
    /// Whether the load made the table.
    pub created: bool,
    /// Whether this is the outcome of an earlier load with the same key.
    #[serde(default, skip_serializing)]
    pub replayed: bool,
}

impl LoadOutcome {
    /// Whether the load wrote a version.
    #[must_use]
    pub fn changed(&self) -> bool {
        self.created
            || self.added + self.updated + self.windows_added > 0
            || self.windows_updated + self.windows_removed > 0
    }
}

/// One atomic load. Dropped before [`Load::commit`], it leaves nothing that a reader could see.
pub struct Load {
    store: Store,
    name: TableName,
    kind: Kind,
    options: LoadOptions,
    /// Columns as they are pushed, and as they are stored.
    given: SchemaRef,
    stored: SchemaRef,
    /// The version that the load is compared with; `None` where there is no table.
    base: Option<Arc<Dataset>>,
    waiting: Vec<RecordBatch>,
    waiting_rows: usize,
    waiting_bytes: usize,
    seen: Seen,
    sources: Vec<String>,
    writer: Option<FragmentWriter>,
    /// Rows to delete: replaced records, replaced windows, windows of changed contigs.
    replaced: [RowSet; 2],
    removed: RowSet,
    /// Rows that were left out as unchanged.
    kept: RowSet,
    stale: windows::Stale,
    counts: LoadOutcome,
    done: Option<LoadOutcome>,
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load")
            .field("table", &self.name)
            .field("counts", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Begins a load. The table is created by its commit, where there is none.
    ///
    /// # Errors
    /// The columns break the contract; the table holds another kind, or features of another
    /// encoder under the same name; the key was used for another request; the store cannot be
    /// read.
    pub async fn load(
        &self,
        name: &TableName,
        kind: Kind,
        schema: SchemaRef,
        options: LoadOptions,
    ) -> Result<Load> {
        check::schema(name, kind, &schema)?;
        let base = self.writer_opt(name).await?;
        if let Some(base) = &base {
            fits(name, kind, &schema, base)?;
        }
        let done = match &options.key {
            Some(key) => as_load(name, key, self.find_key(name, key, base.as_ref()).await?)?,
            None => None,
        };
        let temp_dir = self.0.options.temp_dir();
        Ok(Load {
            store: self.clone(),
            name: name.clone(),
            kind,
            options,
            stored: check::stored_schema(kind, &schema),
            given: schema,
            base: base.map(Arc::new),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            seen: Seen::new(temp_dir.clone()),
            sources: Vec::new(),
            writer: None,
            replaced: [RowSet::default(), RowSet::default()],
            removed: RowSet::default(),
            kept: RowSet::default(),
            stale: windows::Stale::new(temp_dir),
            counts: LoadOutcome::default(),
            done,
        })
    }

    /// The outcome of the load that was committed with this key, if one was.
    ///
    /// # Errors
    /// The key was used for another request, or the store cannot be read.
    pub async fn key_outcome(&self, name: &TableName, key: &str) -> Result<Option<LoadOutcome>> {
        let dataset = self.writer_opt(name).await?;
        as_load(name, key, self.find_key(name, key, dataset.as_ref()).await?)
    }
}

/// The outcome of an earlier load.
fn as_load(name: &TableName, key: &str, found: Option<Outcome>) -> Result<Option<LoadOutcome>> {
    match found {
        None => Ok(None),
        Some(Outcome::Load(outcome)) => Ok(Some(LoadOutcome {
            replayed: true,
            ..outcome
        })),
        Some(_) => Err(StoreError::KeyReused {
            table: name.clone(),
            key: key.to_owned(),
        }),
    }
}

/// Checks that rows of this kind and with these features can be in the table.
fn fits(name: &TableName, kind: Kind, given: &Schema, dataset: &Dataset) -> Result<()> {
    let has = Schema::from(dataset.schema());
    let Some(is) = columns::kind_of(&has) else {
        return Err(StoreError::Foreign {
            table: name.clone(),
        });
    };
    if is != kind {
        return Err(StoreError::Kind {
            table: name.clone(),
            is: is.to_string(),
            given: kind.to_string(),
        });
    }
    for field in given.fields() {
        let Some(spec) = FeatureSpec::of(field)? else {
            continue;
        };
        if let Ok(other) = has.field_with_name(field.name()) {
            crate::feature::same_encoder(name, other, &spec)?;
        }
    }
    Ok(())
}

impl Load {
    /// The columns of the table as it is, `None` where there is none.
    #[must_use]
    pub fn table_schema(&self) -> Option<SchemaRef> {
        self.base
            .as_ref()
            .map(|base| Arc::new(Schema::from(base.schema())))
    }

    /// The outcome of an earlier load with the same key. What is pushed is then not looked at, and
    /// [`Load::commit`] answers that outcome.
    #[must_use]
    pub fn done(&self) -> Option<&LoadOutcome> {
        self.done.as_ref()
    }

    /// What was counted so far; the version is not known yet.
    #[must_use]
    pub fn counts(&self) -> &LoadOutcome {
        &self.counts
    }

    /// Adds rows.
    ///
    /// # Errors
    /// A row breaks the contract: a column or value is missing, a number is not finite, an id
    /// came before with other content, or, when appending, is in the table. The store or the
    /// folder of temporary files cannot be written. After an error the load cannot be committed.
    pub async fn push(&mut self, batch: RecordBatch) -> Result<()> {
        if self.done.is_some() || batch.num_rows() == 0 {
            return Ok(());
        }
        let batch = check::conform(&self.name, &batch, &self.stored)?;
        check::values(&batch, self.kind)?;
        // Large batches are taken apart, small ones put together.
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = (batch.num_rows() - at).min(CHUNK_ROWS - self.waiting_rows);
            let part = batch.slice(at, rows);
            at += rows;
            self.waiting_rows += rows;
            self.waiting_bytes += part.get_array_memory_size();
            self.waiting.push(part);
            if self.waiting_rows >= CHUNK_ROWS || self.waiting_bytes >= CHUNK_BYTES {
                self.resolve().await?;
            }
        }
        Ok(())
    }

    /// Compares what waits with the table and the load so far, and writes what is new.
    async fn resolve(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        if waiting.is_empty() {
            return Ok(());
        }
        // One large batch is not copied.
        let batch = match <[RecordBatch; 1]>::try_from(waiting) {
            Ok([batch]) => batch,
            Err(waiting) => concat_batches(&self.stored, &waiting)?,
        };
        let written = self.classify(&batch).await?;
        if written.is_empty() {
            return Ok(());
        }
        let batch = if written.len() == batch.num_rows() {
            batch
        } else {
            take_record_batch(&batch, &UInt32Array::from(written))?
        };
        if self.writer.is_none() {
            self.writer = Some(FragmentWriter::new(&self.store, &self.name, &self.stored)?);
        }
        match &mut self.writer {
            Some(writer) => writer.write(batch).await,
            None => Ok(()),
        }
    }

    /// The number of a source, for messages about ids that come twice.
    fn source_number(&mut self, source: &str) -> u32 {
        /// Sources remembered by name.
        const SOURCES: usize = 4096;
        if let Some(at) = self.sources.iter().rposition(|known| known == source) {
            return at as u32;
        }
        if self.sources.len() < SOURCES {
            self.sources.push(source.to_owned());
            (self.sources.len() - 1) as u32
        } else {
            u32::MAX
        }
    }
}

/// The row addresses of a batch.
pub(crate) fn addresses(batch: &RecordBatch) -> Result<&UInt64Array> {
    batch
        .column_by_name(lance_core::ROW_ADDR)
        .and_then(|array| array.as_any().downcast_ref())
        .ok_or(StoreError::Internal("a scan gave no row addresses"))
}

/// A folder for files that have no names.
fn temp_file(dir: &PathBuf) -> Result<std::fs::File> {
    tempfile::tempfile_in(dir).map_err(|source| StoreError::Io {
        what: "making a temporary file",
        source,
    })
}
