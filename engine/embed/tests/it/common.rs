//! Batches and comparisons.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, FixedSizeListArray, Float64Array, Int32Array,
    LargeStringArray, ListArray, RecordBatch,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Float32Type};
use penstock_embed::{EmbedError, Encoder, Registry};
use penstock_types::columns;

pub(crate) type Mesh = (Vec<[f64; 3]>, Vec<[i32; 3]>);

/// A batch with one column of sequences.
pub(crate) fn sequences<S: AsRef<str>>(rows: &[S]) -> RecordBatch {
    let column: ArrayRef = Arc::new(LargeStringArray::from_iter_values(rows));
    RecordBatch::try_from_iter([(columns::SEQUENCE, column)]).unwrap()
}

fn lists(values: ArrayRef, lengths: impl Iterator<Item = usize>) -> ArrayRef {
    let item = Arc::new(Field::new("item", values.data_type().clone(), true));
    let triples = FixedSizeListArray::new(item, 3, values, None);
    let item = Arc::new(Field::new("item", triples.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths);
    Arc::new(ListArray::new(item, offsets, Arc::new(triples), None))
}

/// A batch with the columns of meshes that encoders read.
pub(crate) fn meshes(rows: &[Mesh]) -> RecordBatch {
    let vertices: Vec<f64> = rows.iter().flat_map(|m| m.0.concat()).collect();
    let faces: Vec<i32> = rows.iter().flat_map(|m| m.1.concat()).collect();
    RecordBatch::try_from_iter([
        (
            columns::VERTICES,
            lists(
                Arc::new(Float64Array::from(vertices)),
                rows.iter().map(|m| m.0.len()),
            ),
        ),
        (
            columns::FACES,
            lists(
                Arc::new(Int32Array::from(faces)),
                rows.iter().map(|m| m.1.len()),
            ),
        ),
    ])
    .unwrap()
}

pub(crate) type Vectors = Vec<Option<Vec<f32>>>;

pub(crate) fn by_name(name: &str) -> Result<Arc<dyn Encoder>, EmbedError> {
    Registry::default().get(name)
}

pub(crate) fn try_encode(name: &str, batch: &RecordBatch) -> Result<Vectors, EmbedError> {
    let array = by_name(name)?.encode(batch)?;
    assert_eq!(
        array.data_type(),
        by_name(name)?.spec().field().data_type(),
        "the array fits its column"
    );
    assert_eq!(array.len(), batch.num_rows());
    assert!(matches!(array.data_type(), DataType::FixedSizeList(_, 256)));
    let array = array.as_fixed_size_list();
    Ok((0..array.len())
        .map(|row| {
            array.is_valid(row).then(|| {
                let vector = array
                    .value(row)
                    .as_primitive::<Float32Type>()
                    .values()
                    .to_vec();
                assert!(vector.iter().all(|x| x.is_finite()));
                let norm: f64 = vector.iter().map(|x| f64::from(*x).powi(2)).sum();
                assert!((norm - 1.0).abs() < 1e-6, "norm {norm}");
                vector
            })
        })
        .collect())
}

pub(crate) fn encode(name: &str, batch: &RecordBatch) -> Vectors {
    try_encode(name, batch).unwrap()
}

pub(crate) fn cosine_distance(a: &[f32], b: &[f32]) -> f64 {
    // Half the squared distance of unit vectors; 1 - a.b would drown in rounding.
    let squares = a
        .iter()
        .zip(b)
        .map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2));
    squares.sum::<f64>() / 2.0
}

/// A file of the corpus, or none, with a word about it.
pub(crate) fn corpus(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PENSTOCK_CORPUS").map_or_else(
        || {
            PathBuf::from(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../../shared/corpus"
            ))
        },
        PathBuf::from,
    );
    let file = root.join(path);
    if file.is_file() {
        return Some(file);
    }
    println!("skipped: no {path} in the corpus");
    None
}

/// Sequences of a FASTA file.
pub(crate) fn fasta(path: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    text.split('>')
        .skip(1)
        .map(|record| record.lines().skip(1).collect())
        .collect()
}

/// Asserts eight numbers that together see all of a vector: each 32 of its numbers, weighted by
/// their position. 1e-5 allows for another platform's logarithms.
pub(crate) fn assert_golden(vector: &[f32], golden: [f64; 8]) {
    let found: Vec<f64> = vector
        .chunks(32)
        .map(|chunk| {
            let weighted = chunk
                .iter()
                .zip(1..)
                .map(|(x, i)| f64::from(*x) * f64::from(i));
            (weighted.sum::<f64>() * 1e6).round() / 1e6
        })
        .collect();
    let near = found.iter().zip(golden).all(|(a, b)| (a - b).abs() < 1e-5);
    assert!(near, "{found:?}");
}
