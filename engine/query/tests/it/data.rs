//! A small table of DNA records with a feature column, in two versions.

use std::sync::Arc;
use std::time::Duration;

use arrow::array::builder::{Int32Builder, ListBuilder};
use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, FixedSizeListArray, Float64Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{Float32Type, Schema, SchemaRef};
use futures::{FutureExt, TryStreamExt};
use penstock_index::{SearchRequest, search};
use penstock_query::{
    Calls, Limits, PatternMatch, Query, QueryError, SearchFn, Sql, VectorSearch, json_rows,
};
use penstock_store::{LoadOptions, Store, StoreOptions, VersionRef};
use penstock_types::content::Payload;
use penstock_types::{DType, Dim, FeatureSpec, Kind, Pooling, TableName, TagName, columns};
use serde_json::Value;

pub(crate) const COLUMN: &str = "test_v1";
pub(crate) const DIM: usize = 4;
pub(crate) const ROWS: usize = 100;

fn spec() -> FeatureSpec {
    FeatureSpec {
        encoder: "test-v1".into(),
        weights: "ab".repeat(32),
        pooling: Pooling::Whole,
        dtype: DType::F32,
        licence: None,
        dim: Dim::new(DIM).unwrap(),
    }
}

/// The vector of row i: distinct directions, none near another by accident.
pub(crate) fn vector(i: usize) -> Vec<f32> {
    let x = i as f32;
    vec![x.sin(), x.cos(), (x * 0.7).sin(), 1.0]
}

fn schema() -> SchemaRef {
    let base = columns::schema(Kind::Dna);
    let mut fields: Vec<_> = base.fields().iter().cloned().collect();
    fields.push(Arc::new(spec().field()));
    Arc::new(Schema::new_with_metadata(fields, base.metadata().clone()))
}

fn batch(first: usize, rows: usize) -> RecordBatch {
    let schema = schema();
    let ids: Vec<String> = (first..first + rows).map(|i| format!("d{i:04}")).collect();
    let columns = schema
        .fields()
        .iter()
        .map(|field| -> ArrayRef {
            match field.name().as_str() {
                columns::ID => Arc::new(StringArray::from(ids.clone())),
                columns::KIND => Arc::new(StringArray::from(vec!["dna"; rows])),
                columns::SOURCE => Arc::new(StringArray::from(vec!["synthetic.fa"; rows])),
                columns::CONTENT_HASH => {
                    let mut hashes = FixedSizeBinaryBuilder::new(32);
                    for id in &ids {
                        let mut payload = Payload::new(Kind::Dna);
                        payload.bytes("sequence", id.as_bytes());
                        hashes.append_value(payload.finish().as_bytes()).unwrap();
                    }
                    Arc::new(hashes.finish())
                }
                columns::EVENT_TIME => Arc::new(
                    TimestampMicrosecondArray::from(vec![1_700_000_000_000_000; rows])
                        .with_timezone("UTC"),
                ),
                columns::SEQUENCE => Arc::new(LargeStringArray::from(vec!["ACGT"; rows])),
                columns::LENGTH => Arc::new(Int64Array::from_iter_values(
                    (first..first + rows).map(|i| i as i64),
                )),
                columns::GC => Arc::new(Float64Array::from(vec![0.5; rows])),
                COLUMN => Arc::new(
                    FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
                        (first..first + rows)
                            .map(|i| Some(vector(i).into_iter().map(Some).collect::<Vec<_>>())),
                        DIM as i32,
                    ),
                ),
                _ => new_null_array(field.data_type(), rows),
            }
        })
        .collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

pub(crate) struct Fixture {
    pub(crate) sql: Sql,
    pub(crate) store: Store,
    /// The version with the first [`ROWS`] rows; the latest has one more.
    pub(crate) first: u64,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// Tables `genes` (two versions, the first tagged `gold`) and `Mixed-Case`.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), StoreOptions::default())
            .await
            .unwrap();
        let genes = TableName::new("genes").unwrap();
        let load = async |name: &TableName, first, rows| {
            let mut load = store
                .load(name, Kind::Dna, schema(), LoadOptions::default())
                .await
                .unwrap();
            load.push(batch(first, rows)).await.unwrap();
            load.commit().await.unwrap().version
        };
        let first = load(&genes, 0, ROWS).await;
        let gold = TagName::new("gold").unwrap();
        store
            .tag(&genes, &gold, &VersionRef::Number(first))
            .await
            .unwrap();
        load(&genes, ROWS, 1).await;
        load(&TableName::new("Mixed-Case").unwrap(), 0, 3).await;
        Self {
            sql: Sql::new(store.clone(), calls()).unwrap(),
            store,
            first,
            _folder: folder,
        }
    }

    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<Value>, QueryError> {
        self.rows_within(sql, &Limits::default()).await
    }

    pub(crate) async fn rows_within(
        &self,
        sql: &str,
        limits: &Limits,
    ) -> Result<Vec<Value>, QueryError> {
        let answer = self.sql.query(sql, limits).await?;
        let batches: Vec<RecordBatch> = answer.batches.try_collect().await?;
        Ok(batches
            .iter()
            .flat_map(|batch| json_rows(batch).unwrap())
            .map(Value::Object)
            .collect())
    }
}

fn calls() -> Calls {
    Calls {
        search: search_fn(),
        find: Arc::new(|call: PatternMatch| {
            async move {
                // A stand-in that tells what it was asked: the matcher has tests of its own.
                let mut vertices = ListBuilder::new(Int32Builder::new());
                let rows = call.limit.unwrap_or(3).min(3);
                for row in 0..rows {
                    vertices.values().append_value(row as i32);
                    vertices.append(true);
                }
                let graphs = (0..rows).map(|_| call.pattern.as_str());
                let rows = Int64Array::from_iter_values(0..rows as i64);
                let batch = RecordBatch::try_from_iter([
                    ("match", Arc::new(rows) as ArrayRef),
                    ("graph", Arc::new(StringArray::from_iter_values(graphs))),
                    ("vertices", Arc::new(vertices.finish())),
                ]);
                Ok(batch.unwrap())
            }
            .boxed()
        }),
    }
}

/// What the facade injects: here text is never encoded.
fn search_fn() -> SearchFn {
    Arc::new(|call: VectorSearch| {
        async move {
            let (vector, prefer_id) = match call.query {
                Query::Vector(vector) => (vector, None),
                Query::Id(id) => {
                    let row = id.trim_start_matches('d').parse().unwrap();
                    (vector(row), Some(id))
                }
                Query::Text(text) if text == "panic" => panic!("as asked"),
                Query::Text(text) => (vector(text.len()), None),
            };
            let mut request = SearchRequest::new(call.column, vector, call.k);
            request.filter = call.filter;
            request.columns = call.columns;
            request.prefer_id = prefer_id;
            match search(&call.table, &request).await {
                Ok(answer) => Ok(answer.batch),
                Err(error) => Err(QueryError::Search {
                    code: error.code(),
                    source: error.into(),
                }),
            }
        }
        .boxed()
    })
}

pub(crate) fn within(time: Duration) -> Limits {
    Limits {
        time,
        ..Limits::default()
    }
}
