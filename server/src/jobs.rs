//! Long work that outlives the request that asked for it, and the process.
//!
//! A job is an object `_penstock/jobs/{id}.json` in the store. It is written before the caller
//! hears of the job and at each change of its state. Uploads wait in a spool on a local disk. When
//! a server starts, it goes on with the jobs of the spools that it takes over (`spool`); commits
//! are keyed with the caller's idempotency key or the job's id, so that a job whose commit went
//! through just before a crash is answered from the store and not done twice.
//!
//! An idempotency key leads to its job through `_penstock/jobs/keys/{SHA-256}.json`. A job that
//! failed or was cancelled changed nothing, so the same key may start another one.
//!
//! At most `slots` jobs run at once, at most `queue` wait, and the last `keep` finished ones are
//! remembered.

mod record;
mod request;
mod run;
mod spool;
mod table;

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use penstock::{CancellationToken, Engine, Error};
use penstock_openapi::{Job, JobState, Problem};
use penstock_types::{ErrorCode, Sha256Digest};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::problem::{of_error, problem};
use record::Record;
pub use request::{Ingest, JobRequest, TrainHead};
use spool::Spool;
use table::{Entry, Table};

/// A running job's record is written this often, as a sign of life.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// A job of another server without a sign of life for so long is given up.
const LOST_AFTER: Duration = Duration::from_secs(600);

/// Records that are read at once when the server starts.
const READS_AHEAD: usize = 16;

/// A job that took the server down with it so often is not begun again.
const MAX_ATTEMPTS: u32 = 3;

/// The result of what a caller asks of jobs. A problem is large, hence the box.
pub type Result<T, E = Box<Problem>> = std::result::Result<T, E>;

fn refusal(code: ErrorCode, detail: &str) -> Box<Problem> {
    Box::new(problem(code, detail))
}

fn failure(error: &Error) -> Box<Problem> {
    Box::new(of_error(error))
}

/// Bounds.
#[derive(Debug, Clone)]
pub struct JobsConfig {
    /// Jobs at work at once.
    pub slots: usize,
    /// Jobs that may wait.
    pub queue: usize,
    /// Finished jobs that are remembered.
    pub keep: usize,
    /// Folder of uploads; `None`: below a local store, else in the system's temporary folder.
    pub spool: Option<PathBuf>,
}

impl Default for JobsConfig {
    fn default() -> Self {
        Self {
            slots: 2,
            queue: 1000,
            keep: 1000,
            spool: None,
        }
    }
}

/// The jobs of a server. Clones are one.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    engine: Engine,
    config: JobsConfig,
    spool: OnceLock<Spool>,
    table: Table,
    slots: Arc<Semaphore>,
    /// Cancelled when the server stops; jobs at work then go back to the queue of the next start.
    stop: CancellationToken,
    tasks: TaskTracker,
    on_ingested: Box<dyn Fn(u64) + Send + Sync>,
}

/// What an idempotency key leads to.
#[derive(Serialize, Deserialize)]
struct KeyFile {
    job: String,
}

/// Where a new job's uploads go.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// The job's id.
    pub id: String,
    /// Its folder. File n is named `n`.
    pub folder: PathBuf,
}

impl Jobs {
    /// No jobs yet: [`Self::start`] reads them. `on_ingested` hears of rows that came in.
    #[must_use]
    pub fn new(
        engine: Engine,
        config: JobsConfig,
        on_ingested: impl Fn(u64) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            engine,
            slots: Arc::new(Semaphore::new(config.slots.max(1))),
            table: Table::new(config.keep),
            config,
            spool: OnceLock::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            on_ingested: Box::new(on_ingested),
        }))
    }

    /// Takes over the spool, reads the stored jobs and goes on with those that are this server's.
    ///
    /// # Errors
    /// The spool's folder cannot be used, or the store does not answer.
    pub async fn start(&self) -> io::Result<()> {
        let folder = self.spool_folder();
        let spool = tokio::task::spawn_blocking(move || Spool::open(&folder))
            .await
            .map_err(io::Error::other)??;
        let spool = self.0.spool.get_or_init(|| spool);
        let mut resumed = Vec::new();
        for mut record in self.read_all().await.map_err(io::Error::other)? {
            if record.state.is_final() {
                self.0.table.insert(Entry::new(record));
                continue;
            }
            let silent = (Utc::now() - record.updated).to_std().unwrap_or_default();
            if !spool.owns(&record.owner) {
                if silent > LOST_AFTER {
                    self.give_up(&mut record, "the server that ran the job is gone")
                        .await;
                }
            } else if record.attempts >= MAX_ATTEMPTS {
                self.give_up(&mut record, "the server stopped each time it ran the job")
                    .await;
            } else {
                record.state = JobState::Queued;
                resumed.push(record.clone());
                continue;
            }
            self.0.table.insert(Entry::new(record));
        }
        let keep: HashSet<String> = resumed.iter().map(|record| record.id.clone()).collect();
        let inner = Arc::clone(&self.0);
        tokio::task::spawn_blocking(move || inner.spool.get().map_or(Ok(()), |s| s.sweep(&keep)))
            .await
            .map_err(io::Error::other)??;
        for record in resumed {
            tracing::info!(job = record.id, "going on with a job after a restart");
            self.spawn(Entry::new(record));
        }
        self.prune().await;
        Ok(())
    }

    fn spool_folder(&self) -> PathBuf {
        let objects = self.0.engine.store().objects();
        match &self.0.config.spool {
            Some(folder) => folder.clone(),
            None => objects
                .local_path("spool")
                .unwrap_or_else(|| std::env::temp_dir().join("penstock-spool")),
        }
    }

    fn spool(&self) -> Result<&Spool> {
        let starting = || refusal(ErrorCode::Unavailable, "the server is starting");
        self.0.spool.get().ok_or_else(starting)
    }

    /// A new job's id, and the folder for its uploads.
    ///
    /// # Errors
    /// The server is stopping or has not started.
    pub fn ticket(&self) -> Result<Ticket> {
        let spool = self.spool()?;
        if self.0.stop.is_cancelled() {
            return Err(refusal(ErrorCode::Unavailable, "the server is stopping"));
        }
        let id = Uuid::now_v7().to_string();
        let folder = spool.job(spool.owner(), &id);
        Ok(Ticket { id, folder })
    }

    /// The job that a key stands for, where it must not be done again.
    ///
    /// # Errors
    /// The key was given to other work, or the store does not answer.
    pub async fn by_key(&self, key: &str, request: Option<&JobRequest>) -> Result<Option<Job>> {
        let objects = self.0.engine.store().objects();
        let bytes = objects
            .get_opt(&key_object(key))
            .await
            .map_err(|e| failure(&e.into()))?;
        let Some(pointer) = bytes.and_then(|b| serde_json::from_slice::<KeyFile>(&b).ok()) else {
            return Ok(None);
        };
        let Some(record) = self.record(&pointer.job).await.map_err(|e| failure(&e))? else {
            return Ok(None);
        };
        if request.is_some_and(|request| *request != record.request) {
            return Err(refusal(
                ErrorCode::AlreadyExists,
                "the idempotency key was given to another request; use a new key for new work",
            ));
        }
        let again = matches!(record.state, JobState::Failed | JobState::Cancelled);
        Ok((!again).then(|| record.job()))
    }

    /// Stores a job and begins it as soon as there is room. With a key that stands for a job
    /// already, answers that one and removes the uploads of this.
    ///
    /// # Errors
    /// Too many jobs wait; the key was given to other work; the store does not answer.
    pub async fn submit(
        &self,
        ticket: Ticket,
        request: JobRequest,
        key: Option<String>,
    ) -> Result<Job> {
        let outcome = self.try_submit(&ticket, request, key).await;
        if !matches!(&outcome, Ok(job) if job.id == ticket.id) {
            remove(ticket.folder).await;
        }
        outcome
    }

    async fn try_submit(
        &self,
        ticket: &Ticket,
        request: JobRequest,
        key: Option<String>,
    ) -> Result<Job> {
        let owner = self.spool()?.owner().to_owned();
        if let Some(key) = &key
            && let Some(job) = self.by_key(key, Some(&request)).await?
        {
            return Ok(job);
        }
        if self.0.table.waiting() >= self.0.config.queue {
            return Err(refusal(
                ErrorCode::Unavailable,
                "too many jobs wait; try again later",
            ));
        }
        let record = Record::new(ticket.id.clone(), owner, request, key.clone());
        let fail = |error| failure(&Error::Store(error));
        let objects = self.0.engine.store().objects();
        self.write(&record).await.map_err(|e| failure(&e))?;
        if let Some(key) = &key {
            let pointer = serde_json::to_vec(&KeyFile {
                job: ticket.id.clone(),
            });
            let pointer = Bytes::from(pointer.unwrap_or_default());
            objects.put(&key_object(key), pointer).await.map_err(fail)?;
        }
        let job = record.job();
        self.spawn(Entry::new(record));
        Ok(job)
    }

    /// A job.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn get(&self, id: &str) -> Result<Option<Job>> {
        Ok(self
            .record(id)
            .await
            .map_err(|e| failure(&e))?
            .map(|record| record.job()))
    }

    /// The jobs that this server knows, newest first: its own, and those that were stored when it
    /// started.
    #[must_use]
    pub fn list(&self, state: Option<JobState>, limit: usize) -> Vec<Job> {
        self.0
            .table
            .newest(state, limit)
            .iter()
            .map(Record::job)
            .collect()
    }

    /// How many jobs are in each state.
    #[must_use]
    pub fn count(&self, state: JobState) -> usize {
        self.0.table.count(state)
    }

    /// Tells a job to stop. `None`: there is no such job.
    ///
    /// # Errors
    /// Another server runs it, or the store does not answer.
    pub async fn cancel(&self, id: &str) -> Result<Option<Job>> {
        if let Some(entry) = self.0.table.get(id) {
            let job = entry.record().job();
            if job.state.is_final() {
                return Ok(Some(job));
            }
            if entry.is_live() {
                entry.cancel();
                return Ok(self.wait(id, Duration::from_secs(2)).await);
            }
        }
        match self.get(id).await? {
            Some(job) if !job.state.is_final() => Err(refusal(
                ErrorCode::Conflict,
                "another server runs this job; cancel it there",
            )),
            other => Ok(other),
        }
    }

    /// Waits until a job is finished, or the time is over.
    pub async fn wait(&self, id: &str, limit: Duration) -> Option<Job> {
        let entry = self.0.table.get(id)?;
        let mut state = entry.watch();
        // The time being over is no error: the job is then shown as it is.
        let _ = tokio::time::timeout(limit, state.wait_for(|state| state.is_final())).await;
        Some(entry.record().job())
    }

    /// Stops all jobs; those at work go on at the next start.
    pub async fn stop(&self) {
        self.0.stop.cancel();
        self.0.table.stop_all();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        if let Some(spool) = self.0.spool.get() {
            spool.release();
        }
    }

    fn spawn(&self, entry: Arc<Entry>) {
        entry.set_live();
        self.0.table.insert(Arc::clone(&entry));
        let jobs = self.clone();
        self.0.tasks.spawn(async move { jobs.drive(&entry).await });
    }

    /// Takes one job from the queue to its end.
    async fn drive(&self, entry: &Arc<Entry>) {
        let task = entry.task();
        let permit = tokio::select! {
            biased;
            () = task.cancel.cancelled() => None,
            permit = Arc::clone(&self.0.slots).acquire_owned() => permit.ok(),
        };
        if permit.is_none() {
            return self.end(entry, Err(Error::Cancelled)).await;
        }
        entry.update(|record| {
            record.state = JobState::Running;
            record.attempts += 1;
            record.started = Some(Utc::now());
        });
        self.store(entry).await;
        let (engine, record) = (self.0.engine.clone(), entry.record());
        let Ok(spool) = self.spool() else { return };
        let folder = spool.job(&record.owner, &record.id);
        let work = task.clone();
        // A task of its own: a panic ends the job and not the server.
        let mut work =
            tokio::spawn(async move { run::run(&engine, &folder, &record, &work).await });
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        heartbeat.tick().await;
        let outcome = loop {
            tokio::select! {
                outcome = &mut work => break outcome,
                _ = heartbeat.tick() => self.store(entry).await,
            }
        };
        self.end(
            entry,
            outcome.unwrap_or_else(|error| Err(Error::Worker(error))),
        )
        .await;
    }

    async fn end(&self, entry: &Arc<Entry>, outcome: Result<run::Done, Error>) {
        let is_cancelled = matches!(&outcome, Err(error) if error.code() == ErrorCode::Cancelled);
        if is_cancelled && self.0.stop.is_cancelled() && !entry.is_cancelled_by_user() {
            // An orderly stop is no failed attempt.
            entry.update(|record| {
                record.attempts = record.attempts.saturating_sub(1);
                record.state = JobState::Queued;
            });
            return self.store(entry).await;
        }
        if let Ok(done) = &outcome {
            (self.0.on_ingested)(done.rows_ingested);
        }
        let mut record = entry.record();
        record.finished = Some(Utc::now());
        match outcome {
            Ok(done) => {
                record.state = JobState::Succeeded;
                record.result = Some(done.result);
            }
            Err(error) if is_cancelled => {
                record.state = JobState::Cancelled;
                record.error = Some(of_error(&error));
            }
            Err(error) => {
                record.state = JobState::Failed;
                record.error = Some(of_error(&error));
            }
        }
        // Stored first, shown second: what a caller saw finished is finished after a restart too.
        if let Err(error) = self.write(&record).await {
            tracing::error!(job = record.id, %error, "the end of a job could not be stored");
        }
        if let Some(spool) = self.0.spool.get() {
            remove(spool.job(&record.owner, &record.id)).await;
        }
        tracing::info!(job = record.id, state = ?record.state, "a job ended");
        entry.update(|shown| *shown = record);
        self.prune().await;
    }

    async fn give_up(&self, record: &mut Record, why: &str) {
        record.state = JobState::Failed;
        record.finished = Some(Utc::now());
        record.error = Some(problem(
            ErrorCode::Internal,
            format!("{why}; ask for the work again, with the same idempotency key if it had one"),
        ));
        if let Err(error) = self.write(record).await {
            tracing::warn!(job = record.id, %error, "a lost job could not be marked");
        }
    }

    /// Stores a job as it is; a store that does not answer now is asked again at the next change.
    async fn store(&self, entry: &Entry) {
        let record = entry.record();
        if let Err(error) = self.write(&record).await {
            tracing::warn!(job = record.id, %error, "a job's state could not be stored");
        }
    }

    async fn write(&self, record: &Record) -> Result<(), Error> {
        let mut record = record.clone();
        record.updated = Utc::now();
        let bytes = serde_json::to_vec(&record).unwrap_or_default();
        let objects = self.0.engine.store().objects();
        Ok(objects.put(&job_object(&record.id), bytes.into()).await?)
    }

    async fn record(&self, id: &str) -> Result<Option<Record>, Error> {
        if let Some(entry) = self.0.table.get(id)
            && (entry.is_live() || entry.record().state.is_final())
        {
            return Ok(Some(entry.record()));
        }
        // Only what this program made is looked up: the text becomes part of an object's key.
        if Uuid::parse_str(id).is_err() {
            return Ok(None);
        }
        let bytes = self
            .0
            .engine
            .store()
            .objects()
            .get_opt(&job_object(id))
            .await?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    async fn read_all(&self) -> Result<Vec<Record>, Error> {
        let objects = self.0.engine.store().objects();
        let keys = objects
            .list("jobs/")
            .await?
            .into_iter()
            .map(|object| object.key)
            .filter(|key| !key.contains("/keys/") && key.ends_with(".json"));
        let mut found = stream::iter(keys)
            .map(|key| async move { Ok::<_, Error>((objects.get_opt(&key).await?, key)) })
            .buffered(READS_AHEAD);
        let mut records = Vec::new();
        while let Some((bytes, key)) = found.try_next().await? {
            match bytes.map(|bytes| serde_json::from_slice::<Record>(&bytes)) {
                Some(Ok(record)) => records.push(record),
                Some(Err(error)) => {
                    tracing::warn!(object = key, %error, "a stored job cannot be read");
                }
                None => {} // pruned by another server meanwhile
            }
        }
        Ok(records)
    }

    async fn prune(&self) {
        let objects = self.0.engine.store().objects();
        for record in self.0.table.take_surplus() {
            let mut keys = vec![job_object(&record.id)];
            keys.extend(record.key.as_deref().map(key_object));
            for key in keys {
                if let Err(error) = objects.delete(&key).await {
                    tracing::warn!(key, %error, "an old job could not be removed");
                }
            }
        }
    }
}

fn job_object(id: &str) -> String {
    format!("jobs/{id}.json")
}

fn key_object(key: &str) -> String {
    format!("jobs/keys/{}.json", Sha256Digest::of(key.as_bytes()))
}

async fn remove(folder: PathBuf) {
    match tokio::fs::remove_dir_all(&folder).await {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "a spool folder could not be removed"),
    }
}
