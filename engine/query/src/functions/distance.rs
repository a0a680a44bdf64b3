//! `cosine_distance(a, b)`, `l2_distance(a, b)`, `dot_distance(a, b)`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, Float32Array, Float32Builder, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use penstock_types::{Metric, Probe};

/// One of the three functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Distance {
    metric: Metric,
    name: &'static str,
    signature: Signature,
}

impl Distance {
    pub(super) fn new(metric: Metric) -> Self {
        Self {
            metric,
            name: match metric {
                Metric::Cosine => "cosine_distance",
                Metric::L2 => "l2_distance",
                Metric::Dot => "dot_distance",
            },
            signature: Signature::any(2, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Distance {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        for given in types {
            let numeric = match given {
                DataType::FixedSizeList(item, _)
                | DataType::List(item)
                | DataType::LargeList(item) => {
                    item.data_type().is_numeric() || item.data_type().is_null()
                }
                other => other.is_null(),
            };
            if !numeric {
                return plan_err!(
                    "{} compares two vectors; one argument is of type {given}",
                    self.name
                );
            }
        }
        Ok(DataType::Float32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let [a, b] = args.args.as_slice() else {
            return exec_err!("{} takes two vectors", self.name);
        };
        let both_scalar = matches!((a, b), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let rows = if both_scalar { 1 } else { rows };
        let a = Vectors::new(a)?;
        let b = Vectors::new(b)?;
        // All three distances are symmetric: a constant is prepared once.
        let (constant, other) = if b.constant { (&b, &a) } else { (&a, &b) };
        let prepared = match constant.constant {
            true => constant.get(0),
            false => None,
        };
        let prepared = prepared.map(|vector| Probe::new(self.metric, vector));

        let mut distances = Float32Builder::with_capacity(rows);
        for row in 0..rows {
            let (Some(x), Some(y)) = (constant.get(row), other.get(row)) else {
                distances.append_null();
                continue;
            };
            if x.len() != y.len() {
                return exec_err!(
                    "{}: the vectors have {} and {} numbers; they must have the same",
                    self.name,
                    y.len(),
                    x.len()
                );
            }
            let distance = match &prepared {
                Some(probe) => probe.distance(y),
                None => Probe::new(self.metric, x).distance(y),
            };
            distances.append_option(distance);
        }
        let distances = distances.finish();
        Ok(if both_scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&distances, 0)?)
        } else {
            ColumnarValue::Array(Arc::new(distances))
        })
    }
}

/// Rows of `f32` slices, whatever list they came as.
struct Vectors {
    constant: bool,
    values: Float32Array,
    starts: Starts,
    nulls: Option<NullBuffer>,
}

enum Starts {
    Null,
    Fixed { offset: usize, length: usize },
    Ragged(Vec<usize>),
}

impl Vectors {
    fn new(value: &ColumnarValue) -> Result<Self> {
        let (constant, array) = match value {
            ColumnarValue::Scalar(scalar) => (true, scalar.to_array()?),
            ColumnarValue::Array(array) => (false, Arc::clone(array)),
        };
        let (values, starts): (ArrayRef, Starts) = match array.data_type() {
            DataType::FixedSizeList(..) => {
                let lists: &FixedSizeListArray = array.as_fixed_size_list();
                let starts = Starts::Fixed {
                    offset: if lists.is_empty() {
                        0
                    } else {
                        lists.value_offset(0) as usize
                    },
                    length: lists.value_length() as usize,
                };
                (Arc::clone(lists.values()), starts)
            }
            DataType::List(_) => {
                let lists = array.as_list::<i32>();
                let starts = lists.value_offsets().iter().map(|o| *o as usize).collect();
                (Arc::clone(lists.values()), Starts::Ragged(starts))
            }
            DataType::LargeList(_) => {
                let lists = array.as_list::<i64>();
                let starts = lists.value_offsets().iter().map(|o| *o as usize).collect();
                (Arc::clone(lists.values()), Starts::Ragged(starts))
            }
            _ => (new_null_array(&DataType::Float32, 0), Starts::Null),
        };
        let values = match values.data_type() {
            DataType::Float32 => values,
            _ => cast(&values, &DataType::Float32)?,
        };
        Ok(Self {
            constant,
            values: values.as_primitive::<Float32Type>().clone(),
            starts,
            nulls: array.nulls().cloned(),
        })
    }

    /// The vector of a row; `None` for a null, and for a vector that holds one.
    fn get(&self, row: usize) -> Option<&[f32]> {
        let row = if self.constant { 0 } else { row };
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        let (start, end) = match &self.starts {
            Starts::Null => return None,
            Starts::Fixed { offset, length } => {
                let start = offset + row * length;
                (start, start + length)
            }
            Starts::Ragged(starts) => (starts[row], starts[row + 1]),
        };
        if let Some(nulls) = self.values.nulls()
            && nulls.slice(start, end - start).null_count() > 0
        {
            return None;
        }
        Some(&self.values.values()[start..end])
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, ListArray};
    use arrow::datatypes::{Field, Float64Type};
    use datafusion::config::ConfigOptions;

    use super::*;

    fn call(metric: Metric, args: Vec<ColumnarValue>, rows: usize) -> Result<ColumnarValue> {
        let function = Distance::new(metric);
        let types: Vec<_> = args.iter().map(ColumnarValue::data_type).collect();
        function.return_type(&types)?;
        function.invoke_with_args(ScalarFunctionArgs {
            arg_fields: types
                .into_iter()
                .map(|t| Arc::new(Field::new("x", t, true)))
                .collect(),
            args,
            number_rows: rows,
            return_field: Arc::new(Field::new("d", DataType::Float32, true)),
            config_options: Arc::new(ConfigOptions::default()),
        })
    }

    fn column() -> ArrayRef {
        Arc::new(
            FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(
                [
                    Some([Some(1.0), Some(0.0)]),
                    None,
                    Some([Some(0.0), Some(2.0)]),
                    Some([Some(0.0), None]),
                    Some([Some(0.0), Some(0.0)]),
                ],
                2,
            ),
        )
    }

    fn literal(numbers: &[f64]) -> ColumnarValue {
        let list = ListArray::from_iter_primitive::<Float64Type, _, _>([Some(
            numbers.iter().copied().map(Some),
        )]);
        ColumnarValue::Scalar(ScalarValue::List(Arc::new(list)))
    }

    fn values(value: ColumnarValue, rows: usize) -> Vec<Option<f32>> {
        let array = value.into_array(rows).unwrap();
        array.as_primitive::<Float32Type>().iter().collect()
    }

    #[test]
    fn column_against_literal() {
        for (metric, expected) in [
            (Metric::Cosine, [Some(0.0), None, Some(1.0), None, None]),
            (Metric::L2, [Some(0.0), None, Some(5.0), None, Some(1.0)]),
            (Metric::Dot, [Some(0.0), None, Some(1.0), None, Some(1.0)]),
        ] {
            for swap in [false, true] {
                let mut args = vec![ColumnarValue::Array(column()), literal(&[1.0, 0.0])];
                if swap {
                    args.reverse();
                }
                assert_eq!(values(call(metric, args, 5).unwrap(), 5), expected);
            }
        }
    }

    #[test]
    fn slices_columns_and_scalars() {
        let sliced = column().slice(2, 3);
        let args = vec![
            ColumnarValue::Array(Arc::clone(&sliced)),
            ColumnarValue::Array(sliced),
        ];
        assert_eq!(
            values(call(Metric::L2, args, 3).unwrap(), 3),
            [Some(0.0), None, Some(0.0)]
        );
        let args = vec![literal(&[3.0, 4.0]), literal(&[0.0, 0.0])];
        assert!(matches!(
            call(Metric::L2, args, 7).unwrap(),
            ColumnarValue::Scalar(ScalarValue::Float32(Some(25.0)))
        ));
        let args = vec![
            ColumnarValue::Array(column()),
            ColumnarValue::Scalar(ScalarValue::Null),
        ];
        assert_eq!(values(call(Metric::L2, args, 5).unwrap(), 5), [None; 5]);
    }

    #[test]
    fn wrong_arguments() {
        let args = vec![ColumnarValue::Array(column()), literal(&[1.0])];
        let error = call(Metric::L2, args, 5).unwrap_err().to_string();
        assert!(error.contains("2 and 1 numbers"), "{error}");
        let args = vec![
            ColumnarValue::Array(Arc::new(Float64Array::from(vec![1.0]))),
            literal(&[1.0]),
        ];
        assert!(call(Metric::L2, args, 1).is_err());
    }
}
