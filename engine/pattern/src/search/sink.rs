//! Where matches go, and when to stop.

use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::search::{MatchOptions, Stopped, Visitor};

/// Numbers that a thread gathers before it takes the visitor's lock.
const BUFFERED: usize = 4096;

/// Shared by the threads of a search.
pub(super) struct Sink<'a, 'v> {
    limit: u64,
    deadline: Option<Instant>,
    cancelled: Option<&'a (dyn Fn() -> bool + Sync)>,
    threads: usize,
    count: AtomicU64,
    stop: AtomicBool,
    why: Mutex<Option<Stopped>>,
    visits: bool,
    visitor: Mutex<Option<Visitor<'v>>>,
}

impl<'a, 'v> Sink<'a, 'v> {
    pub(super) fn new(options: &MatchOptions<'a>, visitor: Option<Visitor<'v>>) -> Self {
        let sink = Self {
            limit: options.limit.unwrap_or(u64::MAX),
            deadline: options.deadline,
            cancelled: options.cancelled,
            threads: options.threads,
            count: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            why: Mutex::new(None),
            visits: visitor.is_some(),
            visitor: Mutex::new(visitor),
        };
        if sink.limit == 0 {
            sink.end(Stopped::Limit);
        }
        sink
    }

    /// Whether matches are wanted one by one.
    pub(super) fn visits(&self) -> bool {
        self.visits
    }

    /// Matches that a thread counts by itself before it adds them.
    pub(super) fn enough(&self) -> u64 {
        self.limit.clamp(1, 1 << 16)
    }

    /// Whether to stop; looks at the clock.
    pub(super) fn check(&self) -> bool {
        if self.stopped() {
            return true;
        }
        if self.cancelled.is_some_and(|cancelled| cancelled()) {
            self.end(Stopped::Cancelled);
        } else if self.deadline.is_some_and(|at| Instant::now() >= at) {
            self.end(Stopped::Deadline);
        }
        self.stopped()
    }

    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn end(&self, why: Stopped) {
        let mut first = self.why.lock().unwrap_or_else(|e| e.into_inner());
        first.get_or_insert(why);
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Counts matches; tells whether to stop. The count is cut to the limit at the end.
    pub(super) fn add(&self, matches: u64) -> bool {
        if matches == 0 {
            return self.stopped();
        }
        let before = self.count.fetch_add(matches, Ordering::Relaxed);
        if before.saturating_add(matches) >= self.limit {
            self.end(Stopped::Limit);
        }
        self.stopped()
    }

    /// Hands over one match; tells whether to stop.
    pub(super) fn give(&self, buffer: &mut Vec<u32>, found: &[u32]) -> bool {
        buffer.extend_from_slice(found);
        // One thread alone need not gather.
        if self.threads > 1 && buffer.len() < BUFFERED {
            return self.stopped();
        }
        self.flush(buffer, found.len())
    }

    /// Hands over what was gathered; tells whether to stop.
    pub(super) fn flush(&self, buffer: &mut Vec<u32>, width: usize) -> bool {
        if buffer.is_empty() {
            return self.stopped();
        }
        let mut visitor = self.visitor.lock().unwrap_or_else(|e| e.into_inner());
        for found in buffer.chunks_exact(width) {
            // Only who holds the lock counts here, so the limit is exact.
            if self.count.load(Ordering::Relaxed) >= self.limit {
                break;
            }
            let Some(call) = visitor.as_mut() else { break };
            let flow = call(found);
            self.add(1);
            if flow == ControlFlow::Break(()) {
                *visitor = None;
                self.end(Stopped::Cancelled);
            }
        }
        buffer.clear();
        self.stopped()
    }

    /// Matches, and why the search ended early.
    pub(super) fn finish(self) -> (u64, Option<Stopped>) {
        let why = self.why.into_inner().unwrap_or_else(|e| e.into_inner());
        (self.count.into_inner().min(self.limit), why)
    }
}
