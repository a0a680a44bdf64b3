//! Parquet files.

use std::io::Write;
use std::path::PathBuf;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use tokio::sync::mpsc;

use super::Job;
use super::files::{self, Draft};
use crate::error::{ExportError, Result};
use crate::partition::Rank;

/// Bytes of a row group in memory, about.
const ROW_GROUP_BYTES: usize = 64 << 20;

/// One file. The batches are written on a thread of its own, at most two behind.
pub(super) async fn write(job: &mut Job<'_>) -> Result<()> {
    let rank = job.rank.unwrap_or(Rank::WHOLE);
    let name = format!("part-{:05}-of-{:05}.parquet", rank.rank(), rank.of());
    let path = job.folder.join(name);
    let facts = KeyValue::new("penstock".to_owned(), job.facts().to_string());
    let schema = job.snapshot.schema().clone();
    let (sender, receiver) = mpsc::channel(2);
    let task = tokio::task::spawn_blocking(move || write_batches(path, schema, facts, receiver));
    let mut batches = job.snapshot.record_batches(None, job.rows.clone())?;
    let read = async {
        while let Some(batch) = batches.try_next().await? {
            job.check()?;
            if sender.send(batch).await.is_err() {
                // The writer gave up, and says why below.
                break;
            }
        }
        Ok::<_, ExportError>(())
    };
    let read = read.await;
    drop(sender);
    let draft = task.await.map_err(|_| ExportError::Task)?;
    // Only a file that has every row gets its name.
    read?;
    let draft = draft?;
    let bytes = files::blocking(move || draft.finish()).await?;
    job.wrote(bytes);
    Ok(())
}

fn write_batches(
    path: PathBuf,
    schema: SchemaRef,
    facts: KeyValue,
    mut batches: mpsc::Receiver<RecordBatch>,
) -> Result<Draft> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![facts]))
        .build();
    let draft = Draft::new(path)?;
    let mut writer = ArrowWriter::try_new(draft, schema, Some(properties))?;
    while let Some(batch) = batches.blocking_recv() {
        writer.write(&batch)?;
        if writer.in_progress_size() >= ROW_GROUP_BYTES {
            writer.flush()?;
        }
    }
    let mut draft = writer.into_inner()?;
    draft.flush().map_err(files::error(PathBuf::new()))?;
    Ok(draft)
}
