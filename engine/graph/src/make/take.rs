//! Columns of a batch, by the types of the contract.

use arrow::array::{
    Array, AsArray, FixedSizeListArray, GenericListArray, LargeStringArray, ListArray, StringArray,
};
use arrow::datatypes::ArrowPrimitiveType;
use arrow::record_batch::RecordBatch;
use penstock_types::columns;

use crate::error::{GraphError, Result};

fn typed<'a, A: Array + 'static>(batch: &'a RecordBatch, column: &'static str) -> Result<&'a A> {
    let found = batch.column_by_name(column);
    found
        .and_then(|array| array.as_any().downcast_ref())
        .ok_or(GraphError::Column { column })
}

/// A column that a projection may have left out.
fn maybe<'a, A: Array + 'static>(
    batch: &'a RecordBatch,
    column: &'static str,
) -> Result<Option<&'a A>> {
    match batch.column_by_name(column) {
        None => Ok(None),
        Some(_) => typed(batch, column).map(Some),
    }
}

/// Ids and descriptions; the latter may be missing.
pub(super) struct Heads<'a> {
    ids: &'a StringArray,
    descriptions: Option<&'a StringArray>,
}

impl<'a> Heads<'a> {
    pub(super) fn of(batch: &'a RecordBatch) -> Result<Self> {
        Ok(Self {
            ids: typed(batch, columns::ID)?,
            descriptions: maybe(batch, columns::DESCRIPTION)?,
        })
    }

    pub(super) fn id(&self, row: usize) -> &'a str {
        self.ids.value(row)
    }

    pub(super) fn description(&self, row: usize) -> Option<String> {
        let column = self.descriptions.filter(|c| c.is_valid(row))?;
        Some(column.value(row).to_owned())
    }
}

pub(super) fn sequences(batch: &RecordBatch) -> Result<&LargeStringArray> {
    typed(batch, columns::SEQUENCE)
}

/// A column of lists; a null list gives nothing.
pub(super) struct Lists<'a> {
    lists: &'a ListArray,
    column: &'static str,
}

impl<'a> Lists<'a> {
    pub(super) fn of(batch: &'a RecordBatch, column: &'static str) -> Result<Self> {
        let lists: &GenericListArray<i32> = typed(batch, column)?;
        Ok(Self { lists, column })
    }

    pub(super) fn maybe(batch: &'a RecordBatch, column: &'static str) -> Result<Option<Self>> {
        let lists: Option<&ListArray> = maybe(batch, column)?;
        Ok(lists.map(|lists| Self { lists, column }))
    }

    fn values(&self, row: usize) -> Option<(&'a dyn Array, std::ops::Range<usize>)> {
        let ends = self.lists.value_offsets();
        let range = ends[row] as usize..ends[row + 1] as usize;
        let values: &dyn Array = self.lists.values();
        self.lists.is_valid(row).then_some((values, range))
    }

    fn wrong(&self) -> GraphError {
        GraphError::Column {
            column: self.column,
        }
    }

    /// Words; a null one is empty.
    pub(super) fn words(&self, row: usize) -> Result<Option<Vec<&'a str>>> {
        let Some((values, range)) = self.values(row) else {
            return Ok(None);
        };
        let words: &StringArray = values.as_string_opt().ok_or_else(|| self.wrong())?;
        let word = |i| match words.is_valid(i) {
            true => words.value(i),
            false => "",
        };
        Ok(Some(range.map(word).collect()))
    }

    /// Truth values; a null one is false.
    pub(super) fn flags(&self, row: usize) -> Result<Option<Vec<bool>>> {
        let Some((values, range)) = self.values(row) else {
            return Ok(None);
        };
        let flags = values.as_boolean_opt().ok_or_else(|| self.wrong())?;
        Ok(Some(
            range.map(|i| flags.is_valid(i) && flags.value(i)).collect(),
        ))
    }

    /// Numbers, whether or not a mask covers them.
    pub(super) fn numbers<T: ArrowPrimitiveType>(
        &self,
        row: usize,
    ) -> Result<Option<&'a [T::Native]>> {
        let Some((values, range)) = self.values(row) else {
            return Ok(None);
        };
        let numbers = values.as_primitive_opt::<T>().ok_or_else(|| self.wrong())?;
        Ok(Some(&numbers.values()[range]))
    }

    /// Triples, whether or not a mask covers them.
    pub(super) fn triples<T: ArrowPrimitiveType>(
        &self,
        row: usize,
    ) -> Result<Option<&'a [[T::Native; 3]]>> {
        let Some((values, range)) = self.values(row) else {
            return Ok(None);
        };
        let triples: &FixedSizeListArray = values
            .as_fixed_size_list_opt()
            .filter(|list| list.value_length() == 3)
            .ok_or_else(|| self.wrong())?;
        let numbers = triples
            .values()
            .as_primitive_opt::<T>()
            .ok_or_else(|| self.wrong())?;
        Ok(Some(&numbers.values().as_chunks::<3>().0[range]))
    }
}
