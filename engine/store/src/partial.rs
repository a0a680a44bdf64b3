//! What a long backfill has computed, kept until its commit: a run that was ended begins where it
//! stopped.
//!
//! Each batch of an encoder's results is one object, named by the digest of what the encoder was
//! given, so that it is right for those inputs wherever they lie by then.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use penstock_types::{FeatureSpec, TableName};

use crate::error::Result;
use crate::objects::Objects;

/// Where the results for one column of a table are kept.
pub(crate) fn folder(table: &TableName, column: &str) -> String {
    format!("partial/{table}/{column}/")
}

/// The object with the results for these inputs.
pub(crate) fn key(table: &TableName, spec: &FeatureSpec, inputs: &RecordBatch) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(spec.encoder.as_bytes());
    hasher.update(spec.weights.as_bytes());
    let mut writer = StreamWriter::try_new(&mut hasher, &inputs.schema())?;
    writer.write(inputs)?;
    writer.finish()?;
    drop(writer);
    let folder = folder(table, &spec.column());
    Ok(format!("{folder}{}.arrow", hasher.finalize().to_hex()))
}

/// The results that were kept, where they were and can be read: what is damaged is computed again.
pub(crate) async fn get(objects: &Objects, key: &str, rows: usize) -> Result<Option<ArrayRef>> {
    let Some(bytes) = objects.get_opt(key).await? else {
        return Ok(None);
    };
    let batch = StreamReader::try_new(&bytes[..], None)
        .ok()
        .and_then(|mut reader| reader.next())
        .and_then(std::result::Result::ok);
    Ok(batch
        .filter(|batch| batch.num_rows() == rows && batch.num_columns() == 1)
        .map(|batch| batch.column(0).clone()))
}

/// Keeps results.
pub(crate) async fn put(objects: &Objects, key: &str, batch: &RecordBatch) -> Result<()> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
    writer.write(batch)?;
    writer.finish()?;
    drop(writer);
    objects.put(key, bytes.into()).await
}
