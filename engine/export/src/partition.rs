//! Which rows a rank of a parallel job owns.

use std::ops::Range;

use crate::ExportError;

/// One rank of a job: number `rank` of `of`, counted from 0. A value that exists is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rank {
    rank: u64,
    of: u64,
}

impl Rank {
    /// The only rank of a job of one.
    pub const WHOLE: Self = Self { rank: 0, of: 1 };

    /// Rank `rank` of `of`.
    ///
    /// # Errors
    /// `of` is 0, or `rank` is not below it.
    pub const fn new(rank: u64, of: u64) -> Result<Self, ExportError> {
        if rank < of {
            Ok(Self { rank, of })
        } else {
            Err(ExportError::Rank { rank, of })
        }
    }

    /// The rank's number, from 0.
    #[must_use]
    pub const fn rank(self) -> u64 {
        self.rank
    }

    /// How many ranks there are.
    #[must_use]
    pub const fn of(self) -> u64 {
        self.of
    }
}

/// How rows are dealt to ranks. Every rank's rows are contiguous, in rank order, and each row has
/// exactly one rank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Partition {
    /// PETSc's: rank r of n has `N / n + (N mod n > r)` rows.
    #[default]
    Petsc,
    /// PETSc's partition of the chunks of an array instead of its rows, so that no chunk is read
    /// by two ranks.
    AlignChunk {
        /// The array whose chunks are dealt out.
        array: String,
    },
    /// Row boundaries that give each rank about the same number of items of a ragged column.
    BalanceBytes {
        /// A ragged column.
        column: String,
    },
    /// Explicit boundaries: rank r has rows `bounds[r]..bounds[r + 1]`; `of + 1` of them, from 0
    /// to N, never falling.
    Explicit(Vec<u64>),
}

/// PETSc's partition of `total` rows.
#[must_use]
pub const fn petsc(total: u64, rank: Rank) -> Range<u64> {
    let (share, rest) = (total / rank.of, total % rank.of);
    let more = if rank.rank < rest { rank.rank } else { rest };
    let start = rank.rank * share + more;
    let end = start + share + (rest > rank.rank) as u64;
    start..end
}

/// PETSc's partition of the chunks of `chunk_rows` rows that cover `total` rows.
#[must_use]
pub fn align_chunk(total: u64, chunk_rows: u64, rank: Rank) -> Range<u64> {
    let chunk_rows = chunk_rows.max(1);
    let chunks = petsc(total.div_ceil(chunk_rows), rank);
    let row = |chunk: u64| chunk.saturating_mul(chunk_rows).min(total);
    row(chunks.start)..row(chunks.end)
}

/// The rows between two explicit boundaries.
///
/// # Errors
/// The boundaries do not run from 0 to `total` in `of` steps that never fall.
pub fn explicit(total: u64, bounds: &[u64], rank: Rank) -> Result<Range<u64>, ExportError> {
    let valid = bounds.len() as u64 == rank.of + 1
        && bounds.first() == Some(&0)
        && bounds.last() == Some(&total)
        && bounds.is_sorted();
    let at = rank.rank as usize;
    match (valid, bounds.get(at), bounds.get(at + 1)) {
        (true, Some(start), Some(end)) => Ok(*start..*end),
        _ => Err(ExportError::Bounds {
            of: rank.of,
            total,
            given: bounds.len(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rank(rank: u64, of: u64) -> Rank {
        Rank::new(rank, of).unwrap()
    }

    proptest! {
        #[test]
        fn ranks_cover_every_row_once(total in 0u64..10_000, of in 1u64..70, chunk in 1u64..500) {
            let mut next = [0, 0];
            for r in 0..of {
                let rows = petsc(total, rank(r, of));
                prop_assert_eq!(rows.start, next[0]);
                prop_assert_eq!(rows.end - rows.start, total / of + u64::from(total % of > r));
                next[0] = rows.end;
                let rows = align_chunk(total, chunk, rank(r, of));
                prop_assert_eq!(rows.start, next[1]);
                prop_assert!(rows.end == total || rows.end.is_multiple_of(chunk));
                next[1] = rows.end;
            }
            prop_assert_eq!(next, [total, total]);
        }
    }

    #[test]
    fn ranks_are_checked() {
        assert!(Rank::new(0, 0).is_err());
        assert!(Rank::new(2, 2).is_err());
        assert_eq!(petsc(10, Rank::WHOLE), 0..10);
        assert_eq!(petsc(u64::MAX, rank(1, 2)), u64::MAX / 2 + 1..u64::MAX);
    }

    #[test]
    fn explicit_bounds_are_checked() {
        assert_eq!(explicit(10, &[0, 4, 10], rank(1, 2)).unwrap(), 4..10);
        for bad in [&[0, 10][..], &[0, 11, 10], &[1, 4, 10], &[0, 4, 9], &[]] {
            assert!(explicit(10, bad, rank(0, 2)).is_err(), "{bad:?}");
        }
    }
}
