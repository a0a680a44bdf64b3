//! What is checked of a batch before any of it is stored.

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float16Type, Float32Type, Float64Type, Schema, SchemaRef};
use penstock_types::{FeatureSpec, Kind, TableName, columns};

use crate::error::{Result, StoreError};
use crate::scan::strings;

/// Checks that a load brings the columns of the contract, with their types, and beside them only
/// feature columns.
pub(crate) fn schema(table: &TableName, kind: Kind, given: &Schema) -> Result<()> {
    let wrong = |problem: String| StoreError::Schema {
        table: table.clone(),
        problem,
    };
    let contract = columns::schema(kind);
    for field in contract.fields() {
        let Ok(found) = given.field_with_name(field.name()) else {
            return Err(wrong(format!(
                "column `{}` of {kind} data is missing",
                field.name()
            )));
        };
        if found.data_type() != field.data_type() {
            return Err(wrong(format!(
                "column `{}` must be {}, not {}",
                field.name(),
                field.data_type(),
                found.data_type()
            )));
        }
    }
    for (at, field) in given.fields().iter().enumerate() {
        if given
            .fields()
            .iter()
            .take(at)
            .any(|other| other.name() == field.name())
        {
            return Err(wrong(format!("column `{}` comes twice", field.name())));
        }
        if contract.field_with_name(field.name()).is_err() {
            let Some(spec) = FeatureSpec::of(field)? else {
                return Err(wrong(format!(
                    "column `{}` is neither one of {kind} data nor a feature",
                    field.name()
                )));
            };
            if spec.field().data_type() != field.data_type() {
                return Err(wrong(format!(
                    "feature column `{}` must be {}, not {}",
                    field.name(),
                    spec.field().data_type(),
                    field.data_type()
                )));
            }
        }
    }
    Ok(())
}

/// The schema that a load writes: the columns of the contract in its order and with its metadata,
/// then the features; the id marked as the primary key.
pub(crate) fn stored_schema(kind: Kind, given: &Schema) -> SchemaRef {
    let contract = columns::schema(kind);
    let mut fields: Vec<_> = contract.fields().iter().cloned().collect();
    for field in &mut fields {
        if field.name() == columns::ID {
            let mut metadata = field.metadata().clone();
            metadata.insert(PRIMARY_KEY.to_owned(), "true".to_owned());
            *field = field.as_ref().clone().with_metadata(metadata).into();
        }
    }
    let features = given
        .fields()
        .iter()
        .filter(|field| contract.field_with_name(field.name()).is_err())
        .map(|field| std::sync::Arc::new(field.as_ref().clone().with_nullable(true)));
    fields.extend(features);
    std::sync::Arc::new(Schema::new_with_metadata(
        fields,
        contract.metadata().clone(),
    ))
}

/// Lance's name for a primary key that its writers respect and its readers do not enforce.
const PRIMARY_KEY: &str = "lance-schema:unenforced-primary-key";

/// The batch with exactly the columns of `schema`.
pub(crate) fn conform(
    table: &TableName,
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let wrong = |problem: String| StoreError::Schema {
        table: table.clone(),
        problem,
    };
    if batch.num_columns() != schema.fields().len() {
        return Err(wrong(format!(
            "a batch has {} columns, the load was opened with {}",
            batch.num_columns(),
            schema.fields().len()
        )));
    }
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let array = batch
            .column_by_name(field.name())
            .ok_or_else(|| wrong(format!("a batch lacks the column `{}`", field.name())))?;
        if array.data_type() != field.data_type() {
            return Err(wrong(format!(
                "column `{}` of a batch is {}, the load was opened with {}",
                field.name(),
                array.data_type(),
                field.data_type()
            )));
        }
        if !field.is_nullable() && array.null_count() > 0 {
            let row = (0..array.len())
                .find(|&row| array.is_null(row))
                .unwrap_or_default();
            return Err(row_error(
                batch,
                row,
                field.name(),
                "a value is missing".to_owned(),
            ));
        }
        arrays.push(array.clone());
    }
    Ok(RecordBatch::try_new(schema.clone(), arrays)?)
}

/// Checks the values: ids are not empty, the kind is the table's, every number is finite.
pub(crate) fn values(batch: &RecordBatch, kind: Kind) -> Result<()> {
    let rows = |column: &str, fine: &dyn Fn(&str) -> bool, problem: &str| -> Result<()> {
        let array = strings(batch, column)?;
        match (0..array.len()).find(|&row| !fine(array.value(row))) {
            Some(row) => Err(row_error(batch, row, column, problem.to_owned())),
            None => Ok(()),
        }
    };
    rows(columns::ID, &|id| !id.is_empty(), "the id is empty")?;
    rows(
        columns::KIND,
        &|word| word == kind.as_str(),
        "the kind is not the table's",
    )?;
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if let Some((row, value)) = not_finite(array) {
            let problem = format!("{value} is no finite number");
            return Err(row_error(batch, row, field.name(), problem));
        }
    }
    Ok(())
}

fn row_error(batch: &RecordBatch, row: usize, column: &str, problem: String) -> StoreError {
    let text = |column| match strings(batch, column) {
        Ok(array) if array.is_valid(row) => array.value(row).to_owned(),
        _ => format!("row {row}"),
    };
    StoreError::Row {
        id: text(columns::ID),
        source_name: text(columns::SOURCE),
        column: column.to_owned(),
        problem,
    }
}

/// The first row that holds NaN or an infinity at any depth, and the value.
pub(crate) fn not_finite(array: &dyn Array) -> Option<(usize, f64)> {
    macro_rules! floats {
        ($type:ty, $value:ident => $to_f64:expr) => {{
            let array = array.as_primitive::<$type>();
            array
                .values()
                .iter()
                .enumerate()
                .find_map(|(row, &$value)| {
                    (!$value.is_finite() && array.is_valid(row)).then(|| (row, $to_f64))
                })
        }};
    }
    match array.data_type() {
        DataType::Float16 => floats!(Float16Type, v => v.to_f64()),
        DataType::Float32 => floats!(Float32Type, v => f64::from(v)),
        DataType::Float64 => floats!(Float64Type, v => v),
        DataType::FixedSizeList(_, size) => {
            let list = array.as_fixed_size_list();
            let size = usize::try_from(*size).unwrap_or(1).max(1);
            let first = list.value_offset(0).unsigned_abs() as usize;
            let values = list.values().slice(first, list.len() * size);
            nested(list, &values, |at| at / size)
        }
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let offsets = list.value_offsets();
            let (start, end) = (*offsets.first()?, *offsets.last()?);
            let values = list.values().slice(start as usize, (end - start) as usize);
            nested(list, &values, |at| {
                offsets.partition_point(|&offset| offset - start <= at as i32) - 1
            })
        }
        _ => None,
    }
}

/// Looks below a list. What lies below a null row is no value: such a hit leads to a look at the
/// rows one by one.
fn nested(
    list: &dyn Array,
    values: &dyn Array,
    row_of: impl Fn(usize) -> usize,
) -> Option<(usize, f64)> {
    let (at, value) = not_finite(values)?;
    let row = row_of(at);
    if list.is_valid(row) {
        return Some((row, value));
    }
    (row + 1..list.len()).find_map(|row| {
        let one = list.slice(row, 1);
        let hit = list.is_valid(row).then(|| not_finite(&one)).flatten();
        hit.map(|(_, value)| (row, value))
    })
}

/// The columns that decide what becomes of a row.
pub(crate) struct Rows<'a> {
    pub(crate) ids: &'a StringArray,
    pub(crate) sources: Option<&'a StringArray>,
    hashes: &'a FixedSizeBinaryArray,
    names: &'a StringArray,
    descriptions: &'a StringArray,
    parents: Option<&'a StringArray>,
}

impl<'a> Rows<'a> {
    pub(crate) fn new(batch: &'a RecordBatch) -> Result<Self> {
        Ok(Self {
            ids: strings(batch, columns::ID)?,
            sources: strings(batch, columns::SOURCE).ok(),
            hashes: batch
                .column_by_name(columns::CONTENT_HASH)
                .and_then(|array| array.as_fixed_size_binary_opt())
                .ok_or(StoreError::Internal("a batch without content hashes"))?,
            names: strings(batch, columns::NAME)?,
            descriptions: strings(batch, columns::DESCRIPTION)?,
            parents: strings(batch, columns::PARENT).ok(),
        })
    }

    /// Of what decides whether a row is changed: content hash, name and description.
    pub(crate) fn fingerprint(&self, row: usize) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.hashes.value(row));
        for text in [self.names, self.descriptions] {
            let text = text.is_valid(row).then(|| text.value(row));
            hasher.update(&[u8::from(text.is_some())]);
            let text = text.unwrap_or_default();
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        u64::from_le_bytes(first)
    }

    /// The contig of a window; `None` for a record of its own.
    pub(crate) fn parent(&self, row: usize) -> Option<&'a str> {
        self.parents
            .filter(|parents| parents.is_valid(row))
            .map(|parents| parents.value(row))
    }
}

#[cfg(test)]
mod tests;
