//! Columns of a batch, read in place.

use arrow::array::{
    Array, ArrayRef, AsArray as _, FixedSizeListArray, LargeStringArray, RecordBatch, StringArray,
    StringViewArray,
};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type};
use penstock_types::columns;

use crate::EmbedError;

fn column<'a>(
    encoder: &str,
    batch: &'a RecordBatch,
    name: &'static str,
) -> Result<&'a ArrayRef, EmbedError> {
    batch.column_by_name(name).ok_or(EmbedError::MissingColumn {
        encoder: encoder.to_owned(),
        column: name,
    })
}

/// The ids of a batch, where it carries them; only for messages.
pub(crate) fn id_of(batch: &RecordBatch, row: usize) -> Option<String> {
    let ids = batch.column_by_name(columns::ID)?;
    let ids = ids.as_string_opt::<i32>()?;
    (row < ids.len() && ids.is_valid(row)).then(|| ids.value(row).to_owned())
}

/// A column of text, whichever of Arrow's layouts it has.
pub(crate) enum Text<'a> {
    Small(&'a StringArray),
    Large(&'a LargeStringArray),
    View(&'a StringViewArray),
}

impl<'a> Text<'a> {
    pub(crate) fn of(
        encoder: &str,
        batch: &'a RecordBatch,
        name: &'static str,
    ) -> Result<Self, EmbedError> {
        let array = column(encoder, batch, name)?;
        match array.data_type() {
            DataType::Utf8 => Ok(Self::Small(array.as_string())),
            DataType::LargeUtf8 => Ok(Self::Large(array.as_string())),
            DataType::Utf8View => Ok(Self::View(array.as_string_view())),
            other => Err(EmbedError::ColumnType {
                encoder: encoder.to_owned(),
                column: name,
                given: other.to_string(),
                expected: "Utf8, LargeUtf8 or Utf8View",
            }),
        }
    }

    /// The bytes of a row; none for a null.
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Small(a) => a.is_valid(row).then(|| a.value(row).as_bytes()),
            Self::Large(a) => a.is_valid(row).then(|| a.value(row).as_bytes()),
            Self::View(a) => a.is_valid(row).then(|| a.value(row).as_bytes()),
        }
    }
}

/// A row of a column of triples.
pub(crate) enum Triples<'a> {
    F64(&'a [f64]),
    F32(&'a [f32]),
    I32(&'a [i32]),
}

/// A `List` or `LargeList` of triples.
pub(crate) struct TripleLists<'a> {
    lists: &'a ArrayRef,
    triples: &'a FixedSizeListArray,
    has_nulls: bool,
}

impl<'a> TripleLists<'a> {
    pub(crate) fn of(
        encoder: &str,
        batch: &'a RecordBatch,
        name: &'static str,
        floats: bool,
    ) -> Result<Self, EmbedError> {
        let lists = column(encoder, batch, name)?;
        let items = match lists.data_type() {
            DataType::List(_) => Some(lists.as_list::<i32>().values()),
            DataType::LargeList(_) => Some(lists.as_list::<i64>().values()),
            _ => None,
        };
        let triples = items
            .and_then(|items| items.as_fixed_size_list_opt())
            .filter(|t| {
                t.value_length() == 3
                    && match t.values().data_type() {
                        DataType::Float64 | DataType::Float32 => floats,
                        DataType::Int32 => !floats,
                        _ => false,
                    }
            })
            .ok_or_else(|| EmbedError::ColumnType {
                encoder: encoder.to_owned(),
                column: name,
                given: lists.data_type().to_string(),
                expected: if floats {
                    "a list of FixedSizeList<Float64 or Float32, 3>"
                } else {
                    "a list of FixedSizeList<Int32, 3>"
                },
            })?;
        Ok(Self {
            lists,
            triples,
            has_nulls: triples.null_count() > 0 || triples.values().null_count() > 0,
        })
    }

    /// Whether a triple or number anywhere inside is null, so that rows must not be read.
    pub(crate) const fn has_nulls(&self) -> bool {
        self.has_nulls
    }

    /// The numbers of a row, three by three; none for a null.
    pub(crate) fn get(&self, row: usize) -> Option<Triples<'a>> {
        if self.lists.is_null(row) {
            return None;
        }
        let (start, end) = match self.lists.data_type() {
            DataType::List(_) => {
                let offsets = self.lists.as_list::<i32>().value_offsets();
                (offsets[row] as usize, offsets[row + 1] as usize)
            }
            _ => {
                let offsets = self.lists.as_list::<i64>().value_offsets();
                (offsets[row] as usize, offsets[row + 1] as usize)
            }
        };
        let base = self.triples.value_offset(0) as usize;
        let range = base + 3 * start..base + 3 * end;
        let values = self.triples.values();
        Some(match values.data_type() {
            DataType::Float64 => {
                Triples::F64(&values.as_primitive::<Float64Type>().values()[range])
            }
            DataType::Float32 => {
                Triples::F32(&values.as_primitive::<Float32Type>().values()[range])
            }
            _ => Triples::I32(&values.as_primitive::<Int32Type>().values()[range]),
        })
    }
}
