//! `at` and `vector_search`: functions that answer tables.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Schema, SchemaRef};
use datafusion::catalog::{TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use penstock_store::{Table, VersionRef};
use penstock_types::columns::ID;

use super::answer::AnswerTable;
use super::{AT, VECTOR_SEARCH};
use crate::catalog::Pinned;
use crate::{Query, QueryError, SearchFn, VectorSearch};

/// The column that a search adds.
const DISTANCE: &str = "distance";

pub(super) fn wrong(function: &'static str, reason: impl Into<String>) -> QueryError {
    QueryError::Call {
        function,
        reason: reason.into(),
    }
}

pub(super) fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

pub(super) fn number(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Literal(value, _) => match value.cast_to(&DataType::UInt64) {
            Ok(ScalarValue::UInt64(number)) => number,
            _ => None,
        },
        _ => None,
    }
}

/// `at(table, version_or_tag)`.
#[derive(Debug)]
pub(super) struct At {
    pinned: Pinned,
}

impl At {
    pub(super) fn new(pinned: Pinned) -> Self {
        Self { pinned }
    }
}

impl TableFunctionImpl for At {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let usage = || wrong(AT, "write at('table', version), with a number or 'tag'");
        let [table, version] = args.exprs() else {
            return Err(usage().into());
        };
        let table = text(table).ok_or_else(usage)?;
        let version = match (text(version), number(version)) {
            (Some(text), _) => text
                .parse::<VersionRef>()
                .map_err(|e| wrong(AT, e.to_string()))?,
            (None, Some(number)) => VersionRef::Number(number),
            (None, None) => return Err(usage().into()),
        };
        let table = self.pinned.get(table, &version).ok_or_else(usage)?;
        Ok(table.provider())
    }
}

/// `vector_search(table, column, query, k [, where])`.
pub(super) struct Search {
    pinned: Pinned,
    search: SearchFn,
}

impl Search {
    pub(super) fn new(pinned: Pinned, search: SearchFn) -> Self {
        Self { pinned, search }
    }
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search")
            .field("pinned", &self.pinned)
            .finish_non_exhaustive()
    }
}

impl TableFunctionImpl for Search {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let usage = || {
            wrong(
                VECTOR_SEARCH,
                "write vector_search('table', 'column', query, k [, 'predicate']); the query is an \
                 array, a JSON array as text, 'id:...' or raw text",
            )
        };
        let (table, column, query, k, filter) = match args.exprs() {
            [table, column, query, k] => (table, column, query, k, None),
            [table, column, query, k, filter] => (table, column, query, k, Some(filter)),
            _ => return Err(usage().into()),
        };
        let table = text(table).ok_or_else(usage)?;
        let (table, at) = versioned(VECTOR_SEARCH, table)?;
        let table = self.pinned.get(table, &at).ok_or_else(usage)?.clone();
        let k = number(k)
            .and_then(|k| usize::try_from(k).ok())
            .ok_or_else(|| wrong(VECTOR_SEARCH, "k must be a positive whole number"))?;
        let filter = filter
            .map(|filter| text(filter).map(str::to_owned).ok_or_else(usage))
            .transpose()?;
        let call = VectorSearch {
            column: text(column).ok_or_else(usage)?.to_owned(),
            query: query_of(query)?,
            table,
            k,
            filter,
            columns: Vec::new(),
        };
        let search = Arc::clone(&self.search);
        let schema = search_schema(&call.table);
        let provider = AnswerTable::new("SearchExec", schema, move |schema, _limit| {
            let (search, mut call) = (Arc::clone(&search), call.clone());
            call.columns = schema
                .fields()
                .iter()
                .map(|field| field.name().clone())
                .filter(|name| name != DISTANCE)
                .collect();
            if call.columns.is_empty() {
                call.columns.push(ID.to_owned());
            }
            (
                format!("{call:?}"),
                Arc::new(move || (search)(call.clone())),
            )
        });
        Ok(Arc::new(provider))
    }
}

/// The table and the version of `TABLE` or `TABLE@VERSION`, an argument of a function.
pub(super) fn versioned<'a>(
    function: &'static str,
    text: &'a str,
) -> Result<(&'a str, VersionRef), QueryError> {
    let Some((table, version)) = text.split_once('@') else {
        return Ok((text, VersionRef::Latest));
    };
    let version = version.parse::<VersionRef>();
    Ok((table, version.map_err(|e| wrong(function, e.to_string()))?))
}

/// What the third argument asks for.
fn query_of(expr: &Expr) -> Result<Query, QueryError> {
    let usage = || {
        wrong(
            VECTOR_SEARCH,
            "the query must be an array of numbers, a JSON array as text, 'id:...' or raw text",
        )
    };
    if let Some(text) = text(expr) {
        let trimmed = text.trim();
        return if trimmed.starts_with('[') {
            serde_json::from_str::<Vec<f32>>(trimmed)
                .map(Query::Vector)
                .map_err(|error| {
                    wrong(
                        VECTOR_SEARCH,
                        format!("the query is no JSON array of numbers: {error}"),
                    )
                })
        } else if let Some(id) = text.strip_prefix("id:") {
            Ok(Query::Id(id.to_owned()))
        } else {
            Ok(Query::Text(text.to_owned()))
        };
    }
    let Expr::Literal(value, _) = expr else {
        return Err(usage());
    };
    let list: ArrayRef = match value {
        ScalarValue::List(list) if list.len() == 1 => list.value(0),
        ScalarValue::LargeList(list) if list.len() == 1 => list.value(0),
        ScalarValue::FixedSizeList(list) if list.len() == 1 => list.value(0),
        _ => return Err(usage()),
    };
    let numbers = cast(&list, &DataType::Float32).map_err(|_| usage())?;
    if numbers.null_count() > 0 {
        return Err(wrong(VECTOR_SEARCH, "the query vector holds a null"));
    }
    Ok(Query::Vector(
        numbers.as_primitive::<Float32Type>().values().to_vec(),
    ))
}

/// The table's columns and the distance.
fn search_schema(table: &Table) -> SchemaRef {
    let schema = table.schema();
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(DISTANCE, DataType::Float32, false)));
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::lit;

    use super::*;

    #[test]
    fn queries() {
        assert_eq!(
            query_of(&lit(" [1, 2.5]")).unwrap(),
            Query::Vector(vec![1.0, 2.5])
        );
        assert_eq!(
            query_of(&lit("id:d1[a]")).unwrap(),
            Query::Id("d1[a]".into())
        );
        assert_eq!(query_of(&lit("MKV")).unwrap(), Query::Text("MKV".into()));
        assert!(query_of(&lit("[1, x]")).is_err());
        assert!(query_of(&lit(3_i64)).is_err());
        let list = ScalarValue::List(ScalarValue::new_list_nullable(
            &[ScalarValue::from(1_i64), ScalarValue::from(2_i64)],
            &DataType::Int64,
        ));
        let list = Expr::Literal(list, None);
        assert_eq!(query_of(&list).unwrap(), Query::Vector(vec![1.0, 2.0]));
    }
}
