//! The jobs in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use penstock::Task;
use penstock_openapi::JobState;
use tokio::sync::watch;

use super::record::{Record, progress};

/// One job.
pub(super) struct Entry {
    record: Mutex<Record>,
    task: Task,
    state: watch::Sender<JobState>,
    /// This process has the job in its queue or at work.
    live: AtomicBool,
    cancelled_by_user: AtomicBool,
}

impl Entry {
    pub(super) fn new(record: Record) -> Arc<Self> {
        Arc::new(Self {
            state: watch::Sender::new(record.state),
            record: Mutex::new(record),
            task: Task::default(),
            live: AtomicBool::new(false),
            cancelled_by_user: AtomicBool::new(false),
        })
    }

    /// The record as of now.
    pub(super) fn record(&self) -> Record {
        let mut record = self
            .record
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if self.is_live() && record.attempts > 0 {
            record.progress = progress(&self.task.progress.snapshot());
        }
        record
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Record)) {
        let mut record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut record);
        if record.state.is_final() {
            self.live.store(false, Ordering::Relaxed);
        }
        self.state.send_replace(record.state);
    }

    pub(super) fn task(&self) -> &Task {
        &self.task
    }

    pub(super) fn watch(&self) -> watch::Receiver<JobState> {
        self.state.subscribe()
    }

    pub(super) fn set_live(&self) {
        self.live.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_live(&self) -> bool {
        self.live.load(Ordering::Relaxed)
    }

    /// Cancels for good, at a caller's wish.
    pub(super) fn cancel(&self) {
        self.cancelled_by_user.store(true, Ordering::Relaxed);
        self.task.cancel.cancel();
    }

    pub(super) fn is_cancelled_by_user(&self) -> bool {
        self.cancelled_by_user.load(Ordering::Relaxed)
    }

    fn state(&self) -> JobState {
        *self.state.borrow()
    }
}

/// All jobs by id, which is by age.
pub(super) struct Table {
    jobs: Mutex<BTreeMap<String, Arc<Entry>>>,
    keep: usize,
}

impl Table {
    pub(super) fn new(keep: usize) -> Self {
        Self {
            jobs: Mutex::default(),
            keep,
        }
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Entry>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn insert(&self, entry: Arc<Entry>) {
        let id = entry.record().id;
        self.jobs().insert(id, entry);
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Entry>> {
        self.jobs().get(id).cloned()
    }

    pub(super) fn newest(&self, state: Option<JobState>, limit: usize) -> Vec<Record> {
        self.jobs()
            .values()
            .rev()
            .filter(|entry| state.is_none_or(|state| entry.state() == state))
            .take(limit)
            .map(|entry| entry.record())
            .collect()
    }

    pub(super) fn count(&self, state: JobState) -> usize {
        self.jobs()
            .values()
            .filter(|entry| entry.state() == state)
            .count()
    }

    pub(super) fn waiting(&self) -> usize {
        self.count(JobState::Queued)
    }

    pub(super) fn stop_all(&self) {
        for entry in self.jobs().values().filter(|entry| entry.is_live()) {
            entry.task.cancel.cancel();
        }
    }

    /// Takes out the oldest finished jobs beyond those that are kept.
    pub(super) fn take_surplus(&self) -> Vec<Record> {
        let mut jobs = self.jobs();
        let finished: Vec<String> = jobs
            .iter()
            .filter(|(_, entry)| entry.state().is_final())
            .map(|(id, _)| id.clone())
            .collect();
        let surplus = finished.len().saturating_sub(self.keep);
        finished
            .iter()
            .take(surplus)
            .filter_map(|id| jobs.remove(id))
            .map(|entry| entry.record())
            .collect()
    }
}
