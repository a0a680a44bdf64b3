//! Vector indexes: those in memory and those of tables, and how well they find what is there.

use std::sync::Arc;

use penstock_index::recall::{DEFAULT_RECALL, Measured, Point};
use penstock_index::{MeasureOptions, Tier};
use penstock_store::VersionRef;
use penstock_types::{Metric, TableName};

use crate::{Engine, Error, Task};

/// One vector index.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorIndex {
    /// The table.
    pub table: TableName,
    /// The feature column.
    pub column: String,
    /// [`Tier::Hot`] for one in memory, [`Tier::Cold`] for the table's own.
    pub tier: Tier,
    /// Its type, such as `hnsw_sq` or `ivf_pq`.
    pub kind: String,
    /// How vectors are compared.
    pub metric: Metric,
    /// The table's version: of one in memory the one that it was last brought up to, else the
    /// latest.
    pub version: u64,
    /// Rows that it has.
    pub rows: u64,
    /// Rows of the table's own that it has not; they are compared one by one. Of one in memory it
    /// depends on the version that is searched.
    pub unindexed_rows: Option<u64>,
    /// Bytes in memory; `None` for one on the disk.
    pub bytes: Option<u64>,
    /// Parts that it consists of.
    pub segments: usize,
    /// What was measured of it.
    pub measured: Option<Arc<Measured>>,
}

impl VectorIndex {
    /// The recall that searches aim at where they ask for none.
    #[must_use]
    pub fn min_recall(&self) -> f64 {
        let set = self.measured.as_ref().and_then(|known| known.min_recall);
        set.unwrap_or(DEFAULT_RECALL)
    }

    /// The setting that such searches take, as it was measured.
    #[must_use]
    pub fn chosen(&self) -> Option<Point> {
        let known = self.measured.as_ref()?;
        let setting = known.setting(self.min_recall())?;
        let same = |point: &&Point| point.setting == setting;
        known.points.iter().find(same).copied()
    }
}

impl Engine {
    /// The vector indexes of a table, or of all: those in memory, and the tables' own.
    ///
    /// # Errors
    /// No such table; the store cannot be read.
    pub async fn vector_indexes(&self, of: Option<&TableName>) -> Result<Vec<VectorIndex>, Error> {
        let hot = self.searcher().hot().list().into_iter();
        let hot = hot.filter(|index| of.is_none_or(|table| index.table == *table));
        let mut all: Vec<_> = hot
            .map(|index| VectorIndex {
                table: index.table,
                column: index.column,
                tier: Tier::Hot,
                kind: "hnsw_sq".to_owned(),
                metric: index.metric,
                version: index.version,
                rows: index.rows,
                unindexed_rows: None,
                bytes: Some(index.bytes),
                segments: index.segments,
                measured: None,
            })
            .collect();
        let tables = match of {
            Some(table) => vec![table.clone()],
            None => self.store().table_names().await?,
        };
        for name in tables {
            let table = self.table(&name, &VersionRef::Latest).await?;
            for index in table.indexes().await? {
                if let Some(metric) = index.metric {
                    all.push(VectorIndex {
                        table: name.clone(),
                        column: index.column,
                        tier: Tier::Cold,
                        kind: index.kind.to_ascii_lowercase(),
                        metric,
                        version: index.version,
                        rows: index.indexed_rows,
                        unindexed_rows: Some(index.unindexed_rows),
                        bytes: None,
                        segments: index.segments,
                        measured: None,
                    });
                }
            }
        }
        let recalls = self.searcher().recalls();
        for index in &mut all {
            let (table, column, tier) = (&index.table, &index.column, index.tier);
            recalls
                .load(self.store().objects(), table, column, tier)
                .await?;
            index.measured = recalls.get(table, column, tier);
        }
        all.sort_by(|a, b| {
            let key = |index: &VectorIndex| (index.tier.as_str(), index.metric.as_str());
            (&a.table, &a.column, key(b)).cmp(&(&b.table, &b.column, key(a)))
        });
        Ok(all)
    }

    /// Compares every index of a column with the exact answer; answers the indexes.
    ///
    /// # Errors
    /// No such table or column; the column has no index; the task was cancelled.
    pub async fn measure_indexes(
        &self,
        name: &TableName,
        column: &str,
        task: &Task,
    ) -> Result<Vec<VectorIndex>, Error> {
        self.table(name, &VersionRef::Latest)
            .await?
            .feature(column)?;
        task.progress.set_stage("measuring");
        let mut found = self.indexes_of(name, column).await?;
        if found.is_empty() {
            return Err(Error::NoIndexes {
                table: name.clone(),
                column: column.to_owned(),
            });
        }
        for index in &mut found {
            let options = MeasureOptions::default();
            let measure = self.measure(name, column, index.tier, index.metric, &options);
            index.measured = Some(Arc::new(task.run(measure).await??));
        }
        self.indexes_of(name, column).await
    }

    /// The vector indexes of a column.
    ///
    /// # Errors
    /// No such table; the store cannot be read.
    pub async fn indexes_of(
        &self,
        name: &TableName,
        column: &str,
    ) -> Result<Vec<VectorIndex>, Error> {
        let mut found = self.vector_indexes(Some(name)).await?;
        found.retain(|index| index.column == column);
        Ok(found)
    }

    /// Brings indexes of a column into memory that were saved beside the table; builds none.
    /// Answers how many there were.
    ///
    /// # Errors
    /// As [`Engine::warm`].
    pub async fn load_saved(
        &self,
        name: &TableName,
        column: &str,
        task: &Task,
    ) -> Result<usize, Error> {
        let mut loaded = 0;
        for metric in Metric::ALL {
            let hot = self.searcher().hot();
            if hot.is_saved(self.store(), name, column, metric).await? {
                self.warm(name, column, metric, task).await?;
                loaded += 1;
            }
        }
        Ok(loaded)
    }
}
