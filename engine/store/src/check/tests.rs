use std::sync::Arc;

use arrow::array::{FixedSizeListArray, Float32Array, Float64Array, ListArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};

use super::*;

fn item(data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type, true))
}

#[test]
fn the_row_of_what_is_not_finite_is_found_at_any_depth() {
    let flat = Float64Array::from(vec![Some(1.0), None, Some(f64::INFINITY)]);
    assert_eq!(not_finite(&flat).unwrap().0, 2);

    let values = Float32Array::from(vec![0.0, 1.0, 2.0, f32::NAN, 4.0, 5.0, f32::NAN, 7.0]);
    let pairs = FixedSizeListArray::new(item(DataType::Float32), 2, Arc::new(values), None);
    assert_eq!(not_finite(&pairs).unwrap().0, 1);
    assert_eq!(not_finite(&pairs.slice(2, 1)), None);
    assert_eq!(not_finite(&pairs.slice(2, 2)).unwrap().0, 1);

    let lists = ListArray::new(
        item(pairs.data_type().clone()),
        OffsetBuffer::from_lengths([0, 1, 0, 3]),
        Arc::new(pairs),
        None,
    );
    assert_eq!(not_finite(&lists).unwrap().0, 3);
    assert_eq!(not_finite(&lists.slice(0, 3)), None);
    assert_eq!(not_finite(&lists.slice(3, 1)).unwrap().0, 0);
}

#[test]
fn what_lies_below_a_null_is_no_value() {
    let values = Float32Array::from(vec![f32::NAN, 0.0, f32::NAN]);
    let nulls = |valid: [bool; 3]| Some(NullBuffer::from(valid.to_vec()));
    let list = |valid| {
        let field = item(DataType::Float32);
        FixedSizeListArray::new(field, 1, Arc::new(values.clone()), nulls(valid))
    };
    assert_eq!(not_finite(&list([false, true, false])), None);
    assert_eq!(not_finite(&list([false, true, true])).unwrap().0, 2);
}
