//! The vectors of a batch of searches, as rows of numbers or of Arrow.

use arrow::array::{Array as _, ArrayRef, AsArray as _, Float32Array};
use arrow::datatypes::{DataType, Float32Type};
use arrow::record_batch::RecordBatch;

/// The column of batches that holds vectors.
pub const VECTOR: &str = "vector";

/// Why vectors cannot be searched with. Vectors are counted from 0.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorFault {
    /// There is no vector.
    #[error("there is no vector to search with")]
    None,
    /// A vector has another length than the one before it.
    #[error("vector {vector} has {given} numbers, and those before it have {dim}")]
    Length {
        /// The vector.
        vector: usize,
        /// Its length.
        given: usize,
        /// That of the first.
        dim: usize,
    },
    /// A vector is null, or one of its numbers is.
    #[error("vector {vector} is null or holds a null")]
    Null {
        /// The vector.
        vector: usize,
    },
    /// The column is missing.
    #[error("the batches have no column `{VECTOR}`; theirs are: {known}")]
    Missing {
        /// The columns there are.
        known: String,
    },
    /// The column holds something else.
    #[error("the column `{VECTOR}` is {found}; lists of Float32, of fixed size or not, are taken")]
    Type {
        /// Its type.
        found: DataType,
    },
}

/// Vectors of one length, `f32[count, dim]`, row after row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vectors {
    dim: usize,
    count: usize,
    values: Vec<f32>,
}

impl Vectors {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// The length of each, and all numbers.
    ///
    /// # Errors
    /// There is no vector.
    pub fn into_parts(self) -> Result<(usize, Vec<f32>), VectorFault> {
        if self.count == 0 {
            return Err(VectorFault::None);
        }
        Ok((self.dim, self.values))
    }

    /// Adds a vector.
    ///
    /// # Errors
    /// It has another length than those before it.
    pub fn push(&mut self, vector: &[f32]) -> Result<(), VectorFault> {
        if self.count == 0 {
            self.dim = vector.len();
        } else if self.dim != vector.len() {
            return Err(VectorFault::Length {
                vector: self.count,
                given: vector.len(),
                dim: self.dim,
            });
        }
        self.values.extend_from_slice(vector);
        self.count += 1;
        Ok(())
    }

    /// Adds the vectors of a batch's column `vector`.
    ///
    /// # Errors
    /// There is no such column, or it holds something else than vectors of one length.
    pub fn push_batch(&mut self, batch: &RecordBatch) -> Result<(), VectorFault> {
        let column = batch.column_by_name(VECTOR).ok_or_else(|| {
            let schema = batch.schema();
            let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            VectorFault::Missing {
                known: known.join(", "),
            }
        })?;
        for row in 0..column.len() {
            let vector = self.count;
            if column.is_null(row) {
                return Err(VectorFault::Null { vector });
            }
            let values = list(column, row).ok_or_else(|| VectorFault::Type {
                found: column.data_type().clone(),
            })?;
            if values.null_count() > 0 {
                return Err(VectorFault::Null { vector });
            }
            self.push(values.values())?;
        }
        Ok(())
    }
}

/// The numbers of one row.
fn list(column: &ArrayRef, row: usize) -> Option<Float32Array> {
    let values = match column.data_type() {
        DataType::FixedSizeList(..) => column.as_fixed_size_list().value(row),
        DataType::List(_) => column.as_list::<i32>().value(row),
        DataType::LargeList(_) => column.as_list::<i64>().value(row),
        _ => return None,
    };
    values.as_primitive_opt::<Float32Type>().cloned()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{FixedSizeListArray, Int32Array, ListArray};

    use super::*;

    fn batch(name: &str, column: ArrayRef) -> RecordBatch {
        RecordBatch::try_from_iter([(name, column)]).unwrap()
    }

    fn lists(rows: Vec<Option<Vec<Option<f32>>>>) -> ArrayRef {
        Arc::new(ListArray::from_iter_primitive::<Float32Type, _, _>(rows))
    }

    #[test]
    fn lists_of_any_kind() {
        let rows = vec![
            Some(vec![Some(1.0), Some(2.0)]),
            Some(vec![Some(3.0), Some(4.0)]),
        ];
        let fixed = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows.clone(), 2);
        let mut vectors = Vectors::default();
        vectors
            .push_batch(&batch("vector", Arc::new(fixed)))
            .unwrap();
        let sliced = batch("vector", lists(rows)).slice(1, 1);
        vectors.push_batch(&sliced).unwrap();
        assert_eq!(vectors.count(), 3);
        let (dim, values) = vectors.into_parts().unwrap();
        assert_eq!((dim, values), (2, vec![1.0, 2.0, 3.0, 4.0, 3.0, 4.0]));
    }

    #[test]
    fn what_is_no_vector_is_named() {
        let refused = |batch: &RecordBatch| {
            let mut vectors = Vectors::default();
            vectors.push_batch(batch).unwrap_err().to_string()
        };
        let one = Some(vec![Some(1.0)]);
        assert!(refused(&batch("v", lists(vec![one.clone()]))).contains("theirs are: v"));
        let longer = Some(vec![Some(1.0), Some(2.0)]);
        let error = refused(&batch("vector", lists(vec![one.clone(), longer])));
        assert_eq!(error, "vector 1 has 2 numbers, and those before it have 1");
        for null in [None, Some(vec![None])] {
            let error = refused(&batch("vector", lists(vec![one.clone(), null])));
            assert!(error.contains("vector 1 is null"), "{error}");
        }
        let numbers = Arc::new(Int32Array::from(vec![1]));
        assert!(refused(&batch("vector", numbers)).contains("Int32"));
        assert!(Vectors::default().into_parts().is_err());
    }
}
