//! Rows as Arrow record batches with the types of the table, put together from the chunks.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayData, ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use bytes::{Bytes, BytesMut};
use futures::future::{BoxFuture, try_join_all};
use futures::{FutureExt, Stream, stream};

use crate::dtype::DType;
use crate::error::{ExportError, Result};
use crate::manifest::Array;
use crate::plan::Node;
use crate::ragged::bad_offsets;
use crate::snapshot::Snapshot;

/// Bytes of a batch, at most, unless one row alone is larger: with Arrow's own framing it stays
/// below the 4 MiB that gRPC clients accept by default.
pub const BATCH_BYTES: u64 = 7 << 19;

/// Rows of a batch, at most.
const BATCH_ROWS: u64 = 65_536;

/// Batches of rows.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

impl Snapshot {
    /// The schema of these columns, in the order given; of all columns if `None`.
    ///
    /// # Errors
    /// There is no such column.
    pub fn schema_of(&self, columns: Option<&[String]>) -> Result<SchemaRef> {
        let Some(columns) = columns else {
            return Ok(self.schema().clone());
        };
        let fields = columns.iter().map(|name| {
            let (_, field) =
                self.schema()
                    .fields()
                    .find(name)
                    .ok_or_else(|| ExportError::NotFound {
                        what: "column",
                        name: name.clone(),
                    })?;
            Ok(field.clone())
        });
        let fields = fields.collect::<Result<Vec<_>>>()?;
        let metadata = self.schema().metadata().clone();
        Ok(Arc::new(Schema::new_with_metadata(fields, metadata)))
    }

    /// Rows as record batches of at most [`BATCH_BYTES`]; a row that is larger is a batch of its
    /// own. No rows, no batches. Memory: one chunk for each array.
    ///
    /// # Errors
    /// There is no such column, or there are fewer rows. In the stream: a chunk is damaged, or the
    /// store failed.
    pub fn record_batches(
        &self,
        columns: Option<&[String]>,
        rows: Range<u64>,
    ) -> Result<BatchStream> {
        if rows.start > rows.end || rows.end > self.rows() {
            return Err(ExportError::Rows {
                array: "rows".into(),
                start: rows.start,
                end: rows.end,
                length: self.rows(),
            });
        }
        let schema = self.schema_of(columns)?;
        let mut readers = Vec::new();
        let mut bytes = 0;
        for field in schema.fields() {
            let node = Node::of(field)?;
            readers.push(Reader::new(self, field.name(), &node)?);
            if let Some(column) = self.manifest().column(field.name()) {
                let arrays = column.arrays.iter().flat_map(|name| self.array(name));
                bytes += arrays.map(Array::bytes).sum::<u64>();
            }
        }
        let state = State {
            schema,
            readers,
            row_bytes: (bytes / self.rows().max(1)).max(1),
            rows,
        };
        Ok(Box::pin(stream::try_unfold(
            state,
            |mut state| async move { Ok(state.next().await?.map(|batch| (batch, state))) },
        )))
    }
}

struct State {
    schema: SchemaRef,
    readers: Vec<Reader>,
    /// Bytes of a row on average.
    row_bytes: u64,
    rows: Range<u64>,
}

impl State {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let Range { start, end } = self.rows;
        if start == end {
            return Ok(None);
        }
        let mut count = (BATCH_BYTES / self.row_bytes)
            .clamp(1, BATCH_ROWS)
            .min(end - start);
        loop {
            let mut bytes = 0;
            for reader in &mut self.readers {
                bytes += reader.root.bytes(start..start + count).await?;
            }
            if bytes <= BATCH_BYTES || count == 1 {
                break;
            }
            // Half at least, so that this ends soon whatever the rows look like.
            count = (count * BATCH_BYTES / bytes).clamp(1, count / 2);
        }
        // Together, so that a distant store is waited for once and not for each column.
        let rows = start..start + count;
        let fields = self.schema.fields().iter();
        let reads = self.readers.iter_mut().zip(fields).map(|(reader, field)| {
            let Reader { column, root } = reader;
            root.read(column, field.data_type(), rows.clone())
        });
        let columns = try_join_all(reads).await?.into_iter().map(make_array);
        let columns = columns.collect();
        self.rows.start += count;
        let options = RecordBatchOptions::new().with_row_count(Some(count as usize));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        Ok(Some(batch))
    }
}

/// Reads an array from front to back, with the last chunk at hand.
struct Cursor {
    snapshot: Snapshot,
    index: usize,
    last: Option<(u64, Bytes)>,
}

impl Cursor {
    fn new(snapshot: &Snapshot, name: &str) -> Result<Self> {
        Ok(Self {
            snapshot: snapshot.clone(),
            index: snapshot.index_of(name)?,
            last: None,
        })
    }

    fn array(&self) -> &Array {
        &self.snapshot.manifest().arrays[self.index]
    }

    async fn chunk(&mut self, index: u64) -> Result<Bytes> {
        if let Some((at, bytes)) = &self.last
            && *at == index
        {
            return Ok(bytes.clone());
        }
        // The old one goes before the new one comes.
        self.last = None;
        let bytes = self.snapshot.chunk_of(self.array(), index).await?;
        self.last = Some((index, bytes.clone()));
        Ok(bytes)
    }

    /// The bytes of these entries; without a copy where they lie in one chunk.
    async fn read(&mut self, entries: Range<u64>) -> Result<Bytes> {
        if entries.end > self.array().rows() {
            return Err(bad_offsets(self.array()));
        }
        let (per_chunk, row_bytes) = (self.array().chunk_rows(), self.array().row_bytes());
        let mut joined = BytesMut::new();
        let mut at = entries.start;
        while at < entries.end {
            let index = at / per_chunk;
            let first = index * per_chunk;
            let to = entries.end.min(first + per_chunk);
            let range = ((at - first) * row_bytes) as usize..((to - first) * row_bytes) as usize;
            let bytes = self.chunk(index).await?.slice(range);
            if at == entries.start && to == entries.end {
                return Ok(bytes);
            }
            joined.extend_from_slice(&bytes);
            at = to;
        }
        Ok(joined.freeze())
    }

    /// One offset.
    async fn offset(&mut self, entry: u64) -> Result<u64> {
        let bytes = self.read(entry..entry + 1).await?;
        let offset = <[u8; 8]>::try_from(&bytes[..]).map(i64::from_le_bytes);
        let offset = offset.ok().and_then(|offset| u64::try_from(offset).ok());
        offset.ok_or_else(|| bad_offsets(self.array()))
    }

    /// What the entries of the level above cover here.
    async fn span(&mut self, entries: &Range<u64>) -> Result<Range<u64>> {
        let (start, end) = (
            self.offset(entries.start).await?,
            self.offset(entries.end).await?,
        );
        if start > end {
            return Err(bad_offsets(self.array()));
        }
        Ok(start..end)
    }
}

struct Reader {
    column: String,
    root: Level,
}

struct Level {
    valid: Option<Cursor>,
    body: Body,
}

enum Body {
    Fixed(Cursor),
    Bytes { offsets: Cursor, values: Cursor },
    List { offsets: Cursor, items: Box<Level> },
}

impl Reader {
    fn new(snapshot: &Snapshot, column: &str, node: &Node) -> Result<Self> {
        Ok(Self {
            column: column.to_owned(),
            root: Level::new(snapshot, node)?,
        })
    }
}

impl Level {
    fn new(snapshot: &Snapshot, node: &Node) -> Result<Self> {
        let (valid, body) = match node {
            Node::Fixed { values, valid, .. } => {
                (valid, Body::Fixed(Cursor::new(snapshot, values)?))
            }
            Node::Bytes {
                offsets,
                values,
                valid,
                ..
            } => (
                valid,
                Body::Bytes {
                    offsets: Cursor::new(snapshot, offsets)?,
                    values: Cursor::new(snapshot, values)?,
                },
            ),
            Node::List {
                offsets,
                valid,
                items,
            } => (
                valid,
                Body::List {
                    offsets: Cursor::new(snapshot, offsets)?,
                    items: Box::new(Self::new(snapshot, items)?),
                },
            ),
        };
        let has_nulls = snapshot.manifest().array(valid).is_some();
        Ok(Self {
            valid: has_nulls
                .then(|| Cursor::new(snapshot, valid))
                .transpose()?,
            body,
        })
    }

    /// Bytes that these entries take in a record batch, at most.
    fn bytes(&mut self, entries: Range<u64>) -> BoxFuture<'_, Result<u64>> {
        async move {
            let count = entries.end - entries.start;
            let inner = match &mut self.body {
                Body::Fixed(values) => count * values.array().row_bytes(),
                Body::Bytes { offsets, .. } => {
                    let span = offsets.span(&entries).await?;
                    (count + 1) * 8 + (span.end - span.start)
                }
                Body::List { offsets, items } => {
                    let span = offsets.span(&entries).await?;
                    (count + 1) * 8 + items.bytes(span).await?
                }
            };
            // Two buffers, each padded to 64 bytes.
            Ok(inner + count / 8 + 128)
        }
        .boxed()
    }

    fn read<'a>(
        &'a mut self,
        column: &'a str,
        data_type: &'a DataType,
        entries: Range<u64>,
    ) -> BoxFuture<'a, Result<ArrayData>> {
        async move {
            let count = (entries.end - entries.start) as usize;
            let nulls = match &mut self.valid {
                Some(valid) => {
                    let bytes = valid.read(entries.clone()).await?;
                    Some(NullBuffer::from_iter(bytes.iter().map(|byte| *byte != 0)))
                }
                None => None,
            };
            let data = ArrayData::builder(data_type.clone())
                .len(count)
                .nulls(nulls.filter(|nulls| nulls.null_count() > 0));
            let data = match (&mut self.body, data_type) {
                (Body::Fixed(values), DataType::FixedSizeList(item, size)) => {
                    let buffer = buffer(values, entries).await?;
                    let items = ArrayData::builder(item.data_type().clone())
                        .len(count * usize::try_from(*size).unwrap_or(0))
                        .add_buffer(buffer)
                        .align_buffers(true)
                        .build()?;
                    data.add_child_data(items)
                }
                (Body::Fixed(values), _) => data.add_buffer(buffer(values, entries).await?),
                (Body::Bytes { offsets, values }, data_type) => {
                    let large = matches!(data_type, DataType::LargeUtf8 | DataType::LargeBinary);
                    let (buffer, span) = rebased(column, offsets, entries, large).await?;
                    data.add_buffer(buffer)
                        .add_buffer(Buffer::from(values.read(span).await?))
                }
                (
                    Body::List { offsets, items },
                    DataType::List(item) | DataType::LargeList(item),
                ) => {
                    let large = matches!(data_type, DataType::LargeList(_));
                    let (buffer, span) = rebased(column, offsets, entries, large).await?;
                    data.add_buffer(buffer)
                        .add_child_data(items.read(column, item.data_type(), span).await?)
                }
                (Body::List { offsets, .. }, _) => return Err(bad_offsets(offsets.array())),
            };
            // Validates offsets, text and lengths; copies what is not aligned.
            Ok(data.align_buffers(true).build()?)
        }
        .boxed()
    }
}

async fn buffer(values: &mut Cursor, entries: Range<u64>) -> Result<Buffer> {
    let bytes = values.read(entries).await?;
    if values.array().dtype == DType::Bool {
        let bits = arrow::buffer::BooleanBuffer::from_iter(bytes.iter().map(|byte| *byte != 0));
        return Ok(bits.into_inner());
    }
    Ok(Buffer::from(bytes))
}

/// Offsets from 0 of the width that the type has, and what they cover.
async fn rebased(
    column: &str,
    offsets: &mut Cursor,
    entries: Range<u64>,
    large: bool,
) -> Result<(Buffer, Range<u64>)> {
    let span = offsets.span(&entries).await?;
    let bytes = offsets.read(entries.start..entries.end + 1).await?;
    let each = bytes.chunks_exact(8).map(|b| {
        i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
            .wrapping_sub(span.start as i64)
    });
    let buffer = if large {
        Buffer::from_vec(each.collect::<Vec<i64>>())
    } else {
        let narrow: Result<Vec<i32>, _> = each.map(i32::try_from).collect();
        let narrow = narrow.map_err(|_| ExportError::RowTooLarge(column.to_owned()))?;
        Buffer::from_vec(narrow)
    };
    Ok((buffer, span))
}

/// The bytes of the buffers of a batch.
#[must_use]
pub fn batch_bytes(batch: &RecordBatch) -> u64 {
    let sizes = batch.columns().iter().map(|column: &ArrayRef| {
        column
            .to_data()
            .get_slice_memory_size()
            .unwrap_or_else(|_| column.get_buffer_memory_size())
    });
    sizes.sum::<usize>() as u64
}
