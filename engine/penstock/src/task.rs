//! Progress and cancellation of long work.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

pub use tokio_util::sync::CancellationToken;

/// Counters that a long operation moves and anybody may watch. All count from 0.
#[derive(Debug, Default)]
pub struct Progress {
    rows: AtomicU64,
    items: AtomicU64,
    bytes: AtomicU64,
    total_bytes: AtomicU64,
    total_rows: AtomicU64,
    stage: Mutex<&'static str>,
    item: Mutex<&'static str>,
    note: Mutex<String>,
}

/// The counters at one moment. A total of 0 is an unknown total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgressSnapshot {
    /// Rows done.
    pub rows: u64,
    /// Rows to do.
    pub total_rows: u64,
    /// Residues, bases or vertices encoded.
    pub items: u64,
    /// Which of these; empty where nothing is encoded.
    pub item: &'static str,
    /// Bytes of input read (before decompression).
    pub bytes: u64,
    /// Bytes of input to read.
    pub total_bytes: u64,
    /// What is being done, as one word; empty before the start.
    pub stage: &'static str,
    /// How it stands, in a few words; empty where there is nothing to say.
    pub note: String,
}

impl Progress {
    /// Adds rows.
    pub fn add_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Adds residues, bases or vertices that were encoded.
    pub fn add_items(&self, items: u64, item: &'static str) {
        *self.item.lock().unwrap_or_else(PoisonError::into_inner) = item;
        self.items.fetch_add(items, Ordering::Relaxed);
    }

    /// Adds bytes of input.
    pub fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Says how many bytes of input there are.
    pub fn set_total_bytes(&self, bytes: u64) {
        self.total_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Says how many rows are done, of how many.
    pub fn set_rows(&self, rows: u64, total: u64) {
        self.rows.store(rows, Ordering::Relaxed);
        self.total_rows.store(total, Ordering::Relaxed);
    }

    /// Says what is being done.
    pub fn set_stage(&self, stage: &'static str) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.set_note(String::new());
    }

    /// Says how it stands, until the next stage.
    pub fn set_note(&self, note: String) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = note;
    }

    /// The counters now.
    #[must_use]
    pub fn snapshot(&self) -> ProgressSnapshot {
        ProgressSnapshot {
            rows: self.rows.load(Ordering::Relaxed),
            total_rows: self.total_rows.load(Ordering::Relaxed),
            items: self.items.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            total_bytes: self.total_bytes.load(Ordering::Relaxed),
            item: *self.item.lock().unwrap_or_else(PoisonError::into_inner),
            stage: *self.stage.lock().unwrap_or_else(PoisonError::into_inner),
            note: self
                .note
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        }
    }
}

/// What every long operation takes: where to report, and how it is told to stop. Clones share
/// both.
#[derive(Debug, Clone, Default)]
pub struct Task {
    /// Counters moved by the work.
    pub progress: Arc<Progress>,
    /// Cancelled by whoever wants the work to stop; it then ends with [`crate::Error::Cancelled`]
    /// and leaves nothing behind.
    pub cancel: CancellationToken,
}

impl Task {
    /// The question that work below the engine asks now and then: whether to stop.
    #[must_use]
    pub fn cancel_fn(&self) -> Arc<penstock_store::CancelFn> {
        let cancel = self.cancel.clone();
        Arc::new(move || cancel.is_cancelled())
    }

    /// Runs a future until it ends or the task is cancelled.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`].
    pub async fn run<F: Future>(&self, future: F) -> Result<F::Output, crate::Error> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(crate::Error::Cancelled),
            output = future => Ok(output),
        }
    }
}
