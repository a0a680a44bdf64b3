//! Files of some columns that stay open.

use std::collections::HashMap;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use lance::dataset::fragment::{FileFragment, FragReadConfig, FragmentReader};
use lance::datatypes::Schema;
use penstock_store::Table;
use tokio::sync::OnceCell;

use crate::rows::Place;

/// Readers of some columns of one version, each opened when it is first needed.
pub(super) struct Files {
    readers: HashMap<u32, (FileFragment, OnceCell<FragmentReader>)>,
    columns: Schema,
}

impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files")
            .field("fragments", &self.readers.len())
            .finish_non_exhaustive()
    }
}

impl Files {
    pub(super) fn of(table: &Table, columns: &[String]) -> Result<Self, lance::Error> {
        let dataset = table.dataset();
        let readers = dataset.get_fragments().into_iter().filter_map(|fragment| {
            let id = u32::try_from(fragment.id()).ok()?;
            Some((id, (fragment, OnceCell::new())))
        });
        Ok(Self {
            readers: readers.collect(),
            columns: dataset.schema().project(columns)?,
        })
    }

    pub(super) fn fragments(&self) -> usize {
        self.readers.len()
    }

    /// The columns of these rows, in their order; `None` where a fragment is not there.
    pub(super) async fn take(
        &self,
        rows: &[Place<'_>],
    ) -> Result<Option<RecordBatch>, lance::Error> {
        let mut sorted: Vec<u64> = rows.iter().map(|row| row.row).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let of_one: Vec<&[u64]> = sorted.chunk_by(|a, b| a >> 32 == b >> 32).collect();
        let mut reads = Vec::with_capacity(of_one.len());
        for some in of_one {
            let Some(of) = self.readers.get(&((some[0] >> 32) as u32)) else {
                return Ok(None);
            };
            reads.push(self.take_some(of, some));
        }
        let parts = futures::future::try_join_all(reads).await?;
        let Some(first) = parts.first() else {
            return Ok(None);
        };
        let read = match &parts[..] {
            [one] => one.clone(),
            several => concat_batches(&first.schema(), several)?,
        };
        // Each is there.
        let at = rows
            .iter()
            .map(|row| sorted.partition_point(|other| *other < row.row) as u32);
        let order = UInt32Array::from_iter_values(at);
        if read.num_rows() != sorted.len() {
            return Ok(None);
        }
        Ok(Some(take_record_batch(&read, &order)?))
    }

    /// Rows of one fragment.
    async fn take_some(
        &self,
        (fragment, reader): &(FileFragment, OnceCell<FragmentReader>),
        rows: &[u64],
    ) -> Result<RecordBatch, lance::Error> {
        let reader = reader
            .get_or_try_init(|| fragment.open(&self.columns, FragReadConfig::default()))
            .await?;
        let offsets: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        reader.take_as_batch(&offsets, None).await
    }
}
