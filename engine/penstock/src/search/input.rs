//! What is searched with: from an id, a text or a record to a vector.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};
use arrow::record_batch::RecordBatch;
use penstock_embed::{Encoder, Registry};
use penstock_store::Table;
use penstock_types::{FeatureSpec, Pooling, columns};

use super::SearchInput;
use crate::Error;

/// The vector to search with; as long as the column's vectors.
pub(super) async fn vector(
    registry: &Arc<Registry>,
    table: &Table,
    (column, spec): (&str, &FeatureSpec),
    input: &SearchInput,
) -> Result<Vec<f32>, Error> {
    let vector = match input {
        SearchInput::Vector(vector) => vector.clone(),
        SearchInput::Text(text) => {
            let encoder = column_encoder(registry, column, spec).await?;
            encode_text(encoder, text.clone()).await?
        }
        SearchInput::Records(records) => {
            let encoder = column_encoder(registry, column, spec).await?;
            let given = columns::kind_of(&records.schema()).unwrap_or(encoder.kind());
            if given != encoder.kind() {
                return Err(Error::KindMismatch {
                    table: table.name().clone(),
                    holds: encoder.kind(),
                    given,
                });
            }
            encode_first(encoder, records).await?
        }
        SearchInput::Id(id) => stored_vector(table, column, id).await?,
    };
    if vector.len() != spec.dim.get() {
        return Err(Error::Dimension {
            column: column.to_owned(),
            given: vector.len(),
            dim: spec.dim,
        });
    }
    Ok(vector)
}

/// The column asked for; else the only one; else the default encoder's.
pub(crate) fn feature_column(
    table: &Table,
    wanted: Option<&str>,
) -> Result<(String, FeatureSpec), Error> {
    let mut features: Vec<_> = table
        .features()
        .into_iter()
        .filter(|(_, spec)| spec.pooling != Pooling::None)
        .collect();
    let names = |features: &[(String, FeatureSpec)]| -> Vec<String> {
        features.iter().map(|(name, _)| name.clone()).collect()
    };
    let default = penstock_embed::default_for(table.kind()).map(|default| default.spec().column());
    let position = match wanted {
        Some(wanted) => {
            let found = features.iter().position(|(name, _)| name == wanted);
            if found.is_none() && !features.is_empty() {
                return Err(Error::NoSuchColumn {
                    table: table.name().clone(),
                    column: wanted.to_owned(),
                    columns: names(&features),
                });
            }
            found
        }
        None if features.len() == 1 => Some(0),
        None => features
            .iter()
            .position(|(name, _)| Some(name) == default.as_ref()),
    };
    match position {
        Some(position) => Ok(features.swap_remove(position)),
        None if features.is_empty() => Err(Error::NoFeatures {
            table: table.name().clone(),
        }),
        None => Err(Error::AmbiguousColumn {
            table: table.name().clone(),
            columns: names(&features),
        }),
    }
}

/// The encoder that made the column, refused when its constants or weights are others by now.
pub(crate) async fn column_encoder(
    registry: &Arc<Registry>,
    column: &str,
    spec: &FeatureSpec,
) -> Result<Arc<dyn Encoder>, Error> {
    let encoder = crate::encode::find(registry, &spec.encoder).await?;
    if encoder.spec().makes_the_same(spec) {
        return Ok(encoder);
    }
    Err(Error::EncoderMismatch {
        column: column.to_owned(),
        encoder: spec.encoder.clone(),
        weights: spec.weights.clone(),
    })
}

async fn encode_text(encoder: Arc<dyn Encoder>, text: String) -> Result<Vec<f32>, Error> {
    let name = encoder.spec().encoder.clone();
    tokio::task::spawn_blocking(move || penstock_embed::encode_sequence(encoder.as_ref(), &text))
        .await
        .map_err(Error::Worker)??
        .ok_or(Error::EmptyQuery { encoder: name })
}

async fn encode_first(encoder: Arc<dyn Encoder>, records: &RecordBatch) -> Result<Vec<f32>, Error> {
    let name = encoder.spec().encoder.clone();
    let first = records.slice(0, records.num_rows().min(1));
    let vectors = tokio::task::spawn_blocking(move || encoder.encode(&first))
        .await
        .map_err(Error::Worker)??;
    if vectors.is_empty() || vectors.is_null(0) {
        return Err(Error::EmptyQuery { encoder: name });
    }
    // A column that is searched holds one vector per row, and its encoder gives the same.
    Ok(vectors
        .as_fixed_size_list_opt()
        .map(first_vector)
        .unwrap_or_default())
}

async fn stored_vector(table: &Table, column: &str, id: &str) -> Result<Vec<f32>, Error> {
    let stored = stored(table, column, id).await?;
    match stored.as_fixed_size_list_opt() {
        Some(vectors) if vectors.is_valid(0) => Ok(first_vector(vectors)),
        _ => Err(no_vector(column, id)),
    }
}

/// What the row with this id has in a column: one value.
pub(crate) async fn stored(table: &Table, column: &str, id: &str) -> Result<ArrayRef, Error> {
    let rows = table
        .rows_by_id(&[id], Some(&[columns::ID, column]))
        .await?;
    if rows.num_rows() == 0 {
        return Err(Error::NoSuchRow {
            table: table.name().clone(),
            id: id.to_owned(),
        });
    }
    let values = rows.column_by_name(column).cloned();
    values.ok_or_else(|| no_vector(column, id))
}

/// The row is there, and cannot be a query.
pub(crate) fn no_vector(column: &str, id: &str) -> Error {
    Error::NoVector {
        id: id.to_owned(),
        column: column.to_owned(),
    }
}

pub(super) fn first_vector(vectors: &FixedSizeListArray) -> Vec<f32> {
    let values: ArrayRef = vectors.value(0);
    match cast(&values, &DataType::Float32) {
        Ok(values) => values.as_primitive::<Float32Type>().values().to_vec(),
        Err(_) => Vec::new(), // not numbers: the length check that follows refuses it
    }
}
