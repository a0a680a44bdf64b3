//! Rows of a table as a head wants them: a vector for each residue, and what labels are made of.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, FixedSizeListArray, ListArray, RecordBatch,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};
use penstock_types::columns;

use crate::Error;

/// A column of lists of vectors.
pub(super) struct Vectors {
    lists: ListArray,
    vectors: FixedSizeListArray,
    /// All numbers of `vectors`.
    numbers: ArrayRef,
}

impl Vectors {
    pub(super) fn of(batch: &RecordBatch, column: &str) -> Result<Self, Error> {
        let found = batch.column_by_name(column).and_then(|lists| {
            let lists = lists.as_list_opt::<i32>()?;
            let vectors = lists.values().as_fixed_size_list_opt()?;
            Some((lists.clone(), vectors.clone()))
        });
        let (lists, vectors) = found.ok_or_else(|| Error::NotPerResidue {
            column: column.to_owned(),
        })?;
        let numbers = cast(vectors.values(), &DataType::Float32).map_err(arrow)?;
        Ok(Self {
            lists,
            vectors,
            numbers,
        })
    }

    /// `[residues, dim]` of a row; none for a null.
    pub(super) fn get(&self, row: usize) -> Option<&[f32]> {
        if self.lists.is_null(row) {
            return None;
        }
        let dim = self.vectors.value_length() as usize;
        let base = self.vectors.value_offset(0) as usize;
        let offsets = self.lists.value_offsets();
        let range = base + offsets[row] as usize * dim..base + offsets[row + 1] as usize * dim;
        Some(&self.numbers.as_primitive::<Float32Type>().values()[range])
    }
}

/// The C-alpha trace of each row.
pub(super) struct Traces {
    xyz: Vectors,
    present: ListArray,
    flags: BooleanArray,
}

impl Traces {
    pub(super) fn of(batch: &RecordBatch) -> Result<Self, Error> {
        let lists = batch.column_by_name(columns::CA_PRESENT);
        let present = lists.and_then(|lists| lists.as_list_opt::<i32>().cloned());
        let flags = present
            .as_ref()
            .and_then(|lists| lists.values().as_boolean_opt().cloned());
        match (present, flags) {
            (Some(present), Some(flags)) => Ok(Self {
                xyz: Vectors::of(batch, columns::CA_XYZ)?,
                present,
                flags,
            }),
            _ => Err(Error::NotPerResidue {
                column: columns::CA_PRESENT.to_owned(),
            }),
        }
    }

    /// Coordinates and whether they are there; none for a row without a structure.
    pub(super) fn get(&self, row: usize) -> Option<(&[f32], Vec<bool>)> {
        let xyz = self.xyz.get(row)?;
        if self.present.is_null(row) {
            return None;
        }
        let offsets = self.present.value_offsets();
        let flags = (offsets[row] as usize..offsets[row + 1] as usize)
            .map(|at| self.flags.is_valid(at) && self.flags.value(at))
            .collect();
        Some((xyz, flags))
    }
}

/// A column as text; none where it is null.
pub(super) struct Texts(ArrayRef);

impl Texts {
    pub(super) fn of(batch: &RecordBatch, column: &str) -> Result<Self, Error> {
        let array = batch.column_by_name(column).map(Arc::clone);
        let array = array.ok_or_else(|| Error::NotText {
            column: column.to_owned(),
        })?;
        cast(&array, &DataType::LargeUtf8)
            .map(Self)
            .map_err(|_| Error::NotText {
                column: column.to_owned(),
            })
    }

    pub(super) fn get(&self, row: usize) -> Option<&str> {
        let text = self.0.as_string::<i64>();
        text.is_valid(row).then(|| text.value(row))
    }
}

pub(super) fn arrow(error: arrow::error::ArrowError) -> Error {
    penstock_embed::EmbedError::from(error).into()
}
