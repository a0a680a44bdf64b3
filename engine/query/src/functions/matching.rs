//! `match_pattern`: where a pattern occurs in the graphs of a table.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::Result;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;
use penstock_store::VersionRef;

use super::MATCH_PATTERN;
use super::answer::AnswerExec;
use super::table::{number, text, wrong};
use crate::catalog::Pinned;
use crate::{MatchFn, PatternMatch};

/// `match_pattern(table, pattern [, limit])`.
pub(super) struct Match {
    pinned: Pinned,
    find: MatchFn,
}

impl Match {
    pub(super) fn new(pinned: Pinned, find: MatchFn) -> Self {
        Self { pinned, find }
    }
}

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Match")
            .field("pinned", &self.pinned)
            .finish_non_exhaustive()
    }
}

/// The columns of the answer: which match, its graph, and for each vertex of the pattern the
/// number of the graph's vertex.
pub(super) fn schema() -> SchemaRef {
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    Arc::new(Schema::new(vec![
        Field::new("match", DataType::Int64, false),
        Field::new("graph", DataType::Utf8, false),
        Field::new("vertices", DataType::List(item), false),
    ]))
}

impl TableFunctionImpl for Match {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let usage = || {
            wrong(
                MATCH_PATTERN,
                "write match_pattern('table', 'pattern' [, limit]), with the pattern as JSON or t/v/e \
                 text",
            )
        };
        let (table, pattern, limit) = match args.exprs() {
            [table, pattern] => (table, pattern, None),
            [table, pattern, limit] => (table, pattern, Some(number(limit).ok_or_else(usage)?)),
            _ => return Err(usage().into()),
        };
        let table = text(table).ok_or_else(usage)?;
        let (table, at) = match table.split_once('@') {
            Some((table, version)) => {
                let version = version.parse::<VersionRef>();
                (
                    table,
                    version.map_err(|e| wrong(MATCH_PATTERN, e.to_string()))?,
                )
            }
            None => (table, VersionRef::Latest),
        };
        Ok(Arc::new(MatchTable {
            schema: schema(),
            find: Arc::clone(&self.find),
            call: PatternMatch {
                table: self.pinned.get(table, &at).ok_or_else(usage)?.clone(),
                pattern: text(pattern).ok_or_else(usage)?.to_owned(),
                limit,
            },
        }))
    }
}

/// The matches, as a table that searches when it is scanned.
struct MatchTable {
    schema: SchemaRef,
    find: MatchFn,
    call: PatternMatch,
}

impl fmt::Debug for MatchTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.call.fmt(f)
    }
}

#[async_trait]
impl TableProvider for MatchTable {
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
        let mut call = self.call.clone();
        // The statement wants no more: the search may stop there.
        if let Some(limit) = limit {
            call.limit = Some(
                call.limit
                    .map_or(limit as u64, |given| given.min(limit as u64)),
            );
        }
        let (find, what) = (Arc::clone(&self.find), format!("{call:?}"));
        let answer = Arc::new(move || (find)(call.clone()));
        Ok(Arc::new(AnswerExec::new("MatchExec", what, schema, answer)))
    }
}
