//! Checks of a request against the column that it names.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use penstock_store::Table;
use penstock_types::{FeatureSpec, Metric, Pooling};

use crate::{IndexError, Made, Result};

/// One version of one table. A table made anew under its name has another time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    uri: String,
    version: u64,
    /// Nanoseconds since 1970.
    time: u128,
}

impl Moment {
    pub(crate) fn of(table: &Table) -> Self {
        let manifest = table.dataset().manifest();
        Self {
            uri: table.dataset().uri().to_owned(),
            version: manifest.version,
            time: manifest.timestamp_nanos,
        }
    }

    /// Whether it is an older version of the same table, or of one before it.
    pub(crate) fn is_before(&self, other: &Self) -> bool {
        self.uri == other.uri && (self.version, self.time) < (other.version, other.time)
    }
}

/// The feature column of that name, with one vector per row.
pub(crate) fn feature(table: &Table, column: &str) -> Result<FeatureSpec> {
    let (spec, data_type) = described(table, column)?;
    if spec.pooling == Pooling::None || !matches!(data_type, DataType::FixedSizeList(..)) {
        return Err(IndexError::Ragged {
            column: column.to_owned(),
        });
    }
    Ok(spec)
}

/// The feature column of that name, with one vector per item.
pub(crate) fn items(table: &Table, column: &str) -> Result<FeatureSpec> {
    let (spec, data_type) = described(table, column)?;
    if spec.pooling != Pooling::None || !matches!(data_type, DataType::List(_)) {
        return Err(IndexError::Pooled {
            column: column.to_owned(),
        });
    }
    Ok(spec)
}

fn described(table: &Table, column: &str) -> Result<(FeatureSpec, DataType)> {
    let schema = table.schema();
    let field = schema
        .field_with_name(column)
        .map_err(|_| unknown_column(table, column))?;
    let spec = FeatureSpec::of(field)?.ok_or_else(|| {
        let names: Vec<_> = table.features().into_iter().map(|(name, _)| name).collect();
        IndexError::NoFeature {
            table: table.name().to_string(),
            column: column.to_owned(),
            known: if names.is_empty() {
                "the table has no feature column yet: encode it first".to_owned()
            } else {
                format!("its feature columns are {}", names.join(", "))
            },
        }
    })?;
    Ok((spec, field.data_type().clone()))
}

/// The query's encoder must be the column's; so must its weights, where both are known.
pub(crate) fn check_made(column: &str, spec: &FeatureSpec, made: Option<&Made>) -> Result<()> {
    let Some(made) = made else { return Ok(()) };
    if made.encoder != spec.encoder {
        return Err(IndexError::Encoder {
            column: column.to_owned(),
            given: made.encoder.clone(),
            expected: spec.encoder.clone(),
        });
    }
    match &made.weights {
        Some(weights) if *weights != spec.weights => Err(IndexError::Weights {
            column: column.to_owned(),
            encoder: spec.encoder.clone(),
            given: weights.clone(),
            expected: spec.weights.clone(),
        }),
        _ => Ok(()),
    }
}

/// The query vector has the column's length, is finite, and has a direction where one is compared.
pub(crate) fn check_vector(
    column: &str,
    spec: &FeatureSpec,
    vector: &[f32],
    metric: Metric,
) -> Result<()> {
    if vector.len() != spec.dim.get() {
        return Err(IndexError::Dimension {
            column: column.to_owned(),
            given: vector.len(),
            expected: spec.dim.get(),
        });
    }
    if let Some(position) = vector.iter().position(|number| !number.is_finite()) {
        return Err(IndexError::NotFinite {
            position,
            value: vector[position],
        });
    }
    if metric == Metric::Cosine && vector.iter().all(|number| *number == 0.0) {
        return Err(IndexError::ZeroVector);
    }
    Ok(())
}

/// The columns that the answer shall have: known ones, each once.
pub(crate) fn projected(table: &Table, columns: &[String]) -> Result<(Vec<String>, SchemaRef)> {
    let schema = table.schema();
    let mut names: Vec<String> = Vec::with_capacity(columns.len());
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let (_, field) = schema
            .fields()
            .find(column)
            .ok_or_else(|| unknown_column(table, column))?;
        if !names.contains(column) {
            names.push(column.clone());
            fields.push(Arc::clone(field));
        }
    }
    Ok((names, Arc::new(arrow::datatypes::Schema::new(fields))))
}

fn unknown_column(table: &Table, column: &str) -> IndexError {
    let schema = table.schema();
    let known: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    IndexError::UnknownColumn {
        table: table.name().to_string(),
        column: column.to_owned(),
        known: known.join(", "),
    }
}
