//! Blocks of an array: what a rank pulls.

use std::ops::Range;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};

use crate::crc::Combined;
use crate::dtype::{self, DType};
use crate::error::{ExportError, Result};
use crate::manifest::Array;
use crate::snapshot::{READS_AHEAD, Snapshot};

/// The largest block that is put together in memory for Fortran order.
pub const FORTRAN_LIMIT: u64 = 256 << 20;

/// The order of a block's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Order {
    /// Entry by entry, as stored.
    #[default]
    C,
    /// Component by component.
    F,
}

/// Which block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRequest {
    /// The array.
    pub array: String,
    /// Its entries. Where an array has one entry per row they are rows; see [`Snapshot::entries`].
    pub entries: Range<u64>,
    /// The element type wanted; the array's own if `None`.
    pub dtype: Option<DType>,
    /// The order wanted.
    pub order: Order,
}

impl BlockRequest {
    /// These entries as they are stored.
    #[must_use]
    pub fn new(array: impl Into<String>, entries: Range<u64>) -> Self {
        Self {
            array: array.into(),
            entries,
            dtype: None,
            order: Order::C,
        }
    }
}

/// A contiguous block of an array. Its size and shape are known before a chunk is read.
#[derive(Debug, Clone)]
pub struct RowBlock {
    snapshot: Snapshot,
    array: usize,
    entries: Range<u64>,
    dtype: DType,
    order: Order,
    base: i64,
}

/// The part of a block that lies in one chunk.
#[derive(Debug, Clone)]
struct Piece {
    chunk: u64,
    /// Entries within the chunk.
    entries: Range<u64>,
    /// First entry within the block.
    at: u64,
}

impl Snapshot {
    /// A block of an array.
    ///
    /// # Errors
    /// There is no such array, it is shorter, it does not convert to the type asked for, or the
    /// block is too large for Fortran order.
    pub fn block(&self, request: &BlockRequest) -> Result<RowBlock> {
        let index = self.index_of(&request.array)?;
        let array = &self.manifest().arrays[index];
        let Range { start, end } = request.entries;
        if start > end || end > array.rows() {
            return Err(ExportError::Rows {
                array: array.name.clone(),
                start,
                end,
                length: array.rows(),
            });
        }
        let dtype = request.dtype.unwrap_or(array.dtype);
        if !array.dtype.converts_to(dtype) {
            return Err(ExportError::Conversion {
                from: array.dtype,
                to: dtype,
            });
        }
        // A list of numbers is the same in both orders.
        let order = match array.shape.len() {
            1 => Order::C,
            _ => request.order,
        };
        let block = RowBlock {
            snapshot: self.clone(),
            array: index,
            entries: start..end,
            dtype,
            order,
            base: 0,
        };
        if order == Order::F && block.bytes() > FORTRAN_LIMIT {
            return Err(ExportError::BlockTooLarge {
                bytes: block.bytes(),
                limit: FORTRAN_LIMIT,
            });
        }
        Ok(block)
    }
}

impl RowBlock {
    /// The array.
    #[must_use]
    pub fn array(&self) -> &Array {
        &self.snapshot.manifest().arrays[self.array]
    }

    /// Its entries.
    #[must_use]
    pub fn entries(&self) -> Range<u64> {
        self.entries.clone()
    }

    /// The shape of the block.
    #[must_use]
    pub fn shape(&self) -> Vec<u64> {
        let mut shape = self.array().shape.clone();
        shape[0] = self.count();
        shape
    }

    /// The type of its elements.
    #[must_use]
    pub const fn dtype(&self) -> DType {
        self.dtype
    }

    /// The order of its elements: `C` where both orders are the same.
    #[must_use]
    pub const fn order(&self) -> Order {
        self.order
    }

    /// Its length in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.count() * self.entry_bytes()
    }

    /// The block of an array of offsets with `base` taken from each, so that the offsets of a
    /// rank's rows begin with 0.
    #[must_use]
    pub(crate) fn rebased(mut self, base: i64) -> Self {
        self.base = base;
        self
    }

    fn count(&self) -> u64 {
        self.entries.end - self.entries.start
    }

    fn entry_bytes(&self) -> u64 {
        self.array().width() * self.dtype.size() as u64
    }

    fn is_as_stored(&self) -> bool {
        self.dtype == self.array().dtype && self.base == 0
    }

    fn pieces(&self) -> impl Iterator<Item = Piece> + Send + use<> {
        let per_chunk = self.array().chunk_rows();
        let Range { start, end } = self.entries;
        let chunks = if start == end {
            0..0
        } else {
            start / per_chunk..end.div_ceil(per_chunk)
        };
        chunks.map(move |chunk| {
            let first = chunk * per_chunk;
            let from = start.max(first);
            Piece {
                chunk,
                entries: from - first..end.min(first + per_chunk) - first,
                at: from - start,
            }
        })
    }

    /// The bytes of a piece, converted, in C order.
    async fn read(&self, piece: &Piece) -> Result<Bytes> {
        let array = self.array();
        let stored = self.snapshot.chunk_of(array, piece.chunk).await?;
        let at = |entry: u64| (entry * array.row_bytes()) as usize;
        let bytes = stored.slice(at(piece.entries.start)..at(piece.entries.end));
        if self.base != 0 {
            let shifted = bytes.chunks_exact(8).flat_map(|b| {
                let offset = i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
                (offset - self.base).to_le_bytes()
            });
            return Ok(shifted.collect::<Vec<u8>>().into());
        }
        if self.dtype == array.dtype {
            return Ok(bytes);
        }
        Ok(dtype::convert(array.dtype, self.dtype, &bytes)?.into())
    }

    /// The block in Fortran order, in memory.
    async fn transposed(&self) -> Result<Bytes> {
        let (count, width, size) = (
            self.count() as usize,
            self.array().width() as usize,
            self.dtype.size(),
        );
        let mut out = vec![0; self.bytes() as usize];
        let mut reads = stream::iter(self.pieces())
            .map(|piece| async move { Ok::<_, ExportError>((piece.at, self.read(&piece).await?)) })
            .buffered(READS_AHEAD);
        while let Some((at, bytes)) = reads.try_next().await? {
            for (row, entry) in bytes.chunks_exact(width * size).enumerate() {
                for (component, element) in entry.chunks_exact(size).enumerate() {
                    let to = (component * count + at as usize + row) * size;
                    out[to..to + size].copy_from_slice(element);
                }
            }
        }
        Ok(out.into())
    }

    /// CRC-32C of the whole block. As stored and in C order, only the chunks at its two ends are
    /// read, unless it ends with them; else the block is computed for it.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub async fn crc32c(&self) -> Result<u32> {
        if self.order == Order::F {
            return Ok(crc32c::crc32c(&self.transposed().await?));
        }
        let array = self.array();
        let (per_chunk, row_bytes) = (array.chunk_rows(), array.row_bytes());
        let mut crc = Combined::default();
        for piece in self.pieces() {
            let whole = piece.entries == (0..per_chunk) && self.is_as_stored();
            match array.chunks.get(piece.chunk as usize) {
                Some(chunk) if whole => crc.piece(chunk.crc32c, per_chunk * row_bytes),
                _ => crc.bytes(&self.read(&piece).await?),
            }
        }
        Ok(crc.get())
    }

    /// The bytes of the block, or a range of them (a client that lost its connection goes on where
    /// it was). Each chunk is checked before any byte of it is given out.
    ///
    /// Memory: a few chunks; in Fortran order the whole block.
    ///
    /// # Errors
    /// The range is not within the block. In the stream: a chunk is damaged, a number does not fit
    /// the type asked for, the store failed.
    pub fn stream(self, range: Option<Range<u64>>) -> Result<BoxStream<'static, Result<Bytes>>> {
        let Range { start, end } = range.unwrap_or(0..self.bytes());
        if start > end || end > self.bytes() {
            return Err(ExportError::Bytes {
                start,
                end,
                length: self.bytes(),
            });
        }
        if self.order == Order::F {
            let whole = async move {
                let bytes = self.transposed().await?;
                Ok(bytes.slice(start as usize..end as usize))
            };
            return Ok(stream::once(whole).boxed());
        }
        let entry_bytes = self.entry_bytes();
        // The bytes of the block that a piece holds.
        let span = move |piece: &Piece| {
            let from = piece.at * entry_bytes;
            from..from + (piece.entries.end - piece.entries.start) * entry_bytes
        };
        let wanted = self
            .pieces()
            .skip_while(move |piece| span(piece).end <= start)
            .take_while(move |piece| span(piece).start < end);
        let pieces = stream::iter(wanted)
            .map(move |piece| {
                let block = self.clone();
                async move {
                    let bytes = block.read(&piece).await?;
                    let span = span(&piece);
                    let from = start.max(span.start) - span.start;
                    let to = end.min(span.end) - span.start;
                    Ok(bytes.slice(from as usize..to as usize))
                }
            })
            .buffered(READS_AHEAD);
        Ok(pieces.boxed())
    }

    /// The whole block in memory.
    ///
    /// # Errors
    /// As [`Self::stream`].
    pub async fn to_bytes(&self) -> Result<Bytes> {
        let mut out = Vec::with_capacity(self.bytes() as usize);
        let mut pieces = self.clone().stream(None)?;
        while let Some(piece) = pieces.try_next().await? {
            out.extend_from_slice(&piece);
        }
        Ok(out.into())
    }
}
