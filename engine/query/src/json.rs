//! Batches as JSON objects.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use lexical_core::FormattedSize;
use serde_json::{Map, Value};

/// One object per row, keyed by column.
///
/// Numbers are numbers, NaN and infinity are null, lists are arrays, structs are objects, binary is
/// hexadecimal text, and timestamps with a zone are RFC 3339; everything else is text as Arrow
/// writes it. Integers keep all their digits.
///
/// # Errors
/// A column is of a type that Arrow cannot write as text.
pub fn json_rows(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, ArrowError> {
    let mut rows = vec![Map::with_capacity(batch.num_columns()); batch.num_rows()];
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        for (row, value) in rows.iter_mut().zip(values(column)?) {
            row.insert(field.name().clone(), value);
        }
    }
    Ok(rows)
}

/// The column's values, one per row.
fn values(array: &ArrayRef) -> Result<Vec<Value>, ArrowError> {
    macro_rules! each {
        ($array:expr, $to_value:expr) => {
            Ok($array
                .iter()
                .map(|value| value.map_or(Value::Null, $to_value))
                .collect())
        };
    }
    match array.data_type() {
        DataType::Null => Ok(vec![Value::Null; array.len()]),
        DataType::Boolean => each!(array.as_boolean(), Value::from),
        DataType::Int8 => each!(array.as_primitive::<Int8Type>(), Value::from),
        DataType::Int16 => each!(array.as_primitive::<Int16Type>(), Value::from),
        DataType::Int32 => each!(array.as_primitive::<Int32Type>(), Value::from),
        DataType::Int64 => each!(array.as_primitive::<Int64Type>(), Value::from),
        DataType::UInt8 => each!(array.as_primitive::<UInt8Type>(), Value::from),
        DataType::UInt16 => each!(array.as_primitive::<UInt16Type>(), Value::from),
        DataType::UInt32 => each!(array.as_primitive::<UInt32Type>(), Value::from),
        DataType::UInt64 => each!(array.as_primitive::<UInt64Type>(), Value::from),
        DataType::Float16 => each!(array.as_primitive::<Float16Type>(), |x| single(x.to_f32())),
        DataType::Float32 => each!(array.as_primitive::<Float32Type>(), single),
        DataType::Float64 => each!(array.as_primitive::<Float64Type>(), Value::from),
        DataType::Utf8 => each!(array.as_string::<i32>(), Value::from),
        DataType::LargeUtf8 => each!(array.as_string::<i64>(), Value::from),
        DataType::Utf8View => each!(array.as_string_view(), Value::from),
        DataType::List(_) => lists(array.as_list::<i32>().iter()),
        DataType::LargeList(_) => lists(array.as_list::<i64>().iter()),
        DataType::FixedSizeList(..) => lists(array.as_fixed_size_list().iter()),
        DataType::Struct(fields) => {
            let structs = array.as_struct();
            let mut rows = vec![Map::with_capacity(fields.len()); array.len()];
            for (field, column) in fields.iter().zip(structs.columns()) {
                for (row, value) in rows.iter_mut().zip(values(column)?) {
                    row.insert(field.name().clone(), value);
                }
            }
            Ok(rows
                .into_iter()
                .enumerate()
                .map(|(row, map)| {
                    if structs.is_null(row) {
                        Value::Null
                    } else {
                        Value::Object(map)
                    }
                })
                .collect())
        }
        DataType::Dictionary(_, item) => values(&cast(array, item)?),
        _ => {
            let options = FormatOptions::new().with_display_error(false);
            let texts = ArrayFormatter::try_new(array.as_ref(), &options)?;
            (0..array.len())
                .map(|row| {
                    if array.is_null(row) {
                        return Ok(Value::Null);
                    }
                    Ok(Value::from(texts.value(row).try_to_string()?))
                })
                .collect()
        }
    }
}

/// A single-precision number with the digits that it has: 0.1, not 0.10000000149011612.
fn single(number: f32) -> Value {
    if !number.is_finite() {
        return Value::Null;
    }
    let mut digits = [0; <f32 as FormattedSize>::FORMATTED_SIZE];
    lexical_core::parse::<f64>(lexical_core::write(number, &mut digits))
        .map_or(Value::Null, Value::from)
}

fn lists(lists: impl Iterator<Item = Option<ArrayRef>>) -> Result<Vec<Value>, ArrowError> {
    lists
        .map(|list| match list {
            Some(items) => Ok(Value::Array(values(&items)?)),
            None => Ok(Value::Null),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{
        FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Float64Array, Int64Array,
        ListArray, StringArray, TimestampMicrosecondArray,
    };
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_value() {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("i", Arc::new(Int64Array::from(vec![Some(i64::MAX), None]))),
            (
                "f",
                Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN)])),
            ),
            (
                "s",
                Arc::new(Float32Array::from(vec![Some(0.1), Some(f32::INFINITY)])),
            ),
            ("t", Arc::new(StringArray::from(vec![Some("é"), None]))),
            (
                "h",
                Arc::new(
                    FixedSizeBinaryArray::try_from_iter([[0xAB, 1], [0, 255]].into_iter()).unwrap(),
                ),
            ),
            (
                "v",
                Arc::new(
                    FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
                        [Some([Some(0.5), Some(-1.0)]), None],
                        2,
                    ),
                ),
            ),
            (
                "l",
                Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
                    Some(vec![Some(1), None]),
                    Some(vec![]),
                ])),
            ),
            (
                "at",
                Arc::new(
                    TimestampMicrosecondArray::from(vec![Some(1_700_000_000_123_456), None])
                        .with_timezone("UTC"),
                ),
            ),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap();
        let rows = json_rows(&batch).unwrap();
        assert_eq!(
            Value::Object(rows[0].clone()),
            json!({
                "i": i64::MAX, "f": 1.5, "s": 0.1, "t": "é", "h": "ab01", "v": [0.5, -1.0],
                "l": [1, null], "at": "2023-11-14T22:13:20.123456Z"
            })
        );
        assert_eq!(
            Value::Object(rows[1].clone()),
            json!({
                "i": null, "f": null, "s": null, "t": null, "h": "00ff", "v": null,
                "l": [], "at": null
            })
        );
    }
}
