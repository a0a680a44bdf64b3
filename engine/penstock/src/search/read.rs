//! Rows of candidates, read again for what is compared.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use arrow::record_batch::RecordBatch;
use penstock_store::Table;
use penstock_types::columns;

use crate::Error;

/// Rows read at once.
const ROWS: usize = 256;
/// Bytes that candidates may take in memory.
const MAX_BYTES: u64 = 1 << 30;

/// These columns of the rows with these ids, in their order.
pub(super) async fn rows(
    table: &Table,
    ids: &[&str],
    wanted: &[&str],
) -> Result<RecordBatch, Error> {
    let mut parts = Vec::new();
    let mut bytes = 0;
    let none: &[&str] = &[];
    let chunks = ids.chunks(ROWS);
    for chunk in chunks.chain(ids.is_empty().then_some(none)) {
        let part = table.rows_by_id(chunk, Some(wanted)).await?;
        bytes += part.get_array_memory_size() as u64;
        if bytes > MAX_BYTES {
            return Err(Error::RerankBytes { limit: MAX_BYTES });
        }
        parts.push(part);
    }
    let schema = parts[0].schema(); // there is one part at least
    let batch = concat_batches(&schema, &parts).map_err(penstock_index::IndexError::from)?;
    if batch.num_rows() != ids.len() {
        return Err(penstock_index::IndexError::Invariant {
            what: "a row that was found cannot be read",
        }
        .into());
    }
    Ok(batch)
}

/// The ids of a batch.
pub(super) fn ids(batch: &RecordBatch) -> Vec<&str> {
    let ids = batch.column_by_name(columns::ID);
    let ids = ids.and_then(|ids| ids.as_string_opt::<i32>());
    ids.map_or_else(Vec::new, |ids| ids.iter().flatten().collect())
}

/// The text of a row; `None` where there is none.
pub(super) fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8 => Some(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Some(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Some(column.as_string_view().value(row)),
        _ => None,
    }
}

/// The list of a row; `None` where there is none.
pub(super) fn list(column: &ArrayRef, row: usize) -> Option<ArrayRef> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::List(_) => Some(column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Some(column.as_list::<i64>().value(row)),
        _ => None,
    }
}

/// The list of triples of a row: `[n, 3]`.
pub(super) fn triples<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    row: usize,
) -> Option<Vec<[T::Native; 3]>> {
    let list = list(column, row)?;
    let triples = list.as_fixed_size_list_opt()?;
    let start = usize::try_from(triples.value_offset(0)).ok()?;
    let values = triples.values().as_primitive_opt::<T>()?.values();
    let values = values.get(start..start + triples.len() * 3)?;
    Some(values.as_chunks::<3>().0.to_vec())
}
