//! Rows that an index has not yet.
//!
//! They are compared one by one. As long as they are few they are read once for all searches of the
//! version.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use arrow::datatypes::UInt64Type;
use futures::TryStreamExt;
use lance_table::format::Fragment;
use penstock_store::Table;
use tokio::sync::OnceCell;

use super::mask::Allowed;
use crate::nearest::ROW;
use crate::{IndexError, Result, exact};

/// Bytes of ids and vectors that are kept of one index and version.
const BYTES: usize = 64 << 20;
/// About what an id takes, before any is read.
const ID: usize = 32;

/// Fragments that no part of an index has.
pub(super) struct Rest {
    pub(super) fragments: Vec<Fragment>,
    /// Their ids and vectors; `None` where they are too many.
    kept: OnceCell<Option<Vec<RecordBatch>>>,
}

impl Rest {
    pub(super) fn new(fragments: Vec<Fragment>) -> Self {
        Self {
            fragments,
            kept: OnceCell::new(),
        }
    }

    /// The rows that may be found, in batches; `None` where they are not kept.
    pub(super) async fn batches(
        &self,
        table: &Table,
        column: &str,
        dim: usize,
        allowed: &Allowed,
    ) -> Result<Option<Vec<RecordBatch>>> {
        let kept = self
            .kept
            .get_or_try_init(|| self.read(table, column, dim))
            .await?;
        let Some(kept) = kept else {
            return Ok(None);
        };
        if allowed.rest.is_none() {
            return Ok(Some(kept.clone()));
        }
        let chosen = kept.iter().map(|batch| {
            let rows = batch.column_by_name(ROW).ok_or(IndexError::Invariant {
                what: "a scan left out where its rows are",
            })?;
            let rows = rows.as_primitive::<UInt64Type>().values();
            let chosen: BooleanArray = rows
                .iter()
                .map(|row| Some(allowed.has_rest(*row)))
                .collect();
            Ok(filter_record_batch(batch, &chosen)?)
        });
        let mut chosen: Vec<RecordBatch> = chosen.collect::<Result<_>>()?;
        chosen.retain(|batch| batch.num_rows() > 0);
        Ok(Some(chosen))
    }

    async fn read(
        &self,
        table: &Table,
        column: &str,
        dim: usize,
    ) -> Result<Option<Vec<RecordBatch>>> {
        let rows: usize = self
            .fragments
            .iter()
            .map(|fragment| fragment.num_rows().unwrap_or_default())
            .sum();
        if rows.saturating_mul(4 * dim + ID) > BYTES {
            return Ok(None);
        }
        let failed = IndexError::read(table);
        let mut scan = exact::scanner(table, column, dim, None)?;
        scan.with_fragments(self.fragments.clone());
        let mut batches = scan.try_into_stream().await.map_err(&failed)?;
        let (mut kept, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = batches.try_next().await.map_err(&failed)? {
            let vectors = batch.column_by_name(column).ok_or(IndexError::Invariant {
                what: "a scan left out a column that it was asked for",
            })?;
            // Copied, so that no larger buffer that it is a part of is kept with it.
            let there = (0..batch.num_rows()).filter(|row| vectors.is_valid(*row));
            let there = UInt32Array::from_iter_values(there.map(|row| row as u32));
            let batch = take_record_batch(&batch, &there)?;
            bytes += batch.get_array_memory_size();
            if bytes > BYTES {
                return Ok(None);
            }
            if batch.num_rows() > 0 {
                kept.push(batch);
            }
        }
        Ok(Some(kept))
    }
}
