//! The REST interface.
//!
//! Each resource is a file with its handlers and their OpenAPI part; `app` puts them together.
//! `observe` stands around every request: number, span, metrics, problems, headers, panics.

mod app;
mod arrays;
mod batch;
mod conditional;
mod duplicates;
mod embed;
mod encoders;
mod error;
mod heads;
mod ingest;
mod job;
mod late;
mod maintain;
mod matching;
mod metrics;
mod motif;
mod observe;
mod queries;
mod rows;
mod search;
mod serve;
mod service;
mod snapshots;
mod sql;
mod tables;
mod upload;
mod warm;
mod zarr;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use penstock::Engine;
use tokio::sync::Semaphore;

use crate::jobs::{Jobs, JobsConfig};
use metrics::Metrics;

pub use app::{openapi, openapi_json};
pub use serve::serve;

/// Bounds and places. The defaults are for a server of a few cores.
#[derive(Debug, Clone)]
pub struct Config {
    /// Bytes of one upload, all files together.
    pub max_upload_bytes: u64,
    /// Bytes of any other request body.
    pub max_body_bytes: usize,
    /// Requests at work at once; more are answered with 503.
    pub max_requests: usize,
    /// Open connections; more wait to be accepted.
    pub max_connections: usize,
    /// Until the head of a request must have come.
    pub header_timeout: Duration,
    /// Until the answer to a request without a streamed body must have begun.
    pub request_timeout: Duration,
    /// Longest silence within an upload.
    pub upload_silence: Duration,
    /// Until requests in flight must have ended when the server stops.
    pub shutdown_timeout: Duration,
    /// Folder of uploads; `None`: below a local store, else in the system's temporary folder.
    pub spool: Option<PathBuf>,
    /// Jobs at work at once.
    pub job_slots: NonZeroUsize,
    /// Jobs that may wait.
    pub job_queue: usize,
    /// Finished jobs that are remembered.
    pub jobs_kept: usize,
}

impl Default for Config {
    fn default() -> Self {
        let jobs = JobsConfig::default();
        Self {
            max_upload_bytes: 64 << 30,
            max_body_bytes: 2 << 20,
            max_requests: 512,
            max_connections: 16_384,
            header_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            upload_silence: Duration::from_secs(60),
            shutdown_timeout: Duration::from_secs(30),
            spool: jobs.spool,
            job_slots: NonZeroUsize::new(jobs.slots).unwrap_or(NonZeroUsize::MIN),
            job_queue: jobs.queue,
            jobs_kept: jobs.keep,
        }
    }
}

/// What every handler has at hand. Clones are one.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    engine: Engine,
    config: Config,
    jobs: Jobs,
    metrics: Arc<Metrics>,
    requests: Arc<Semaphore>,
    snapshots: snapshots::Cache,
}

impl State {
    /// A service over an engine. Nothing runs before [`serve`].
    #[must_use]
    pub fn new(engine: Engine, config: Config) -> Self {
        let metrics = Arc::new(Metrics::new());
        let jobs_config = JobsConfig {
            slots: config.job_slots.get(),
            queue: config.job_queue,
            keep: config.jobs_kept,
            spool: config.spool.clone(),
        };
        let rows = Arc::clone(&metrics);
        let jobs = Jobs::new(engine.clone(), jobs_config, move |n| rows.ingested(n));
        let requests = Arc::new(Semaphore::new(config.max_requests.max(1)));
        Self(Arc::new(Inner {
            engine,
            config,
            jobs,
            metrics,
            requests,
            snapshots: snapshots::Cache::default(),
        }))
    }

    fn engine(&self) -> &Engine {
        &self.0.engine
    }

    fn config(&self) -> &Config {
        &self.0.config
    }

    fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }
}
