//! When an index is worth it, and the parameters chosen for it.

use penstock_store::{IndexInfo, Table};
use penstock_types::Metric;

use crate::kind::IndexKind;
use crate::{Result, approximate};

/// Below this many rows an exact scan answers in milliseconds, and an index only costs.
///
/// Measured on two busy cores, from the local disk: a scan of 20,000 vectors of 64 numbers takes 5 to
/// 8 ms and grows with rows and numbers; an index lookup with its re-ranking takes 4 to 6 ms and
/// hardly grows. `every_kind_finds_nearly_all` prints both.
pub const WORTH_ROWS: u64 = 10_000;

/// Bring an index up to date once it misses this share of the rows ...
const STALE_SHARE: f64 = 0.05;
/// ... or this many rows, whichever comes first.
const STALE_ROWS: u64 = 10_000;

/// Rows per partition of the graph kinds: a graph answers in logarithmic time, so few large
/// partitions lose less than many small ones; 65,536 keeps one in memory while it is built.
const ROWS_PER_GRAPH: u64 = 65_536;
/// Rows per partition below which a centroid of the scanned kinds is fitted on noise.
const MIN_ROWS_PER_PARTITION: u64 = 256;
/// More centroids than this make training and probing slow.
const MAX_PARTITIONS: u64 = 4_096;

/// Why a column wants an index, or wants its index brought up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// There is none, and the table is large enough to profit.
    Missing {
        /// Rows of the table.
        rows: u64,
    },
    /// Too many rows were added since.
    Stale {
        /// Rows that the index covers.
        indexed_rows: u64,
        /// Rows that it does not.
        unindexed_rows: u64,
    },
}

/// Whether a feature column should be indexed, or its index brought up to date.
///
/// # Errors
/// The column holds no features, or reading the table's metadata fails.
pub async fn needs_index(table: &Table, column: &str) -> Result<Option<Reason>> {
    crate::column::feature(table, column)?;
    for metric in Metric::ALL {
        if let Some((_, info)) = approximate::usable_index(table, column, metric).await? {
            return Ok(is_stale(&info).then_some(Reason::Stale {
                indexed_rows: info.indexed_rows,
                unindexed_rows: info.unindexed_rows,
            }));
        }
    }
    let rows = table.count_rows(None).await?;
    Ok((rows >= WORTH_ROWS).then_some(Reason::Missing { rows }))
}

/// Whether an index of any kind misses so many rows that bringing it up to date is worth it.
pub(crate) fn is_stale(index: &IndexInfo) -> bool {
    let (indexed, unindexed) = (index.indexed_rows, index.unindexed_rows);
    unindexed >= STALE_ROWS || unindexed as f64 > STALE_SHARE * (indexed + unindexed) as f64
}

/// Partitions for a table of this many vectors.
pub(crate) fn default_partitions(kind: IndexKind, rows: u64) -> usize {
    let partitions = if kind.has_graph() {
        rows.div_ceil(ROWS_PER_GRAPH)
    } else {
        rows.isqrt().min(rows / MIN_ROWS_PER_PARTITION)
    };
    partitions.clamp(1, MAX_PARTITIONS) as usize
}

/// Partitions to search, at least: all of a few, then a share that shrinks with their number.
pub(crate) fn default_nprobes(kind: IndexKind, indexed_rows: u64) -> usize {
    let partitions = default_partitions(kind, indexed_rows);
    if kind.has_graph() {
        partitions.min(8 + partitions / 8)
    } else {
        partitions.min(8 + 2 * partitions.isqrt())
    }
}

/// Candidates that the walk through a graph keeps, for this many wanted.
pub(crate) fn default_ef(wanted: usize) -> usize {
    (wanted * 2).max(128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_grow_with_the_table() {
        assert_eq!(default_partitions(IndexKind::IvfHnswSq, 0), 1);
        assert_eq!(default_partitions(IndexKind::IvfHnswSq, 15_176), 1);
        assert_eq!(default_partitions(IndexKind::IvfHnswSq, 1 << 20), 16);
        assert_eq!(default_partitions(IndexKind::IvfFlat, 15_176), 59);
        assert_eq!(default_partitions(IndexKind::IvfPq, 1_000_000), 1_000);
        for kind in IndexKind::ALL {
            for rows in [0, 1, 300, 10_000, 1_000_000, 1_000_000_000] {
                let partitions = default_partitions(kind, rows);
                let nprobes = default_nprobes(kind, rows);
                assert!((1..=4_096).contains(&partitions));
                assert!((1..=partitions).contains(&nprobes));
            }
        }
    }
}
