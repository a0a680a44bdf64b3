//! Snapshots of tables, and their files.

use std::sync::Arc;

use penstock_export::{
    CreateOptions, CreateRequest, Created, ExportRequest, Exported, Snapshot, SnapshotEntry,
};

use crate::{Engine, Error, Task};

impl Engine {
    /// Freezes rows and columns of a table version under a name.
    ///
    /// # Errors
    /// No such table, version or column; a column that no array can hold; the name is taken by
    /// other content; the task was cancelled.
    pub async fn snapshot_create(
        &self,
        request: &CreateRequest,
        task: &Task,
    ) -> Result<Created, Error> {
        task.progress.set_stage("freezing");
        if let Some(filter) = &request.filter {
            penstock_index::check_predicate(filter)?;
        }
        let progress = Arc::clone(&task.progress);
        let options = CreateOptions {
            progress: Some(Arc::new(move |rows| progress.set_rows(rows, 0))),
            cancel: Some(task.cancel_fn()),
        };
        Ok(Snapshot::create(self.store(), request, &options).await?)
    }

    /// The snapshot with this name or digest.
    ///
    /// # Errors
    /// There is none, or its manifest does not match its digest.
    pub async fn snapshot(&self, name_or_digest: &str) -> Result<Snapshot, Error> {
        Ok(Snapshot::open(self.store(), name_or_digest).await?)
    }

    /// Every named snapshot.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn snapshots(&self) -> Result<Vec<SnapshotEntry>, Error> {
        Ok(Snapshot::list(self.store()).await?)
    }

    /// Writes a snapshot, or one rank's share of it, to files.
    ///
    /// # Errors
    /// No such snapshot; the folder holds other things; the disk is full; the task was cancelled.
    pub async fn export(
        &self,
        name_or_digest: &str,
        mut request: ExportRequest,
        task: &Task,
    ) -> Result<Exported, Error> {
        task.progress.set_stage("exporting");
        request.cancel = Some(task.cancel_fn());
        Ok(self
            .snapshot(name_or_digest)
            .await?
            .export(&request)
            .await?)
    }
}
