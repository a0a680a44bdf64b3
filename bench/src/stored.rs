//! Vectors as rows of a table.

use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, FixedSizeListArray, Float32Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema};
use penstock::store::{LoadOptions, Store};
use penstock_types::content::Payload;
use penstock_types::{DType, Dim, FeatureSpec, Kind, Pooling, TableName, columns};

/// Rows of a batch of the load.
const BATCH: usize = 8_192;

/// What the column of such vectors says of itself.
pub(crate) fn spec(dim: usize) -> Result<FeatureSpec> {
    Ok(FeatureSpec {
        encoder: "bench-v1".into(),
        weights: "00".repeat(32),
        pooling: Pooling::Whole,
        dtype: DType::F32,
        licence: None,
        dim: Dim::new(dim).context("vectors have numbers")?,
    })
}

/// The id of a row.
pub(crate) fn id(row: usize) -> String {
    format!("r{row:08}")
}

/// The row of an id.
pub(crate) fn row_of(id: &str) -> Option<u32> {
    id.strip_prefix('r')?.parse().ok()
}

/// Makes a table of proteins whose only true column is that of the vectors.
pub(crate) async fn load(
    store: &Store,
    name: &TableName,
    spec: &FeatureSpec,
    rows: &[f32],
) -> Result<()> {
    append(store, name, spec, 0, rows).await
}

/// Appends rows, of which the first has this number. The length of a row is its number's last
/// digit.
pub(crate) async fn append(
    store: &Store,
    name: &TableName,
    spec: &FeatureSpec,
    first: usize,
    rows: &[f32],
) -> Result<()> {
    let base = columns::schema(Kind::Protein);
    let mut fields: Vec<_> = base.fields().iter().cloned().collect();
    fields.push(Arc::new(spec.field()));
    let schema = Arc::new(Schema::new_with_metadata(fields, base.metadata().clone()));
    let dim = spec.dim.get();
    let options = LoadOptions::default();
    let mut load = store
        .load(name, Kind::Protein, Arc::clone(&schema), options)
        .await?;
    for (part, vectors) in rows.chunks(BATCH * dim).enumerate() {
        let count = vectors.len() / dim;
        let start = first + part * BATCH;
        let ids: Vec<String> = (start..start + count).map(id).collect();
        let arrays = schema
            .fields()
            .iter()
            .map(|field| {
                let array: ArrayRef = match field.name().as_str() {
                    columns::ID => Arc::new(StringArray::from(ids.clone())),
                    columns::KIND => Arc::new(StringArray::from(vec!["protein"; count])),
                    columns::SOURCE => Arc::new(StringArray::from(vec!["bench"; count])),
                    columns::CONTENT_HASH => {
                        let mut hashes = FixedSizeBinaryBuilder::new(32);
                        for id in &ids {
                            let mut payload = Payload::new(Kind::Protein);
                            payload.bytes("sequence", id.as_bytes());
                            hashes.append_value(payload.finish().as_bytes())?;
                        }
                        Arc::new(hashes.finish())
                    }
                    columns::EVENT_TIME => Arc::new(
                        TimestampMicrosecondArray::from(vec![0; count]).with_timezone("UTC"),
                    ),
                    columns::SEQUENCE => Arc::new(LargeStringArray::from(ids.clone())),
                    columns::LENGTH => Arc::new(Int64Array::from_iter_values(
                        (start..start + count).map(|row| row as i64 % 10),
                    )),
                    column if *column == spec.column() => {
                        let item = Arc::new(Field::new("item", DataType::Float32, true));
                        let values = Arc::new(Float32Array::from(vectors.to_vec()));
                        let size = spec.dim.as_i32();
                        Arc::new(FixedSizeListArray::try_new(item, size, values, None)?)
                    }
                    _ => new_null_array(field.data_type(), count),
                };
                Ok(array)
            })
            .collect::<Result<_>>()?;
        load.push(RecordBatch::try_new(Arc::clone(&schema), arrays)?)
            .await?;
    }
    load.commit().await?;
    Ok(())
}
