//! Indexes, and the upkeep that a server does in the background.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use penstock_index::{BuildOptions, IndexKind, MeasureOptions};
use penstock_types::{ErrorCode, Metric, TableName};

use crate::{Engine, Error, Task};

/// The time that the sampler spends on one index at most: it runs beside searches.
const SAMPLER_BUDGET: Duration = Duration::from_secs(20);

/// What kind of index is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexType {
    /// Of vectors, for searches.
    Vectors(IndexKind),
    /// Of substrings, for motifs.
    Substrings,
    /// Of words, for searches with words.
    Words,
}

impl Default for IndexType {
    fn default() -> Self {
        Self::Vectors(IndexKind::default())
    }
}

impl fmt::Display for IndexType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Vectors(kind) => kind.as_str(),
            Self::Substrings => "substrings",
            Self::Words => "words",
        })
    }
}

/// The word names no type of index.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{given}` is no type of index; the types are {}, substrings and words",
    IndexKind::ALL.map(IndexKind::as_str).join(", ")
)]
pub struct UnknownIndexType {
    given: String,
}

impl FromStr for IndexType {
    type Err = UnknownIndexType;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.to_ascii_lowercase().as_str() {
            "substrings" => Ok(Self::Substrings),
            "words" => Ok(Self::Words),
            other => other
                .parse()
                .map(Self::Vectors)
                .map_err(|_| UnknownIndexType {
                    given: word.to_owned(),
                }),
        }
    }
}

/// What an index build did.
#[derive(Debug, Clone)]
pub struct IndexOutcome {
    /// The table version that has the index.
    pub version: u64,
    /// The column.
    pub column: String,
    /// Kind of index.
    pub kind: IndexType,
    /// Metric of an index of vectors.
    pub metric: Option<Metric>,
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
    /// Builds an index, in place of the column's present one of that kind. The metric is for
    /// vectors; cosine where `None`.
    ///
    /// # Errors
    /// No such table or column; the column holds something else; a metric for an index that has
    /// none; too few rows; another process holds the table's maintenance
    /// lease; the task was cancelled.
    pub async fn index(
        &self,
        name: &TableName,
        column: &str,
        kind: IndexType,
        metric: Option<Metric>,
        task: &Task,
    ) -> Result<IndexOutcome, Error> {
        task.progress.set_stage("indexing");
        let started = Instant::now();
        let (store, built) = (self.store(), kind);
        let (metric, info) = match kind {
            IndexType::Vectors(kind) => {
                let metric = metric.unwrap_or_default();
                let options = BuildOptions {
                    metric,
                    ..BuildOptions::default()
                };
                let work = penstock_index::build(store, name, column, kind, options);
                (Some(metric), task.run(work).await??)
            }
            IndexType::Substrings | IndexType::Words if metric.is_some() => {
                return Err(Error::IndexMetric { kind });
            }
            IndexType::Substrings => {
                let work = penstock_index::build_motif_index(store, name, column);
                (None, task.run(work).await??)
            }
            IndexType::Words => {
                let work = penstock_index::build_text_index(store, name, column);
                (None, task.run(work).await??)
            }
        };
        Ok(IndexOutcome {
            version: info.version,
            column: info.column,
            kind: built,
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
