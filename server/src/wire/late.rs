//! Searches by several vectors per row.

use arrow::error::ArrowError;
use penstock::index::{LateAnswer, Made};
use penstock::store::VersionRef;
use penstock::{LateCandidates, LateInput, LateRequest};
use penstock_openapi as wire;
use penstock_types::{NameError, TableName};

use super::rows;
use super::search::{hit, names, plan, with_id};
use crate::vectors::{VectorFault, Vectors};

/// Why a request asks for no search by several vectors.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LateFault {
    /// It has no query, or several.
    #[error("give exactly one of `id`, `text` and `vectors`")]
    Query,
    /// It says who made vectors, and brings none.
    #[error("`encoder` and `weights` say who made `vectors`, which are missing")]
    Made,
    /// It gives the digest of weights, and not whose they are.
    #[error("`weights` are those of an `encoder`, which is missing")]
    Weights,
    /// It says by which column candidates are found, and not how many.
    #[error("`candidates_column` is for `candidates`, which are missing")]
    Candidates,
    /// The vectors are none.
    #[error(transparent)]
    Vectors(#[from] VectorFault),
    /// The version is none.
    #[error(transparent)]
    Version(#[from] NameError),
}

/// The options of a query as those of a body.
#[must_use]
pub fn late_of_params(params: wire::LateParams) -> wire::LateRequest {
    let default = wire::LateRequest::default();
    wire::LateRequest {
        encoder: params.encoder,
        weights: params.weights,
        k: params.k.unwrap_or(default.k),
        column: params.column,
        filter: params.filter,
        version: params.version,
        columns: params.columns.as_deref().map(names),
        candidates: params.candidates,
        candidates_column: params.candidates_column,
        explain: params.explain.unwrap_or_default(),
        ..default
    }
}

/// A search as the engine takes it; `vectors` are those that did not come in the request.
///
/// # Errors
/// Not exactly one query is given, its vectors are none, options lack what they are for, or the
/// version cannot be read.
pub fn late_request(
    table: TableName,
    wanted: wire::LateRequest,
    vectors: Option<Vectors>,
) -> Result<LateRequest, LateFault> {
    let made = match (wanted.encoder, wanted.weights) {
        (None, Some(_)) => return Err(LateFault::Weights),
        (encoder, weights) => encoder.map(|encoder| Made { encoder, weights }),
    };
    let given = match (wanted.vectors, vectors) {
        (None, vectors) => vectors,
        (Some(_), Some(_)) => return Err(LateFault::Query),
        (Some(rows), None) => {
            let mut vectors = Vectors::default();
            for vector in &rows {
                vectors.push(vector)?;
            }
            Some(vectors)
        }
    };
    let input = match (wanted.id, wanted.text, given) {
        (None, None, Some(vectors)) => {
            let (dim, values) = vectors.into_parts()?;
            LateInput::Vectors { dim, values, made }
        }
        (Some(_), None, None) | (None, Some(_), None) if made.is_some() => {
            return Err(LateFault::Made);
        }
        (Some(id), None, None) => LateInput::Id(id),
        (None, Some(text), None) => LateInput::Text(text),
        _ => return Err(LateFault::Query),
    };
    let version = wanted.version.as_deref().map(str::parse).transpose()?;
    let mut request = LateRequest::new(table, input);
    request.version = version.unwrap_or(VersionRef::Latest);
    request.column = wanted.column;
    request.k = wanted.k as usize;
    request.filter = wanted.filter;
    request.columns = wanted.columns.map(with_id);
    request.candidates = match (wanted.candidates, wanted.candidates_column) {
        (None, None) => None,
        (None, Some(_)) => return Err(LateFault::Candidates),
        (Some(n), column) => Some(LateCandidates {
            column,
            n: n as usize,
        }),
    };
    Ok(request)
}

/// What a search by several vectors found; with the way to its candidates, where that was asked
/// for.
///
/// # Errors
/// A column asked for has a type that JSON has no form for.
pub fn late_answer(
    table: &TableName,
    answer: &LateAnswer,
    explain: bool,
) -> Result<wire::LateAnswer, ArrowError> {
    Ok(wire::LateAnswer {
        table: table.to_string(),
        version: answer.version,
        column: answer.column.clone(),
        k: answer.k as u64,
        vectors: answer.vectors as u64,
        exact: answer.exact,
        candidates: answer.candidates,
        plan: answer.plan.as_ref().filter(|_| explain).map(plan),
        hits: rows(&answer.batch)?.into_iter().map(hit).collect(),
    })
}
