//! `match_pattern`: where a pattern occurs in the graphs of a table.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::Result;

use super::MATCH_PATTERN;
use super::answer::AnswerTable;
use super::table::{number, text, versioned, wrong};
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

/// The columns of `match_pattern`: which match, its graph, and for each vertex of the pattern the
/// number of the graph's vertex.
#[must_use]
pub fn schema() -> SchemaRef {
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
        let (table, at) = versioned(MATCH_PATTERN, table)?;
        let call = PatternMatch {
            table: self.pinned.get(table, &at).ok_or_else(usage)?.clone(),
            pattern: text(pattern).ok_or_else(usage)?.to_owned(),
            limit,
        };
        let find = Arc::clone(&self.find);
        let provider = AnswerTable::new("MatchExec", schema(), move |_schema, limit| {
            let (find, mut call) = (Arc::clone(&find), call.clone());
            // The statement wants no more: the search may stop there.
            if let Some(limit) = limit {
                let limit = limit as u64;
                call.limit = Some(call.limit.map_or(limit, |given| given.min(limit)));
            }
            (format!("{call:?}"), Arc::new(move || (find)(call.clone())))
        });
        Ok(Arc::new(provider))
    }
}
