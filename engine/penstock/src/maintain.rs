//! Indexes, and the upkeep that a server does in the background.

use std::time::{Duration, Instant};

use penstock_index::{BuildOptions, IndexKind, MeasureOptions};
use penstock_types::{ErrorCode, Metric, TableName};

use crate::{Engine, Error, Task};

/// The time that the sampler spends on one index at most: it runs beside searches.
const SAMPLER_BUDGET: Duration = Duration::from_secs(20);

/// What an index build did.
#[derive(Debug, Clone)]
pub struct IndexOutcome {
    /// The table version that has the index.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// Kind of index.
    pub kind: IndexKind,
    /// Metric of the index.
    pub metric: Metric,
    /// Rows in the index.
    pub indexed_rows: u64,
    /// Time taken.
    pub seconds: f64,
}

/// What one round of upkeep did for one table.
#[derive(Debug, Clone)]
pub struct MaintenanceAction {
    /// The table.
    pub table: TableName,
    /// Columns that got their first index.
    pub built: Vec<String>,
    /// Whether existing indexes were brought up to date.
    pub updated: bool,
}

impl Engine {
    /// Builds a vector index, in place of the column's present one.
    ///
    /// # Errors
    /// No such table or column; too few rows; another process holds the table's maintenance
    /// lease; the task was cancelled.
    pub async fn index(
        &self,
        name: &TableName,
        column: &str,
        kind: IndexKind,
        metric: Metric,
        task: &Task,
    ) -> Result<IndexOutcome, Error> {
        task.progress.set_stage("indexing");
        let started = Instant::now();
        let options = BuildOptions {
            metric,
            ..BuildOptions::default()
        };
        let info = task
            .run(penstock_index::build(
                self.store(),
                name,
                column,
                kind,
                options,
            ))
            .await??;
        Ok(IndexOutcome {
            version: info.version,
            column: info.column,
            kind,
            metric,
            indexed_rows: info.indexed_rows,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// One round of upkeep: builds the vector indexes that have become worth it and brings stale
    /// ones up to date. A table whose lease another process holds is left to that process.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub async fn maintain(&self) -> Result<Vec<MaintenanceAction>, Error> {
        let mut actions = Vec::new();
        for table in self.store().table_names().await? {
            let outcome = match penstock_index::refresh(self.store(), &table).await {
                Ok(outcome) => outcome,
                Err(error) if error.code() == ErrorCode::Conflict => {
                    tracing::debug!(%table, %error, "upkeep left to the holder of the lease");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if outcome.updated || !outcome.built.is_empty() {
                actions.push(MaintenanceAction {
                    table,
                    built: outcome
                        .built
                        .into_iter()
                        .map(|index| index.column)
                        .collect(),
                    updated: outcome.updated,
                });
            }
        }
        self.keep_warm().await;
        self.sample_recall().await?;
        Ok(actions)
    }

    /// Brings the indexes in memory up to the rows that came since.
    async fn keep_warm(&self) {
        for index in self.searcher().hot().list() {
            let (table, column) = (&index.table, &index.column);
            let task = Task::default();
            match self.warm(table, column, index.metric, &task).await {
                Ok(_) => {}
                Err(error) if error.code() == ErrorCode::NotFound => {
                    let _ = self.cool(table, Some(column));
                }
                Err(error) => {
                    tracing::warn!(%error, %table, column, "an index in memory was not brought up to date");
                }
            }
        }
    }

    /// Compares indexes with the exact answer where that was not done, or where users have asked
    /// since what can be compared.
    async fn sample_recall(&self) -> Result<(), Error> {
        for index in self.vector_indexes(None).await? {
            let (table, column, tier, metric) =
                (index.table, index.column, index.tier, index.metric);
            let recalls = self.searcher().recalls();
            let is_due = index.measured.is_none_or(|known| {
                known.points.is_empty() || recalls.has_new_queries(&table, &column)
            });
            if !is_due {
                continue;
            }
            let options = MeasureOptions {
                budget: SAMPLER_BUDGET,
                ..MeasureOptions::default()
            };
            if let Err(error) = self.measure(&table, &column, tier, metric, &options).await {
                tracing::warn!(%error, %table, column, %tier, "the recall of an index was not measured");
            }
        }
        Ok(())
    }
}
