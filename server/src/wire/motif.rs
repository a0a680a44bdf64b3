//! Motifs.

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::Int64Type;
use penstock::index::{MotifAnswer, MotifRequest};
use penstock_openapi as wire;
use penstock_types::TableName;

/// Occurrences wanted, and letters around each, where a request does not say.
const LIMIT: usize = 1_000;
const CONTEXT: usize = 10;

/// A search for a motif as the engine takes it. Its version goes beside it.
#[must_use]
pub fn motif_request(wanted: wire::MotifRequest) -> MotifRequest {
    let mut request = MotifRequest::new(wanted.pattern);
    if let Some(column) = wanted.column {
        request.column = column;
    }
    request.both_strands = wanted.both_strands;
    request.filter = wanted.filter;
    request.limit = wanted.limit.map_or(LIMIT, |limit| limit as usize);
    request.context = wanted.context.map_or(CONTEXT, |letters| letters as usize);
    request.windows = wanted.windows;
    request
}

/// What it found.
#[must_use]
pub fn motif_answer(table: &TableName, answer: &MotifAnswer) -> wire::MotifAnswer {
    wire::MotifAnswer {
        table: table.to_string(),
        version: answer.version,
        column: answer.column.clone(),
        complete: answer.complete,
        used_index: answer.used_index,
        unindexed_rows: answer.unindexed_rows,
        candidates: answer.candidates,
        scanned: answer.scanned,
        hits: hits(&answer.hits).unwrap_or_default(),
    }
}

/// The hits; their columns are those that [`MotifAnswer::hits`] promises.
fn hits(batch: &RecordBatch) -> Option<Vec<wire::MotifHit>> {
    let text = |name| batch.column_by_name(name)?.as_string_opt::<i32>();
    let number = |name| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
    let (id, strand, letters) = (text("id")?, text("strand")?, text("text")?);
    let (before, after) = (text("before")?, text("after")?);
    let (start, end) = (number("start")?, number("end")?);
    let hit = |row| wire::MotifHit {
        id: id.value(row).to_owned(),
        start: start.value(row).unsigned_abs(),
        end: end.value(row).unsigned_abs(),
        strand: strand.value(row).to_owned(),
        text: letters.value(row).to_owned(),
        before: before.value(row).to_owned(),
        after: after.value(row).to_owned(),
    };
    Some((0..id.len()).map(hit).collect())
}
