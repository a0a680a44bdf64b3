//! Bounds on what decompression may produce.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Limits, Position, ReadError};

pub(super) struct Guard {
    pub(super) file: String,
    pub(super) inner: Box<dyn Read + Send>,
    /// Compressed bytes taken; `None` for plain data, which have no ratio.
    pub(super) consumed: Option<Arc<AtomicU64>>,
    pub(super) produced: u64,
    /// Bytes produced by all members of the source together.
    pub(super) total: Arc<AtomicU64>,
    /// Size of the archive: its members may share compressed bytes.
    pub(super) archive_bytes: Option<u64>,
    pub(super) limits: Limits,
}

impl Guard {
    fn check(&self, total: u64) -> Option<ReadError> {
        let over = |what, limit| ReadError::Limit {
            file: self.file.clone(),
            record: None,
            position: Position::Byte(self.produced),
            what,
            limit,
        };
        if let Some(limit) = self.limits.max_output_bytes
            && total > limit
        {
            return Some(over("the decompressed file", limit));
        }
        let ratio = self.limits.max_ratio;
        let bomb = |produced: u64, consumed: u64| {
            produced > self.limits.ratio_floor && produced / ratio.max(1) > consumed
        };
        let member = self.consumed.as_ref().map(|c| c.load(Ordering::Relaxed));
        if member.is_some_and(|consumed| bomb(self.produced, consumed))
            || self.archive_bytes.is_some_and(|bytes| bomb(total, bytes))
        {
            return Some(over("the ratio of decompressed to compressed bytes", ratio));
        }
        None
    }
}

impl Read for Guard {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.produced += n as u64;
        let total = self.total.fetch_add(n as u64, Ordering::Relaxed) + n as u64;
        match self.check(total) {
            Some(error) => Err(error.into_io()),
            None => Ok(n),
        }
    }
}
