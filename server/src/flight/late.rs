//! DoExchange: the vectors of one query in each batch, the rows that answer them best out.

use arrow::record_batch::RecordBatch;
use penstock::Engine;
use penstock_openapi::LateRequest;
use penstock_types::TableName;
use serde_json::{Map, Value};
use tonic::Status;

use super::search::{asked, invalid};
use super::status;
use crate::vectors::Vectors;
use crate::wire;

/// Searches by late interaction with the batches of one exchange.
pub(super) struct LateSearches {
    engine: Engine,
    table: TableName,
    /// All but the vectors.
    wanted: LateRequest,
}

impl LateSearches {
    /// What the command asks for: `table`, and the fields of REST's request but its query. All
    /// batches are answered from the version that is there now.
    pub(super) async fn new(engine: &Engine, command: Map<String, Value>) -> Result<Self, Status> {
        let (table, wanted) = asked(engine, command, &["id", "text", "vectors"]).await?;
        Ok(Self {
            engine: engine.clone(),
            table,
            wanted,
        })
    }

    /// The rows nearest to the vectors of a batch, which are one query.
    pub(super) async fn answer(&self, batch: &RecordBatch) -> Result<RecordBatch, Status> {
        let mut vectors = Vectors::default();
        vectors.push_batch(batch).map_err(|error| invalid(&error))?;
        let search = wire::late_request(self.table.clone(), self.wanted.clone(), Some(vectors))
            .map_err(|error| invalid(&error))?;
        let found = self.engine.late(search).await;
        Ok(found.map_err(|error| status::of(&error))?.batch)
    }
}
