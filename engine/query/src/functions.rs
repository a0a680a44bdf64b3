//! The functions that Penstock adds to SQL.

mod distance;
mod table;

use std::sync::Arc;

use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::ScalarUDF;
use datafusion::logical_expr::registry::FunctionRegistry;
use penstock_types::Metric;

use crate::SearchFn;
use crate::catalog::Pinned;

/// `at(table, version_or_tag)`.
pub(crate) const AT: &str = "at";
/// `vector_search(table, column, query, k [, where])`.
pub(crate) const VECTOR_SEARCH: &str = "vector_search";

/// Registers the functions for one statement.
pub(crate) fn register(
    state: &mut SessionState,
    pinned: &Pinned,
    search: &SearchFn,
) -> Result<(), datafusion::error::DataFusionError> {
    for metric in Metric::ALL {
        state.register_udf(Arc::new(ScalarUDF::from(distance::Distance::new(metric))))?;
    }
    let at = Arc::new(table::At::new(pinned.clone()));
    let search = Arc::new(table::Search::new(pinned.clone(), Arc::clone(search)));
    // Names of table functions are looked up as they are written.
    for name in [AT.to_owned(), AT.to_uppercase()] {
        state.register_udtf(&name, at.clone());
    }
    for name in [VECTOR_SEARCH.to_owned(), VECTOR_SEARCH.to_uppercase()] {
        state.register_udtf(&name, search.clone());
    }
    Ok(())
}
