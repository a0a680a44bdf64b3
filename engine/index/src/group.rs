//! The best hits of every group.

use std::collections::HashMap;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::row::{RowConverter, SortField};

use crate::{IndexError, Result};

/// How to group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupOptions {
    /// Rows that are kept of each group.
    pub best: usize,
    /// Groups that are kept, by their best row; all where `None`.
    pub groups: Option<usize>,
}

impl Default for GroupOptions {
    fn default() -> Self {
        Self {
            best: 1,
            groups: None,
        }
    }
}

/// Keeps the first rows of each value of a column, of a batch whose rows come best first. The order
/// stays. Null is a value like any other; so is NaN.
///
/// # Errors
/// The batch has no such column, or one of a type that cannot be compared.
pub fn best_per_group(
    batch: &RecordBatch,
    column: &str,
    options: GroupOptions,
) -> Result<RecordBatch> {
    let values = batch.column_by_name(column).ok_or_else(|| {
        let schema = batch.schema();
        let known: Vec<&str> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        IndexError::NoGroup {
            column: column.to_owned(),
            known: known.join(", "),
        }
    })?;
    let converter = RowConverter::new(vec![SortField::new(values.data_type().clone())])?;
    let values = converter.convert_columns(&[std::sync::Arc::clone(values)])?;
    let kept = first_per_group(values.iter().map(|value| value.data().to_vec()), options);
    Ok(take_record_batch(batch, &UInt64Array::from(kept))?)
}

/// Positions of the kept among values in their order, ascending.
fn first_per_group<T: Eq + std::hash::Hash>(
    values: impl Iterator<Item = T>,
    options: GroupOptions,
) -> Vec<u64> {
    let mut seen: HashMap<T, usize> = HashMap::new();
    let most = options.groups.unwrap_or(usize::MAX);
    let mut kept = Vec::new();
    for (position, value) in (0..).zip(values) {
        let groups = seen.len();
        let count = match seen.entry(value) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) if groups < most => entry.insert(0),
            std::collections::hash_map::Entry::Vacant(_) => continue,
        };
        if *count < options.best {
            *count += 1;
            kept.push(position);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{AsArray, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    fn kept(values: &[Option<&str>], best: usize, groups: Option<usize>) -> Vec<i64> {
        let schema = Schema::new(vec![
            Field::new("family", DataType::Utf8, true),
            Field::new("row", DataType::Int64, false),
        ]);
        let batch = RecordBatch::try_new(
            Arc::new(schema),
            vec![
                Arc::new(StringArray::from(values.to_vec())),
                Arc::new(Int64Array::from_iter_values(0..values.len() as i64)),
            ],
        )
        .unwrap();
        let batch = best_per_group(&batch, "family", GroupOptions { best, groups }).unwrap();
        batch
            .column(1)
            .as_primitive::<Int64Type>()
            .values()
            .to_vec()
    }

    #[test]
    fn the_first_of_each_in_order() {
        let rows = [
            Some("a"),
            Some("b"),
            Some("a"),
            None,
            Some("a"),
            None,
            Some(""),
            Some("b"),
        ];
        assert_eq!(kept(&rows, 1, None), [0, 1, 3, 6]);
        assert_eq!(kept(&rows, 2, None), [0, 1, 2, 3, 5, 6, 7]);
        assert_eq!(kept(&rows, 2, Some(2)), [0, 1, 2, 7]);
        assert_eq!(kept(&rows, 9, None), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert!(kept(&rows, 0, None).is_empty());
        assert!(kept(&[], 1, None).is_empty());
    }

    #[test]
    fn an_unknown_column() {
        let batch = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let error = best_per_group(&batch, "family", GroupOptions::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the hits have no column `family`; theirs are "
        );
    }
}
