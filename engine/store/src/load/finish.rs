//! The commit of a load.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::Schema as ArrowSchema;
use futures::StreamExt;
use lance::Dataset;
use lance::dataset::transaction::{Operation, UpdateMode};
use lance_core::datatypes::Schema;
use lance_table::format::Fragment;
use penstock_types::columns;

use super::{Load, LoadMode, LoadOutcome, addresses, as_load, fits};
use crate::check::Rows;
use crate::commit::{ATTEMPTS, back_off, retie};
use crate::error::{Result, StoreError};
use crate::keys::{Outcome, find_between, properties};
use crate::scan::READ_AHEAD;
use crate::seen::key_of;

/// What one attempt to commit came to.
enum Attempt {
    Done(LoadOutcome),
    /// Another version came between.
    Late,
}

impl Load {
    /// Makes all rows of the load visible at once.
    ///
    /// # Errors
    /// What [`Load::push`] can say of the rows that waited; [`StoreError::Conflict`] where other
    /// writers were faster too often, or changed rows that this load left out as unchanged;
    /// [`StoreError::OutcomeUnknown`] where the store did not say whether the commit happened.
    pub async fn commit(mut self) -> Result<LoadOutcome> {
        if let Some(done) = self.done.take() {
            return Ok(done);
        }
        self.resolve().await?;
        let fragments = match &mut self.writer {
            Some(writer) => writer.finish().await?,
            None => Vec::new(),
        };
        self.settle_windows()?;
        let lock = self.store.commit_lock(&self.name);
        let guard = lock.lock().await;
        let outcome = self.commit_fragments(&fragments).await;
        drop(guard);
        if let Some(writer) = &mut self.writer
            && matches!(outcome, Ok(_) | Err(StoreError::OutcomeUnknown { .. }))
        {
            writer.keep();
        }
        let outcome = outcome?;
        if outcome.changed() && !outcome.replayed {
            self.store.keep_id_index(&self.name).await;
        }
        Ok(outcome)
    }

    async fn commit_fragments(&mut self, fragments: &[Fragment]) -> Result<LoadOutcome> {
        let mut intended = false;
        for attempt in 0..ATTEMPTS {
            if let Some(earlier) = self.catch_up().await? {
                return Ok(earlier);
            }
            let since = self.base.as_ref().map_or(0, |base| base.version_id());
            if let (Some(key), false) = (&self.options.key, intended) {
                self.store.key_intent(&self.name, key, since).await?;
                intended = true;
            }
            match self.attempt(fragments).await? {
                Attempt::Done(outcome) => {
                    if let Some(key) = &self.options.key {
                        let done = Outcome::Load(outcome.clone());
                        self.store.key_done(&self.name, key, since, done).await;
                    }
                    return Ok(outcome);
                }
                Attempt::Late => back_off(attempt).await,
            }
        }
        Err(self.conflict("they were faster every time"))
    }

    async fn attempt(&mut self, fragments: &[Fragment]) -> Result<Attempt> {
        let mut outcome = LoadOutcome {
            version: self.base.as_ref().map_or(0, |base| base.version_id()) + 1,
            windows_removed: self.removed.len(),
            created: self.base.is_none(),
            ..self.counts.clone()
        };
        if !outcome.changed() {
            outcome.version -= 1;
            return Ok(Attempt::Done(outcome));
        }
        let operation = match self.base.clone() {
            None => {
                let lance = |error| StoreError::lance(&self.name, error);
                let schema = Schema::try_from(self.stored.as_ref()).map_err(lance)?;
                Operation::Overwrite {
                    fragments: self.retied(fragments, &schema)?,
                    schema,
                    config_upsert_values: None,
                    initial_bases: None,
                }
            }
            Some(base) => {
                let Some(base) = self.with_features(base).await? else {
                    return Ok(Attempt::Late);
                };
                outcome.version = base.version_id() + 1;
                let operation = self.update(&base, fragments).await?;
                self.base = Some(base);
                operation
            }
        };
        let key = self.options.key.as_deref();
        let properties = properties(key, &Outcome::Load(outcome.clone()))?;
        let committed = self
            .store
            .commit_next(&self.name, self.base.as_ref(), operation, properties)
            .await?;
        Ok(match committed {
            Some(_) => Attempt::Done(outcome),
            None => Attempt::Late,
        })
    }

    fn retied(&self, fragments: &[Fragment], to: &Schema) -> Result<Vec<Fragment>> {
        match &self.writer {
            Some(writer) => retie(fragments, writer.schema(), to),
            None => Ok(Vec::new()),
        }
    }

    async fn update(&self, base: &Dataset, fragments: &[Fragment]) -> Result<Operation> {
        let fragments = self.retied(fragments, base.schema())?;
        let mut gone = self.removed.clone();
        for replaced in &self.replaced {
            gone.extend(replaced);
        }
        if gone.is_empty() {
            return Ok(Operation::Append { fragments });
        }
        let deletions = gone.delete_from(&self.name, base).await?;
        Ok(Operation::Update {
            removed_fragment_ids: deletions.removed,
            updated_fragments: deletions.updated,
            new_fragments: fragments,
            fields_modified: Vec::new(),
            compacted_sstables: Vec::new(),
            fields_for_preserving_frag_bitmap: Vec::new(),
            update_mode: Some(UpdateMode::RewriteRows),
            inserted_rows_filter: None,
            updated_fragment_offsets: None,
        })
    }

    /// The table with the feature columns of the load, which are added all null where they are
    /// missing. `None`: another writer was faster.
    async fn with_features(&self, base: Arc<Dataset>) -> Result<Option<Arc<Dataset>>> {
        let has = base.schema();
        let missing: Vec<_> = self
            .stored
            .fields()
            .iter()
            .filter(|field| has.field(field.name()).is_none())
            .cloned()
            .collect();
        if missing.is_empty() {
            return Ok(Some(base));
        }
        let schema = crate::feature::widened(&self.name, &base, &ArrowSchema::new(missing))?;
        let operation = Operation::Merge {
            fragments: base.fragments().as_ref().clone(),
            schema,
            preserves_nullability: true,
        };
        self.store
            .commit_next(&self.name, Some(&base), operation, None)
            .await
    }

    fn conflict(&self, detail: &str) -> StoreError {
        StoreError::Conflict {
            table: self.name.clone(),
            detail: detail.to_owned(),
        }
    }

    /// Compares the load with what others committed since it was compared last, so that it fits
    /// the latest version. Answers the outcome where a load with the same key was among that.
    async fn catch_up(&mut self) -> Result<Option<LoadOutcome>> {
        let latest = self.store.writer_opt(&self.name).await?;
        let latest = match (latest, &self.base) {
            (None, None) => return Ok(None),
            (None, Some(_)) => return Err(StoreError::NoTable(self.name.clone())),
            (Some(latest), Some(base)) if latest.version_id() == base.version_id() => {
                return if same_table(base, &latest) {
                    Ok(None)
                } else {
                    Err(self.conflict("the table was made anew"))
                };
            }
            (Some(latest), _) => Arc::new(latest),
        };
        fits(&self.name, self.kind, &self.given, &latest)?;
        if let Some(key) = self.options.key.clone() {
            let since = self.base.as_ref().map_or(0, |base| base.version_id());
            let found = find_between(&self.name, &key, &latest, since).await?;
            if let Some(outcome) = as_load(&self.name, &key, found)? {
                return Ok(Some(outcome));
            }
        }
        let old: HashSet<u64> = match &self.base {
            Some(base) if !same_table(base, &latest) => {
                return Err(self.conflict("the table was made anew"));
            }
            Some(base) => base
                .fragments()
                .iter()
                .map(|fragment| fragment.id)
                .collect(),
            None => HashSet::new(),
        };
        let mut lost = [0; 2];
        for (replaced, lost) in self.replaced.iter_mut().zip(&mut lost) {
            *lost = replaced.prune(&self.name, &latest).await?;
        }
        self.removed.prune(&self.name, &latest).await?;
        let kept_lost = self.kept.prune(&self.name, &latest).await?;

        let new: Vec<Fragment> = latest
            .fragments()
            .iter()
            .filter(|fragment| !old.contains(&fragment.id))
            .cloned()
            .collect();
        let mut again = Again::default();
        if !new.is_empty() {
            self.compare(&latest, new, &mut again).await?;
        }
        if again.kept != kept_lost {
            return Err(self.conflict("a row that this load leaves as it is was changed"));
        }
        // What was to replace a row that is gone now adds one, and the other way round.
        let counts = &mut self.counts;
        counts.updated = (counts.updated + again.written[0]).saturating_sub(lost[0]);
        counts.added = (counts.added + lost[0]).saturating_sub(again.written[0]);
        counts.windows_updated =
            (counts.windows_updated + again.written[1]).saturating_sub(lost[1]);
        counts.windows_added = (counts.windows_added + lost[1]).saturating_sub(again.written[1]);
        self.base = Some(latest);
        Ok(None)
    }

    /// Compares rows that others wrote, or moved, with the ids of the load.
    async fn compare(
        &mut self,
        latest: &Dataset,
        fragments: Vec<Fragment>,
        again: &mut Again,
    ) -> Result<()> {
        let name = self.name.clone();
        let lance = |error| StoreError::lance(&name, error);
        let mut read = vec![
            columns::ID,
            columns::CONTENT_HASH,
            columns::NAME,
            columns::DESCRIPTION,
        ];
        if self.kind.has_parts() {
            read.push(columns::PARENT);
        }
        let mut scanner = latest.scan();
        scanner
            .with_fragments(fragments)
            .project(&read)
            .map_err(lance)?;
        scanner
            .with_row_address()
            .scan_in_order(false)
            .io_buffer_size(READ_AHEAD);
        let mut stream = scanner.try_into_stream().await.map_err(lance)?;
        let io = |source| StoreError::Io {
            what: "reading the ids of the load",
            source,
        };
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(lance)?;
            let (rows, addresses) = (Rows::new(&batch)?, addresses(&batch)?);
            for row in 0..batch.num_rows() {
                let (id, address) = (rows.ids.value(row), addresses.value(row));
                match self.seen.get(&key_of(id)).map_err(io)? {
                    Some(entry) if entry.written => {
                        if self.options.mode == LoadMode::Append {
                            let (table, id) = (name.clone(), id.to_owned());
                            return Err(StoreError::IdExists { table, id });
                        }
                        self.replaced[usize::from(entry.window)].insert(address);
                        again.written[usize::from(entry.window)] += 1;
                    }
                    Some(entry) if entry.fingerprint == rows.fingerprint(row) => {
                        self.kept.insert(address);
                        again.kept += 1;
                    }
                    Some(_) => {
                        return Err(
                            self.conflict("a row that this load leaves as it is was changed")
                        );
                    }
                    None => {
                        // A window of a contig that this load replaces.
                        let Some(parent) = rows.parent(row) else {
                            continue;
                        };
                        let contig = self.seen.get(&key_of(parent)).map_err(io)?;
                        if contig.is_some_and(|contig| contig.written) {
                            self.removed.insert(address);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Rows of the load's ids found in fragments that the load did not know.
#[derive(Default)]
struct Again {
    written: [u64; 2],
    kept: u64,
}

/// Whether a later dataset is a version of the same table, and not of another that was made under
/// the same name. A fragment's id is not used twice in a table, and its first data file stays.
fn same_table(old: &Dataset, new: &Dataset) -> bool {
    if new.version_id() < old.version_id() {
        return false;
    }
    let first = |fragment: &Fragment| fragment.files.first().map(|file| file.path.clone());
    let files: std::collections::HashMap<u64, _> = old
        .fragments()
        .iter()
        .map(|fragment| (fragment.id, first(fragment)))
        .collect();
    new.fragments().iter().all(|fragment| {
        files
            .get(&fragment.id)
            .is_none_or(|file| *file == first(fragment))
    })
}
