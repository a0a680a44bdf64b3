//! A synthetic table of proteins with one feature column, clustered, from a fixed seed.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, FixedSizeBinaryBuilder, FixedSizeListArray, Int64Array, LargeStringArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{Float32Type, Schema, SchemaRef};
use penstock_store::{LoadOptions, Store, StoreOptions};
use penstock_types::content::Payload;
use penstock_types::{DType, Dim, FeatureSpec, Kind, Pooling, TableName, columns};

pub(crate) const COLUMN: &str = "test_encoder_v1";

pub(crate) fn spec(dim: usize) -> FeatureSpec {
    FeatureSpec {
        encoder: "test-encoder-v1".into(),
        weights: "ab".repeat(32),
        pooling: Pooling::Whole,
        dtype: DType::F32,
        licence: None,
        dim: Dim::new(dim).unwrap(),
    }
}

/// SplitMix64: small, and the same on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// About normal: the sum of twelve uniform numbers.
    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}

/// Vectors around `rows / 50` centres, as wide as half the distance between centres.
pub(crate) fn clustered(rows: usize, dim: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut random = Random(seed);
    let centres: Vec<Vec<f32>> = (0..(rows / 50).max(1))
        .map(|_| (0..dim).map(|_| random.normal()).collect())
        .collect();
    (0..rows)
        .map(|_| {
            let centre = &centres[random.next() as usize % centres.len()];
            centre.iter().map(|x| x + 0.5 * random.normal()).collect()
        })
        .collect()
}

pub(crate) fn schema(dim: usize) -> SchemaRef {
    let base = columns::schema(Kind::Protein);
    let mut fields: Vec<_> = base.fields().iter().cloned().collect();
    fields.push(Arc::new(spec(dim).field()));
    Arc::new(Schema::new_with_metadata(fields, base.metadata().clone()))
}

/// Rows `first..` with these vectors. The length of row i is i.
pub(crate) fn batch(first: usize, dim: usize, vectors: &[Option<Vec<f32>>]) -> RecordBatch {
    let rows = vectors.len();
    let schema = schema(dim);
    let ids: Vec<String> = (first..first + rows).map(|i| format!("p{i:06}")).collect();
    let columns = schema
        .fields()
        .iter()
        .map(|field| -> ArrayRef {
            match field.name().as_str() {
                columns::ID => Arc::new(StringArray::from(ids.clone())),
                columns::KIND => Arc::new(StringArray::from(vec!["protein"; rows])),
                columns::SOURCE => Arc::new(StringArray::from(vec!["synthetic.fa"; rows])),
                columns::CONTENT_HASH => {
                    let mut hashes = FixedSizeBinaryBuilder::new(32);
                    for id in &ids {
                        let mut payload = Payload::new(Kind::Protein);
                        payload.bytes("sequence", id.as_bytes());
                        hashes.append_value(payload.finish().as_bytes()).unwrap();
                    }
                    Arc::new(hashes.finish())
                }
                columns::EVENT_TIME => Arc::new(
                    TimestampMicrosecondArray::from(vec![1_700_000_000_000_000; rows])
                        .with_timezone("UTC"),
                ),
                columns::SEQUENCE => Arc::new(LargeStringArray::from(ids.clone())),
                columns::LENGTH => Arc::new(Int64Array::from_iter_values(
                    (first..first + rows).map(|i| i as i64),
                )),
                COLUMN => Arc::new(features(dim, vectors)),
                _ => new_null_array(field.data_type(), rows),
            }
        })
        .collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

fn features(dim: usize, vectors: &[Option<Vec<f32>>]) -> FixedSizeListArray {
    FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
        vectors.iter().map(|v| {
            v.as_ref()
                .map(|v| v.iter().copied().map(Some).collect::<Vec<_>>())
        }),
        dim as i32,
    )
}

pub(crate) struct Fixture {
    pub(crate) store: Store,
    pub(crate) name: TableName,
    pub(crate) dim: usize,
    rows: usize,
    _folder: tempfile::TempDir,
}

impl Fixture {
    pub(crate) async fn new(dim: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), StoreOptions::default())
            .await
            .unwrap();
        Self {
            store,
            name: TableName::new("proteins").unwrap(),
            dim,
            rows: 0,
            _folder: folder,
        }
    }

    /// Appends rows in one commit.
    pub(crate) async fn append(&mut self, vectors: &[Option<Vec<f32>>]) {
        let mut load = self
            .store
            .load(
                &self.name,
                Kind::Protein,
                schema(self.dim),
                LoadOptions::default(),
            )
            .await
            .unwrap();
        for part in vectors.chunks(4096) {
            load.push(batch(self.rows, self.dim, part)).await.unwrap();
            self.rows += part.len();
        }
        load.commit().await.unwrap();
    }

    /// For a table of the same name, whose rows begin anew.
    pub(crate) fn anew(self) -> Self {
        Self { rows: 0, ..self }
    }

    /// Rows appended so far.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) async fn table(&self) -> penstock_store::Table {
        self.store.table(&self.name).await.unwrap()
    }
}

pub(crate) fn some(vectors: Vec<Vec<f32>>) -> Vec<Option<Vec<f32>>> {
    vectors.into_iter().map(Some).collect()
}

/// Ids and distances of an answer.
pub(crate) fn hits(batch: &RecordBatch) -> Vec<(String, f32)> {
    use arrow::array::AsArray;
    let ids = batch.column_by_name("id").unwrap().as_string::<i32>();
    let distances = batch
        .column_by_name("distance")
        .unwrap()
        .as_primitive::<Float32Type>();
    assert_eq!(distances.null_count(), 0);
    ids.iter()
        .zip(distances.values())
        .map(|(id, distance)| (id.unwrap().to_owned(), *distance))
        .collect()
}
