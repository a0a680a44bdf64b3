//! Sequences of a FASTA file, whole in memory, as a measurement wants them.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use arrow::array::{LargeStringArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use penstock::types::columns;

/// Ids and sequences.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, String)>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let mut records: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('>') {
            let id = header.split_whitespace().next().unwrap_or_default();
            records.push((id.to_owned(), String::new()));
        } else if let Some((_, sequence)) = records.last_mut() {
            sequence.push_str(&line.trim().to_ascii_uppercase());
        }
    }
    Ok(records)
}

/// Some records from all over a file, as files are often sorted.
pub(crate) fn sample(records: Vec<(String, String)>, count: usize) -> Vec<(String, String)> {
    let step = (records.len() / count.max(1)).max(1);
    records.into_iter().step_by(step).take(count).collect()
}

/// A batch that encoders read.
pub(crate) fn batch<'a>(sequences: impl Iterator<Item = &'a str>) -> Result<RecordBatch> {
    let field = Field::new(columns::SEQUENCE, DataType::LargeUtf8, false);
    let column = LargeStringArray::from_iter_values(sequences);
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(vec![field])),
        vec![Arc::new(column)],
    )?)
}
