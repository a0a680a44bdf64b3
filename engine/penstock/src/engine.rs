//! The engine: one store and what is done with it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use penstock_embed::Registry;
use penstock_graph::rows::RowMaker;
use penstock_index::{HotOptions, HotTier, Searcher};
use penstock_query::{Calls, Limits, Sql};
use penstock_store::{
    CompactOutcome, DeleteOptions, DeleteOutcome, GcOutcome, IndexInfo, Store, StoreOptions, Table,
    TableStats, TableSummary, VerifyReport, VerifyScope, VersionInfo, VersionRef,
};
use penstock_types::{FeatureSpec, Kind, TableName, TagName};

use crate::matching::Hosts;
use crate::{DominanceBy, Error, Task};

/// How an engine is opened.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// The store's options.
    pub store: StoreOptions,
    /// What one SQL statement may use.
    pub sql: Limits,
    /// Where encoders come from.
    pub encoders: Arc<Registry>,
    /// How much memory indexes may take, and how they are built.
    pub hot: HotOptions,
    /// Bytes of graphs that stay in memory for the next search; 2 GiB where `None`.
    pub graph_bytes: Option<u64>,
    /// Who computes the rows of the column `dominance` of graphs.
    pub dominance: DominanceBy,
}

/// A store with encoders, search, SQL and snapshots. Cheap to clone: clones are one engine.
#[derive(Clone)]
pub struct Engine {
    store: Store,
    sql: Sql,
    sql_limits: Arc<Limits>,
    registry: Arc<Registry>,
    searcher: Searcher,
    hosts: Arc<Hosts>,
    row_maker: RowMaker,
}

/// Everything that `describe` tells of one version of a table.
#[derive(Debug, Clone)]
pub struct TableDescription {
    /// Name.
    pub name: TableName,
    /// Kind.
    pub kind: Kind,
    /// The version described.
    pub version: u64,
    /// Arrow schema.
    pub schema: arrow::datatypes::SchemaRef,
    /// Feature columns.
    pub features: Vec<(String, FeatureSpec)>,
    /// Indexes, vector and scalar.
    pub indexes: Vec<IndexInfo>,
    /// Sizes.
    pub stats: TableStats,
    /// Tags of all versions.
    pub tags: BTreeMap<TagName, u64>,
}

impl Engine {
    /// Opens the store under a root: a folder, made when absent, or `s3://bucket/prefix`.
    ///
    /// # Errors
    /// The root cannot be opened, or a bucket's conditional put is broken.
    pub async fn open(uri: &str, options: EngineOptions) -> Result<Self, Error> {
        let store = Store::open(uri, options.store).await?;
        let searcher = Searcher::new(HotTier::new(options.hot));
        let hosts = Arc::new(Hosts::new(options.graph_bytes));
        let calls = Calls {
            search: crate::sql::search_fn(&options.encoders, &searcher),
            find: crate::sql::match_fn(&hosts),
        };
        let sql = Sql::new(store.clone(), calls)?;
        Ok(Self {
            store,
            sql,
            sql_limits: Arc::new(options.sql),
            registry: options.encoders,
            searcher,
            hosts,
            row_maker: options.dominance.maker(),
        })
    }

    /// The store below.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Where encoders come from.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What searches keep in mind: indexes in memory, and how well indexes find what is there.
    #[must_use]
    pub fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    /// What makes the rows of the column `dominance`, for whoever reads files of graphs.
    #[must_use]
    pub fn row_maker(&self) -> &RowMaker {
        &self.row_maker
    }

    pub(crate) fn hosts(&self) -> &Arc<Hosts> {
        &self.hosts
    }

    pub(crate) fn planner(&self) -> &Sql {
        &self.sql
    }

    /// Every table at its latest version, by name.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn tables(&self) -> Result<Vec<TableSummary>, Error> {
        Ok(self.store.tables().await?)
    }

    /// One version of a table.
    ///
    /// # Errors
    /// No such table, version or tag.
    pub async fn table(&self, name: &TableName, at: &VersionRef) -> Result<Table, Error> {
        Ok(self.store.table_at(name, at).await?)
    }

    /// Schema, features, indexes, sizes and tags.
    ///
    /// # Errors
    /// No such table, version or tag.
    pub async fn describe(
        &self,
        name: &TableName,
        at: &VersionRef,
    ) -> Result<TableDescription, Error> {
        let table = self.store.table_at(name, at).await?;
        Ok(TableDescription {
            name: name.clone(),
            kind: table.kind(),
            version: table.version(),
            schema: table.schema(),
            features: table.features(),
            indexes: table.indexes().await?,
            stats: table.stats().await?,
            tags: table.tags().await?,
        })
    }

    /// All versions that can be read, oldest first.
    ///
    /// # Errors
    /// No such table.
    pub async fn versions(&self, name: &TableName) -> Result<Vec<VersionInfo>, Error> {
        Ok(self.store.table(name).await?.versions().await?)
    }

    /// Names a version for good; `gc` never removes it. Answers the version named.
    ///
    /// # Errors
    /// No such table or version; the tag names another version already.
    pub async fn tag(
        &self,
        name: &TableName,
        tag: &TagName,
        at: &VersionRef,
    ) -> Result<u64, Error> {
        Ok(self.store.tag(name, tag, at).await?)
    }

    /// Deletes the rows that match a predicate, as a new version.
    ///
    /// # Errors
    /// No such table; a predicate that cannot be read.
    pub async fn delete(
        &self,
        name: &TableName,
        predicate: &str,
        key: Option<String>,
    ) -> Result<DeleteOutcome, Error> {
        penstock_index::check_predicate(predicate)?;
        let options = DeleteOptions { key };
        Ok(self.store.delete(name, predicate, options).await?)
    }

    /// Removes a table with all its versions. Snapshots made from it stay.
    ///
    /// # Errors
    /// No such table.
    pub async fn drop_table(&self, name: &TableName) -> Result<(), Error> {
        self.searcher.hot().cool(name, None);
        Ok(self.store.drop_table(name).await?)
    }

    /// What one SQL statement may use, where a call says nothing else.
    #[must_use]
    pub fn sql_limits(&self) -> &Limits {
        &self.sql_limits
    }

    async fn named_or_all(&self, name: Option<&TableName>) -> Result<Vec<TableName>, Error> {
        match name {
            Some(name) => Ok(vec![name.clone()]),
            None => Ok(self.store.table_names().await?),
        }
    }

    /// Compares every data file of one table, or of all, with the digest recorded when it was
    /// written.
    ///
    /// # Errors
    /// No such table; the task was cancelled. A damaged file is a finding, not an error.
    pub async fn verify(
        &self,
        name: Option<&TableName>,
        scope: VerifyScope,
        task: &Task,
    ) -> Result<Vec<VerifyReport>, Error> {
        let mut reports = Vec::new();
        for name in self.named_or_all(name).await? {
            task.progress.set_stage("verifying");
            reports.push(task.run(self.store.verify(&name, scope)).await??);
        }
        Ok(reports)
    }

    /// Rewrites small and thinned-out fragments of one table, or of all.
    ///
    /// # Errors
    /// No such table; another process holds its maintenance lease; the task was cancelled.
    pub async fn compact(
        &self,
        name: Option<&TableName>,
        task: &Task,
    ) -> Result<Vec<(TableName, CompactOutcome)>, Error> {
        let mut outcomes = Vec::new();
        for name in self.named_or_all(name).await? {
            task.progress.set_stage("compacting");
            let outcome = task.run(self.store.compact(&name)).await??;
            outcomes.push((name, outcome));
        }
        Ok(outcomes)
    }

    /// Removes versions older than a limit that no tag names, with the files that only they use.
    ///
    /// # Errors
    /// No such table; another process holds its maintenance lease; the task was cancelled.
    pub async fn gc(
        &self,
        name: Option<&TableName>,
        older_than: Duration,
        task: &Task,
    ) -> Result<Vec<(TableName, GcOutcome)>, Error> {
        let mut outcomes = Vec::new();
        for name in self.named_or_all(name).await? {
            task.progress.set_stage("collecting");
            let outcome = task.run(self.store.gc(&name, older_than)).await??;
            outcomes.push((name, outcome));
        }
        Ok(outcomes)
    }
}
