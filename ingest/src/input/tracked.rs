//! A buffered stream that knows how many of its bytes were taken.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ReadError;

pub(super) struct Tracked {
    inner: BufReader<Stream>,
    consumed: Arc<AtomicU64>,
}

/// Marks the system's errors as such, so that they are not taken for damaged data.
struct Stream {
    file: String,
    inner: Box<dyn Read + Send>,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::from_io(&self.file, error).into_io()),
                Ok(n) => return Ok(n),
            }
        }
    }
}

impl Tracked {
    pub(super) fn new(file: &str, inner: Box<dyn Read + Send>) -> Self {
        let stream = Stream {
            file: file.to_owned(),
            inner,
        };
        Self {
            inner: BufReader::with_capacity(128 << 10, stream),
            consumed: Arc::default(),
        }
    }

    /// The count of bytes taken, as it goes on.
    pub(super) fn consumed(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.consumed)
    }

    /// The offset of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }
}

impl Read for Tracked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.consumed.fetch_add(n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

impl BufRead for Tracked {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.inner.consume(n);
        self.consumed.fetch_add(n as u64, Ordering::Relaxed);
    }
}
