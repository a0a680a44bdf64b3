//! The new file of one fragment: what is to be encoded is read, encoded and written in its place.

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{concat, is_null, take, take_record_batch};
use datafusion::prelude::ident;
use futures::StreamExt;
use lance::Dataset;
use lance::dataset::scanner::Scanner;
use lance_table::format::Fragment;

use super::{Backfill, Filled};
use crate::check::not_finite;
use crate::error::{Result, StoreError};
use crate::partial;
use crate::scan::READ_AHEAD;
use crate::writer::FragmentWriter;

impl Backfill<'_> {
    fn scanner(&self, base: &Dataset, fragment: &Fragment, also: Option<&str>) -> Result<Scanner> {
        let mut columns: Vec<&str> = self.inputs.to_vec();
        columns.extend(also);
        let mut scanner = base.scan();
        scanner
            .with_fragments(vec![fragment.clone()])
            .project(&columns)
            .map_err(|error| self.lance(error))?;
        scanner
            .with_row_address()
            .scan_in_order(true)
            .batch_size(self.options.batch_rows.max(1))
            .batch_size_bytes(self.options.batch_bytes.max(1))
            .batch_readahead(2)
            .io_buffer_size(READ_AHEAD);
        Ok(scanner)
    }

    /// Whether the encoder makes something of any row where the column is null. Rows of which it
    /// makes nothing stay null, and do not cause a file to be written again and again.
    pub(super) async fn has_something_to_fill(
        &self,
        base: &Dataset,
        fragment: &Fragment,
    ) -> Result<bool> {
        let mut scanner = self.scanner(base, fragment, None)?;
        scanner.filter_expr(ident(&self.column).is_null());
        let mut stream = scanner
            .try_into_stream()
            .await
            .map_err(|error| self.lance(error))?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.lance(error))?;
            let inputs = batch.project(&(0..self.inputs.len()).collect::<Vec<_>>())?;
            let encoded = self.encode(inputs).await?;
            if encoded.null_count() < encoded.len() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn encode(&self, inputs: RecordBatch) -> Result<ArrayRef> {
        if self.options.cancel.as_ref().is_some_and(|cancel| cancel()) {
            return Err(StoreError::Cancelled);
        }
        let rows = inputs.num_rows();
        let objects = &self.store.0.objects;
        let kept = if self.options.resumable {
            let key = partial::key(self.name, self.spec, &inputs)?;
            if let Some(encoded) = partial::get(objects, &key, rows).await? {
                return self.checked(encoded, rows);
            }
            Some(key)
        } else {
            None
        };
        let encode = self.encode.clone();
        let encoded = tokio::task::spawn_blocking(move || encode(&inputs))
            .await
            .map_err(|_| StoreError::Internal("an encoder panicked"))?
            .map_err(|source| StoreError::Encode {
                column: self.column.clone(),
                source,
            })?;
        let encoded = self.checked(encoded, rows)?;
        if let Some(key) = kept {
            let batch = RecordBatch::try_new(self.field.clone(), vec![encoded.clone()])?;
            partial::put(objects, &key, &batch).await?;
        }
        Ok(encoded)
    }

    /// Refuses what the column cannot hold.
    fn checked(&self, encoded: ArrayRef, rows: usize) -> Result<ArrayRef> {
        let wrong = |problem: String| {
            Err(StoreError::Encoded {
                column: self.column.clone(),
                problem,
            })
        };
        let wanted = self.field.field(0).data_type();
        if encoded.data_type() != wanted {
            return wrong(format!(
                "{}, where {wanted} was expected",
                encoded.data_type()
            ));
        }
        if encoded.len() != rows {
            return wrong(format!("{} values for {rows} rows", encoded.len()));
        }
        if let Some((row, value)) = not_finite(&encoded) {
            return wrong(format!(
                "{value} in row {row} of a batch, which is no finite number"
            ));
        }
        Ok(encoded)
    }

    /// Writes the column of one fragment, a value for every row that was ever in it: deleted rows
    /// count, for a row's place in the file is its place in the fragment.
    pub(super) async fn fill(
        &mut self,
        base: &Dataset,
        fragment: &Fragment,
        there: bool,
        filled: &mut Filled,
    ) -> Result<()> {
        let rows = fragment.physical_rows.unwrap_or_default() as u64;
        let mut writer = FragmentWriter::single(self.store, self.name, &self.field)?;
        let scanner = self.scanner(base, fragment, there.then_some(self.column.as_str()))?;
        let mut stream = scanner
            .try_into_stream()
            .await
            .map_err(|error| self.lance(error))?;
        let mut at = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.lance(error))?;
            let inputs = batch.project(&(0..self.inputs.len()).collect::<Vec<_>>())?;
            let old = there.then(|| batch.column(self.inputs.len()).clone());
            let values = self.values(inputs, old, filled).await?;
            let addresses: Vec<u64> = crate::load::addresses(&batch)?
                .values()
                .iter()
                .map(|address| u64::from(*address as u32))
                .collect();
            at = self.write_at(&mut writer, at, &addresses, &values).await?;
            self.advance(batch.num_rows() as u64);
        }
        self.pad(&mut writer, at, rows).await?;
        let written = writer.finish().await?;
        let [written] = <[Fragment; 1]>::try_from(written)
            .map_err(|_| StoreError::Internal("a feature was written to several files"))?;
        if written.physical_rows != fragment.physical_rows {
            return Err(StoreError::Internal(
                "a feature has not as many rows as its fragment",
            ));
        }
        filled.written = Some((writer, written));
        Ok(())
    }

    /// The column's values of a batch: the old ones, and the encoder's where these are null.
    async fn values(
        &self,
        inputs: RecordBatch,
        old: Option<ArrayRef>,
        filled: &mut Filled,
    ) -> Result<ArrayRef> {
        let mut count = |encoded: &ArrayRef| {
            filled.null += encoded.null_count() as u64;
            filled.filled += (encoded.len() - encoded.null_count()) as u64;
        };
        let Some(old) = old else {
            let encoded = self.encode(inputs).await?;
            count(&encoded);
            return Ok(encoded);
        };
        let missing: Vec<u32> = is_null(&old)?
            .iter()
            .enumerate()
            .filter(|(_, null)| *null == Some(true))
            .map(|(row, _)| row as u32)
            .collect();
        if missing.is_empty() {
            return Ok(old);
        }
        let rows = UInt32Array::from(missing.clone());
        let encoded = self.encode(take_record_batch(&inputs, &rows)?).await?;
        count(&encoded);
        // The encoder's values follow the old ones; every row takes its own.
        let mut order: Vec<u32> = (0..old.len() as u32).collect();
        for (value, row) in missing.iter().enumerate() {
            order[*row as usize] = (old.len() + value) as u32;
        }
        let both = concat(&[old.as_ref(), encoded.as_ref()])?;
        Ok(take(&both, &UInt32Array::from(order), None)?)
    }

    /// Writes values at their places; answers the place after the last.
    async fn write_at(
        &self,
        writer: &mut FragmentWriter,
        mut at: u64,
        places: &[u64],
        values: &ArrayRef,
    ) -> Result<u64> {
        let mut from = 0;
        while from < places.len() {
            self.pad(writer, at, places[from]).await?;
            at = places[from];
            let run = places[from..]
                .iter()
                .zip(at..)
                .take_while(|(is, want)| *is == want)
                .count();
            let run_values = values.slice(from, run);
            writer
                .write(RecordBatch::try_new(self.field.clone(), vec![run_values])?)
                .await?;
            from += run;
            at += run as u64;
        }
        Ok(at)
    }

    /// Nulls from one place up to another.
    async fn pad(&self, writer: &mut FragmentWriter, mut from: u64, to: u64) -> Result<()> {
        while from < to {
            let rows = (to - from).min(4096);
            let nulls = new_null_array(self.field.field(0).data_type(), rows as usize);
            writer
                .write(RecordBatch::try_new(self.field.clone(), vec![nulls])?)
                .await?;
            from += rows;
        }
        Ok(())
    }
}
