//! Columns of a batch, read in place.

use std::ops::Range;

use arrow::array::{
    Array, ArrayRef, AsArray as _, FixedSizeListArray, LargeStringArray, RecordBatch, StringArray,
    StringViewArray,
};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int32Type};
use penstock_types::columns;

use crate::EmbedError;

/// A column that an encoder reads.
pub(crate) fn column<'a>(
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

/// A digest of what each row holds in these columns, for rows that are embedded once. A column that
/// is not there does not count; the encoder says so.
pub(crate) fn row_keys(batch: &RecordBatch, names: &[&str]) -> Vec<[u8; 32]> {
    let columns: Vec<&ArrayRef> = names
        .iter()
        .filter_map(|name| batch.column_by_name(name))
        .collect();
    (0..batch.num_rows())
        .map(|row| {
            let mut hasher = blake3::Hasher::new();
            for column in &columns {
                hash_values(column, row..row + 1, &mut hasher);
            }
            *hasher.finalize().as_bytes()
        })
        .collect()
}

/// Values with their lengths and nulls, so that no two different rows feed the same bytes.
fn hash_values(array: &dyn Array, rows: Range<usize>, hasher: &mut blake3::Hasher) {
    hasher.update(&(rows.len() as u64).to_le_bytes());
    if array.null_count() > 0 {
        for row in rows.clone() {
            hasher.update(&[u8::from(array.is_valid(row))]);
        }
    }
    let bytes = |text: &[u8], hasher: &mut blake3::Hasher| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text);
    };
    match array.data_type() {
        DataType::Utf8 => {
            let array = array.as_string::<i32>();
            rows.for_each(|row| bytes(array.value(row).as_bytes(), hasher));
        }
        DataType::LargeUtf8 => {
            let array = array.as_string::<i64>();
            rows.for_each(|row| bytes(array.value(row).as_bytes(), hasher));
        }
        DataType::Utf8View => {
            let array = array.as_string_view();
            rows.for_each(|row| bytes(array.value(row).as_bytes(), hasher));
        }
        DataType::List(_) => {
            let array = array.as_list::<i32>();
            rows.for_each(|row| {
                let offsets = array.value_offsets();
                let items = offsets[row] as usize..offsets[row + 1] as usize;
                hash_values(array.values(), items, hasher);
            });
        }
        DataType::LargeList(_) => {
            let array = array.as_list::<i64>();
            rows.for_each(|row| {
                let offsets = array.value_offsets();
                let items = offsets[row] as usize..offsets[row + 1] as usize;
                hash_values(array.values(), items, hasher);
            });
        }
        DataType::FixedSizeList(_, size) => {
            let size = *size as usize;
            let array = array.as_fixed_size_list();
            let first = array.value_offset(0) as usize;
            let items = first + rows.start * size..first + rows.end * size;
            hash_values(array.values(), items, hasher);
        }
        // Numbers and truth values: as many bytes as they need, whatever slice they are of.
        _ => {
            let slice = array.slice(rows.start, rows.len());
            let data = slice.to_data();
            for buffer in data.buffers() {
                match data.data_type().primitive_width() {
                    Some(width) => {
                        let from = data.offset() * width;
                        hasher.update(&buffer.as_slice()[from..from + data.len() * width]);
                    }
                    None => {
                        for row in 0..data.len() {
                            let bit = data.offset() + row;
                            let byte = buffer.as_slice().get(bit / 8).copied().unwrap_or_default();
                            hasher.update(&[(byte >> (bit % 8)) & 1]);
                        }
                    }
                }
            }
        }
    }
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

    /// How many triples a row has; none for a null.
    pub(crate) fn count(&self, row: usize) -> usize {
        match self.get(row) {
            Some(Triples::F64(values)) => values.len() / 3,
            Some(Triples::F32(values)) => values.len() / 3,
            Some(Triples::I32(values)) => values.len() / 3,
            None => 0,
        }
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{FixedSizeListBuilder, Float64Builder, ListBuilder};
    use arrow::datatypes::Schema;

    use super::*;

    #[test]
    fn equal_rows_have_equal_keys() {
        let mut points = ListBuilder::new(FixedSizeListBuilder::new(Float64Builder::new(), 3));
        for row in [
            &[1.0, 2.0, 3.0][..],
            &[],
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            &[1.0, 2.0, 3.0],
        ] {
            for point in row.chunks(3) {
                points.values().values().append_slice(point);
                points.values().append(true);
            }
            points.append(true);
        }
        let points: ArrayRef = Arc::new(points.finish());
        let names: ArrayRef = Arc::new(StringArray::from(vec!["a", "a", "ab", "a"]));
        let batch = RecordBatch::try_from_iter([("points", points), ("name", names)]).unwrap();
        let keys = row_keys(&batch, &["name", "points"]);
        assert_eq!(keys[0], keys[3]);
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[0], keys[2]);
        assert_eq!(row_keys(&batch.slice(2, 2), &["name", "points"]), keys[2..]);
        assert_ne!(row_keys(&batch, &["name"])[0], keys[0]);
        let empty = RecordBatch::new_empty(Arc::new(Schema::empty()));
        assert!(row_keys(&empty, &["name"]).is_empty());
    }
}
