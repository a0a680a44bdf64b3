//! Cutting a stream of entries into chunks.

use bytes::Bytes;

use crate::crc;
use crate::dtype::DType;
use crate::manifest::Chunk;

/// Bytes of elements in a chunk, at most, unless one entry alone is larger.
pub const CHUNK_BYTES: u64 = 4 << 20;

/// Entries of a chunk.
#[must_use]
pub fn rows_per_chunk(row_bytes: u64) -> u64 {
    (CHUNK_BYTES / row_bytes.max(1)).max(1)
}

/// A chunk that is ready to be stored: elements, then the checksum.
#[derive(Debug, Clone)]
pub struct Ready {
    /// Its number.
    pub index: u64,
    /// The bytes of the object.
    pub bytes: Bytes,
}

/// Collects entries of one array and gives out full chunks. It holds one chunk at most, besides
/// what was pushed at once and not yet taken.
#[derive(Debug)]
pub struct ChunkBuffer {
    dtype: DType,
    width: Option<u64>,
    chunk_rows: u64,
    chunk_bytes: usize,
    buffer: Vec<u8>,
    ready: Vec<Ready>,
    rows: u64,
    chunks: Vec<Chunk>,
}

/// The shape of a finished array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Its shape.
    pub shape: Vec<u64>,
    /// The shape of its chunks.
    pub chunk_shape: Vec<u64>,
    /// Its chunks.
    pub chunks: Vec<Chunk>,
}

impl ChunkBuffer {
    /// An empty array.
    #[must_use]
    pub fn new(dtype: DType, width: Option<u64>) -> Self {
        let row_bytes = width.unwrap_or(1) * dtype.size() as u64;
        let chunk_rows = rows_per_chunk(row_bytes);
        Self {
            dtype,
            width,
            chunk_rows,
            chunk_bytes: (chunk_rows * row_bytes) as usize,
            buffer: Vec::new(),
            ready: Vec::new(),
            rows: 0,
            chunks: Vec::new(),
        }
    }

    fn row_bytes(&self) -> usize {
        self.width.unwrap_or(1) as usize * self.dtype.size()
    }

    /// Entries so far.
    #[must_use]
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Appends whole entries.
    pub fn push(&mut self, mut bytes: &[u8]) {
        debug_assert_eq!(bytes.len() % self.row_bytes(), 0);
        self.rows += (bytes.len() / self.row_bytes()) as u64;
        while !bytes.is_empty() {
            let (now, later) =
                bytes.split_at(bytes.len().min(self.chunk_bytes - self.buffer.len()));
            self.reserve(now.len());
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == self.chunk_bytes {
                self.seal();
            }
        }
    }

    /// Doubles like a vector does, but never past a chunk and its checksum.
    fn reserve(&mut self, more: usize) {
        let needed = self.buffer.len() + more;
        if needed > self.buffer.capacity() {
            let target = (2 * needed).min(self.chunk_bytes + 4);
            self.buffer.reserve_exact(target - self.buffer.len());
        }
    }

    /// Appends entries that are `entry` each.
    pub fn repeat(&mut self, entry: &[u8], count: u64) {
        let block = entry.repeat((count.min(4096)) as usize);
        let mut left = count;
        while left > 0 {
            let now = left.min(4096);
            self.push(&block[..now as usize * entry.len()]);
            left -= now;
        }
    }

    /// Appends fill entries.
    pub fn fill(&mut self, count: u64) {
        let entry = self.dtype.fill().repeat(self.width.unwrap_or(1) as usize);
        self.repeat(&entry, count);
    }

    fn seal(&mut self) {
        let mut bytes = std::mem::take(&mut self.buffer);
        let crc32c = crc::append(&mut bytes);
        self.ready.push(Ready {
            index: self.chunks.len() as u64,
            bytes: bytes.into(),
        });
        self.chunks.push(Chunk {
            length: self.chunk_bytes as u64 + 4,
            crc32c,
        });
    }

    /// The chunks that became full since the last call.
    pub fn take(&mut self) -> Vec<Ready> {
        std::mem::take(&mut self.ready)
    }

    /// Ends the array. An array that fits one chunk has a chunk of its own size; else the last
    /// chunk is filled up, as Zarr's regular grid demands.
    #[must_use]
    pub fn finish(mut self) -> (Finished, Vec<Ready>) {
        if !self.buffer.is_empty() {
            if self.chunks.is_empty() {
                self.chunk_rows = self.rows;
                self.chunk_bytes = self.buffer.len();
            } else {
                let fill = self.dtype.fill();
                self.reserve(self.chunk_bytes - self.buffer.len());
                while self.buffer.len() < self.chunk_bytes {
                    self.buffer.extend_from_slice(&fill);
                }
            }
            self.seal();
        } else if self.rows == 0 {
            self.chunk_rows = 1;
        }
        let shape = |rows: u64| std::iter::once(rows).chain(self.width).collect();
        let finished = Finished {
            shape: shape(self.rows),
            chunk_shape: shape(self.chunk_rows),
            chunks: self.chunks,
        };
        (finished, self.ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_arrays_have_one_chunk_of_their_size() {
        let mut buffer = ChunkBuffer::new(DType::Float32, Some(3));
        buffer.push(&[1; 24]);
        let (finished, ready) = buffer.finish();
        assert_eq!(finished.shape, [2, 3]);
        assert_eq!(finished.chunk_shape, [2, 3]);
        assert_eq!(ready.len(), 1);
        assert_eq!(ready[0].bytes.len(), 28);
        assert_eq!(finished.chunks[0].length, 28);
    }

    #[test]
    fn the_last_chunk_is_filled_up() {
        let mut buffer = ChunkBuffer::new(DType::Float64, None);
        let per_chunk = rows_per_chunk(8);
        buffer.fill(per_chunk);
        buffer.push(&2f64.to_le_bytes());
        assert_eq!(buffer.take().len(), 1);
        let (finished, ready) = buffer.finish();
        assert_eq!(finished.shape, [per_chunk + 1]);
        assert_eq!(finished.chunk_shape, [per_chunk]);
        assert_eq!(finished.chunks.len(), 2);
        let last = &ready[0];
        assert_eq!(last.index, 1);
        assert_eq!(last.bytes.len() as u64, CHUNK_BYTES + 4);
        assert_eq!(last.bytes[..8], 2f64.to_le_bytes());
        assert!(f64::from_le_bytes(last.bytes[8..16].try_into().unwrap()).is_nan());
    }

    #[test]
    fn empty_arrays_have_no_chunks() {
        let (finished, ready) = ChunkBuffer::new(DType::UInt8, Some(32)).finish();
        assert_eq!(finished.shape, [0, 32]);
        assert_eq!(finished.chunk_shape, [1, 32]);
        assert!(ready.is_empty() && finished.chunks.is_empty());
    }
}
