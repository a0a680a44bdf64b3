//! Which rows an index may find: those that a version has, or those of them for which a predicate
//! holds.
//!
//! Lance asks for the rows of a partition anew with every walk, row by row. Here the answer is kept
//! as a bit per row of each partition, so that a walk under a mask costs little more than one
//! without.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use lance::Dataset;
use lance::index::prefilter::PreFilter;
use lance_select::{RowAddrMask, RowAddrTreeMap, RowSetOps};
use roaring::RoaringBitmap;

/// The rows that may be found.
pub(super) struct Allowed {
    /// One per part of the index.
    parts: Vec<PartMask>,
    /// Rows that no part has; `None`: all of them.
    pub(super) rest: Option<RowAddrTreeMap>,
    /// Rows of a predicate that the parts have; `None` without one.
    count: Option<u64>,
    /// Bytes held once every partition was asked.
    pub(super) bytes: u64,
}

struct PartMask {
    rows: Arc<RowAddrMask>,
    /// Whether the index compares row by row, and so asks for the mask itself.
    is_flat: bool,
    partitions: Vec<OnceLock<Arc<PartitionMask>>>,
}

impl Allowed {
    /// `parts`: the rows of each part, and into how many partitions it is divided.
    pub(super) fn new(
        parts: Vec<(RowAddrTreeMap, usize)>,
        rest: Option<RowAddrTreeMap>,
        is_flat: bool,
        indexed_rows: u64,
    ) -> Self {
        let held = |rows: &RowAddrTreeMap| rows.serialized_size() as u64;
        let bytes = parts.iter().map(|(rows, _)| held(rows)).sum::<u64>()
            + rest.as_ref().map_or(0, held)
            + indexed_rows / 8;
        let count = match rest {
            None => None,
            Some(_) => parts.iter().map(|(rows, _)| rows.len()).sum(),
        };
        let parts = parts.into_iter().map(|(rows, partitions)| PartMask {
            rows: Arc::new(RowAddrMask::from_allowed(rows)),
            is_flat,
            partitions: (0..partitions).map(|_| OnceLock::new()).collect(),
        });
        Self {
            parts: parts.collect(),
            rest,
            count,
            bytes,
        }
    }

    /// What a search of one partition is given.
    pub(super) fn partition(&self, part: usize, partition: u32) -> Arc<dyn PreFilter> {
        let part = &self.parts[part];
        let new = || {
            Arc::new(PartitionMask {
                rows: Arc::clone(&part.rows),
                is_flat: part.is_flat,
                known: OnceLock::new(),
            })
        };
        match part.partitions.get(partition as usize) {
            Some(mask) => Arc::clone(mask.get_or_init(new)) as Arc<dyn PreFilter>,
            None => new(),
        }
    }

    /// All rows of a predicate that the parts have, where there are no more than `wanted`: nothing
    /// is left for an index to choose.
    pub(super) fn few(&self, wanted: usize) -> Option<Vec<u64>> {
        self.count.filter(|count| *count <= wanted as u64)?;
        let rows = self.parts.iter().filter_map(|part| part.rows.iter_addrs());
        Some(rows.flatten().map(u64::from).collect())
    }

    /// Whether a row that no part has may be found.
    pub(super) fn has_rest(&self, row: u64) -> bool {
        self.rest.as_ref().is_none_or(|rest| rest.contains(row))
    }
}

/// The rows of fragments that a version still has; `owned` names the fragments.
pub(super) async fn live(
    dataset: &Arc<Dataset>,
    owned: &RoaringBitmap,
) -> Result<RowAddrTreeMap, lance::Error> {
    let mut rows = RowAddrTreeMap::new();
    for fragment in dataset.get_fragments() {
        let Ok(id) = u32::try_from(fragment.id()) else {
            continue;
        };
        if !owned.contains(id) {
            continue;
        }
        match fragment.get_deletion_vector().await? {
            None => rows.insert_fragment(id),
            Some(deleted) => {
                let mut left = RoaringBitmap::new();
                left.insert_range(
                    0..u32::try_from(fragment.physical_rows().await?).unwrap_or(u32::MAX),
                );
                left -= RoaringBitmap::from(deleted.as_ref());
                rows.insert_bitmap(id, left);
            }
        }
    }
    Ok(rows)
}

/// Rows by fragment, of those fragments that `owned` names.
pub(super) fn of_fragments(
    rows: &HashMap<u32, RoaringBitmap>,
    owned: impl Fn(u32) -> bool,
) -> RowAddrTreeMap {
    let mut chosen = RowAddrTreeMap::new();
    for (fragment, offsets) in rows.iter().filter(|(fragment, _)| owned(**fragment)) {
        chosen.insert_bitmap(*fragment, offsets.clone());
    }
    chosen
}

/// A mask as one partition sees it.
struct PartitionMask {
    rows: Arc<RowAddrMask>,
    is_flat: bool,
    known: OnceLock<Known>,
}

/// What is known of a partition once it was asked for.
enum Known {
    /// Each of so many rows may be found.
    All(u64),
    /// The rows of these bits.
    Some(Box<[u64]>),
    /// Not all: the index looks at each row itself.
    Mixed,
}

#[async_trait]
impl PreFilter for PartitionMask {
    async fn wait_for_ready(&self) -> Result<(), lance::Error> {
        Ok(())
    }

    fn is_empty(&self) -> bool {
        matches!(self.known.get(), Some(Known::All(_)))
    }

    fn needs_partition_row_ids(&self) -> bool {
        self.is_flat && self.known.get().is_none()
    }

    fn is_empty_for(&self, rows: &RowAddrTreeMap) -> bool {
        let known = self.known.get_or_init(|| match rows.len() {
            Some(count) if self.rows.selects_all(rows) => Known::All(count),
            _ => Known::Mixed,
        });
        matches!(known, Known::All(_))
    }

    fn mask(&self) -> Arc<RowAddrMask> {
        Arc::clone(&self.rows)
    }

    fn filter_row_ids<'a>(&self, row_ids: Box<dyn Iterator<Item = &'a u64> + 'a>) -> Vec<u64> {
        let mut asked = Some(row_ids);
        let known = self.known.get_or_init(|| {
            let rows = asked.take().into_iter().flatten();
            known(rows.map(|row| self.rows.selected(*row)))
        });
        match (known, asked) {
            (Known::Some(bits), _) => ones(bits),
            (Known::All(count), _) => (0..*count).collect(),
            (Known::Mixed, Some(rows)) => self.rows.selected_indices(rows),
            // Cannot happen: rows that were just looked at are one of the others.
            (Known::Mixed, None) => Vec::new(),
        }
    }
}

fn known(allowed: impl Iterator<Item = bool>) -> Known {
    let mut bits = Vec::new();
    let (mut count, mut all) = (0, true);
    for (at, is_allowed) in allowed.enumerate() {
        if at % 64 == 0 {
            bits.push(0);
        }
        count += 1;
        all &= is_allowed;
        if let Some(word) = bits.last_mut() {
            *word |= u64::from(is_allowed) << (at % 64);
        }
    }
    if all {
        return Known::All(count);
    }
    Known::Some(bits.into_boxed_slice())
}

/// Where the bits are set.
fn ones(bits: &[u64]) -> Vec<u64> {
    let count = bits.iter().map(|word| word.count_ones() as usize).sum();
    let mut ones = Vec::with_capacity(count);
    for (at, word) in bits.iter().enumerate() {
        let mut word = *word;
        while word != 0 {
            ones.push(64 * at as u64 + u64::from(word.trailing_zeros()));
            word &= word - 1;
        }
    }
    ones
}
