//! Ids and vectors of rows that were found, read where they lie.
//!
//! A candidate is one row of a fragment, anywhere in it. Lance reads such rows well where each read
//! is a request to an object store; of a file in the page cache the way there takes many times as
//! long as the read. Where a column's pages hold plain numbers, one vector after the other, vectors
//! are read from the file itself. Ids are compressed in blocks, so blocks of them are kept.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::{Stream, StreamExt, TryStreamExt};
use lance::Dataset;
use lance::dataset::ProjectionRequest;
use lance::dataset::fragment::{FileFragment, FragReadConfig, FragmentReader};
use penstock_store::Table;
use penstock_types::columns::ID;
use penstock_types::{Metric, Probe};
use tokio::sync::OnceCell;

use super::plain::{Plain, Space};
use crate::approximate::{self, READ_ROWS};
use crate::{IndexError, Result};

/// Fragments whose files stay open.
const FRAGMENTS: usize = 64;
/// Bytes of ids that are kept of one index.
const ID_BYTES: usize = 16 << 20;
/// Ids that are read and kept together.
const ID_ROWS: u32 = 1024;
/// Reads of a disk at once.
const READS: usize = 8;
/// Vectors read on the thread of the request, where the file is in memory.
const INLINE_ROWS: usize = 256;
/// A vector takes longer than this: the file is not in memory.
const SLOW: Duration = Duration::from_micros(20);

/// The files of a version, open.
pub(super) struct Files {
    fragments: HashMap<u32, Open>,
    columns: Arc<lance::datatypes::Schema>,
    ids: Arc<lance::datatypes::Schema>,
    blocks: Mutex<Blocks>,
    /// Whether the last vectors had to be waited for.
    is_slow: AtomicBool,
}

struct Open {
    fragment: FileFragment,
    /// Vectors as they lie in the file; `None` where Lance must decode them.
    plain: Option<Arc<Plain>>,
    both: OnceCell<FragmentReader>,
    ids: OnceCell<FragmentReader>,
}

/// Distances of one query's candidates, in the order of the candidates; a row without a distance
/// has none.
pub(super) type Distances = Vec<Option<f32>>;

impl Files {
    pub(super) async fn of(
        dataset: &Arc<Dataset>,
        column: &str,
        number: &DataType,
        dim: usize,
    ) -> Result<Self, lance::Error> {
        let mut fragments = HashMap::new();
        let all = dataset.get_fragments();
        if all.len() <= FRAGMENTS {
            for fragment in all {
                let plain = Plain::of(dataset, &fragment, column, number, dim).await?;
                if let Ok(id) = u32::try_from(fragment.id()) {
                    let open = Open {
                        fragment,
                        plain: plain.map(Arc::new),
                        both: OnceCell::new(),
                        ids: OnceCell::new(),
                    };
                    fragments.insert(id, open);
                }
            }
        }
        Ok(Self {
            fragments,
            columns: Arc::new(dataset.schema().project(&[ID, column])?),
            ids: Arc::new(dataset.schema().project(&[ID])?),
            blocks: Mutex::default(),
            is_slow: AtomicBool::new(false),
        })
    }

    /// Whether the vectors of these rows can be read without Lance.
    pub(super) fn is_plain<'r>(&self, rows: impl IntoIterator<Item = &'r u64>) -> bool {
        rows.into_iter().all(|row| {
            let open = self.fragments.get(&fragment_of(*row));
            open.is_some_and(|open| open.plain.is_some())
        })
    }

    /// Distances of rows, which are all plain, to one vector. Where they are few and in memory they
    /// are read here; a disk is better asked for several at once.
    pub(super) async fn distances(
        self: &Arc<Self>,
        metric: Metric,
        vector: &[f32],
        rows: &[u64],
        failed: impl Fn(lance::Error) -> IndexError,
    ) -> Result<Distances> {
        if rows.len() <= INLINE_ROWS && !self.is_slow.load(Ordering::Relaxed) {
            return self.distances_here(metric, vector, rows).map_err(failed);
        }
        let share = rows.len().div_ceil(READS).max(1);
        let vector: Arc<[f32]> = vector.into();
        let shares = rows.chunks(share).map(|rows| {
            let (this, vector, rows) = (Arc::clone(self), Arc::clone(&vector), rows.to_vec());
            tokio::task::spawn_blocking(move || this.distances_here(metric, &vector, &rows))
        });
        let mut all = Vec::with_capacity(rows.len());
        for share in futures::future::try_join_all(shares).await? {
            all.extend(share.map_err(&failed)?);
        }
        Ok(all)
    }

    /// As [`Files::distances`], on this thread.
    pub(super) fn distances_here(
        &self,
        metric: Metric,
        vector: &[f32],
        rows: &[u64],
    ) -> Result<Distances, lance::Error> {
        let probe = Probe::new(metric, vector);
        let mut space = Space::default();
        let started = Instant::now();
        let found = rows.iter().map(|row| {
            let open = self.fragments.get(&fragment_of(*row));
            let plain = open.and_then(|open| open.plain.as_ref());
            let plain = plain.ok_or_else(|| {
                lance::Error::internal("vectors of a fragment were taken for plain")
            })?;
            let read = plain.read(*row as u32, &mut space)?;
            Ok(read.and_then(|vector| probe.distance(vector)))
        });
        let found = found.collect::<Result<Vec<_>, lance::Error>>()?;
        let is_slow = started.elapsed() > SLOW * u32::try_from(rows.len()).unwrap_or(u32::MAX);
        self.is_slow.store(is_slow, Ordering::Relaxed);
        Ok(found)
    }

    /// The ids of these rows, in their order.
    pub(super) async fn ids(&self, rows: &[u64]) -> Result<Vec<String>, lance::Error> {
        let mut ids: Vec<Option<String>> = vec![None; rows.len()];
        let mut missing = Vec::new();
        {
            let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            for (row, id) in rows.iter().zip(&mut ids) {
                *id = blocks.get(block_of(*row)).map(|block| id_of(block, *row));
                if id.is_none() {
                    missing.push(block_of(*row));
                }
            }
        }
        missing.sort_unstable();
        missing.dedup();
        let reads = missing.into_iter().map(|block| async move {
            let ids = self.block(block).await?;
            Ok::<_, lance::Error>((block, ids))
        });
        // Not all at once: each is some KB, and there may be as many as rows.
        let reads: Vec<_> = reads.collect();
        let mut reads = futures::stream::iter(reads).buffer_unordered(READS);
        while let Some((block, read)) = reads.try_next().await? {
            for (row, id) in rows.iter().zip(&mut ids) {
                if block_of(*row) == block {
                    *id = Some(id_of(&read, *row));
                }
            }
            let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
            blocks.keep(block, read);
        }
        Ok(ids.into_iter().flatten().collect())
    }

    async fn block(&self, (fragment, block): Block) -> Result<StringArray, lance::Error> {
        let missing = || lance::Error::internal("a row that was found is in no fragment");
        let open = self.fragments.get(&fragment).ok_or_else(missing)?;
        let reader = open
            .ids
            .get_or_try_init(|| {
                // Offsets are physical, and nobody asks for deleted rows.
                let how = FragReadConfig::default().with_ignore_deletions(true);
                open.fragment.open(&self.ids, how)
            })
            .await?;
        let start = (block * ID_ROWS) as usize;
        let end = open.fragment.physical_rows().await?;
        let end = end.min(start + ID_ROWS as usize);
        let batch = reader.read_range_as_batch(start..end).await?;
        let ids = batch.column_by_name(ID).ok_or_else(missing)?;
        Ok(cast(ids, &DataType::Utf8)?.as_string::<i32>().clone())
    }

    /// Ids and vectors of these rows by Lance, in no particular order, with where they are; each row
    /// once.
    pub(super) fn read(
        self: &Arc<Self>,
        table: &Table,
        mut rows: Vec<u64>,
    ) -> impl Stream<Item = Result<RecordBatch, lance::Error>> + use<> {
        rows.sort_unstable();
        rows.dedup();
        let same = |a: &u64, b: &u64| fragment_of(*a) == fragment_of(*b);
        let chunks: Vec<Vec<u64>> = rows
            .chunk_by(same)
            .flat_map(|of_one| of_one.chunks(READ_ROWS))
            .map(<[u64]>::to_vec)
            .collect();
        let (this, dataset) = (Arc::clone(self), Arc::clone(table.dataset()));
        futures::stream::iter(chunks)
            .map(move |rows| Arc::clone(&this).read_some(Arc::clone(&dataset), rows))
            .buffered(2)
    }

    /// Rows of one fragment.
    async fn read_some(
        self: Arc<Self>,
        dataset: Arc<Dataset>,
        rows: Vec<u64>,
    ) -> Result<RecordBatch, lance::Error> {
        let fragment = rows.first().map(|row| fragment_of(*row));
        let Some(open) = fragment.and_then(|fragment| self.fragments.get(&fragment)) else {
            let columns = ProjectionRequest::Schema(Arc::clone(&self.columns));
            return approximate::read(dataset, rows, columns).await;
        };
        let reader = open
            .both
            .get_or_try_init(|| {
                let how = FragReadConfig::default().with_row_id(true);
                open.fragment.open(&self.columns, how)
            })
            .await?;
        let offsets: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        reader.take_as_batch(&offsets, None).await
    }
}

fn fragment_of(row: u64) -> u32 {
    (row >> 32) as u32
}

/// A fragment, and which of its blocks.
type Block = (u32, u32);

fn block_of(row: u64) -> Block {
    (fragment_of(row), row as u32 / ID_ROWS)
}

fn id_of(block: &StringArray, row: u64) -> String {
    block.value((row as u32 % ID_ROWS) as usize).to_owned()
}

/// Blocks of ids, of which the oldest go first.
#[derive(Default)]
struct Blocks {
    kept: HashMap<Block, StringArray>,
    order: VecDeque<Block>,
    bytes: usize,
}

impl Blocks {
    fn get(&mut self, block: Block) -> Option<&StringArray> {
        self.kept.get(&block)
    }

    fn keep(&mut self, block: Block, ids: StringArray) {
        self.bytes += ids.get_array_memory_size();
        match self.kept.insert(block, ids) {
            // Two searches read it at once.
            Some(before) => self.bytes -= before.get_array_memory_size(),
            None => self.order.push_back(block),
        }
        while self.bytes > ID_BYTES
            && let Some(oldest) = self.order.pop_front()
        {
            if let Some(gone) = self.kept.remove(&oldest) {
                self.bytes -= gone.get_array_memory_size();
            }
        }
    }
}
