//! From rows to the entries of ragged arrays.

use std::ops::Range;

use crate::error::{Damage, ExportError, Result};
use crate::manifest::{Array, Role};
use crate::partition::{self, Rank};
use crate::snapshot::Snapshot;

/// Reads the eight bytes at an entry of an offsets chunk.
fn offset_in(chunk: &[u8], entry: usize) -> Option<u64> {
    let bytes = chunk.get(entry * 8..entry * 8 + 8)?;
    u64::try_from(i64::from_le_bytes(bytes.try_into().ok()?)).ok()
}

pub(crate) fn bad_offsets(array: &Array) -> ExportError {
    ExportError::Corrupt {
        object: array.name.clone(),
        problem: Damage::Offsets,
    }
}

impl Snapshot {
    /// One offset.
    pub(crate) async fn offset(&self, array: &Array, entry: u64) -> Result<u64> {
        let per_chunk = array.chunk_rows();
        let chunk = self.chunk_of(array, entry / per_chunk).await?;
        offset_in(&chunk, (entry % per_chunk) as usize).ok_or_else(|| bad_offsets(array))
    }

    /// The entries of an array that belong to these rows: the rows themselves for an array with one
    /// entry per row, one more for its offsets, and for the values of a ragged column what the
    /// offsets say.
    ///
    /// # Errors
    /// There is no such array, there are fewer rows, a chunk is damaged, or the store failed.
    pub async fn entries(&self, array: &str, rows: Range<u64>) -> Result<Range<u64>> {
        let array = self.array(array)?;
        if rows.start > rows.end || rows.end > self.rows() {
            return Err(ExportError::Rows {
                array: array.name.clone(),
                start: rows.start,
                end: rows.end,
                length: self.rows(),
            });
        }
        let mut entries = rows;
        for offsets in self
            .offsets_of(&array.column)?
            .iter()
            .take(array.depth as usize)
        {
            let start = self.offset(offsets, entries.start).await?;
            let end = self.offset(offsets, entries.end).await?;
            if start > end {
                return Err(bad_offsets(offsets));
            }
            entries = start..end;
        }
        if array.role == Role::Offsets {
            entries.end += 1;
        }
        if entries.end > array.rows() {
            return Err(bad_offsets(array));
        }
        Ok(entries)
    }

    /// The offsets arrays of a column from the rows inwards.
    pub(crate) fn offsets_of(&self, column: &str) -> Result<Vec<&Array>> {
        let found = self
            .manifest()
            .column(column)
            .ok_or_else(|| ExportError::NotFound {
                what: "column",
                name: column.to_owned(),
            })?;
        let node = found.node()?;
        node.offsets()
            .into_iter()
            .map(|name| self.array(name))
            .collect()
    }

    /// Rows of a rank such that each rank has about the same number of items of a ragged column:
    /// rank r of n begins with the first row whose items begin at or after `total * r / n`.
    pub(crate) async fn balance(&self, column: &str, rank: Rank) -> Result<Range<u64>> {
        let offsets = self.offsets_of(column)?;
        let Some(offsets) = offsets.first() else {
            return Err(ExportError::NotRagged(column.to_owned()));
        };
        let rows = self.rows();
        let total = self.offset(offsets, rows).await?;
        if total == 0 {
            return Ok(partition::petsc(rows, rank));
        }
        let bound = async |rank: u64, of: u64| -> Result<u64> {
            if rank == 0 {
                return Ok(0);
            }
            if rank == of {
                return Ok(rows);
            }
            let target = (u128::from(total) * u128::from(rank)).div_ceil(u128::from(of)) as u64;
            self.first_at_or_after(offsets, target).await
        };
        let start = bound(rank.rank(), rank.of()).await?;
        let end = bound(rank.rank() + 1, rank.of()).await?;
        Ok(start..end)
    }

    /// The first entry that is at least `target`, by bisection of the chunks, then in one chunk.
    async fn first_at_or_after(&self, offsets: &Array, target: u64) -> Result<u64> {
        let (entries, per_chunk) = (offsets.rows(), offsets.chunk_rows());
        let (mut low, mut high) = (0, offsets.chunks.len() as u64);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if self.offset(offsets, middle * per_chunk).await? < target {
                low = middle;
            } else {
                high = middle;
            }
        }
        let chunk = self.chunk_of(offsets, low).await?;
        let first = low * per_chunk;
        let count = (entries - first).min(per_chunk) as usize;
        let (mut from, mut to) = (0, count);
        while from < to {
            let middle = from + (to - from) / 2;
            let at = offset_in(&chunk, middle).ok_or_else(|| bad_offsets(offsets))?;
            if at < target {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        Ok(first + from as u64)
    }
}
