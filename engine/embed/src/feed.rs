//! Tokenising ahead of computing.
//!
//! Sequences become batches a stretch at a time: as many as fill a few batches for every worker
//! are tokenised, cut into windows and sorted by length. A worker that finds few batches left
//! makes the next ones, while the others go on computing, so neither the order of a long list nor
//! its length takes memory, and no core waits while there is work.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::model::Limits;
use crate::windows::{Room, Window, batches, windows};

/// Batches that a stretch is meant to give each worker.
const BATCHES_EACH: usize = 8;

/// A sequence on its way: its tokens, its windows, and what is known of them.
pub(crate) struct Sequence {
    /// Which of the sequences.
    pub(crate) index: usize,
    pub(crate) tokens: Vec<u32>,
    pub(crate) windows: Vec<Window>,
    parts: Mutex<Parts>,
}

struct Parts {
    left: usize,
    parts: Vec<Vec<f32>>,
}

impl Sequence {
    fn new(index: usize, tokens: Vec<u32>, limits: Limits) -> Self {
        let windows = windows(index, tokens.len(), limits);
        let parts = Parts {
            left: windows.len(),
            parts: vec![Vec::new(); windows.len()],
        };
        Self {
            index,
            tokens,
            windows,
            parts: Mutex::new(parts),
        }
    }

    /// Keeps what one window adds; with the last one gives them all, in the order of the windows.
    pub(crate) fn add(&self, window: usize, part: Vec<f32>) -> Option<Vec<Vec<f32>>> {
        let mut parts = lock(&self.parts);
        parts.parts[window] = part;
        parts.left -= 1;
        (parts.left == 0).then(|| std::mem::take(&mut parts.parts))
    }
}

/// One window of a batch.
pub(crate) struct Item {
    pub(crate) sequence: Arc<Sequence>,
    /// Which of the sequence's windows.
    pub(crate) window: usize,
}

impl Item {
    pub(crate) fn window(&self) -> &Window {
        &self.sequence.windows[self.window]
    }

    /// Whether the window is its whole sequence.
    pub(crate) fn is_whole(&self) -> bool {
        self.sequence.windows.len() == 1
    }
}

/// Windows that are computed together.
pub(crate) type Batch = Vec<Item>;

/// From letters to tokens.
pub(crate) type Encode<'a> = dyn Fn(&[u8]) -> Vec<u32> + Sync + 'a;

/// Batches of a list of sequences, made as they are wanted.
pub(crate) struct Feed<'a> {
    sequences: &'a [&'a [u8]],
    encode: &'a Encode<'a>,
    limits: Limits,
    room: Room<'a>,
    /// Batches under which more are made.
    low: usize,
    /// Tokens of a stretch.
    stretch: usize,
    /// The next sequence; locked while a stretch is made.
    place: Mutex<usize>,
    ready: Mutex<Ready>,
    changed: Condvar,
}

#[derive(Default)]
struct Ready {
    batches: VecDeque<Batch>,
    /// No more will come.
    ended: bool,
}

/// Wakes who waits, also when making batches panicked: then no more will come.
struct Wake<'a, 'f>(&'a Feed<'f>);

impl Drop for Wake<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            lock(&self.0.ready).ended = true;
        }
        self.0.changed.notify_all();
    }
}

impl<'a> Feed<'a> {
    /// For `workers` that take batches. `tokens` is the size of a usual batch.
    pub(crate) fn new(
        sequences: &'a [&'a [u8]],
        encode: &'a Encode<'a>,
        limits: Limits,
        room: Room<'a>,
        workers: usize,
        tokens: usize,
    ) -> Self {
        Self {
            sequences,
            encode,
            limits,
            room,
            low: workers,
            stretch: tokens.saturating_mul(BATCHES_EACH * workers),
            place: Mutex::new(0),
            ready: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// The next batch; makes batches where that is needed. None when all were given out.
    pub(crate) fn next(&self) -> Option<Batch> {
        let mut ready = lock(&self.ready);
        loop {
            if ready.batches.len() < self.low && !ready.ended {
                // Whoever comes first makes more.
                if let Ok(mut place) = self.place.try_lock() {
                    drop(ready);
                    self.make(&mut place);
                    drop(place);
                    ready = lock(&self.ready);
                    continue;
                }
            }
            if let Some(batch) = ready.batches.pop_front() {
                self.changed.notify_all();
                return Some(batch);
            }
            if ready.ended {
                return None;
            }
            ready = wait(&self.changed, ready);
        }
    }

    /// Makes batches until there are no more sequences or [`Self::stop`] is called, on a thread of
    /// its own beside one that only computes.
    pub(crate) fn run_ahead(&self) {
        let mut place = lock(&self.place);
        loop {
            let mut ready = lock(&self.ready);
            while ready.batches.len() >= self.low && !ready.ended {
                ready = wait(&self.changed, ready);
            }
            if ready.ended {
                return;
            }
            drop(ready);
            self.make(&mut place);
        }
    }

    /// Gives out nothing more.
    pub(crate) fn stop(&self) {
        let mut ready = lock(&self.ready);
        ready.ended = true;
        ready.batches.clear();
        self.changed.notify_all();
    }

    /// Makes the batches of one stretch of sequences.
    fn make(&self, place: &mut usize) {
        let _wake = Wake(self);
        let mut items = Vec::new();
        let mut tokens = 0;
        while *place < self.sequences.len() && tokens < self.stretch {
            let encoded = (self.encode)(self.sequences[*place]);
            tokens += encoded.len();
            if !encoded.is_empty() {
                let sequence = Arc::new(Sequence::new(*place, encoded, self.limits));
                items.extend((0..sequence.windows.len()).map(|window| {
                    let sequence = Arc::clone(&sequence);
                    Some(Item { sequence, window })
                }));
            }
            *place += 1;
        }
        let lens: Vec<usize> = items
            .iter()
            .flatten()
            .map(|item| item.window().tokens.len())
            .collect();
        let batches = batches(&lens, &self.room).into_iter();
        let batches =
            batches.map(|batch| batch.iter().filter_map(|at| items[*at].take()).collect());
        let batches: Vec<Batch> = batches.collect();
        let mut ready = lock(&self.ready);
        if !ready.ended {
            ready.batches.extend(batches);
            ready.ended = *place == self.sequences.len();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic leaves behind is whole; `Wake` says that no more comes.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'m, T>(changed: &Condvar, guard: MutexGuard<'m, T>) -> MutexGuard<'m, T> {
    changed.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        window: 50,
        overlap: 10,
    };

    fn encode(sequence: &[u8]) -> Vec<u32> {
        sequence.iter().map(|letter| u32::from(*letter)).collect()
    }

    fn room<'a>() -> Room<'a> {
        Room {
            around: 2,
            padded: false,
            tokens: Box::new(|_| 64),
        }
    }

    /// Which windows of which sequences, in any order.
    fn windows_of(batches: &[Batch]) -> Vec<(usize, usize)> {
        let items = batches.iter().flatten();
        let mut all: Vec<_> = items
            .map(|item| (item.sequence.index, item.window))
            .collect();
        all.sort_unstable();
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_window_is_given_out_once(
            lens in prop::collection::vec(0_usize..200, 0..60),
            workers in 1_usize..5,
            usual in 1_usize..64,
            beside in any::<bool>(),
        ) {
            let letters = [b'A'; 200];
            let sequences: Vec<&[u8]> = lens.iter().map(|len| &letters[..*len]).collect();
            let feed = Feed::new(&sequences, &encode, LIMITS, room(), workers, usual);
            let taken = Mutex::new(Vec::new());
            let most = Mutex::new(0);
            std::thread::scope(|scope| {
                if beside {
                    scope.spawn(|| feed.run_ahead());
                }
                for _ in 0..workers {
                    scope.spawn(|| {
                        while let Some(batch) = feed.next() {
                            let waiting = lock(&feed.ready).batches.len();
                            let mut most = lock(&most);
                            *most = waiting.max(*most);
                            lock(&taken).push(batch);
                        }
                    });
                }
            });
            let expected: Vec<(usize, usize)> = (lens.iter().enumerate())
                .flat_map(|(i, len)| {
                    let count = if *len == 0 { 0 } else { windows(i, *len, LIMITS).len() };
                    (0..count).map(move |window| (i, window))
                })
                .collect();
            prop_assert_eq!(windows_of(&taken.into_inner().unwrap()), expected);
            // A stretch ends with the sequence that fills it: at most 200 tokens more, which are
            // six windows; no batch is smaller than one window.
            let bound = workers + usual * BATCHES_EACH * workers + 6;
            prop_assert!(most.into_inner().unwrap() <= bound);
        }
    }

    #[test]
    fn who_makes_batches_ahead_stops() {
        let sequences = vec![&b"ACDE"[..]; 10_000];
        let feed = Feed::new(&sequences, &encode, LIMITS, room(), 1, 8);
        std::thread::scope(|scope| {
            scope.spawn(|| feed.run_ahead());
            assert!(feed.next().is_some());
            feed.stop();
        });
        assert!(feed.next().is_none());
        assert!(*lock(&feed.place) < sequences.len(), "all were tokenised");
    }

    #[test]
    fn a_panic_while_tokenising_leaves_nobody_waiting() {
        let encode = |sequence: &[u8]| -> Vec<u32> {
            assert!(sequence != b"X", "no such letter");
            vec![1]
        };
        let sequences = [&b"A"[..], b"X", b"A"];
        let feed = Feed::new(&sequences, &encode, LIMITS, room(), 2, 64);
        let panicked = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| while feed.next().is_some() {}))
                .collect();
            let ends = threads.into_iter().map(|thread| thread.join().is_err());
            ends.filter(|panicked| *panicked).count()
        });
        assert_eq!(panicked, 1);
    }

    #[test]
    fn the_last_window_gives_all_parts_in_order() {
        let sequence = Sequence::new(0, vec![7; 120], LIMITS);
        assert_eq!(sequence.windows.len(), 3);
        assert_eq!(sequence.add(2, vec![2.0]), None);
        assert_eq!(sequence.add(0, vec![0.0]), None);
        let all = sequence.add(1, vec![1.0]).unwrap();
        assert_eq!(all, [[0.0], [1.0], [2.0]]);
    }
}
