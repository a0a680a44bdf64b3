//! Tables whose rows are computed, all at once, when they are read.

use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    SendableRecordBatchStream,
};
use futures::future::BoxFuture;

use crate::QueryError;

/// Computes the rows.
pub(super) type AnswerFn =
    Arc<dyn Fn() -> BoxFuture<'static, Result<RecordBatch, QueryError>> + Send + Sync>;

/// What is called for some columns of the table, of which the statement wants so many rows at most:
/// the call, for plans that are shown, and what makes it.
type CallFn = Box<dyn Fn(&SchemaRef, Option<usize>) -> (String, AnswerFn) + Send + Sync>;

/// A table of answers, computed when it is scanned.
pub(super) struct AnswerTable {
    /// Of its step in a plan.
    name: &'static str,
    schema: SchemaRef,
    call: CallFn,
}

impl AnswerTable {
    pub(super) fn new(
        name: &'static str,
        schema: SchemaRef,
        call: impl Fn(&SchemaRef, Option<usize>) -> (String, AnswerFn) + Send + Sync + 'static,
    ) -> Self {
        let call = Box::new(call);
        Self { name, schema, call }
    }
}

impl fmt::Debug for AnswerTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&(self.call)(&self.schema, None).0)
    }
}

#[async_trait]
impl TableProvider for AnswerTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = match projection {
            Some(indices) => Arc::new(self.schema.project(indices)?),
            None => Arc::clone(&self.schema),
        };
        let (what, answer) = (self.call)(&schema, limit);
        Ok(Arc::new(AnswerExec::new(self.name, what, schema, answer)))
    }
}

/// Computes the rows once and hands on the columns that the plan asked for.
struct AnswerExec {
    name: &'static str,
    /// The call, for plans that are shown.
    what: String,
    properties: Arc<PlanProperties>,
    answer: AnswerFn,
}

impl AnswerExec {
    fn new(name: &'static str, what: String, schema: SchemaRef, answer: AnswerFn) -> Self {
        Self {
            name,
            what,
            properties: Arc::new(PlanProperties::new(
                EquivalenceProperties::new(schema),
                Partitioning::UnknownPartitioning(1),
                EmissionType::Final,
                Boundedness::Bounded,
            )),
            answer,
        }
    }
}

impl fmt::Debug for AnswerExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl DisplayAs for AnswerExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.what)
    }
}

impl ExecutionPlan for AnswerExec {
    fn name(&self) -> &str {
        self.name
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(
        &self,
        _partition: usize,
        _context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let found = (self.answer)();
        let schema = self.schema();
        let aligned = Arc::clone(&schema);
        let batches = futures::stream::once(async move {
            let batch = found.await?;
            align(&batch, &aligned)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// The batch with the columns that the plan asked for, in its order.
fn align(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            batch
                .column_by_name(field.name())
                .cloned()
                .ok_or_else(|| QueryError::engine("a search left out a column"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}
