//! Patterns in graphs: what is asked.

use std::time::Duration;

use penstock::MatchRequest;
use penstock::pattern::PatternError;
use penstock::pattern::format::json;
use penstock::store::VersionRef;
use penstock_openapi as wire;
use penstock_types::{NameError, TableName};

/// The longest that a search for a caller elsewhere may take, and what it takes where nothing is
/// said.
pub const LONGEST_MATCH: Duration = Duration::from_secs(600);

/// Why a request asks for no search for a pattern.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MatchFault {
    /// The pattern is none.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The version is none.
    #[error(transparent)]
    Version(#[from] NameError),
    /// The deadline is no time.
    #[error("deadline_secs: {0}")]
    Deadline(#[from] std::time::TryFromFloatSecsError),
}

/// A search as the engine takes it, with a deadline.
///
/// # Errors
/// The pattern, the version or the deadline cannot be read.
pub fn match_request(
    table: TableName,
    wanted: wire::MatchRequest,
) -> Result<MatchRequest, MatchFault> {
    let mut ask = MatchRequest::new(table, json::from_value(&wanted.pattern)?);
    let version = wanted.version.as_deref().map(str::parse).transpose()?;
    ask.version = version.unwrap_or(VersionRef::Latest);
    ask.induced = wanted.induced;
    ask.limit = wanted.limit;
    let deadline = wanted.deadline_secs.map(Duration::try_from_secs_f64);
    let deadline = deadline.transpose()?.unwrap_or(LONGEST_MATCH);
    ask.deadline = Some(deadline.min(LONGEST_MATCH));
    ask.keep = usize::try_from(wanted.keep).unwrap_or(usize::MAX);
    ask.graphs = wanted.graphs;
    Ok(ask)
}
