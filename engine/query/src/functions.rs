//! The functions that Penstock adds to SQL.

mod answer;
mod distance;
mod matching;
mod table;

use std::sync::Arc;

use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::registry::FunctionRegistry;
use penstock_types::Metric;

pub use matching::schema as match_schema;

use crate::Calls;
use crate::catalog::Pinned;

/// `at(table, version_or_tag)`.
pub(crate) const AT: &str = "at";
/// `vector_search(table, column, query, k [, where])`.
pub(crate) const VECTOR_SEARCH: &str = "vector_search";

/// `match_pattern(table, pattern [, limit])`.
pub(crate) const MATCH_PATTERN: &str = "match_pattern";

/// Registers the functions for one statement.
pub(crate) fn register(
    state: &mut SessionState,
    pinned: &Pinned,
    calls: &Calls,
) -> Result<(), datafusion::error::DataFusionError> {
    for metric in Metric::ALL {
        state.register_udf(Arc::new(ScalarUDF::from(distance::Distance::new(metric))))?;
    }
    let at = Arc::new(table::At::new(pinned.clone()));
    let search = Arc::new(table::Search::new(
        pinned.clone(),
        Arc::clone(&calls.search),
    ));
    let find = Arc::new(matching::Match::new(
        pinned.clone(),
        Arc::clone(&calls.find),
    ));
    // Names of table functions are looked up as they are written.
    for name in [AT.to_owned(), AT.to_uppercase()] {
        state.register_udtf(&name, at.clone());
    }
    for name in [VECTOR_SEARCH.to_owned(), VECTOR_SEARCH.to_uppercase()] {
        state.register_udtf(&name, search.clone());
    }
    for name in [MATCH_PATTERN.to_owned(), MATCH_PATTERN.to_uppercase()] {
        state.register_udtf(&name, find.clone());
    }
    Ok(())
}
