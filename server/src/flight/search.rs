//! DoExchange: vectors in, the rows nearest to them out, batch by batch.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use penstock::index::QUERY;
use penstock::store::VersionRef;
use penstock::types::TableName;
use penstock::{Engine, SearchRequest};
use penstock_openapi::SearchBatchRequest;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tonic::Status;

use super::status;
use crate::vectors::Vectors;
use crate::wire;

/// Searches with the vectors of one exchange.
pub(super) struct Searches {
    engine: Engine,
    request: SearchRequest,
    /// Vectors searched with so far.
    queries: i64,
}

impl Searches {
    /// What the command asks for: `table`, and the fields of a batch of searches but its vectors.
    /// All batches are answered from the version that is there now.
    pub(super) async fn new(engine: &Engine, command: Map<String, Value>) -> Result<Self, Status> {
        let (table, wanted): (_, SearchBatchRequest) = asked(engine, command, &["vectors"]).await?;
        let request = wire::batch_request(table, wanted).map_err(|error| invalid(&error))?;
        Ok(Self {
            engine: engine.clone(),
            request,
            queries: 0,
        })
    }

    /// The rows nearest to the vectors of a batch. `query` counts on from the batches before it.
    pub(super) async fn answer(&mut self, batch: &RecordBatch) -> Result<RecordBatch, Status> {
        let mut vectors = Vectors::default();
        vectors.push_batch(batch).map_err(|error| invalid(&error))?;
        let count = vectors.count();
        let (dim, values) = vectors.into_parts().map_err(|error| invalid(&error))?;
        let answer = self
            .engine
            .search_many(self.request.clone(), dim, values)
            .await
            .map_err(|error| status::of(&error))?;
        let before = self.queries;
        self.queries += i64::try_from(count).unwrap_or(i64::MAX);
        let batch = answer.batch;
        let mut columns = batch.columns().to_vec();
        if let Ok(at) = batch.schema().index_of(QUERY) {
            let own = columns[at].as_primitive::<Int64Type>().values();
            let counted: ArrayRef = Arc::new(Int64Array::from_iter_values(
                own.iter().map(|query| query + before),
            ));
            columns[at] = counted;
        }
        RecordBatch::try_new(batch.schema(), columns)
            .map_err(|error| Status::internal(error.to_string()))
    }
}

/// The table that a command names, and what it asks for, of the version that is there now. `query`
/// are the fields of REST's request that batches stand for here.
pub(super) async fn asked<T: DeserializeOwned>(
    engine: &Engine,
    mut command: Map<String, Value>,
    query: &[&str],
) -> Result<(TableName, T), Status> {
    let Some(Value::String(table)) = command.remove("table") else {
        return Err(invalid(&"a search names its `table`"));
    };
    if query.iter().any(|name| command.contains_key(*name)) {
        return Err(invalid(
            &"the vectors are written as batches with a column `vector`",
        ));
    }
    let table: TableName = table.parse().map_err(|error| invalid(&error))?;
    let at = match command.get("version") {
        None | Some(Value::Null) => VersionRef::Latest,
        Some(Value::String(at)) => at.parse().map_err(|error| invalid(&error))?,
        Some(_) => return Err(invalid(&"a `version` is a number or a tag, as a string")),
    };
    let opened = engine.table(&table, &at).await;
    let version = opened.map_err(|error| status::of(&error))?.version();
    command.insert("version".to_owned(), version.to_string().into());
    let wanted = serde_json::from_value(Value::Object(command));
    let wanted = wanted.map_err(|error| invalid(&error))?;
    Ok((table, wanted))
}

pub(super) fn invalid(error: &dyn std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}
