//! Random rows through a store and back.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::types::Float32Type;
use arrow::array::{
    Array as _, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryArray,
    FixedSizeListArray, Float32Array, Float64Array, Int32Array, LargeStringArray, ListArray,
    ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use futures::{StreamExt, TryStreamExt, stream};
use penstock_store::{Store, StoreOptions, VersionRef};
use penstock_types::{SnapshotName, TableName};
use proptest::prelude::*;

use crate::batches::{BATCH_BYTES, batch_bytes};
use crate::create::{CreateOptions, CreateRequest, draft, materialise};
use crate::dtype::{DType, convert};
use crate::error::{Damage, ExportError, Result};
use crate::partition::{Partition, Rank};
use crate::rows::{BlockRequest, Order};
use crate::snapshot::{Snapshot, ZarrObject, data_key};

fn request(columns: Option<Vec<String>>) -> CreateRequest {
    CreateRequest {
        name: SnapshotName::new("s").unwrap(),
        table: TableName::new("t").unwrap(),
        version: VersionRef::Latest,
        columns,
        filter: None,
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

async fn store() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let uri = folder.path().to_str().unwrap();
    let store = Store::open(uri, StoreOptions::default()).await.unwrap();
    (store, folder)
}

async fn snapshot(store: &Store, batches: &[RecordBatch]) -> Result<Snapshot> {
    let draft = draft(batches[0].schema_ref(), 1, &request(None))?;
    let stream = stream::iter(batches.to_vec()).map(Ok).boxed();
    materialise(store.objects(), stream, draft, &CreateOptions::default()).await
}

async fn read(snapshot: &Snapshot, rows: Range<u64>) -> RecordBatch {
    let batches: Vec<RecordBatch> = snapshot
        .record_batches(None, rows)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    for batch in &batches {
        assert!(batch.num_rows() == 1 || batch_bytes(batch) <= BATCH_BYTES);
    }
    concat_batches(snapshot.schema(), &batches).unwrap()
}

/// One row of every form that a column can have.
#[derive(Debug, Clone)]
struct Row {
    id: String,
    number: Option<f64>,
    flag: Option<bool>,
    vector: Option<[f32; 3]>,
    blob: Option<Vec<u8>>,
    hash: [u8; 4],
    time: i64,
    text: String,
    ragged: Option<Vec<Option<i32>>>,
    points: Option<Vec<[f32; 3]>>,
    words: Option<Vec<Option<String>>>,
    deep: Option<Vec<Vec<i32>>>,
}

fn row() -> impl Strategy<Value = Row> {
    let number = -1e6f32..1e6;
    let xyz = prop::array::uniform3(number);
    let few = 0..4usize;
    (
        (
            "[a-z]{0,5}",
            prop::option::of(-1e9..1e9),
            prop::option::of(any::<bool>()),
            prop::option::of(xyz.clone()),
            prop::option::of(prop::collection::vec(any::<u8>(), few.clone())),
            any::<[u8; 4]>(),
        ),
        (
            any::<i64>(),
            ".{0,4}",
            prop::option::of(prop::collection::vec(any::<Option<i32>>(), few.clone())),
            prop::option::of(prop::collection::vec(xyz, few.clone())),
            prop::option::of(prop::collection::vec(
                prop::option::of(".{0,3}"),
                few.clone(),
            )),
            prop::option::of(prop::collection::vec(
                prop::collection::vec(any::<i32>(), few.clone()),
                few,
            )),
        ),
    )
        .prop_map(
            |(
                (id, number, flag, vector, blob, hash),
                (time, text, ragged, points, words, deep),
            )| {
                Row {
                    id,
                    number,
                    flag,
                    vector,
                    blob,
                    hash,
                    time,
                    text,
                    ragged,
                    points,
                    words,
                    deep,
                }
            },
        )
}

/// A list that hides items under its nulls, as Arrow allows.
fn list(rows: impl Iterator<Item = Option<usize>>, items: ArrayRef, hidden: usize) -> ListArray {
    let rows: Vec<Option<usize>> = rows.collect();
    let lengths = rows.iter().map(|row| row.unwrap_or(hidden));
    let field = Field::new("item", items.data_type().clone(), true);
    ListArray::new(
        Arc::new(field),
        OffsetBuffer::from_lengths(lengths),
        items,
        Some(NullBuffer::from_iter(rows.iter().map(Option::is_some))),
    )
}

fn vectors(rows: &[Option<[f32; 3]>]) -> FixedSizeListArray {
    FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        rows.iter().map(|row| row.map(|xyz| xyz.map(Some))),
        3,
    )
}

fn batch(rows: &[Row]) -> RecordBatch {
    let ragged: Vec<Option<i32>> = rows
        .iter()
        .flat_map(|row| row.ragged.clone().unwrap_or(vec![Some(7); 2]))
        .collect();
    let points: Vec<Option<[f32; 3]>> = rows
        .iter()
        .flat_map(|row| row.points.clone().unwrap_or_default())
        .map(Some)
        .collect();
    let mut words = ListBuilder::new(StringBuilder::new());
    for row in rows {
        words.append_option(row.words.clone());
    }
    let deep = rows
        .iter()
        .flat_map(|row| row.deep.clone().unwrap_or_default());
    let deep = ListArray::from_iter_primitive::<Int32Type, _, _>(
        deep.map(|items| Some(items.into_iter().map(Some))),
    );
    let lengths = |f: fn(&Row) -> Option<usize>| rows.iter().map(f);
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        (
            "id",
            Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r.id))),
            false,
        ),
        (
            "number",
            Arc::new(Float64Array::from_iter(rows.iter().map(|r| r.number))),
            true,
        ),
        (
            "flag",
            Arc::new(BooleanArray::from_iter(rows.iter().map(|r| r.flag))),
            true,
        ),
        (
            "vector",
            Arc::new(vectors(&rows.iter().map(|r| r.vector).collect::<Vec<_>>())),
            true,
        ),
        (
            "blob",
            Arc::new(BinaryArray::from_iter(rows.iter().map(|r| r.blob.clone()))),
            true,
        ),
        (
            "hash",
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                    rows.iter().map(|r| Some(r.hash)),
                    4,
                )
                .unwrap(),
            ),
            false,
        ),
        (
            "time",
            Arc::new(
                TimestampMicrosecondArray::from_iter_values(rows.iter().map(|r| r.time))
                    .with_timezone("UTC"),
            ),
            false,
        ),
        (
            "text",
            Arc::new(LargeStringArray::from_iter_values(
                rows.iter().map(|r| &r.text),
            )),
            false,
        ),
        (
            "ragged",
            Arc::new(list(
                lengths(|r| r.ragged.as_ref().map(Vec::len)),
                Arc::new(Int32Array::from(ragged)),
                2,
            )),
            true,
        ),
        (
            "points",
            Arc::new(list(
                lengths(|r| r.points.as_ref().map(Vec::len)),
                Arc::new(vectors(&points)),
                0,
            )),
            true,
        ),
        ("words", Arc::new(words.finish()), true),
        (
            "deep",
            Arc::new(list(
                lengths(|r| r.deep.as_ref().map(Vec::len)),
                Arc::new(deep),
                0,
            )),
            true,
        ),
    ];
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array, nullable)| Field::new(*name, array.data_type().clone(), *nullable))
        .collect();
    let arrays = columns.into_iter().map(|(_, array, _)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_goes_in_comes_out(
        rows in prop::collection::vec(row(), 1..40),
        cut in any::<prop::sample::Index>(),
        of in 1u64..5,
    ) {
        block_on(async {
            let (store, _folder) = store().await;
            let whole = batch(&rows);
            let cut = cut.index(rows.len());
            // The second batch has an offset, as batches of a scan may have.
            let parts = [whole.slice(0, cut), whole.slice(cut, rows.len() - cut)];
            let snapshot = snapshot(&store, &parts).await.unwrap();
            assert_eq!(snapshot.rows(), rows.len() as u64);
            assert_eq!(read(&snapshot, 0..snapshot.rows()).await, whole);
            assert!(snapshot.verify().await.unwrap().is_ok());

            // Ranks: their rows, and every array's entries, one after another, are the whole.
            let mut ranks = Vec::new();
            let mut batches = Vec::new();
            for rank in 0..of {
                let rank = Rank::new(rank, of).unwrap();
                ranks.push(snapshot.partition(&Partition::Petsc, rank).await.unwrap());
                batches.push(read(&snapshot, ranks[ranks.len() - 1].clone()).await);
            }
            assert_eq!(concat_batches(snapshot.schema(), &batches).unwrap(), whole);
            for array in &snapshot.manifest().arrays {
                let mut joined = Vec::new();
                for (rank, rows) in ranks.iter().enumerate() {
                    let mut entries = snapshot.entries(&array.name, rows.clone()).await.unwrap();
                    // The last offset of a rank is the first of the next.
                    if array.role == crate::manifest::Role::Offsets && rank + 1 < ranks.len() {
                        entries.end -= 1;
                    }
                    let block = snapshot.block(&BlockRequest::new(&array.name, entries)).unwrap();
                    let bytes = block.to_bytes().await.unwrap();
                    assert_eq!(bytes.len() as u64, block.bytes());
                    assert_eq!(block.crc32c().await.unwrap(), crc32c::crc32c(&bytes));
                    joined.extend_from_slice(&bytes);
                }
                let all = BlockRequest::new(&array.name, 0..array.rows());
                let all = snapshot.block(&all).unwrap().to_bytes().await.unwrap();
                assert_eq!(joined, all, "{}", array.name);
            }
            for column in ["text", "ragged", "words"] {
                let by_bytes = Partition::BalanceBytes { column: column.into() };
                let mut next = 0;
                for rank in 0..of {
                    let rank = Rank::new(rank, of).unwrap();
                    let rows = snapshot.partition(&by_bytes, rank).await.unwrap();
                    assert_eq!(rows.start, next);
                    next = rows.end;
                }
                assert_eq!(next, snapshot.rows());
            }

            // The same rows in other batches are the same snapshot, and leave nothing behind.
            let before = store.objects().list("snapshots").await.unwrap().len();
            let again = self::snapshot(&store, &[whole]).await.unwrap();
            assert_eq!(again.digest(), snapshot.digest());
            assert_eq!(store.objects().list("snapshots").await.unwrap().len(), before);
        });
    }
}

/// Vectors enough for several chunks: 3,000 x 1,024 f32 are 12 MB.
fn large() -> RecordBatch {
    let values = (0..3_000 * 1_024).map(|i| i as f32 * 0.5);
    let values = Float32Array::from_iter_values(values);
    let item = Arc::new(Field::new("item", DataType::Float32, true));
    let vectors = FixedSizeListArray::new(item, 1_024, Arc::new(values), None);
    let ids = StringArray::from_iter_values((0..3_000).map(|i| format!("row{i}")));
    let fields = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("v", vectors.data_type().clone(), true),
    ];
    let schema = Arc::new(Schema::new(fields));
    RecordBatch::try_new(schema, vec![Arc::new(ids), Arc::new(vectors)]).unwrap()
}

fn raw(batch: &RecordBatch) -> Vec<u8> {
    let values = batch["v"]
        .as_fixed_size_list()
        .values()
        .as_primitive::<Float32Type>();
    values.values().inner().as_slice().to_vec()
}

#[test]
fn blocks_across_chunks() {
    block_on(async {
        let (store, _folder) = store().await;
        let batch = large();
        let raw = raw(&batch);
        let snapshot = snapshot(&store, std::slice::from_ref(&batch))
            .await
            .unwrap();
        let array = snapshot.array("v").unwrap();
        assert_eq!(array.shape, [3_000, 1_024]);
        assert_eq!(array.chunk_shape, [1_024, 1_024]);
        assert_eq!(array.chunks.len(), 3);
        assert_eq!(read(&snapshot, 0..3_000).await, batch);

        for entries in [
            0..3_000,
            0..1_024,
            1_000..2_500,
            2_048..3_000,
            5..5,
            3_000..3_000,
        ] {
            let expected = &raw[entries.start as usize * 4096..entries.end as usize * 4096];
            let mut request = BlockRequest::new("v", entries.clone());
            let block = snapshot.block(&request).unwrap();
            assert_eq!(block.shape(), [entries.end - entries.start, 1_024]);
            assert_eq!(block.to_bytes().await.unwrap(), expected);
            assert_eq!(block.crc32c().await.unwrap(), crc32c::crc32c(expected));
            let length = block.bytes();
            for range in [
                0..length,
                length / 3..length / 2,
                length..length,
                length / 7..length,
            ] {
                let pieces = block.clone().stream(Some(range.clone())).unwrap();
                let bytes: Vec<bytes::Bytes> = pieces.try_collect().await.unwrap();
                assert_eq!(
                    bytes.concat(),
                    expected[range.start as usize..range.end as usize]
                );
            }
            assert!(block.clone().stream(Some(0..length + 1)).is_err());

            request.dtype = Some(DType::Float64);
            let block = snapshot.block(&request).unwrap();
            let wide = convert(DType::Float32, DType::Float64, expected).unwrap();
            assert_eq!(block.to_bytes().await.unwrap(), wide);
            assert_eq!(block.crc32c().await.unwrap(), crc32c::crc32c(&wide));

            request.order = Order::F;
            let block = snapshot.block(&request).unwrap();
            let bytes = block.to_bytes().await.unwrap();
            let count = (entries.end - entries.start) as usize;
            for (row, component) in [(0, 0), (0, 1_023), (count.saturating_sub(1), 77)] {
                if count > 0 {
                    let c = (row * 1_024 + component) * 8;
                    let f = (component * count + row) * 8;
                    assert_eq!(bytes[f..f + 8], wide[c..c + 8]);
                }
            }
            assert_eq!(block.crc32c().await.unwrap(), crc32c::crc32c(&bytes));
        }
        assert!(matches!(
            snapshot.block(&BlockRequest::new("v", 0..3_001)),
            Err(ExportError::Rows { .. })
        ));
        assert!(matches!(
            snapshot.block(&BlockRequest::new("w", 0..1)),
            Err(ExportError::NotFound { .. })
        ));
        let aligned = Partition::AlignChunk { array: "v".into() };
        let rank = Rank::new(1, 2).unwrap();
        assert_eq!(
            snapshot.partition(&aligned, rank).await.unwrap(),
            2_048..3_000
        );
    });
}

#[test]
fn damage_is_an_error_never_data() {
    block_on(async {
        let (store, _folder) = store().await;
        let snapshot = snapshot(&store, &[large()]).await.unwrap();
        let objects = store.objects();
        let listed = objects.list("snapshots").await.unwrap();
        let find = |end: &str| {
            listed
                .iter()
                .find(|o| o.key.ends_with(end))
                .unwrap()
                .key
                .clone()
        };
        let (first, second) = (find("/v/c/0/0"), find("/v/c/1/0"));

        let mut bytes = objects.get_opt(&first).await.unwrap().unwrap().to_vec();
        bytes[1_000_000] ^= 1;
        objects.put(&first, bytes.into()).await.unwrap();
        objects.delete(&second).await.unwrap();

        let block = snapshot.block(&BlockRequest::new("v", 0..10)).unwrap();
        assert!(matches!(
            block.to_bytes().await,
            Err(ExportError::Corrupt {
                problem: Damage::Checksum { .. },
                ..
            })
        ));
        assert!(matches!(
            snapshot.chunk("v", 1).await,
            Err(ExportError::Corrupt {
                problem: Damage::Missing,
                ..
            })
        ));
        assert!(snapshot.chunk("v", 2).await.is_ok());
        let report = snapshot.verify().await.unwrap();
        assert_eq!(report.damaged, 2);
        assert_eq!(report.problems[0].0, "v/c/0/0");

        let manifest = find("manifest.json");
        let mut bytes = objects.get_opt(&manifest).await.unwrap().unwrap().to_vec();
        bytes.push(b' ');
        objects.put(&manifest, bytes.into()).await.unwrap();
        let digest = snapshot.digest().to_string();
        assert!(matches!(
            Snapshot::open(&store, &digest).await,
            Err(ExportError::Corrupt {
                problem: Damage::Digest { .. },
                ..
            })
        ));
    });
}

#[test]
fn no_rows_are_legal() {
    block_on(async {
        let (store, _folder) = store().await;
        let empty = batch(&[]);
        let snapshot = snapshot(&store, &[empty]).await.unwrap();
        assert_eq!(snapshot.rows(), 0);
        assert_eq!(snapshot.array("vector").unwrap().shape, [0, 3]);
        assert_eq!(snapshot.array("id/offsets").unwrap().shape, [1]);
        assert!(matches!(
            snapshot.zarr_object("vector/c/0/0"),
            ZarrObject::OutsideGrid
        ));
        assert_eq!(read(&snapshot, 0..0).await.num_rows(), 0);
        let block = snapshot.block(&BlockRequest::new("vector", 0..0)).unwrap();
        assert_eq!(block.to_bytes().await.unwrap().len(), 0);
        assert_eq!(block.crc32c().await.unwrap(), 0);
    });
}

#[test]
fn a_null_inside_a_vector_is_refused_with_its_row() {
    block_on(async {
        let (store, _folder) = store().await;
        let vectors = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
            [Some([Some(1.0)]), None, Some([None])],
            1,
        );
        let ids = StringArray::from(vec!["a", "b", "c"]);
        let schema = Schema::new(vec![
            Field::new("id", DataType::Utf8, false),
            Field::new("v", vectors.data_type().clone(), true),
        ]);
        let columns: Vec<ArrayRef> = vec![Arc::new(ids), Arc::new(vectors)];
        let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let error = snapshot(&store, &[batch]).await.unwrap_err();
        assert!(
            matches!(error, ExportError::NullInVector { row: 2, .. }),
            "{error}"
        );
        // Nothing of it stays.
        assert!(
            store
                .objects()
                .list(&data_key(""))
                .await
                .unwrap_or_default()
                .is_empty()
        );
    });
}

#[test]
fn cancelling_leaves_nothing() {
    block_on(async {
        let (store, _folder) = store().await;
        let batch = large();
        let draft = draft(batch.schema_ref(), 1, &request(None)).unwrap();
        let asked = std::sync::atomic::AtomicU32::new(0);
        let options = CreateOptions {
            cancel: Some(Arc::new(move || {
                asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) > 0
            })),
            ..CreateOptions::default()
        };
        let batches = stream::iter([Ok(batch.clone()), Ok(batch)]).boxed();
        let error = materialise(store.objects(), batches, draft, &options)
            .await
            .unwrap_err();
        assert!(matches!(error, ExportError::Cancelled));
        assert!(store.objects().list("snapshots").await.unwrap().is_empty());
    });
}
