use arrow::array::{FixedSizeBinaryArray, Float16Array, Int64Array, StringArray};
use penstock_types::{Dim, Pooling};

use super::*;

fn spec(dtype: DType) -> FeatureSpec {
    FeatureSpec {
        encoder: "test".into(),
        weights: String::new(),
        pooling: Pooling::Whole,
        dtype,
        dim: Dim::new(2).unwrap(),
        licence: None,
    }
}

fn outline(id: &str, vertices: u8) -> Outline {
    Outline {
        id: id.into(),
        offsets: Vec::new(),
        neighbours: Vec::new(),
        labels: Vec::new(),
        names: Vec::new(),
        hashes: (0..vertices).map(|v| [v; 8]).collect(),
    }
}

/// Rows of graph, vertex and the byte that its hash is made of.
fn rows(rows: &[(Option<&str>, Option<i64>, u8)]) -> RecordBatch {
    let parents: StringArray = rows.iter().map(|row| row.0).collect();
    let numbers: Int64Array = rows.iter().map(|row| row.1).collect();
    let hashes = rows.iter().map(|row| [row.2; 32]);
    let hashes = FixedSizeBinaryArray::try_from_iter(hashes).unwrap();
    RecordBatch::try_from_iter([
        (columns::PARENT, Arc::new(parents) as ArrayRef),
        (columns::VERTEX, Arc::new(numbers)),
        (columns::CONTENT_HASH, Arc::new(hashes)),
    ])
    .unwrap()
}

#[test]
fn rows_get_their_vectors_in_any_order() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = Spool::new(folder.path(), 2).unwrap();
    spool
        .append(&outline("a", 3), &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
        .unwrap();
    let odd = [f32::NAN, 0.0, 7.0, 70_000.0];
    spool.append(&outline("b", 2), &odd).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let kept = spool.finish().unwrap();
    let batch = rows(&[
        (Some("a"), Some(1), 1),
        (Some("a"), Some(2), 2),
        (None, None, 9),
        (Some("b"), Some(0), 0),
        (Some("b"), Some(1), 1),
        (Some("a"), Some(0), 0),
        (Some("a"), Some(1), 7), // its graph is another by now
        (Some("a"), Some(3), 3),
        (Some("c"), Some(0), 0),
        (Some("a"), Some(-1), 0),
    ]);
    for dtype in [DType::F32, DType::F16] {
        let vectors = kept.vectors(&spec(dtype), &batch).unwrap();
        let vectors = vectors.as_fixed_size_list();
        let valid: Vec<bool> = (0..10).map(|row| vectors.is_valid(row)).collect();
        let mut expected = [
            true, true, false, false, false, true, false, false, false, false,
        ];
        // 70,000 is too large for half precision.
        expected[4] = dtype == DType::F32;
        assert_eq!(valid, expected);
        let row = |row| -> Vec<f32> {
            let values = cast(&vectors.value(row), &DataType::Float32).unwrap();
            values
                .as_primitive::<arrow::datatypes::Float32Type>()
                .values()
                .to_vec()
        };
        assert_eq!(row(0), [2.0, 3.0]);
        assert_eq!(row(1), [4.0, 5.0]);
        assert_eq!(row(5), [0.0, 1.0]);
        let half = vectors.values().as_any().is::<Float16Array>();
        assert_eq!(half, dtype == DType::F16);
    }
}
