//! Running a statement.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::{Stream, StreamExt};
use penstock_store::Store;
use tokio::runtime::{Handle, Runtime};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::catalog::{self, CATALOG, Pinned, SCHEMA};
use crate::guard::{Guard, guarded};
use crate::limits::{MAX_NESTING, PLANNER_STACK_BYTES};
use crate::statement::{Parsed, parse};
use crate::{Calls, Limits, QueryError, Result, functions};

/// Batches computed ahead of the reader.
const BATCHES_AHEAD: usize = 2;
/// Largest logical plan, counted as a tree: what is shared is counted each time.
const MAX_PLAN_NODES: usize = 5_000;

/// SQL over the tables of a store. Cheap to clone.
#[derive(Clone)]
pub struct Sql {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    calls: Calls,
    /// Statements run here and nowhere else. `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last clone may be dropped in a place that must not block.
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sql").finish_non_exhaustive()
    }
}

/// A running statement's batches.
pub type BatchStream = Pin<Box<dyn Stream<Item = Result<RecordBatch>> + Send>>;

/// The answer of a statement.
pub struct Answer {
    /// The columns.
    pub schema: SchemaRef,
    /// The tables that the statement names, with the versions that it sees.
    pub versions: BTreeMap<String, Vec<u64>>,
    /// The rows. Dropping it ends the statement.
    pub batches: BatchStream,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("schema", &self.schema)
            .field("versions", &self.versions)
            .finish_non_exhaustive()
    }
}

/// A statement that is planned and may run.
struct Planned {
    plan: Arc<dyn ExecutionPlan>,
    state: SessionState,
    versions: BTreeMap<String, Vec<u64>>,
    guard: Arc<Guard>,
}

impl Sql {
    /// SQL over the store. `calls` answer its functions.
    ///
    /// # Errors
    /// The threads cannot be started.
    pub fn new(store: Store, calls: Calls) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("penstock-sql")
            .enable_all()
            .build()
            .map_err(QueryError::engine)?;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                calls,
                runtime: Some(runtime),
            }),
        })
    }

    /// Plans one statement and starts it.
    ///
    /// # Errors
    /// The text is no single read-only statement, names what there is not, or is too big. What goes
    /// wrong while it runs is an item of the stream; it is the last.
    pub async fn query(&self, sql: &str, limits: &Limits) -> Result<Answer> {
        let planned = self.plan(sql, limits).await?;
        let runtime = self.runtime()?;
        let Planned {
            plan,
            state,
            versions,
            guard,
        } = planned;
        let schema = plan.schema();
        let (sender, receiver) = mpsc::channel(BATCHES_AHEAD);
        let memory_bytes = limits.memory_bytes;
        let task = runtime.spawn(async move {
            let wrong = |error| QueryError::from_datafusion(error, memory_bytes);
            let mut batches = match execute_stream(plan, state.task_ctx()) {
                Ok(batches) => batches.map(move |item| item.map_err(wrong)),
                Err(error) => {
                    let _ = sender.send(Err(wrong(error))).await;
                    return;
                }
            };
            while let Some(item) = batches.next().await {
                let failed = item.is_err();
                // Nobody listens: the answer was dropped.
                if sender.send(item.map(Some)).await.is_err() || failed {
                    return;
                }
            }
            let _ = sender.send(Ok(None)).await;
        });
        let running = Running {
            receiver,
            task: task.abort_handle(),
            late: Box::pin(tokio::time::sleep_until(guard.deadline().into())),
            guard,
            rows: 0,
            max_rows: limits.rows,
            done: false,
        };
        Ok(Answer {
            schema,
            versions,
            batches: Box::pin(running),
        })
    }

    /// The columns that a statement answers, without running it.
    ///
    /// # Errors
    /// As [`Sql::query`].
    pub async fn schema(&self, sql: &str, limits: &Limits) -> Result<SchemaRef> {
        Ok(self.plan(sql, limits).await?.plan.schema())
    }

    fn runtime(&self) -> Result<&Handle> {
        self.inner
            .runtime
            .as_ref()
            .map(Runtime::handle)
            .ok_or(QueryError::Cancelled)
    }

    async fn plan(&self, sql: &str, limits: &Limits) -> Result<Planned> {
        let guard = Arc::new(Guard::new(limits, Instant::now()));
        let planning = self.parse_and_plan(sql, limits, Arc::clone(&guard));
        tokio::time::timeout_at(guard.deadline().into(), planning)
            .await
            .map_err(|_| guard.late())?
    }

    async fn parse_and_plan(
        &self,
        sql: &str,
        limits: &Limits,
        guard: Arc<Guard>,
    ) -> Result<Planned> {
        let text = sql.to_owned();
        let parsed = on_large_stack(move || parse(&text)).await?;
        let pinned = catalog::resolve(&self.inner.store, &parsed).await?;
        let calls = self.inner.calls.clone();
        let runtime = self.runtime()?.clone();
        let limits = limits.clone();
        on_large_stack(move || {
            let memory_bytes = limits.memory_bytes;
            plan(parsed, pinned, &calls, &limits, guard, &runtime)
                .map_err(|error| QueryError::from_datafusion(error, memory_bytes))
        })
        .await
    }
}

/// Runs recursive work on a thread of its own, whose stack is large enough for it.
async fn on_large_stack<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("penstock-plan".to_owned())
        .stack_size(PLANNER_STACK_BYTES)
        .spawn(move || {
            let _ = sender.send(work());
        })
        .map_err(QueryError::engine)?;
    receiver
        .await
        .map_err(|_| QueryError::engine("the planner died"))?
}

fn plan(
    parsed: Parsed,
    pinned: Pinned,
    calls: &Calls,
    limits: &Limits,
    guard: Arc<Guard>,
    runtime: &Handle,
) -> Result<Planned, DataFusionError> {
    let state = session(&parsed, &pinned, calls, limits)?;
    let logical = runtime.block_on(state.statement_to_plan(parsed.statement))?;
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&logical)?;
    check_plan_size(&logical)?;
    let physical = runtime.block_on(state.create_physical_plan(&logical))?;
    Ok(Planned {
        plan: guarded(physical, &guard)?,
        state,
        versions: pinned.versions(),
        guard,
    })
}

fn session(
    parsed: &Parsed,
    pinned: &Pinned,
    calls: &Calls,
    limits: &Limits,
) -> Result<SessionState, DataFusionError> {
    let threads = limits
        .threads
        .or_else(|| std::thread::available_parallelism().ok().map(Into::into))
        .unwrap_or(1);
    let mut config = SessionConfig::new()
        .with_target_partitions(threads.max(1))
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(parsed.reads_information_schema);
    let options = config.options_mut();
    options.sql_parser.recursion_limit = MAX_NESTING;
    // Each thread's sort sets this much aside for merging what it spilled; the default of 10 MB
    // could be more than the statement may use.
    let merge_bytes = limits.memory_bytes / (4 * threads.max(1));
    options.execution.sort_spill_reservation_bytes =
        merge_bytes.min(options.execution.sort_spill_reservation_bytes);

    let spill_dir = limits.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory_bytes)))
        .with_disk_manager_builder(
            DiskManagerBuilder::default()
                .with_mode(DiskManagerMode::Directories(vec![spill_dir]))
                .with_max_temp_directory_size(limits.spill_bytes),
        )
        .build_arc()?;
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(runtime)
        .with_default_features()
        .with_catalog_list(pinned.catalogs()?)
        .build();
    functions::register(&mut state, pinned, calls)?;
    Ok(state)
}

/// Subplans are shared in memory and copied by the optimiser, so they are counted as often as they
/// are met.
fn check_plan_size(plan: &LogicalPlan) -> Result<(), DataFusionError> {
    let mut nodes = 0;
    plan.apply_with_subqueries(|_| {
        nodes += 1;
        Ok(if nodes > MAX_PLAN_NODES {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    if nodes > MAX_PLAN_NODES {
        return Err(QueryError::Size {
            what: "steps when planned",
            given: nodes,
            max: MAX_PLAN_NODES,
        }
        .into());
    }
    Ok(())
}

/// The reader's end: passes batches on, and ends the statement when it must or is not wanted.
struct Running {
    /// `None` says that the answer is whole. Without it a worker died, and part of the rows must not
    /// pass for all of them.
    receiver: mpsc::Receiver<Result<Option<RecordBatch>>>,
    task: AbortHandle,
    late: Pin<Box<tokio::time::Sleep>>,
    guard: Arc<Guard>,
    rows: u64,
    max_rows: u64,
    done: bool,
}

impl Running {
    fn fail(&mut self, error: QueryError) -> Poll<Option<Result<RecordBatch>>> {
        self.stop();
        Poll::Ready(Some(Err(error)))
    }

    fn stop(&mut self) {
        self.done = true;
        self.guard.cancel();
        self.task.abort();
    }
}

impl Stream for Running {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.done {
            return Poll::Ready(None);
        }
        match self.receiver.poll_recv(cx) {
            Poll::Ready(Some(Ok(Some(batch)))) => {
                self.rows += batch.num_rows() as u64;
                if self.rows > self.max_rows {
                    let max = self.max_rows;
                    return self.fail(QueryError::Rows { max });
                }
                Poll::Ready(Some(Ok(batch)))
            }
            Poll::Ready(Some(Err(error))) => self.fail(error),
            Poll::Ready(Some(Ok(None))) => {
                self.done = true;
                Poll::Ready(None)
            }
            Poll::Ready(None) => self.fail(QueryError::engine("a worker of the query died")),
            Poll::Pending => {
                if self.late.as_mut().poll(cx).is_ready() {
                    let late = self.guard.late();
                    return self.fail(late);
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
