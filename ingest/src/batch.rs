//! Batches of rows, bounded in bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, LargeStringArray, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use penstock_types::{ContentHash, Kind, columns};

use crate::dna::DnaRows;
use crate::protein::ProteinRows;
use crate::{ReadContext, ReadError, Windows};

/// What a row says of itself, whatever its kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) id: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) description: Option<&'a str>,
    pub(crate) event_time: i64,
}

/// The columns that every kind has.
#[derive(Debug, Default)]
pub(crate) struct Common {
    id: StringBuilder,
    name: StringBuilder,
    description: StringBuilder,
    source: StringBuilder,
    hash: Vec<u8>,
    event_time: Vec<i64>,
}

impl Common {
    pub(crate) fn rows(&self) -> usize {
        self.event_time.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        [&self.id, &self.name, &self.description, &self.source]
            .iter()
            .map(|column| column.values_slice().len())
            .sum::<usize>()
            // Offsets, hash, time and the word for the kind.
            + self.rows() * (4 * 5 + 32 + 8 + 8)
    }

    pub(crate) fn push(&mut self, head: Head<'_>, source: &str, hash: ContentHash) {
        self.id.append_value(head.id);
        self.name.append_option(head.name);
        self.description.append_option(head.description);
        self.source.append_value(source);
        self.hash.extend_from_slice(hash.as_bytes());
        self.event_time.push(head.event_time);
    }

    /// The columns in the order of the contract.
    pub(crate) fn finish(&mut self, kind: Kind) -> Result<Vec<ArrayRef>, ArrowError> {
        let rows = self.rows();
        let kinds = StringArray::from_iter_values(std::iter::repeat_n(kind.as_str(), rows));
        let hash = Buffer::from_vec(std::mem::take(&mut self.hash));
        let times = std::mem::take(&mut self.event_time);
        Ok(vec![
            Arc::new(self.id.finish()),
            Arc::new(kinds),
            Arc::new(self.name.finish()),
            Arc::new(self.description.finish()),
            Arc::new(self.source.finish()),
            Arc::new(FixedSizeBinaryArray::try_new(32, hash, None)?),
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
        ])
    }
}

/// Sequences, one after the other in one buffer. Readers append to the open one byte by byte, so
/// that a chromosome is in memory once.
#[derive(Debug)]
pub(crate) struct Sequences {
    values: Vec<u8>,
    offsets: Vec<i64>,
}

/// Room for letters that is kept after a record was thrown away.
const LARGEST_KEPT: usize = 16 << 20;

impl Default for Sequences {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            offsets: vec![0],
        }
    }
}

impl Sequences {
    fn closed(&self) -> usize {
        self.offsets.last().map_or(0, |end| *end as usize)
    }

    /// The buffer, to append to. What was there before belongs to the rows before.
    pub(crate) fn values(&mut self) -> &mut Vec<u8> {
        &mut self.values
    }

    /// The letters of the open sequence.
    pub(crate) fn open(&self) -> &[u8] {
        &self.values[self.closed()..]
    }

    /// Where the open sequence begins.
    pub(crate) fn start(&self) -> usize {
        self.closed()
    }

    /// Throws the open sequence away.
    pub(crate) fn discard(&mut self) {
        let closed = self.closed();
        self.values.truncate(closed);
        // A record that was too large should not leave its room behind.
        if self.values.capacity() > 2 * closed + LARGEST_KEPT {
            self.values.shrink_to(closed + LARGEST_KEPT);
        }
    }

    /// Ends the open sequence.
    pub(crate) fn close(&mut self) {
        self.offsets.push(self.values.len() as i64);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.len() + self.offsets.len() * 8
    }

    /// The column, and its bytes, shared.
    pub(crate) fn finish(&mut self) -> Result<(LargeStringArray, Buffer), ArrowError> {
        let Self { values, offsets } = std::mem::take(self);
        let buffer = Buffer::from_vec(values);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let array = LargeStringArray::try_new(offsets, buffer.clone(), None)?;
        Ok((array, buffer))
    }
}

/// Where readers put their rows.
pub(crate) struct Sink {
    pub(crate) rows: Rows,
    batch_bytes: usize,
}

pub(crate) enum Rows {
    Protein(Box<ProteinRows>),
    Dna(Box<DnaRows>),
    /// A mesh file arrives as a batch of its own, a graph file as several.
    Whole(VecDeque<RecordBatch>),
}

/// Offsets of lists inside a batch are 32-bit.
const LARGEST_BATCH: usize = 512 << 20;

impl Sink {
    pub(crate) fn new(kind: Kind, batch_bytes: usize, windows: Option<Windows>) -> Self {
        let batch_bytes = batch_bytes.clamp(1, LARGEST_BATCH);
        let rows = match kind {
            Kind::Protein => Rows::Protein(Box::default()),
            Kind::Dna => Rows::Dna(Box::new(DnaRows::new(windows, batch_bytes))),
            Kind::Mesh | Kind::Graph => Rows::Whole(VecDeque::new()),
        };
        Self { rows, batch_bytes }
    }

    /// The sequences that FASTA and GenBank append to; `None` for meshes and graphs.
    pub(crate) fn sequences(&mut self) -> Option<&mut Sequences> {
        match &mut self.rows {
            Rows::Protein(rows) => Some(&mut rows.sequence),
            Rows::Dna(rows) => Some(&mut rows.sequence),
            Rows::Whole(_) => None,
        }
    }

    /// Whether the batch should be handed over before another record is read.
    pub(crate) fn is_full(&self) -> bool {
        match &self.rows {
            Rows::Protein(rows) => rows.rows() > 0 && rows.bytes() >= self.batch_bytes,
            Rows::Dna(rows) => rows.must_flush() || rows.is_full(),
            Rows::Whole(batches) => !batches.is_empty(),
        }
    }

    /// Writes windows of a contig that was handed over. False where none are left.
    pub(crate) fn continue_windows(&mut self, ctx: &mut ReadContext) -> bool {
        match &mut self.rows {
            Rows::Dna(rows) => rows.continue_windows(ctx),
            Rows::Protein(_) | Rows::Whole(_) => false,
        }
    }

    /// The rows so far; `None` where there are none.
    pub(crate) fn take(&mut self, ctx: &ReadContext) -> Result<Option<RecordBatch>, ReadError> {
        let (kind, columns) = match &mut self.rows {
            Rows::Whole(batches) => return Ok(batches.pop_front()),
            Rows::Protein(rows) if rows.rows() == 0 => return Ok(None),
            Rows::Dna(rows) if rows.rows() == 0 => return Ok(None),
            Rows::Protein(rows) => (Kind::Protein, rows.finish()),
            Rows::Dna(rows) => (Kind::Dna, rows.finish()),
        };
        columns
            .and_then(|columns| RecordBatch::try_new(columns::schema(kind), columns))
            .map(Some)
            .map_err(|error| ctx.arrow(error))
    }
}
