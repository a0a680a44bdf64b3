//! Rows of the column contract, deterministic, with whatever each column's type allows.

use std::sync::Arc;

use arrow::array::builder::{LargeStringBuilder, StringBuilder};
use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, Float32Array, Float64Array,
    Int32Array, Int64Array, ListArray, RecordBatch, TimestampMicrosecondArray, UInt8Array,
    UInt16Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use penstock_types::columns::{self, ID, KIND};
use penstock_types::{DType, Dim, FeatureSpec, Kind, Pooling};

/// Pseudo-random numbers (Knuth's MMIX constants).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn float(&mut self) -> f64 {
        self.next(2_000_001) as f64 / 1_000.0 - 1_000.0
    }
}

/// The columns of a kind and a feature column of 256 numbers.
pub(crate) fn schema(kind: Kind) -> SchemaRef {
    let raw = columns::schema(kind);
    let spec = FeatureSpec {
        encoder: "sample-v1".into(),
        weights: "00".repeat(32),
        pooling: Pooling::Whole,
        dtype: DType::F32,
        licence: None,
        dim: Dim::new(256).unwrap(),
    };
    let mut fields: Vec<Arc<Field>> = raw.fields().to_vec();
    fields.push(Arc::new(spec.field()));
    Arc::new(Schema::new_with_metadata(fields, raw.metadata().clone()))
}

/// `rows` rows, their ids beginning with `row{first}`.
pub(crate) fn batch(kind: Kind, first: u64, rows: usize) -> RecordBatch {
    let schema = schema(kind);
    let mut numbers = Numbers(first + 1);
    let arrays = schema.fields().iter().map(|field| -> ArrayRef {
        match field.name().as_str() {
            ID => {
                let mut ids = StringBuilder::new();
                (0..rows as u64).for_each(|i| ids.append_value(format!("row{}", first + i)));
                Arc::new(ids.finish())
            }
            KIND => {
                let mut kinds = StringBuilder::new();
                (0..rows).for_each(|_| kinds.append_value(kind.as_str()));
                Arc::new(kinds.finish())
            }
            // Windows have a parent; these are records.
            columns::PARENT => arrow::array::new_null_array(field.data_type(), rows),
            _ => array(field.data_type(), field.is_nullable(), rows, &mut numbers),
        }
    });
    let arrays = arrays.collect();
    RecordBatch::try_new(schema, arrays).unwrap()
}

fn array(data_type: &DataType, nullable: bool, rows: usize, numbers: &mut Numbers) -> ArrayRef {
    let nulls = nullable.then(|| {
        let valid = (0..rows).map(|_| numbers.next(5) > 0);
        NullBuffer::from_iter(valid)
    });
    let null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    let int = |numbers: &mut Numbers| numbers.next(1 << 20) as i64 - (1 << 19);
    match data_type {
        DataType::Boolean => Arc::new(BooleanArray::new(
            (0..rows).map(|_| numbers.next(2) == 0).collect(),
            nulls,
        )),
        DataType::UInt8 => {
            let values: Vec<u8> = (0..rows).map(|_| numbers.next(94) as u8).collect();
            Arc::new(UInt8Array::new(values.into(), nulls))
        }
        DataType::UInt16 => {
            let values: Vec<u16> = (0..rows).map(|_| numbers.next(1 << 16) as u16).collect();
            Arc::new(UInt16Array::new(values.into(), nulls))
        }
        DataType::Int32 => {
            let values: Vec<i32> = (0..rows).map(|_| int(numbers) as i32).collect();
            Arc::new(Int32Array::new(values.into(), nulls))
        }
        DataType::Int64 => {
            let values: Vec<i64> = (0..rows).map(|_| int(numbers) << 20).collect();
            Arc::new(Int64Array::new(values.into(), nulls))
        }
        DataType::Float32 => {
            let values: Vec<f32> = (0..rows).map(|_| numbers.float() as f32).collect();
            Arc::new(Float32Array::new(values.into(), nulls))
        }
        DataType::Float64 => {
            let values: Vec<f64> = (0..rows).map(|_| numbers.float()).collect();
            Arc::new(Float64Array::new(values.into(), nulls))
        }
        DataType::Timestamp(..) => {
            let values: Vec<i64> = (0..rows).map(|_| int(numbers) * 1_000_003).collect();
            Arc::new(TimestampMicrosecondArray::new(values.into(), nulls).with_timezone("UTC"))
        }
        DataType::FixedSizeBinary(size) => {
            let bytes: Vec<u8> = (0..rows * *size as usize)
                .map(|_| numbers.next(256) as u8)
                .collect();
            Arc::new(FixedSizeBinaryArray::new(*size, bytes.into(), nulls))
        }
        DataType::Utf8 => {
            let mut text = StringBuilder::new();
            for row in 0..rows {
                text.append_option((!null(row)).then(|| word(numbers)));
            }
            Arc::new(text.finish())
        }
        DataType::LargeUtf8 => {
            let mut text = LargeStringBuilder::new();
            for row in 0..rows {
                text.append_option((!null(row)).then(|| word(numbers)));
            }
            Arc::new(text.finish())
        }
        DataType::FixedSizeList(item, size) => {
            let items = array(item.data_type(), false, rows * *size as usize, numbers);
            Arc::new(FixedSizeListArray::new(item.clone(), *size, items, nulls))
        }
        DataType::List(item) => {
            let lengths: Vec<usize> = (0..rows)
                .map(|row| {
                    if null(row) {
                        0
                    } else {
                        numbers.next(6) as usize
                    }
                })
                .collect();
            let total = lengths.iter().sum();
            let items = array(item.data_type(), false, total, numbers);
            let offsets = OffsetBuffer::from_lengths(lengths);
            Arc::new(ListArray::new(item.clone(), offsets, items, nulls))
        }
        other => panic!("no column of the contract is {other}"),
    }
}

fn word(numbers: &mut Numbers) -> String {
    let letters = ['A', 'C', 'G', 'T', 'é', '漢'];
    (0..numbers.next(12))
        .map(|_| letters[numbers.next(6) as usize])
        .collect()
}
