//! Bounds that hold inside a running plan.
//!
//! DataFusion's operators yield where they read, not where they compute: a cross join makes
//! billions of rows from two small inputs without a pause. Every operator of a plan is therefore
//! wrapped ([`guarded`]): before each batch the wrapper looks at the clock and at the flag that says that nobody
//! waits for the answer any more, gives the other tasks of its thread a turn, and counts the rows of
//! those operators that make more rows than they read. A join whose condition rejects every pair
//! makes no rows at all and does not return in between, so the conditions of joins are wrapped as
//! well ([`condition`]).

mod condition;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, RecordBatchStream,
    SendableRecordBatchStream,
};
use futures::Stream;

use crate::{Limits, QueryError};

/// What stands for a bound on time that the clock cannot express.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// What all operators of one statement share.
#[derive(Debug)]
pub(crate) struct Guard {
    deadline: Instant,
    time: Duration,
    max_rows: u64,
    rows: AtomicU64,
    cancelled: AtomicBool,
}

impl Guard {
    pub(crate) fn new(limits: &Limits, started: Instant) -> Self {
        Self {
            deadline: started
                .checked_add(limits.time)
                .unwrap_or_else(|| started + FOREVER),
            time: limits.time,
            max_rows: limits.intermediate_rows,
            rows: AtomicU64::new(0),
            cancelled: AtomicBool::new(false),
        }
    }

    /// Ends the statement: every operator fails at its next batch.
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The error of a statement that ran out of time.
    pub(crate) fn late(&self) -> QueryError {
        QueryError::Time { max: self.time }
    }

    fn check(&self) -> Result<(), QueryError> {
        if self.cancelled.load(Relaxed) {
            return Err(QueryError::Cancelled);
        }
        if Instant::now() >= self.deadline {
            return Err(self.late());
        }
        Ok(())
    }

    fn count(&self, rows: usize) -> Result<(), QueryError> {
        let rows = rows as u64;
        if self.rows.fetch_add(rows, Relaxed) + rows > self.max_rows {
            return Err(QueryError::IntermediateRows { max: self.max_rows });
        }
        Ok(())
    }
}

/// Wraps every operator of the plan.
pub(crate) fn guarded(
    plan: Arc<dyn ExecutionPlan>,
    guard: &Arc<Guard>,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|plan| {
        Ok(Transformed::yes(Arc::new(Guarded {
            counted: multiplies(plan.name()),
            input: condition::guarded(plan, guard)?,
            guard: Arc::clone(guard),
        }) as Arc<dyn ExecutionPlan>))
    })
    .data()
}

/// Whether an operator can make more rows than it reads.
fn multiplies(operator: &str) -> bool {
    operator.contains("Join")
        || operator.contains("Unnest")
        || operator.contains("Recursive")
        || operator.contains("LazyMemory")
}

#[derive(Debug)]
struct Guarded {
    input: Arc<dyn ExecutionPlan>,
    guard: Arc<Guard>,
    counted: bool,
}

impl DisplayAs for Guarded {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Guarded")
    }
}

impl ExecutionPlan for Guarded {
    fn name(&self) -> &str {
        "Guarded"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return datafusion::common::internal_err!("a guarded operator has one input");
        };
        Ok(Arc::new(Self {
            input,
            guard: Arc::clone(&self.guard),
            counted: self.counted,
        }))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        Ok(Box::pin(GuardedStream {
            input: self.input.execute(partition, context)?,
            guard: Arc::clone(&self.guard),
            counted: self.counted,
        }))
    }
}

struct GuardedStream {
    input: SendableRecordBatchStream,
    guard: Arc<Guard>,
    counted: bool,
}

impl Stream for GuardedStream {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Err(error) = self.guard.check() {
            return Poll::Ready(Some(Err(error.into())));
        }
        let turn = ready!(tokio::task::coop::poll_proceed(cx));
        let polled = self.input.as_mut().poll_next(cx);
        if polled.is_ready() {
            turn.made_progress();
        }
        if self.counted
            && let Poll::Ready(Some(Ok(batch))) = &polled
            && let Err(error) = self.guard.count(batch.num_rows())
        {
            return Poll::Ready(Some(Err(error.into())));
        }
        polled
    }
}

impl RecordBatchStream for GuardedStream {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
