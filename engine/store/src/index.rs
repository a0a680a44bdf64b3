//! Indexes of a table.

use std::sync::Arc;

use lance::Dataset;
use lance::index::DatasetIndexExt;
use lance_index::optimize::OptimizeOptions;
use lance_index::scalar::ScalarIndexParams;
use lance_index::{IndexParams, IndexType};
use lance_table::format::Fragment;
use penstock_types::{Metric, TableName, columns};
use roaring::RoaringBitmap;

use crate::error::{Result, StoreError};
use crate::store::Store;
use crate::table::Table;

/// The index that makes loads into a large table look ids up instead of reading them all.
const ID_INDEX: &str = "id_btree";
/// Rows from which on a table has it.
const ID_INDEX_ROWS: usize = 50_000;
/// Parts of an index before they are merged.
const SEGMENTS: usize = 8;
/// Attempts of an index build whose commit collides with other writers.
const ATTEMPTS: usize = 5;

/// What index to build.
pub struct IndexRequest<'a> {
    /// The column.
    pub column: &'a str,
    /// Lance's family of the index.
    pub kind: IndexType,
    /// Its name; `None` for one made of the column's.
    pub name: Option<String>,
    /// Lance's parameters.
    pub params: &'a dyn IndexParams,
    /// Whether an index of this name is replaced.
    pub replace: bool,
}

/// One index of a version.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexInfo {
    /// Its name.
    pub name: String,
    /// The column.
    pub column: String,
    /// The kind in Lance's words, such as `IVF_HNSW_SQ` or `BTree`.
    pub kind: String,
    /// The metric of a vector index.
    pub metric: Option<Metric>,
    /// Rows that it covers.
    pub indexed_rows: u64,
    /// Rows that came after it was last brought up to date.
    pub unindexed_rows: u64,
    /// Parts that it consists of.
    pub segments: usize,
    /// The table's version.
    pub version: u64,
}

/// What bringing the indexes up to date did.
#[derive(Debug, Clone, PartialEq)]
pub struct OptimizeOutcome {
    /// The version with the indexes.
    pub version: u64,
    /// All indexes of that version.
    pub indexes: Vec<IndexInfo>,
}

impl Table {
    /// The indexes of this version, sorted by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn indexes(&self) -> Result<Vec<IndexInfo>> {
        indexes(self.name(), self.dataset()).await
    }
}

async fn indexes(name: &TableName, dataset: &Dataset) -> Result<Vec<IndexInfo>> {
    let described = dataset
        .describe_indices(None)
        .await
        .map_err(|error| StoreError::lance(name, error))?;
    let rows = |fragment: &Fragment| fragment.num_rows().unwrap_or_default() as u64;
    let mut found = Vec::new();
    for index in described {
        let covered = index
            .segments()
            .iter()
            .filter_map(|segment| segment.fragment_bitmap.as_ref())
            .fold(RoaringBitmap::new(), |all, one| all | one);
        let (mut indexed_rows, mut unindexed_rows) = (0, 0);
        for fragment in dataset.fragments().iter() {
            let is = u32::try_from(fragment.id).is_ok_and(|id| covered.contains(id));
            *(if is {
                &mut indexed_rows
            } else {
                &mut unindexed_rows
            }) += rows(fragment);
        }
        let column = index
            .field_ids()
            .first()
            .and_then(|id| dataset.schema().field_by_id(*id as i32))
            .map(|field| field.name.clone());
        let Some(column) = column else { continue };
        found.push(IndexInfo {
            name: index.name().to_owned(),
            column,
            kind: index.index_type().to_owned(),
            metric: metric(index.as_ref()),
            indexed_rows,
            unindexed_rows,
            segments: index.segments().len(),
            version: dataset.version_id(),
        });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn metric(index: &dyn lance_index::IndexDescription) -> Option<Metric> {
    let details: serde_json::Value = serde_json::from_str(&index.details().ok()?).ok()?;
    details.get("metric_type")?.as_str()?.parse().ok()
}

impl Store {
    /// The indexes of the latest version, sorted by name.
    ///
    /// # Errors
    /// There is no such table, or the store cannot be read.
    pub async fn list_indexes(&self, name: &TableName) -> Result<Vec<IndexInfo>> {
        self.table(name).await?.indexes().await
    }

    /// Builds an index, under the table's maintenance lease.
    ///
    /// # Errors
    /// There is no such table or column; the index exists and is not to be replaced; another job
    /// maintains the table; the build fails.
    pub async fn build_index(
        &self,
        name: &TableName,
        request: IndexRequest<'_>,
    ) -> Result<IndexInfo> {
        self.table(name).await?.column(request.column)?;
        let lease = self.lease(name, "an index build").await?;
        let built = self.build_under(name, &request).await;
        lease.check()?;
        lease.release().await?;
        built
    }

    async fn build_under(&self, name: &TableName, request: &IndexRequest<'_>) -> Result<IndexInfo> {
        let mut attempt = 1;
        let (dataset, built) = loop {
            let mut dataset = self.writer(name).await?;
            let built = dataset
                .create_index(
                    &[request.column],
                    request.kind,
                    request.name.clone(),
                    request.params,
                    request.replace,
                )
                .await;
            match built.map_err(|error| StoreError::lance(name, error)) {
                Ok(built) => break (dataset, built),
                Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        };
        indexes(name, &dataset)
            .await?
            .into_iter()
            .find(|index| index.name == built.name)
            .ok_or(StoreError::Internal("an index that was built is not there"))
    }

    /// Removes an index.
    ///
    /// # Errors
    /// There is no such table or index, or another job maintains the table.
    pub async fn drop_index(&self, name: &TableName, index: &str) -> Result<()> {
        let known = self.list_indexes(name).await?;
        if !known.iter().any(|known| known.name == index) {
            return Err(StoreError::NoIndex {
                table: name.clone(),
                index: index.to_owned(),
            });
        }
        let lease = self.lease(name, "removing an index").await?;
        let mut dataset = self.writer(name).await?;
        let dropped = dataset.drop_index(index).await;
        lease.release().await?;
        dropped.map_err(|error| StoreError::lance(name, error))
    }

    /// Brings every index up to date with the rows, and builds the index of the ids where the
    /// table has become large enough for it. Under the table's maintenance lease.
    ///
    /// # Errors
    /// There is no such table, another job maintains it, or a build fails.
    pub async fn optimize(&self, name: &TableName) -> Result<OptimizeOutcome> {
        let lease = self.lease(name, "bringing indexes up to date").await?;
        let done = self.optimize_under(name).await;
        lease.check()?;
        lease.release().await?;
        done
    }

    async fn optimize_under(&self, name: &TableName) -> Result<OptimizeOutcome> {
        self.build_id_index(name).await?;
        let dataset = self.writer(name).await?;
        // Once each: rows may come faster than they are indexed.
        for index in indexes(name, &dataset).await? {
            if index.unindexed_rows > 0 {
                self.optimize_index(name, &index).await?;
            }
        }
        let dataset = self.writer(name).await?;
        let indexes = indexes(name, &dataset).await?;
        Ok(OptimizeOutcome {
            version: dataset.version_id(),
            indexes,
        })
    }

    async fn optimize_index(&self, name: &TableName, index: &IndexInfo) -> Result<()> {
        // A part for the new rows; where there are many parts, one of all.
        let options = match index.segments {
            parts if parts >= SEGMENTS => OptimizeOptions::merge(parts),
            _ => OptimizeOptions::default(),
        };
        let options = options.index_names(vec![index.name.clone()]);
        let mut attempt = 1;
        loop {
            let mut dataset = self.writer(name).await?;
            let done = dataset.optimize_indices(&options).await;
            match done.map_err(|error| StoreError::lance(name, error)) {
                Err(StoreError::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
                done => return done,
            }
        }
    }

    async fn build_id_index(&self, name: &TableName) -> Result<()> {
        let dataset = self.writer(name).await?;
        if !wants_id_index(name, &dataset).await? {
            return Ok(());
        }
        let request = IndexRequest {
            column: columns::ID,
            kind: IndexType::BTree,
            name: Some(ID_INDEX.to_owned()),
            params: &ScalarIndexParams::default(),
            replace: true,
        };
        self.build_under(name, &request).await.map(|_| ())
    }

    /// After a load: builds the index of the ids where it is due. That it cannot be built now is
    /// no failure of the load.
    pub(crate) async fn keep_id_index(&self, name: &TableName) {
        let built = async {
            let dataset = Arc::new(self.writer(name).await?);
            if wants_id_index(name, &dataset).await? {
                let lease = self.lease(name, "building the index of the ids").await?;
                let built = self.build_id_index(name).await;
                lease.release().await?;
                built?;
            }
            Ok::<_, StoreError>(())
        };
        if let Err(error) = built.await {
            tracing::warn!(%error, table = %name, "the index of the ids was not built");
        }
    }
}

async fn wants_id_index(name: &TableName, dataset: &Dataset) -> Result<bool> {
    let lance = |error| StoreError::lance(name, error);
    if dataset.count_rows(None).await.map_err(lance)? < ID_INDEX_ROWS {
        return Ok(false);
    }
    let indexes = dataset.load_indices().await.map_err(lance)?;
    Ok(!indexes.iter().any(|index| index.name == ID_INDEX))
}
