//! Searches: what is asked, and what was found.

use arrow::error::ArrowError;
use penstock::index::{DISTANCE, IndexError, Plan, SearchOptions, Tier};
use penstock::store::VersionRef;
use penstock::{GroupBy, Rerank, SearchInput, SearchRequest, UnknownRerank};
use penstock_openapi as wire;
use penstock_types::metric::UnknownMetric;
use penstock_types::{NameError, TableName, columns};
use serde_json::{Map, Value};

use super::rows;

/// Why a request asks for no search.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SearchFault {
    /// It has no query, or several.
    #[error("give exactly one of `id`, `text` and `vector`, or a file as a form")]
    Query,
    /// It asks for every row to be compared, and for an index.
    #[error("`exact` and the tier `{tier}` exclude each other")]
    Exact {
        /// The tier.
        tier: Tier,
    },
    /// It says how many rows of a group are kept, and not what makes a group.
    #[error("`group_size` is for `group_by`, which is missing")]
    Group,
    /// What is to be ranked by is nothing of the kind.
    #[error(transparent)]
    Rerank(#[from] UnknownRerank),
    /// The version is none.
    #[error(transparent)]
    Version(#[from] NameError),
    /// The metric is none.
    #[error(transparent)]
    Metric(#[from] UnknownMetric),
    /// The tier is none.
    #[error(transparent)]
    Tier(#[from] IndexError),
}

/// What to search with.
///
/// # Errors
/// Not exactly one of `id`, `text` and `vector` is given.
pub fn search_input(wanted: &mut wire::SearchRequest) -> Result<SearchInput, SearchFault> {
    match (wanted.id.take(), wanted.text.take(), wanted.vector.take()) {
        (Some(id), None, None) => Ok(SearchInput::Id(id)),
        (None, Some(text), None) => Ok(SearchInput::Text(text)),
        (None, None, Some(vector)) => Ok(SearchInput::Vector(vector)),
        _ => Err(SearchFault::Query),
    }
}

/// A search as the engine takes it.
///
/// # Errors
/// A word cannot be read, or two options exclude each other.
pub fn search_request(
    table: TableName,
    input: SearchInput,
    wanted: wire::SearchRequest,
) -> Result<SearchRequest, SearchFault> {
    let tier = wanted.tier.as_deref().map(str::parse::<Tier>).transpose()?;
    if let Some(tier) = tier
        && wanted.exact
        && tier != Tier::Exact
    {
        return Err(SearchFault::Exact { tier });
    }
    let version = wanted.version.as_deref().map(str::parse).transpose()?;
    let count = |number: Option<u32>| number.map(|number| number as usize);
    let mut search = SearchRequest::new(table, input);
    search.version = version.unwrap_or(VersionRef::Latest);
    search.column = wanted.column;
    search.k = wanted.k as usize;
    search.metric = wanted.metric.as_deref().map(str::parse).transpose()?;
    search.filter = wanted.filter;
    search.exact = wanted.exact;
    search.columns = wanted.columns.map(with_id);
    search.tier = tier;
    search.min_recall = wanted.min_recall;
    search.radius = wanted.radius;
    search.options = SearchOptions {
        nprobes: count(wanted.nprobes),
        ef: count(wanted.ef),
        refine: count(wanted.refine),
    };
    search.explain = wanted.explain;
    search.rerank = match wanted.rerank {
        None => None,
        Some(rerank) => Some(Rerank {
            by: rerank.by.parse()?,
            candidates: count(rerank.candidates),
        }),
    };
    search.diversity = wanted.diversity;
    search.group_by = match (wanted.group_by, count(wanted.group_size)) {
        (None, None) => None,
        (None, Some(_)) => return Err(SearchFault::Group),
        (Some(column), size) => Some(GroupBy {
            column,
            size: size.unwrap_or(1),
        }),
    };
    search.words = wanted.words;
    Ok(search)
}

/// Hits always say which rows they are.
pub(super) fn with_id(mut names: Vec<String>) -> Vec<String> {
    if !names.iter().any(|name| name == columns::ID) {
        names.insert(0, columns::ID.to_owned());
    }
    names
}

/// What a search found; with its plan, where that was asked for.
///
/// # Errors
/// A column asked for has a type that JSON has no form for.
pub fn search_answer(
    answer: &penstock::SearchAnswer,
    explain: bool,
) -> Result<wire::SearchAnswer, ArrowError> {
    Ok(wire::SearchAnswer {
        table: answer.table.to_string(),
        version: answer.version,
        column: answer.column.clone(),
        metric: answer.metric.to_string(),
        k: answer.k as u64,
        exact: answer.exact,
        unindexed_rows: answer.unindexed_rows,
        tier: answer.plan.tier.to_string(),
        candidates: answer.candidates,
        recall: if answer.exact {
            Some(1.0)
        } else {
            answer.plan.recall
        },
        truncated: answer.truncated,
        considered: answer.considered.map(|rows| rows as u64),
        plan: explain.then(|| plan(&answer.plan)),
        hits: rows(&answer.hits)?.into_iter().map(hit).collect(),
    })
}

/// The names of columns in a query, between commas.
pub(super) fn names(columns: &str) -> Vec<String> {
    let names = columns.split(',').map(str::trim);
    names
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn hit(mut columns: Map<String, Value>) -> wire::Hit {
    let id = match columns.remove(columns::ID) {
        Some(Value::String(id)) => id,
        _ => String::new(),
    };
    let distance = columns.remove(DISTANCE);
    let distance = distance.as_ref().and_then(Value::as_f64);
    wire::Hit {
        id,
        distance,
        columns,
    }
}

pub(super) fn plan(plan: &Plan) -> wire::SearchPlan {
    let count = |number: Option<usize>| number.map(|number| number as u64);
    wire::SearchPlan {
        tier: plan.tier.to_string(),
        reason: plan.reason.clone(),
        rows: plan.rows,
        matching: plan.matching,
        index: plan.index.clone(),
        unindexed_rows: plan.unindexed_rows,
        ef: count(plan.ef),
        nprobes: count(plan.nprobes),
        refine: count(plan.refine),
        recall: plan.recall,
    }
}
