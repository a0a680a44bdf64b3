//! Searches with many vectors.

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use penstock::index::{ManyAnswer, QUERY};
use penstock::{SearchInput, SearchRequest};
use penstock_openapi as wire;
use penstock_types::TableName;

use super::rows;
use super::search::{SearchFault, hit, names, plan, search_request};

/// The options of a query as those of a body.
#[must_use]
pub fn batch_of_params(params: wire::SearchBatchParams) -> wire::SearchBatchRequest {
    let default = wire::SearchBatchRequest::default();
    wire::SearchBatchRequest {
        k: params.k.unwrap_or(default.k),
        column: params.column,
        metric: params.metric,
        filter: params.filter,
        exact: params.exact.unwrap_or_default(),
        version: params.version,
        columns: params.columns.as_deref().map(names),
        tier: params.tier,
        min_recall: params.min_recall,
        ef: params.ef,
        nprobes: params.nprobes,
        refine: params.refine,
        explain: params.explain.unwrap_or_default(),
        ..default
    }
}

/// What the searches of a batch share, as the engine takes it. Its vectors go beside it.
///
/// # Errors
/// A word cannot be read, or two options exclude each other.
pub fn batch_request(
    table: TableName,
    wanted: wire::SearchBatchRequest,
) -> Result<SearchRequest, SearchFault> {
    let one = wire::SearchRequest {
        k: wanted.k,
        column: wanted.column,
        metric: wanted.metric,
        filter: wanted.filter,
        exact: wanted.exact,
        version: wanted.version,
        columns: wanted.columns,
        tier: wanted.tier,
        min_recall: wanted.min_recall,
        ef: wanted.ef,
        nprobes: wanted.nprobes,
        refine: wanted.refine,
        explain: wanted.explain,
        ..wire::SearchRequest::default()
    };
    search_request(table, SearchInput::Vector(Vec::new()), one)
}

/// What a batch of searches found; with its plan, where that was asked for.
///
/// # Errors
/// A column asked for has a type that JSON has no form for.
pub fn batch_answer(
    table: &TableName,
    answer: &ManyAnswer,
    explain: bool,
) -> Result<wire::SearchBatchAnswer, ArrowError> {
    let mut results: Vec<Vec<wire::Hit>> = vec![Vec::new(); answer.queries];
    if let Some(queries) = answer.batch.column_by_name(QUERY) {
        let queries = queries.as_primitive::<Int64Type>().values();
        for (mut row, query) in rows(&answer.batch)?.into_iter().zip(queries) {
            row.remove(QUERY);
            if let Some(result) = usize::try_from(*query)
                .ok()
                .and_then(|q| results.get_mut(q))
            {
                result.push(hit(row));
            }
        }
    }
    Ok(wire::SearchBatchAnswer {
        table: table.to_string(),
        version: answer.version,
        column: answer.column.clone(),
        metric: answer.metric.to_string(),
        k: answer.k as u64,
        exact: answer.exact,
        unindexed_rows: answer.plan.unindexed_rows,
        tier: answer.plan.tier.to_string(),
        candidates: answer.candidates,
        recall: if answer.exact {
            Some(1.0)
        } else {
            answer.plan.recall
        },
        plan: explain.then(|| plan(&answer.plan)),
        results,
    })
}
