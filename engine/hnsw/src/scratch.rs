//! What a search writes to, kept from one search to the next.

use std::sync::Mutex;

use crate::codes::{stride, vector_stride};
use crate::memory::Aligned;
use crate::search::Hit;
use crate::walk::{Pool, Seen};

/// The working memory of one searching thread: about 1 bit and, at the most, 4 bytes per row.
#[derive(Debug)]
pub struct Scratch {
    pub(crate) seen: Seen,
    pub(crate) pool: Pool,
    /// Forbidden vertices between two allowed ones.
    pub(crate) bridges: Vec<u32>,
    pub(crate) query: Aligned<f32>,
    pub(crate) codes: Aligned<i8>,
    pub(crate) hits: Vec<Hit>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

impl Scratch {
    /// Empty; it grows at the first search and then stays. One may serve several indexes.
    #[must_use]
    pub fn new() -> Self {
        Self {
            seen: Seen::default(),
            pool: Pool::default(),
            bridges: Vec::new(),
            query: Aligned::zeros(0),
            codes: Aligned::zeros(0),
            hits: Vec::new(),
        }
    }

    pub(crate) fn fit(&mut self, dim: usize) {
        if self.query.len() != vector_stride(dim) {
            self.query = Aligned::zeros(vector_stride(dim));
        }
        if self.codes.len() != stride(dim) {
            self.codes = Aligned::zeros(stride(dim));
        }
    }
}

/// Scratches that no search uses just now: at most as many as ever searched at once.
#[derive(Debug, Default)]
pub(crate) struct Scratches(Mutex<Vec<Scratch>>);

impl Scratches {
    pub(crate) fn take(&self) -> Scratch {
        let mut free = self.0.lock().unwrap_or_else(|poison| poison.into_inner());
        free.pop().unwrap_or_default()
    }

    pub(crate) fn give(&self, scratch: Scratch) {
        let mut free = self.0.lock().unwrap_or_else(|poison| poison.into_inner());
        free.push(scratch);
    }
}
