//! SQL, with searches by text and by stored id.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::FutureExt;
use penstock_embed::Registry;
use penstock_pattern::Pattern;
use penstock_pattern::format::{ReadOptions, graphml, json, tve};
use penstock_query::{
    Answer, Limits, MatchFn, PatternMatch, Query, QueryError, SearchFn, VectorSearch,
};

use penstock_index::Searcher;

use crate::matching::{Hosts, find_in};
use crate::search::{feature_column, search_in};
use crate::{Engine, Error, MAX_KEPT, MatchRequest, SearchInput, SearchRequest, Task};

/// What `vector_search` calls: the engine's own search.
pub(crate) fn search_fn(registry: &Arc<Registry>, searcher: &Searcher) -> SearchFn {
    let (registry, searcher) = (Arc::clone(registry), searcher.clone());
    Arc::new(move |search: VectorSearch| {
        let (registry, searcher) = (Arc::clone(&registry), searcher.clone());
        async move {
            let input = match search.query {
                Query::Vector(vector) => SearchInput::Vector(vector),
                Query::Id(id) => SearchInput::Id(id),
                Query::Text(text) => SearchInput::Text(text),
            };
            let mut ask = SearchRequest::new(search.table.name().clone(), input);
            ask.column = Some(search.column);
            ask.k = search.k;
            ask.filter = search.filter;
            ask.columns = Some(search.columns);
            let found = match feature_column(&search.table, ask.column.as_deref()) {
                Ok(column) => search_in(&registry, &searcher, &search.table, column, ask).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(answer) => Ok(answer.hits),
                Err(error) => Err(QueryError::Search {
                    code: error.code(),
                    source: Box::new(error),
                }),
            }
        }
        .boxed()
    })
}

/// What `match_pattern` calls: the engine's own search for patterns.
pub(crate) fn match_fn(hosts: &Arc<Hosts>) -> MatchFn {
    let hosts = Arc::clone(hosts);
    Arc::new(move |call: PatternMatch| {
        let hosts = Arc::clone(&hosts);
        async move {
            let found = find(&hosts, call).await;
            found.map_err(|error| QueryError::Search {
                code: error.code(),
                source: Box::new(error),
            })
        }
        .boxed()
    })
}

async fn find(hosts: &Hosts, call: PatternMatch) -> Result<RecordBatch, Error> {
    let mut request = MatchRequest::new(call.table.name().clone(), pattern_of(&call.pattern)?);
    request.limit = call.limit;
    request.keep = MAX_KEPT;
    let task = Task::default();
    // Dropped with the statement: the search then stops.
    let _stop = task.cancel.clone().drop_guard();
    let answer = find_in(hosts, &call.table, request, &task).await?;
    if answer.count > answer.matches.len() as u64 {
        return Err(Error::TooMuch {
            what: "matches in one table; give a limit",
            given: answer.count,
            max: MAX_KEPT as u64,
        });
    }
    let all = 0..answer.matches.len();
    answer
        .batch(all)
        .map_err(|error| penstock_graph::GraphError::from(error).into())
}

/// A pattern as text: JSON, GraphML or t/v/e.
fn pattern_of(text: &str) -> Result<Pattern, Error> {
    let options = ReadOptions::default();
    Ok(match text.trim_start().as_bytes().first() {
        Some(b'{') => json::read_pattern(text.as_bytes())?,
        Some(b'<') => graphml::read_pattern(text.as_bytes(), &options)?,
        _ => tve::read_pattern(text.as_bytes(), &options)?,
    })
}

impl Engine {
    /// Runs one read-only statement. Each table is read at one version, the latest when the
    /// statement is planned, unless it is named by `at(table, version)`. Dropping the answer stops
    /// the statement.
    ///
    /// # Errors
    /// The statement cannot be read, writes, or names what is not there. The stream ends with an
    /// error where a limit is reached.
    pub async fn sql(&self, sql: &str, limits: Option<&Limits>) -> Result<Answer, Error> {
        Ok(self
            .planner()
            .query(sql, limits.unwrap_or(self.sql_limits()))
            .await?)
    }

    /// The schema of a statement's answer, without running it.
    ///
    /// # Errors
    /// As [`Engine::sql`].
    pub async fn sql_schema(&self, sql: &str) -> Result<SchemaRef, Error> {
        Ok(self.planner().schema(sql, self.sql_limits()).await?)
    }
}
