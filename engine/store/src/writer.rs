//! Writes rows to data files that no version names yet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use lance::dataset::WriteParams;
use lance::dataset::fragment::write::FragmentCreateBuilder;
use lance::dataset::progress::WriteFragmentProgress;
use lance_core::datatypes::Schema;
use lance_table::format::Fragment;
use object_store::ObjectStoreExt;
use penstock_types::TableName;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::commit::FILE_VERSION;
use crate::error::{Result, StoreError};
use crate::store::Store;

/// Batches between the one who checks and the one who writes.
const QUEUE: usize = 2;
/// Bounds of one data file: small enough to be rewritten at ease, large enough to be few.
const FILE_ROWS: usize = 256 << 10;
const FILE_BYTES: usize = 512 << 20;

/// Names of the data files written, so that they can be removed when they are not wanted. Lance
/// names a file when it begins it or when it has completed it, depending on the writer; one that it
/// has not completed is no file yet.
#[derive(Debug, Default)]
struct Written(Mutex<Vec<String>>);

impl Written {
    fn names(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, fragment: &Fragment) {
        let mut names = self.names();
        for file in &fragment.files {
            if !names.contains(&file.path) {
                names.push(file.path.clone());
            }
        }
    }
}

#[async_trait]
impl WriteFragmentProgress for Written {
    async fn begin(&self, fragment: &Fragment) -> lance::Result<()> {
        self.note(fragment);
        Ok(())
    }

    async fn complete(&self, fragment: &Fragment) -> lance::Result<()> {
        self.note(fragment);
        Ok(())
    }
}

/// Writes batches to data files in the background. Dropped before [`FragmentWriter::keep`], it
/// removes them.
pub(crate) struct FragmentWriter {
    store: Store,
    name: TableName,
    schema: Arc<Schema>,
    sender: Option<mpsc::Sender<Result<RecordBatch, DataFusionError>>>,
    task: Option<JoinHandle<lance::Result<Vec<Fragment>>>>,
    written_files: Arc<Written>,
    keep: bool,
}

impl FragmentWriter {
    /// Writes as many files as the bounds of a file ask for.
    pub(crate) fn new(store: &Store, name: &TableName, arrow: &SchemaRef) -> Result<Self> {
        Self::open(store, name, arrow, false)
    }

    /// Writes one file, however large.
    pub(crate) fn single(store: &Store, name: &TableName, arrow: &SchemaRef) -> Result<Self> {
        Self::open(store, name, arrow, true)
    }

    fn open(store: &Store, name: &TableName, arrow: &SchemaRef, single: bool) -> Result<Self> {
        let lance = |error| StoreError::lance(name, error);
        let schema = Arc::new(Schema::try_from(arrow.as_ref()).map_err(lance)?);
        let (sender, receiver) = mpsc::channel(QUEUE);
        let stream: SendableRecordBatchStream = Box::pin(RecordBatchStreamAdapter::new(
            arrow.clone(),
            futures::stream::unfold(receiver, |mut receiver| async move {
                receiver.recv().await.map(|batch| (batch, receiver))
            }),
        ));
        let written_files = Arc::new(Written::default());
        let params = WriteParams {
            max_rows_per_file: FILE_ROWS,
            max_bytes_per_file: FILE_BYTES,
            store_params: Some(store.0.write_params.clone()),
            session: Some(store.session()),
            progress: written_files.clone(),
            data_storage_version: Some(FILE_VERSION),
            ..WriteParams::default()
        };
        let (uri, written) = (store.write_uri(name), schema.clone());
        let task = tokio::spawn(async move {
            let builder = FragmentCreateBuilder::new(&uri)
                .schema(&written)
                .write_params(&params);
            if single {
                Ok(vec![builder.write(stream, None).await?])
            } else {
                builder.write_fragments(stream).await
            }
        });
        Ok(Self {
            store: store.clone(),
            name: name.clone(),
            schema,
            sender: Some(sender),
            task: Some(task),
            written_files,
            keep: false,
        })
    }

    /// The schema of the files, with the field ids that they were written with.
    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Hands a batch over. Waits while the disk is slower.
    pub(crate) async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let sent = match &self.sender {
            Some(sender) => sender.send(Ok(batch)).await.is_ok(),
            None => false,
        };
        if sent {
            return Ok(());
        }
        // The writer is gone: it says why.
        self.finish().await?;
        Err(StoreError::Internal("a writer ended before its input"))
    }

    /// Waits until all is written.
    pub(crate) async fn finish(&mut self) -> Result<Vec<Fragment>> {
        self.sender = None;
        let Some(task) = self.task.take() else {
            return Err(StoreError::Internal("a writer was finished twice"));
        };
        match task.await {
            Ok(written) => written.map_err(|error| StoreError::lance(&self.name, error)),
            Err(_) => Err(StoreError::Internal("a writer was stopped")),
        }
    }

    /// Leaves the files where they are: a version names them, or may.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for FragmentWriter {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        let task = self.task.take();
        if let Some(task) = &task {
            task.abort();
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (store, name, written_files) = (
            self.store.clone(),
            self.name.clone(),
            self.written_files.clone(),
        );
        runtime.spawn(async move {
            if let Some(task) = task {
                let _ = task.await;
            }
            let files = std::mem::take(&mut *written_files.names());
            let files: Vec<String> = files
                .into_iter()
                .map(|file| format!("data/{file}"))
                .collect();
            let folder = store.table_path(&name);
            for file in &files {
                let path = file
                    .split('/')
                    .fold(folder.clone(), |path, part| path.join(part));
                // What cannot be removed now is removed by the next clean-up.
                let _ = store.objects().store().delete(&path).await;
            }
            store.0.recorder.forget(name.as_str(), &files);
        });
    }
}
