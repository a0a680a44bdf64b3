//! Which sequences are computed at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Memory of all sequences in flight, in bytes. One that takes more by itself is computed alone.
const IN_FLIGHT: usize = 1 << 30;

/// Calls `each` once with every index of `lengths`, the longest first. Those of which a thread's
/// share of the memory does not hold one go one after another, with all threads at each; then
/// every thread takes one after another.
pub(super) fn share_out(lengths: &[usize], bytes_per_token: usize, each: impl Fn(usize) + Sync) {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(lengths[*index]));
    let share = IN_FLIGHT / rayon::current_num_threads().max(1);
    let alone = order.partition_point(|index| lengths[*index] * bytes_per_token > share);
    let (alone, together) = order.split_at(alone);
    for index in alone {
        each(*index);
    }
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(index) = together.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(*index);
        }
    };
    let threads = rayon::current_num_threads().min(together.len());
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| work());
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{IN_FLIGHT, share_out};

    #[test]
    fn every_sequence_is_computed_once() {
        let lengths: Vec<usize> = (0..100).map(|i| i * 37 % 50).collect();
        for bytes_per_token in [1, IN_FLIGHT / 40, IN_FLIGHT] {
            let counts: Vec<AtomicU32> = lengths.iter().map(|_| AtomicU32::new(0)).collect();
            share_out(&lengths, bytes_per_token, |index| {
                counts[index].fetch_add(1, Ordering::Relaxed);
            });
            assert!(
                counts
                    .iter()
                    .all(|count| count.load(Ordering::Relaxed) == 1)
            );
        }
    }
}
