//! One pair at a time, for scores of any size.

use std::sync::atomic::{AtomicBool, Ordering};

use super::kernel::Encoded;
use super::scoring::Scoring;

/// Below any score that is reached; far enough from the end of the range to be added to.
const LOW: i64 = i64::MIN / 4;

/// The score of one pair, with no bound on it but 32 bits.
pub(crate) fn score(
    scoring: &Scoring,
    query: Encoded<'_>,
    target: Encoded<'_>,
    stop: &AtomicBool,
) -> u32 {
    let first = i64::from(scoring.gap_first());
    let next = i64::from(scoring.gap_next());
    let mut rows = vec![(0_i64, LOW); query.letters.len()];
    let mut best = 0;
    for (j, b) in target.letters.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (mut corner, mut gap) = (0, LOW);
        for (i, (row, a)) in rows.iter_mut().zip(query.letters).enumerate() {
            let s = i64::from(scoring.score(*a, *b)) + bias(query, i) + bias(target, j);
            let h = (corner + s).max(row.1).max(gap).max(0);
            best = best.max(h);
            corner = row.0;
            *row = (h, (row.1 - next).max(h - first));
            gap = (gap - next).max(h - first);
        }
    }
    u32::try_from(best).unwrap_or(u32::MAX)
}

pub(super) fn bias(of: Encoded<'_>, at: usize) -> i64 {
    of.bias.get(at).copied().unwrap_or(0).into()
}
