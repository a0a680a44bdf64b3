//! Small tables of the contract's columns.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, RecordBatch, StringArray,
    new_null_array,
};
use arrow::array::{Int64Array, LargeStringArray, TimestampMicrosecondArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef};
use futures::TryStreamExt;
use penstock_store::{LoadOptions, LoadOutcome, Result, Scan, Store, Table};
use penstock_types::{
    DType, Dim, FeatureSpec, Kind, Pooling, TableName, columns, content::Payload,
};

/// A record: id, sequence, name, contig.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) sequence: String,
    pub(crate) name: Option<String>,
    pub(crate) parent: Option<String>,
}

pub(crate) fn record(id: &str, sequence: &str) -> Record {
    Record {
        id: id.into(),
        sequence: sequence.into(),
        name: None,
        parent: None,
    }
}

pub(crate) fn window(id: &str, parent: &str, sequence: &str) -> Record {
    Record {
        parent: Some(parent.into()),
        ..record(id, sequence)
    }
}

pub(crate) fn table(name: &str) -> TableName {
    TableName::new(name).unwrap()
}

/// The records as rows of their kind.
pub(crate) fn batch(kind: Kind, source: &str, records: &[Record]) -> RecordBatch {
    let schema = columns::schema(kind);
    let column = |field: &Arc<Field>| -> ArrayRef {
        let each = |f: &dyn Fn(&Record) -> Option<String>| {
            Arc::new(StringArray::from_iter(records.iter().map(f))) as ArrayRef
        };
        match field.name().as_str() {
            columns::ID => each(&|r| Some(r.id.clone())),
            columns::KIND => each(&|_| Some(kind.to_string())),
            columns::NAME => each(&|r| r.name.clone()),
            columns::SOURCE => each(&|_| Some(source.into())),
            columns::PARENT => each(&|r| r.parent.clone()),
            columns::CONTENT_HASH => {
                let hash = |r: &Record| {
                    let mut payload = Payload::new(kind);
                    Some(
                        *payload
                            .bytes("sequence", r.sequence.as_bytes())
                            .finish()
                            .as_bytes(),
                    )
                };
                let hashes = records.iter().map(hash);
                Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(hashes, 32).unwrap())
            }
            columns::EVENT_TIME => Arc::new(
                TimestampMicrosecondArray::from(vec![0; records.len()]).with_timezone("UTC"),
            ),
            columns::SEQUENCE => Arc::new(LargeStringArray::from_iter_values(
                records.iter().map(|r| &r.sequence),
            )),
            columns::LENGTH => Arc::new(Int64Array::from_iter_values(
                records.iter().map(|r| r.sequence.len() as i64),
            )),
            _ => new_null_array(field.data_type(), records.len()),
        }
    };
    let arrays = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema, arrays).unwrap()
}

/// Proteins `p0`, `p1`, ... whose sequence depends on `salt`.
pub(crate) fn proteins(range: std::ops::Range<usize>, salt: &str) -> RecordBatch {
    let records: Vec<Record> = range
        .map(|n| record(&format!("p{n}"), &format!("MKV{salt}{n}")))
        .collect();
    batch(Kind::Protein, "test.fasta", &records)
}

pub(crate) async fn load(
    store: &Store,
    name: &TableName,
    kind: Kind,
    batches: &[RecordBatch],
    options: LoadOptions,
) -> Result<LoadOutcome> {
    let schema = batches
        .first()
        .map_or_else(|| columns::schema(kind), RecordBatch::schema);
    let mut load = store.load(name, kind, schema, options).await?;
    for batch in batches {
        load.push(batch.clone()).await?;
    }
    load.commit().await
}

pub(crate) async fn load_proteins(
    store: &Store,
    name: &TableName,
    batch: RecordBatch,
) -> LoadOutcome {
    load(store, name, Kind::Protein, &[batch], LoadOptions::default())
        .await
        .unwrap()
}

/// All ids and sequences, sorted.
pub(crate) async fn contents(table: &Table) -> Vec<(String, String)> {
    let scan = Scan::columns([columns::ID, columns::SEQUENCE]);
    let batches: Vec<RecordBatch> = table.scan(scan).await.unwrap().try_collect().await.unwrap();
    let mut rows = Vec::new();
    for batch in batches {
        let ids = batch
            .column(0)
            .as_any()
            .downcast_ref::<StringArray>()
            .unwrap();
        let sequences = batch
            .column(1)
            .as_any()
            .downcast_ref::<LargeStringArray>()
            .unwrap();
        for row in 0..batch.num_rows() {
            rows.push((ids.value(row).to_owned(), sequences.value(row).to_owned()));
        }
    }
    rows.sort();
    rows
}

pub(crate) fn spec() -> FeatureSpec {
    FeatureSpec {
        encoder: "test-length-v1".into(),
        weights: "ab".repeat(32),
        pooling: Pooling::Whole,
        dtype: DType::F32,
        licence: None,
        dim: Dim::new(2).unwrap(),
    }
}

/// The feature of a test: length and one, null for sequences of `X`.
pub(crate) fn encode(batch: &RecordBatch) -> FixedSizeListArray {
    let sequences = batch
        .column(0)
        .as_any()
        .downcast_ref::<LargeStringArray>()
        .unwrap();
    let is = |sequence: Option<&str>| !sequence.unwrap().starts_with('X');
    let values = sequences
        .iter()
        .flat_map(|s| [s.unwrap().len() as f32, 1.0]);
    FixedSizeListArray::new(
        Arc::new(Field::new("item", DataType::Float32, true)),
        2,
        Arc::new(Float32Array::from_iter_values(values)),
        Some(NullBuffer::from_iter(sequences.iter().map(is))),
    )
}

/// A batch with the test's feature beside its columns.
pub(crate) fn with_feature(batch: &RecordBatch) -> RecordBatch {
    let sequences = batch.column_by_name(columns::SEQUENCE).unwrap().clone();
    let only = Schema::new(vec![Field::new("s", DataType::LargeUtf8, false)]);
    let only = RecordBatch::try_new(Arc::new(only), vec![sequences]).unwrap();
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(spec().field()));
    let schema: SchemaRef = Arc::new(Schema::new_with_metadata(
        fields,
        batch.schema().metadata().clone(),
    ));
    let mut arrays = batch.columns().to_vec();
    arrays.push(Arc::new(encode(&only)));
    RecordBatch::try_new(schema, arrays).unwrap()
}

/// How many rows have the test's feature, and the sum of its first element.
pub(crate) async fn feature_sum(table: &Table) -> (u64, f64) {
    let scan = Scan::columns([spec().column()]);
    let batches: Vec<RecordBatch> = table.scan(scan).await.unwrap().try_collect().await.unwrap();
    let (mut rows, mut sum) = (0, 0.0);
    for batch in batches {
        let lists = batch
            .column(0)
            .as_any()
            .downcast_ref::<FixedSizeListArray>()
            .unwrap();
        for list in lists.iter().flatten() {
            let list = arrow::compute::cast(&list, &DataType::Float64).unwrap();
            rows += 1;
            sum += arrow::array::AsArray::as_primitive::<Float64Type>(&list).value(0);
        }
    }
    (rows, sum)
}
