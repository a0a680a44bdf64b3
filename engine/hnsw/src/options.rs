//! How an index is built, and what that takes.

use std::sync::atomic::{AtomicBool, Ordering};

use penstock_types::Metric;

use crate::error::{HnswError, Result};
use crate::memory::footprint;
use crate::threads::threads;
use crate::{MAX_DIM, MAX_ROWS, codes, level};

/// What an index is built with. The names of the literature are in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How vectors are compared.
    pub metric: Metric,
    /// Links that a new vertex makes per layer (M), from 2 to 64; the base layer keeps up to twice
    /// as many.
    pub edges: usize,
    /// Candidates that an insertion keeps (efConstruction), from 1 to 65,536.
    pub ef_construction: usize,
    /// Chooses the layers of the vertices and the order of insertion. With one thread the same
    /// rows, options and seed make the same index, bit for bit.
    pub seed: u64,
    /// Threads of the build; 0 takes one per core.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            metric: Metric::default(),
            edges: 16,
            ef_construction: 200,
            seed: 0,
            threads: 0,
        }
    }
}

impl Options {
    /// Slots of a vertex's list of links in the base layer.
    pub(crate) fn base_slots(&self) -> usize {
        2 * self.edges
    }

    pub(crate) fn check(&self) -> Result<()> {
        within("edges", self.edges, 2, 64)?;
        within("ef_construction", self.ef_construction, 1, 65_536)
    }
}

pub(crate) fn within(option: &'static str, value: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(HnswError::Option {
        option,
        value,
        least,
        most,
    })
}

pub(crate) fn check_shape(numbers: usize, dim: usize) -> Result<usize> {
    if !(1..=MAX_DIM).contains(&dim) {
        return Err(HnswError::Dim { dim });
    }
    if !numbers.is_multiple_of(dim) {
        return Err(HnswError::Ragged { numbers, dim });
    }
    let rows = numbers / dim;
    if rows > MAX_ROWS {
        return Err(HnswError::TooManyRows { rows });
    }
    Ok(rows)
}

/// How long work is watched and stopped.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    /// The work ends with [`HnswError::Cancelled`] soon after this is true.
    pub cancel: &'a AtomicBool,
    /// Called now and then, from several threads, with the rows done and all rows.
    pub progress: &'a (dyn Fn(usize, usize) + Sync),
}

static NEVER: AtomicBool = AtomicBool::new(false);

impl Default for Control<'_> {
    /// Neither watched nor stopped.
    fn default() -> Self {
        Self {
            cancel: &NEVER,
            progress: &|_, _| {},
        }
    }
}

impl std::fmt::Debug for Control<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("cancel", self.cancel)
            .finish_non_exhaustive()
    }
}

impl Control<'_> {
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancel.load(Ordering::Relaxed) {
            return Err(HnswError::Cancelled);
        }
        Ok(())
    }
}

/// Bytes of memory, to within the few of the upper layers that chance decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Held by the index.
    pub index: u64,
    /// Held at the most while it is built, the caller's own rows not counted.
    pub peak: u64,
}

pub(crate) fn memory(rows: usize, dim: usize, options: &Options) -> Memory {
    let array = |bytes: usize| footprint(bytes) as u64;
    let codes = array(rows * codes::stride(dim)) + array(4 * rows);
    let base = array(4 * rows * options.base_slots());
    let upper: u64 = level::expected(rows, options.edges)
        .into_iter()
        .map(|vertices| array(4 * vertices * options.edges))
        .sum();
    // Vector of a row and rows of a vector, label; where equal ones are in groups, less than the
    // vectors that they save.
    let numbers = (rows * (4 + 4 + 8)) as u64;
    let vectors = array(4 * rows * codes::vector_stride(dim));
    let index = vectors + codes + base + upper + numbers + (4 * dim) as u64;
    // While the graph grows it has locks, code sums, rows that are distinct and scratch, but no vectors; then both graphs
    // lie side by side for a moment, and the vectors come last.
    // A graph for inner products may grow by codes of its own.
    let lifted = match options.metric {
        Metric::Dot => array(rows * codes::stride(dim + 1)) + array(4 * rows),
        Metric::Cosine | Metric::L2 => 0,
    };
    let growing = codes + lifted + base + upper + numbers + (rows * (1 + 4 + 4 + 4 + 8)) as u64;
    let scratch = (threads(options.threads) * (rows / 8 + 4 * rows)) as u64;
    let peak = growing + scratch + (index - vectors).max(growing) + vectors;
    Memory { index, peak }
}
