//! SQL, with searches by text and by stored id.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use futures::FutureExt;
use penstock_embed::Registry;
use penstock_query::{Answer, Limits, Query, QueryError, SearchFn, VectorSearch};

use penstock_index::Searcher;

use crate::search::search_in;
use crate::{Engine, Error, SearchInput, SearchRequest};

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
            match search_in(&registry, &searcher, &search.table, ask).await {
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
