//! Feature columns: made by an encoder from other columns of the table.
//!
//! A feature is written as one more data file per fragment; the files of the other columns are not
//! touched. Rows that were loaded later lack the feature: calling again fills these, and only the
//! feature's files of the fragments that have such rows are written anew. All of it becomes visible
//! in one commit. If others commit meanwhile, what was computed stays valid, because a fragment's
//! rows never change: only the fragments that came new are added.

mod fill;

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use lance::Dataset;
use lance::dataset::transaction::{Operation, UpdateMode};
use lance_core::datatypes::Schema;
use lance_table::format::{DataFile, Fragment};
use penstock_types::{FeatureSpec, TableName};

use crate::commit::{ATTEMPTS, back_off, retie};
use crate::error::{BoxError, Result, StoreError};
use crate::partial;
use crate::store::Store;
use crate::writer::FragmentWriter;

/// Makes the feature of a batch of rows: one value per row, null where there is none to make. It
/// may take its time; it runs on a thread for blocking work.
pub type EncodeFn = dyn Fn(&RecordBatch) -> Result<ArrayRef, BoxError> + Send + Sync;
/// Told how many rows are done, and of how many.
pub type ProgressFn = dyn Fn(u64, u64) + Send + Sync;
/// Asked between batches whether to stop.
pub type CancelFn = dyn Fn() -> bool + Send + Sync;

/// How a feature column is filled.
#[derive(Clone)]
pub struct FeatureOptions {
    /// Rows handed to the encoder at once, at most.
    pub batch_rows: usize,
    /// Bytes read of the table at once, roughly.
    pub batch_bytes: u64,
    /// Keeps what was computed until the commit, so that a run which was ended goes on where it
    /// stopped. For encoders that take longer than reading their results.
    pub resumable: bool,
    /// Told about the progress.
    pub progress: Option<Arc<ProgressFn>>,
    /// Asked whether to stop.
    pub cancel: Option<Arc<CancelFn>>,
}

impl Default for FeatureOptions {
    fn default() -> Self {
        Self {
            batch_rows: 1024,
            batch_bytes: 16 << 20,
            resumable: false,
            progress: None,
            cancel: None,
        }
    }
}

impl std::fmt::Debug for FeatureOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeatureOptions")
            .field("batch_rows", &self.batch_rows)
            .field("batch_bytes", &self.batch_bytes)
            .finish_non_exhaustive()
    }
}

/// What filling a feature column did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureOutcome {
    /// The version that has the feature.
    pub version: u64,
    /// The column.
    pub column: String,
    /// Rows that got a value.
    pub rows_filled: u64,
    /// Rows that the encoder was given and made nothing of.
    pub rows_null: u64,
    /// Whether the column was not there before.
    pub created: bool,
}

/// Checks that a column was made by this encoder.
pub(crate) fn same_encoder(name: &TableName, field: &Field, spec: &FeatureSpec) -> Result<()> {
    let is = FeatureSpec::of(field)?;
    if is.as_ref().is_some_and(|is| is.makes_the_same(spec)) {
        return Ok(());
    }
    let describe = |spec: &FeatureSpec| {
        let weights: String = spec.weights.chars().take(12).collect();
        let (encoder, pooling, dtype, dim) = (&spec.encoder, spec.pooling, spec.dtype, spec.dim);
        format!("`{encoder}` (weights {weights}, pooling {pooling}, {dtype}, dimension {dim})")
    };
    Err(StoreError::Encoder {
        table: name.clone(),
        column: field.name().clone(),
        is: is.as_ref().map_or("no encoder".to_owned(), describe),
        given: describe(spec),
    })
}

/// The table's schema with more columns behind.
pub(crate) fn widened(name: &TableName, base: &Dataset, more: &ArrowSchema) -> Result<Schema> {
    let lance = |error| StoreError::lance(name, error);
    let mut schema = base.schema().merge(more).map_err(lance)?;
    schema
        .try_set_field_id(Some(base.manifest().max_field_id()))
        .map_err(lance)?;
    Ok(schema)
}

/// One run of an encoder over a table.
struct Backfill<'a> {
    store: &'a Store,
    name: &'a TableName,
    spec: &'a FeatureSpec,
    column: String,
    field: SchemaRef,
    inputs: &'a [&'a str],
    encode: Arc<EncodeFn>,
    options: FeatureOptions,
    done: u64,
    total: u64,
}

/// The new file of one fragment.
struct Filled {
    /// The file that held the column when this one was computed.
    instead_of: Option<String>,
    /// `None`: nothing was to be filled.
    written: Option<(FragmentWriter, Fragment)>,
    filled: u64,
    null: u64,
}

impl Store {
    /// Creates a feature column, or fills the rows where it is null. `columns` are what the encoder
    /// needs.
    ///
    /// # Errors
    /// There is no such table or input column; the column was made by another encoder; the encoder
    /// fails, or gives something else than the column holds; the work was cancelled; the store
    /// cannot be written. Then nothing of it is visible.
    pub async fn add_feature(
        &self,
        name: &TableName,
        spec: &FeatureSpec,
        columns: &[&str],
        encode: Arc<EncodeFn>,
        options: FeatureOptions,
    ) -> Result<FeatureOutcome> {
        let field = spec.field();
        let mut run = Backfill {
            store: self,
            name,
            spec,
            column: field.name().clone(),
            field: Arc::new(ArrowSchema::new(vec![field])),
            inputs: columns,
            encode,
            options,
            done: 0,
            total: 0,
        };
        let mut computed = HashMap::new();
        for attempt in 0..ATTEMPTS {
            let base = Arc::new(self.writer(name).await?);
            run.check(&base)?;
            run.compute(&base, &mut computed).await?;
            let lock = self.commit_lock(name);
            let one_at_a_time = lock.lock().await;
            match run.commit(&base, &mut computed).await {
                Ok(Some(outcome)) => {
                    drop(one_at_a_time);
                    let folder = partial::folder(name, &run.column);
                    // The column is there: what is left over only takes room.
                    if run.options.resumable
                        && let Err(error) = self.0.objects.delete_prefix(&folder).await
                    {
                        tracing::warn!(%error, %folder, "partial results were left behind");
                    }
                    return Ok(outcome);
                }
                Ok(None) => back_off(attempt).await,
                Err(error) => {
                    if matches!(error, StoreError::OutcomeUnknown { .. }) {
                        keep(&mut computed);
                    }
                    return Err(error);
                }
            }
        }
        Err(StoreError::Conflict {
            table: name.clone(),
            detail: "they were faster".to_owned(),
        })
    }
}

fn keep(computed: &mut HashMap<u64, Filled>) {
    for (writer, _) in computed
        .values_mut()
        .filter_map(|filled| filled.written.as_mut())
    {
        writer.keep();
    }
}

impl Backfill<'_> {
    fn lance(&self, error: lance::Error) -> StoreError {
        StoreError::lance(self.name, error)
    }

    fn check(&self, base: &Dataset) -> Result<()> {
        let has = ArrowSchema::from(base.schema());
        for &input in self.inputs {
            has.field_with_name(input)
                .map_err(|_| StoreError::NoColumn {
                    table: self.name.clone(),
                    column: input.to_owned(),
                    has: crate::table::names(&has),
                })?;
        }
        match has.field_with_name(&self.column) {
            Ok(field) => same_encoder(self.name, field, self.spec),
            Err(_) => Ok(()),
        }
    }

    /// The file of a fragment that holds the column.
    fn file_of(&self, base: &Dataset, fragment: &Fragment) -> Option<String> {
        let id = base.schema().field(&self.column)?.id;
        let file = fragment
            .files
            .iter()
            .find(|file| file.fields.contains(&id))?;
        Some(file.path.clone())
    }

    /// Computes what is not computed yet.
    async fn compute(
        &mut self,
        base: &Arc<Dataset>,
        computed: &mut HashMap<u64, Filled>,
    ) -> Result<()> {
        let mut todo = Vec::new();
        for fragment in base.fragments().iter() {
            let instead_of = self.file_of(base, fragment);
            match computed.get(&fragment.id) {
                Some(filled) if filled.instead_of == instead_of => {}
                _ => todo.push((fragment.clone(), instead_of)),
            }
        }
        let rows = |fragment: &Fragment| fragment.num_rows().unwrap_or_default() as u64;
        self.total = self.done + todo.iter().map(|(fragment, _)| rows(fragment)).sum::<u64>();
        for (fragment, instead_of) in todo {
            let there = instead_of.is_some();
            let mut filled = Filled {
                instead_of,
                written: None,
                filled: 0,
                null: 0,
            };
            if !there || self.has_something_to_fill(base, &fragment).await? {
                self.fill(base, &fragment, there, &mut filled).await?;
            } else {
                self.advance(rows(&fragment));
            }
            computed.insert(fragment.id, filled);
        }
        Ok(())
    }

    fn advance(&mut self, rows: u64) {
        self.done += rows;
        if let Some(progress) = &self.options.progress {
            progress(self.done, self.total.max(self.done));
        }
    }

    /// Commits the files of all fragments of `base`; `None` where it is not the latest any more.
    async fn commit(
        &self,
        base: &Arc<Dataset>,
        computed: &mut HashMap<u64, Filled>,
    ) -> Result<Option<FeatureOutcome>> {
        let there = base.schema().field(&self.column).is_some();
        let schema = if there {
            base.schema().clone()
        } else {
            widened(self.name, base, &self.field)?
        };
        let mut outcome = FeatureOutcome {
            version: base.version_id(),
            column: self.column.clone(),
            rows_filled: 0,
            rows_null: 0,
            created: !there,
        };
        let mut all = Vec::with_capacity(base.count_fragments());
        let mut updated = Vec::new();
        let mut modified: Vec<u32> = Vec::new();
        for fragment in base.fragments().iter() {
            let mut fragment = fragment.clone();
            if let Some(filled) = computed.get(&fragment.id) {
                outcome.rows_filled += filled.filled;
                outcome.rows_null += filled.null;
                if let Some((writer, written)) = &filled.written {
                    let [tied] = <[Fragment; 1]>::try_from(retie(
                        std::slice::from_ref(written),
                        writer.schema(),
                        &schema,
                    )?)
                    .map_err(|_| StoreError::Internal("a fragment was lost"))?;
                    replace_column(&mut fragment, tied.files, &mut modified);
                    updated.push(fragment.clone());
                }
            }
            all.push(fragment);
        }
        if there && updated.is_empty() {
            return Ok(Some(outcome));
        }
        outcome.version += 1;
        modified.sort_unstable();
        modified.dedup();
        let operation = if there {
            Operation::Update {
                removed_fragment_ids: Vec::new(),
                updated_fragments: updated,
                new_fragments: Vec::new(),
                fields_modified: modified,
                compacted_sstables: Vec::new(),
                fields_for_preserving_frag_bitmap: Vec::new(),
                update_mode: Some(UpdateMode::RewriteColumns),
                inserted_rows_filter: None,
                updated_fragment_offsets: None,
            }
        } else {
            Operation::Merge {
                fragments: all,
                schema,
                preserves_nullability: true,
            }
        };
        let committed = self
            .store
            .commit_next(self.name, Some(base), operation, None)
            .await?;
        if committed.is_some() {
            // Files of fragments that are gone by now are removed with their writers.
            let live: Vec<u64> = base
                .fragments()
                .iter()
                .map(|fragment| fragment.id)
                .collect();
            for (id, filled) in computed.iter_mut() {
                if let (true, Some((writer, _))) = (live.contains(id), &mut filled.written) {
                    writer.keep();
                }
            }
        }
        Ok(committed.map(|_| outcome))
    }
}

/// Adds files to a fragment. Where older files hold the same fields, they no longer do.
fn replace_column(fragment: &mut Fragment, files: Vec<DataFile>, modified: &mut Vec<u32>) {
    /// Lance's mark of a field that another file holds now.
    const TOMBSTONE: i32 = -2;
    let new: Vec<i32> = files
        .iter()
        .flat_map(|file| file.fields.iter().copied())
        .collect();
    modified.extend(new.iter().filter_map(|id| u32::try_from(*id).ok()));
    for file in &mut fragment.files {
        if file.fields.iter().any(|id| new.contains(id)) {
            let fields = file.fields.iter();
            file.fields = fields
                .map(|id| if new.contains(id) { TOMBSTONE } else { *id })
                .collect();
        }
    }
    fragment
        .files
        .retain(|file| file.fields.iter().any(|id| *id != TOMBSTONE));
    fragment.files.extend(files);
}
