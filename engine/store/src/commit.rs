//! The steps that every write shares: commit the next version or none, delete rows by address,
//! and tie new data files to the columns of the table.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use lance::Dataset;
use lance::dataset::CommitBuilder;
use lance::dataset::transaction::{Operation, Transaction, TransactionBuilder};
use lance_core::datatypes::{Field, Schema};
use lance_file::version::LanceFileVersion;
use lance_table::format::{DataFile, Fragment};
use penstock_types::TableName;
use roaring::RoaringBitmap;

use crate::error::{Result, StoreError};
use crate::store::Store;

/// The version of the file format that new files are written in.
pub(crate) const FILE_VERSION: LanceFileVersion = LanceFileVersion::V2_2;
/// Attempts to commit before other writers have won for good.
pub(crate) const ATTEMPTS: usize = 64;

/// Transaction properties.
pub(crate) type Properties = Option<Arc<HashMap<String, String>>>;

/// Rows of a table by fragment and offset in the fragment: at most a bit per row of the table.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowSet(BTreeMap<u32, RoaringBitmap>);

impl RowSet {
    /// Adds the row with this Lance row address; answers whether it was new.
    pub(crate) fn insert(&mut self, address: u64) -> bool {
        let (fragment, offset) = ((address >> 32) as u32, address as u32);
        self.0.entry(fragment).or_default().insert(offset)
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.values().map(RoaringBitmap::len).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.values().all(RoaringBitmap::is_empty)
    }

    pub(crate) fn extend(&mut self, other: &Self) {
        for (fragment, offsets) in &other.0 {
            *self.0.entry(*fragment).or_default() |= offsets;
        }
    }

    /// Takes away the rows that the dataset no longer has; answers how many these were.
    pub(crate) async fn prune(&mut self, name: &TableName, dataset: &Dataset) -> Result<u64> {
        let before = self.len();
        let mut live = BTreeMap::new();
        for (id, mut offsets) in std::mem::take(&mut self.0) {
            if let Some(fragment) = dataset.get_fragment(id as usize) {
                let deleted = fragment
                    .get_deletion_vector()
                    .await
                    .map_err(|error| StoreError::lance(name, error))?;
                if let Some(deleted) = deleted {
                    offsets -= RoaringBitmap::from(deleted.as_ref());
                }
                live.insert(id, offsets);
            }
        }
        self.0 = live;
        Ok(before - self.len())
    }

    /// Writes the deletion files that delete these rows. Nothing is visible before a commit.
    pub(crate) async fn delete_from(
        &self,
        name: &TableName,
        dataset: &Dataset,
    ) -> Result<Deletions> {
        let each: Vec<_> = self
            .0
            .iter()
            .filter(|(_, offsets)| !offsets.is_empty())
            .map(|(id, offsets)| delete_rows(name, dataset, *id, offsets))
            .collect();
        let deleted: Vec<_> = futures::stream::iter(each)
            .buffered(8)
            .try_collect()
            .await?;
        let mut deletions = Deletions::default();
        for (id, left) in deleted {
            match left {
                Some(fragment) => deletions.updated.push(fragment),
                None => deletions.removed.push(u64::from(id)),
            }
        }
        Ok(deletions)
    }
}

/// Deletes rows of one fragment; `None` where none is left.
async fn delete_rows(
    name: &TableName,
    dataset: &Dataset,
    id: u32,
    offsets: &RoaringBitmap,
) -> Result<(u32, Option<Fragment>)> {
    let fragment = dataset
        .get_fragment(id as usize)
        .ok_or_else(|| StoreError::Conflict {
            table: name.clone(),
            detail: "a fragment was rewritten".to_owned(),
        })?;
    let left = fragment
        .extend_deletions(offsets.iter())
        .await
        .map_err(|error| StoreError::lance(name, error))?;
    Ok((id, left.map(|fragment| fragment.metadata().clone())))
}

/// What deleting rows does to the fragments.
#[derive(Debug, Default)]
pub(crate) struct Deletions {
    pub(crate) updated: Vec<Fragment>,
    pub(crate) removed: Vec<u64>,
}

/// The transaction of an operation on this version.
fn transaction(base: u64, operation: Operation, properties: Properties) -> Transaction {
    TransactionBuilder::new(base, operation)
        .transaction_properties(properties)
        .build()
}

impl Store {
    /// Commits the version after `base` (the first, where there is none), or nothing: `None` says
    /// that another writer was faster.
    pub(crate) async fn commit_next(
        &self,
        name: &TableName,
        base: Option<&Arc<Dataset>>,
        operation: Operation,
        properties: Properties,
    ) -> Result<Option<Arc<Dataset>>> {
        let version = base.map_or(0, |base| base.version_id());
        let uri = self.write_uri(name);
        let builder = match base {
            Some(base) => CommitBuilder::new(base.clone()),
            None => CommitBuilder::new(uri.as_str())
                .with_store_params(self.0.write_params.clone())
                .with_session(self.session())
                .with_storage_format(FILE_VERSION),
        };
        let committed = builder
            .with_commit_handler(self.commits(Some(version + 1)))
            .with_max_retries(1)
            .with_skip_auto_cleanup(true)
            .execute(transaction(version, operation, properties))
            .await;
        match committed {
            Ok(dataset) => Ok(Some(Arc::new(dataset))),
            Err(error @ lance::Error::Timeout { .. }) => Err(StoreError::OutcomeUnknown {
                table: name.clone(),
                source: Some(Box::new(error)),
            }),
            Err(error) => match StoreError::lance(name, error) {
                StoreError::Conflict { .. } => Ok(None),
                error => Err(error),
            },
        }
    }
}

/// Waits a little before the next attempt, longer with every attempt, never twice the same.
pub(crate) async fn back_off(attempt: usize) {
    let jitter = u64::from(uuid::Uuid::new_v4().as_bytes()[0]);
    let millis = (1 << attempt.min(6)) * (8 + jitter % 8) / 8;
    tokio::time::sleep(std::time::Duration::from_millis(millis)).await;
}

/// Field ids of one schema, by those of another that has the same columns.
fn field_ids(from: &[Field], to: &[Field], ids: &mut HashMap<i32, i32>) -> Result<()> {
    for field in from {
        let other = to
            .iter()
            .find(|other| other.name == field.name)
            .ok_or(StoreError::Internal("a written column is not in the table"))?;
        ids.insert(field.id, other.id);
        field_ids(&field.children, &other.children, ids)?;
    }
    Ok(())
}

/// Ties data files that were written with the field ids of `from` to the columns of `to`.
pub(crate) fn retie(fragments: &[Fragment], from: &Schema, to: &Schema) -> Result<Vec<Fragment>> {
    let mut ids = HashMap::new();
    field_ids(&from.fields, &to.fields, &mut ids)?;
    let retie_file = |file: &DataFile| -> Result<DataFile> {
        let fields = file
            .fields
            .iter()
            .map(|id| match ids.get(id) {
                Some(id) => Ok(*id),
                None if *id < 0 => Ok(*id),
                None => Err(StoreError::Internal("a written field has no column")),
            })
            .collect::<Result<Vec<i32>>>()?;
        Ok(DataFile {
            fields: fields.into(),
            ..file.clone()
        })
    };
    fragments
        .iter()
        .map(|fragment| {
            let files = fragment
                .files
                .iter()
                .map(retie_file)
                .collect::<Result<Vec<_>>>()?;
            Ok(Fragment {
                id: 0,
                files,
                ..fragment.clone()
            })
        })
        .collect()
}
