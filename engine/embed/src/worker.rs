//! Models in processes of their own, one per GPU.
//!
//! A program that is linked with CUDA does not start on a machine without it, and a process uses
//! one GPU. So the program that users start has no CUDA; it starts one `penstock-worker` per GPU,
//! gives each batches of records to embed, and puts the vectors together. Which worker computes a
//! record changes nothing in its vector.
//!
//! A worker is told what to load by its arguments. It reads Arrow IPC streams from its standard
//! input, each of one batch with the columns that the model reads, and answers each by a stream of
//! one batch with the column of vectors on its standard output. The first stream that it writes
//! has no batch and says in its schema what the encoder is. A request that cannot be met is answered
//! by a stream without a batch whose schema says why. It ends at the end of its input; what keeps
//! it from going on is text on standard error. One that ended is started again for the next
//! request.

mod pool;
mod serve;

use std::path::PathBuf;

pub(crate) use pool::Pool;
pub use serve::{serve, with_sources};

/// Which processes run models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerOptions {
    /// The program `penstock-worker`.
    pub program: PathBuf,
    /// A worker for each: the GPU that it sees, as `CUDA_VISIBLE_DEVICES` names it.
    pub devices: Vec<String>,
}

/// Schema metadata of a worker's first stream.
const KEY_KIND: &str = "penstock:kind";
const KEY_ABOUT: &str = "penstock:about";
const KEY_COLUMNS: &str = "penstock:columns";
const KEY_PROTOCOL: &str = "penstock:protocol";

/// Schema metadata of an answer without a batch: what was wrong with the request.
const KEY_PROBLEM: &str = "penstock:problem";
const KEY_CODE: &str = "penstock:code";

/// What both sides have to agree on.
const PROTOCOL: &str = "1";
