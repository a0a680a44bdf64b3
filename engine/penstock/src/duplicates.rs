//! Clusters of near-duplicates.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use penstock_index::Watch;
use penstock_index::duplicates::{DuplicateAnswer, DuplicateRequest};
use penstock_store::VersionRef;
use penstock_types::TableName;

use crate::search::feature_column;
use crate::{Engine, Error, Task};

/// What to look for, and where.
#[derive(Debug, Clone)]
pub struct DuplicatesRequest {
    /// The table.
    pub table: TableName,
    /// The version.
    pub version: VersionRef,
    /// The feature column; may be left out where the table has only one, or the default
    /// encoder's.
    pub column: Option<String>,
    /// How far apart two rows of a cluster may be, and the bounds; its column is not looked at.
    pub how: DuplicateRequest,
}

struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// Finds the clusters of rows whose vectors are within a distance of each other.
    ///
    /// # Errors
    /// No such table, version or column; more rows than are compared with each other and no index
    /// in memory; the task was cancelled.
    pub async fn duplicates(
        &self,
        request: DuplicatesRequest,
        task: &Task,
    ) -> Result<DuplicateAnswer, Error> {
        let table = self.table(&request.table, &request.version).await?;
        let (column, _) = feature_column(&table, request.column.as_deref())?;
        let how = DuplicateRequest {
            column,
            ..request.how
        };
        task.progress.set_stage("comparing");
        let stop = Stop(Arc::default());
        let progress = Arc::clone(&task.progress);
        let watch = Watch {
            cancel: Arc::clone(&stop.0),
            progress: Arc::new(move |done, all| progress.set_rows(done as u64, all as u64)),
        };
        let found = self.searcher().duplicates(&table, &how, &watch);
        Ok(task.run(found).await??)
    }
}
