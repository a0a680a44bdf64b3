//! Several vectors per row: as brute force, with both types of number.

use std::sync::Arc;

use arrow::array::{ArrayRef, FixedSizeListBuilder, Float32Builder, ListBuilder, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use penstock_index::{Candidates, LateRequest, Made, Searcher, late};
use penstock_store::{LoadOptions, Store, StoreOptions, Table};
use penstock_types::{DType, ErrorCode, FeatureSpec, Kind, Pooling, TableName};

use crate::data::{self, COLUMN, Random, hits};

const DIM: usize = 24;

/// A row's vectors; `None`: the row has no list.
type Items = Option<Vec<Vec<f32>>>;

fn spec(dtype: DType) -> FeatureSpec {
    FeatureSpec {
        encoder: "test-encoder-v1:none".into(),
        pooling: Pooling::None,
        dtype,
        ..data::spec(DIM)
    }
}

/// From -1 to 1, as exact as half precision.
fn number(random: &mut Random) -> f32 {
    (random.next() % 2049) as f32 / 1024.0 - 1.0
}

fn vectors(count: usize, random: &mut Random) -> Vec<Vec<f32>> {
    let one = |random: &mut Random| (0..DIM).map(|_| number(random)).collect();
    (0..count).map(|_| one(random)).collect()
}

fn rows(count: usize) -> Vec<Items> {
    let mut random = Random(3);
    (0..count)
        .map(|row| match row % 10 {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(vec![vec![0.0; DIM]; 2]),
            _ => {
                let items = 1 + random.next() as usize % 40;
                let mut items = vectors(items, &mut random);
                if row % 10 == 3 {
                    items.push(vec![0.0; DIM]);
                }
                Some(items)
            }
        })
        .collect()
}

fn schema(dtype: DType) -> SchemaRef {
    let base = data::schema(DIM);
    let mut fields: Vec<_> = base.fields().iter().cloned().collect();
    fields.push(Arc::new(spec(dtype).field()));
    Arc::new(Schema::new_with_metadata(fields, base.metadata().clone()))
}

fn batch(rows: &[Items], dtype: DType) -> RecordBatch {
    let pooled: Vec<Option<Vec<f32>>> = rows
        .iter()
        .map(|items| {
            let items = items.as_ref().filter(|items| !items.is_empty())?;
            let sum = |at: usize| items.iter().map(|item| item[at]).sum::<f32>();
            Some((0..DIM).map(|at| sum(at) / items.len() as f32).collect())
        })
        .collect();
    let base = data::batch(0, DIM, &pooled);
    let item = Field::new("item", DataType::Float32, true);
    let inner = FixedSizeListBuilder::new(Float32Builder::new(), DIM as i32).with_field(item);
    let mut lists = ListBuilder::new(inner);
    for items in rows {
        for item in items.iter().flatten() {
            lists.values().values().append_slice(item);
            lists.values().append(true);
        }
        lists.append(items.is_some());
    }
    let lists: ArrayRef = Arc::new(lists.finish());
    let schema = schema(dtype);
    let lists = cast(&lists, schema.field(schema.fields().len() - 1).data_type()).unwrap();
    let mut columns = base.columns().to_vec();
    columns.push(lists);
    RecordBatch::try_new(schema, columns).unwrap()
}

async fn table(rows: &[Items], dtype: DType) -> (Table, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), StoreOptions::default())
        .await
        .unwrap();
    let name = TableName::new("proteins").unwrap();
    let options = LoadOptions::default();
    let mut load = store
        .load(&name, Kind::Protein, schema(dtype), options)
        .await
        .unwrap();
    load.push(batch(rows, dtype)).await.unwrap();
    load.commit().await.unwrap();
    (store.table(&name).await.unwrap(), folder)
}

fn cosine(a: &[f32], b: &[f32]) -> Option<f64> {
    let product = |a: &[f32], b: &[f32]| -> f64 {
        let terms = a.iter().zip(b);
        terms.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let lengths = (product(a, a) * product(b, b)).sqrt();
    (lengths > 0.0).then(|| product(a, b) / lengths)
}

/// Ids and distances of all rows that `keep` keeps, nearest first, equals by id.
fn truth(rows: &[Items], query: &[Vec<f32>], keep: impl Fn(usize) -> bool) -> Vec<(String, f64)> {
    let mut all = Vec::new();
    'rows: for (row, items) in rows.iter().enumerate().filter(|(row, _)| keep(*row)) {
        let mut score = 0.0;
        for one in query {
            let cosines = items.iter().flatten().filter_map(|item| cosine(one, item));
            let Some(most) = cosines.max_by(f64::total_cmp) else {
                continue 'rows;
            };
            score += most;
        }
        all.push((format!("p{row:06}"), 1.0 - score / query.len() as f64));
    }
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then_with(|| a.0.cmp(&b.0)));
    all
}

#[track_caller]
fn same(found: &[(String, f32)], truth: &[(String, f64)]) {
    assert_eq!(found.len(), truth.len());
    for ((id, distance), (true_id, true_distance)) in found.iter().zip(truth) {
        assert_eq!(id, true_id);
        assert!((f64::from(*distance) - true_distance).abs() < 1e-6);
    }
}

fn column(dtype: DType) -> String {
    spec(dtype).column()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_highest_scores_are_found() {
    for dtype in [DType::F32, DType::F16] {
        let rows = rows(2_500);
        let (table, _folder) = table(&rows, dtype).await;
        for (count, k) in [(1, 1), (5, 10), (33, 7)] {
            let query = vectors(count, &mut Random(count as u64));
            let mut request = LateRequest::new(column(dtype), query.concat(), k);
            let answer = late(&table, &request).await.unwrap();
            let all = truth(&rows, &query, |_| true);
            same(&hits(&answer.batch), &all[..k]);
            assert!(answer.exact && answer.plan.is_none());
            assert_eq!((answer.candidates, answer.vectors), (7 * 250, count));

            request.filter = Some("length % 3 = 0".to_owned());
            let answer = late(&table, &request).await.unwrap();
            let some = truth(&rows, &query, |row| row % 3 == 0);
            same(&hits(&answer.batch), &some[..k]);
        }
        // All there are, where more are asked for.
        let query = vectors(2, &mut Random(9));
        let request = LateRequest::new(column(dtype), query.concat(), 5_000);
        let answer = late(&table, &request).await.unwrap();
        same(&hits(&answer.batch), &truth(&rows, &query, |_| true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equals_are_ordered_by_id() {
    let mut random = Random(1);
    let one = vectors(3, &mut random);
    let mut rows: Vec<Items> = vec![Some(one.clone()); 40];
    // The order of a row's vectors, and others further away, change nothing.
    rows[7] = Some(vec![one[2].clone(), one[0].clone(), one[1].clone()]);
    rows[3] = Some(vectors(3, &mut random));
    let (table, _folder) = table(&rows, DType::F32).await;
    let request = LateRequest::new(column(DType::F32), one.concat(), 6);
    let answer = late(&table, &request).await.unwrap();
    let ids: Vec<_> = [0, 1, 2, 4, 5, 6]
        .map(|row| (format!("p{row:06}"), 0.0))
        .to_vec();
    assert_eq!(hits(&answer.batch), ids);
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_are_those_of_the_pooled_column() {
    let rows = rows(1_200);
    let (table, _folder) = table(&rows, DType::F32).await;
    let query = vectors(6, &mut Random(5));
    let mut request = LateRequest::new(column(DType::F32), query.concat(), 5);
    request.columns = vec!["length".to_owned(), "id".to_owned()];
    request.filter = Some("length % 2 = 1".to_owned());
    let n = 60;
    let column = COLUMN.to_owned();
    request.candidates = Some(Candidates { column, n });
    let answer = late(&table, &request).await.unwrap();
    assert!(!answer.exact && answer.plan.is_some());
    assert_eq!(answer.candidates, n as u64);

    let mean: Vec<f32> = (0..DIM)
        .map(|at| query.iter().map(|one| one[at]).sum::<f32>() / query.len() as f32)
        .collect();
    let near = penstock_index::SearchRequest {
        filter: request.filter.clone(),
        ..penstock_index::SearchRequest::new(COLUMN, mean, n)
    };
    let near = penstock_index::search(&table, &near).await.unwrap();
    let near: Vec<String> = hits(&near.batch).into_iter().map(|(id, _)| id).collect();
    let some = truth(&rows, &query, |row| near.contains(&format!("p{row:06}")));
    same(&hits(&answer.batch), &some[..5]);
    assert_eq!(answer.batch.schema().field(0).name(), "length");

    // Of all rows it is the true answer.
    request.candidates = Some(Candidates {
        column: COLUMN.to_owned(),
        n: 1_200,
    });
    let answer = Searcher::default().late(&table, &request).await.unwrap();
    same(
        &hits(&answer.batch),
        &truth(&rows, &query, |row| row % 2 == 1)[..5],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused() {
    let (table, _folder) = table(&rows(20), DType::F32).await;
    let good = LateRequest::new(column(DType::F32), vec![1.0; 2 * DIM], 3);
    late(&table, &good).await.unwrap();
    let other = |encoder: &str| {
        let mut request = good.clone();
        request.made = Some(Made {
            encoder: encoder.to_owned(),
            weights: None,
        });
        request
    };
    let with = |change: &dyn Fn(&mut LateRequest)| {
        let mut request = good.clone();
        change(&mut request);
        request
    };
    let candidates = |column: &str, n| {
        let column = column.to_owned();
        Some(Candidates { column, n })
    };
    let ragged = column(DType::F32);
    for (request, code) in [
        (with(&|r| r.vectors.clear()), ErrorCode::InvalidArgument),
        (
            with(&|r| r.vectors.truncate(DIM + 1)),
            ErrorCode::InvalidArgument,
        ),
        (
            with(&|r| r.vectors[DIM + 2] = f32::NAN),
            ErrorCode::InvalidArgument,
        ),
        (
            with(&|r| r.vectors[..DIM].fill(0.0)),
            ErrorCode::InvalidArgument,
        ),
        (with(&|r| r.k = 0), ErrorCode::InvalidArgument),
        (
            with(&|r| r.column = COLUMN.to_owned()),
            ErrorCode::Unsupported,
        ),
        (
            with(&|r| r.column = "nothing".to_owned()),
            ErrorCode::NotFound,
        ),
        (
            with(&|r| r.columns = vec!["nothing".to_owned()]),
            ErrorCode::NotFound,
        ),
        (
            with(&|r| r.filter = Some("true) OR (true".to_owned())),
            ErrorCode::InvalidArgument,
        ),
        (
            with(&|r| r.candidates = candidates(COLUMN, 2)),
            ErrorCode::InvalidArgument,
        ),
        (
            with(&|r| r.candidates = candidates(&ragged, 5)),
            ErrorCode::Unsupported,
        ),
        (other("another-v1"), ErrorCode::EncoderMismatch),
    ] {
        let error = late(&table, &request).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}
