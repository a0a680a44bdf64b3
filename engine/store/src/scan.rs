//! Reading the rows of a table.

use std::pin::Pin;

use arrow::array::{Array, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use datafusion::prelude::{Expr, ident, lit};
use futures::{Stream, StreamExt, TryStreamExt};
use lance::dataset::scanner::Scanner;
use lance_io::stream::RecordBatchStream;
use penstock_types::columns;

use crate::error::{Result, StoreError};
use crate::table::Table;

/// Batches of rows, each with the schema that the scan asked for.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// Ids looked up at once by [`Table::rows_by_id`].
const IDS_AT_ONCE: usize = 4096;

/// What to read of a table.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The columns, in this order; `None` for all of them.
    pub columns: Option<Vec<String>>,
    /// An SQL predicate.
    pub filter: Option<String>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Without the first so many rows.
    pub offset: Option<u64>,
    /// Rows per batch, at most; `None` leaves the choice to the engine.
    pub batch_rows: Option<usize>,
    /// Bytes per batch, roughly; with `batch_rows`, whichever is reached first.
    pub batch_bytes: Option<u64>,
    /// Whether rows come in the order in which they are stored. That order is the same every time
    /// for one version.
    pub ordered: bool,
    /// Whether a column `_rowaddr` (UInt64) follows the others.
    pub with_row_address: bool,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            columns: None,
            filter: None,
            limit: None,
            offset: None,
            batch_rows: None,
            batch_bytes: None,
            ordered: true,
            with_row_address: false,
        }
    }
}

impl Scan {
    /// A scan of these columns.
    pub fn columns<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self {
            columns: Some(columns.into_iter().map(Into::into).collect()),
            ..Self::default()
        }
    }
}

/// What a scan reads ahead of its reader, in bytes. Lance's own default is up to 2 GB.
pub(crate) const READ_AHEAD: u64 = 64 << 20;

/// `id IN (...)`.
pub(crate) fn id_in<'a>(ids: impl IntoIterator<Item = &'a str>) -> Expr {
    ident(columns::ID).in_list(ids.into_iter().map(lit).collect(), false)
}

impl Table {
    /// Starts a scan.
    ///
    /// # Errors
    /// A column does not exist, the predicate cannot be read, or the store cannot be.
    pub async fn scan(&self, scan: Scan) -> Result<BatchStream> {
        let scanner = self.scanner(&scan)?;
        let name = self.name().clone();
        let stream = scanner
            .try_into_stream()
            .await
            .map_err(|error| self.scan_error(scan.filter.as_deref(), error))?;
        Ok(stream
            .map_err(move |error| StoreError::lance(&name, error))
            .boxed())
    }

    pub(crate) fn scanner(&self, scan: &Scan) -> Result<Scanner> {
        let lance = |error| StoreError::lance(self.name(), error);
        let mut scanner = self.dataset().scan();
        if let Some(columns) = &scan.columns {
            for column in columns {
                self.column(column)?;
            }
            if columns.is_empty() {
                scanner.empty_project().map_err(lance)?;
            } else {
                scanner.project(columns).map_err(lance)?;
            }
        }
        if let Some(filter) = &scan.filter {
            crate::predicate::check_predicate(filter)?;
            scanner
                .filter(filter)
                .map_err(|error| StoreError::predicate(filter, &error))?;
        }
        if scan.limit.is_some() || scan.offset.is_some() {
            let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            scanner
                .limit(scan.limit.map(clamp), scan.offset.map(clamp))
                .map_err(lance)?;
        }
        if let Some(rows) = scan.batch_rows {
            scanner.batch_size(rows.max(1));
        }
        if let Some(bytes) = scan.batch_bytes {
            scanner.batch_size_bytes(bytes.max(1));
        }
        scanner
            .scan_in_order(scan.ordered)
            .io_buffer_size(READ_AHEAD);
        if scan.with_row_address {
            scanner.with_row_address();
        }
        Ok(scanner)
    }

    fn scan_error(&self, filter: Option<&str>, error: lance::Error) -> StoreError {
        match (filter, &error) {
            (
                Some(filter),
                lance::Error::InvalidInput { .. }
                | lance::Error::Schema { .. }
                | lance::Error::FieldNotFound { .. }
                | lance::Error::NotSupported { .. },
            ) => StoreError::predicate(filter, &error),
            _ => StoreError::lance(self.name(), error),
        }
    }

    /// How many rows there are, or how many the predicate holds for.
    ///
    /// # Errors
    /// The predicate cannot be read, or the store cannot be.
    pub async fn count_rows(&self, filter: Option<&str>) -> Result<u64> {
        if let Some(filter) = filter {
            crate::predicate::check_predicate(filter)?;
        }
        let counted = self.dataset().count_rows(filter.map(str::to_owned)).await;
        counted
            .map(|rows| rows as u64)
            .map_err(|error| self.scan_error(filter, error))
    }

    /// The rows with these ids, in the order of the ids. An id that the table lacks is left out,
    /// one that is asked for twice comes once.
    ///
    /// # Errors
    /// A column does not exist, or the store cannot be read.
    pub async fn rows_by_id(&self, ids: &[&str], columns: Option<&[&str]>) -> Result<RecordBatch> {
        let wanted: Vec<String> = match columns {
            Some(columns) => columns.iter().map(|&column| column.to_owned()).collect(),
            None => self
                .schema()
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .collect(),
        };
        let mut read = wanted.clone();
        if !read.iter().any(|column| column == columns::ID) {
            read.push(columns::ID.to_owned());
        }
        let lance = |error| StoreError::lance(self.name(), error);
        let mut batches = Vec::new();
        let mut schema = None;
        // At least one round, so that even no ids give the schema.
        for chunk in ids
            .chunks(IDS_AT_ONCE)
            .chain(ids.is_empty().then_some(&[][..]))
        {
            let scan = Scan {
                columns: Some(read.clone()),
                ordered: false,
                ..Scan::default()
            };
            let mut scanner = self.scanner(&scan)?;
            scanner.filter_expr(if chunk.is_empty() {
                lit(false)
            } else {
                id_in(chunk.iter().copied())
            });
            let mut stream = scanner.try_into_stream().await.map_err(lance)?;
            schema = Some(RecordBatchStream::schema(&stream));
            while let Some(batch) = stream.next().await {
                batches.push(batch.map_err(lance)?);
            }
        }
        let schema = schema.ok_or(StoreError::Internal("a scan without a schema"))?;
        let batch = concat_batches(&schema, &batches)?;
        let found: std::collections::HashMap<&str, u64> = strings(&batch, columns::ID)?
            .iter()
            .zip(0..)
            .filter_map(|(id, row)| Some((id?, row)))
            .collect();
        let mut seen = std::collections::HashSet::new();
        let order: Vec<u64> = ids
            .iter()
            .filter(|id| seen.insert(**id))
            .filter_map(|id| found.get(id).copied())
            .collect();
        let batch = take_record_batch(&batch, &UInt64Array::from(order))?;
        let keep: Vec<usize> = (0..wanted.len()).collect();
        Ok(batch.project(&keep)?)
    }
}

/// A text column of a batch.
pub(crate) fn strings<'a>(batch: &'a RecordBatch, column: &str) -> Result<&'a StringArray> {
    batch
        .column_by_name(column)
        .and_then(|array| array.as_any().downcast_ref())
        .ok_or(StoreError::Internal(
            "a text column of the contract is missing",
        ))
}
