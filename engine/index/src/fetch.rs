//! Columns of rows that were found.
//!
//! Lance's own way, `take_rows`, opens the files anew each time, which costs more than a search in
//! memory. So files that are read often stay open, and where a table has an index in memory, columns
//! of its hits are kept there too, as far as they have a place.

mod files;
pub(crate) mod kept;

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use penstock_store::Table;
use penstock_types::columns::ID;

use crate::column::Moment;
use crate::rows::{self, Place};
use crate::{HotTier, IndexError, Result, column};
use files::Files;

/// Readers that stay open, of all sets of columns together.
const READERS: usize = 256;

/// Reads columns of rows, each time quicker than the first.
#[derive(Debug, Default)]
pub(crate) struct Fetch {
    open: Mutex<Vec<(Of, Arc<Files>)>>,
}

/// What readers are of.
#[derive(Debug, PartialEq, Eq)]
struct Of {
    moment: Moment,
    columns: Vec<String>,
}

impl Fetch {
    /// The columns of these rows, in the order of both. They must be the rows that were found,
    /// whatever happens below us: their ids are compared wherever rows are read.
    pub(crate) async fn read(
        &self,
        hot: &HotTier,
        table: &Table,
        rows: &[Place<'_>],
        names: &[String],
    ) -> Result<RecordBatch> {
        let (names, schema) = column::projected(table, names)?;
        if rows.is_empty() {
            return Ok(RecordBatch::new_empty(schema));
        }
        // Who found the rows says their ids.
        let only_ids = names.iter().all(|name| name == ID);
        if (only_ids || hot.holds(table.name()))
            && let Some(batch) = hot.columns().read(table, rows, &names, &schema)?
        {
            return Ok(batch);
        }
        let Some(files) = self.files(table, rows::with_id(names.clone()))? else {
            return rows::take(table, rows, &names).await;
        };
        let batch = files
            .take(rows)
            .await
            .map_err(IndexError::read(table))?
            .ok_or(IndexError::Invariant {
                what: "a row was found in a fragment that is not there",
            })?;
        rows::checked(&batch, rows, &names, &schema)
    }

    /// Readers of the columns; `None` where the version has too many fragments to keep them open.
    fn files(&self, table: &Table, columns: Vec<String>) -> Result<Option<Arc<Files>>> {
        if table.dataset().fragments().len() > READERS / 4 {
            return Ok(None);
        }
        let of = Of {
            moment: Moment::of(table),
            columns,
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = open.iter().position(|(other, _)| *other == of) {
            let found = open.remove(at);
            let files = Arc::clone(&found.1);
            open.push(found);
            return Ok(Some(files));
        }
        let files = Files::of(table, &of.columns).map_err(IndexError::read(table))?;
        let files = Arc::new(files);
        // Files of versions before it would not be gone before they are closed.
        open.retain(|(other, _)| !other.moment.is_before(&of.moment));
        open.push((of, Arc::clone(&files)));
        let mut readers: usize = open.iter().map(|(_, files)| files.fragments()).sum();
        while readers > READERS && open.len() > 1 {
            readers -= open.remove(0).1.fragments();
        }
        Ok(Some(files))
    }
}
