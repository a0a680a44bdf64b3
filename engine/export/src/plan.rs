//! Which arrays a column becomes.
//!
//! | column | arrays |
//! | --- | --- |
//! | number, boolean, date, timestamp | `col` `[N]` |
//! | fixed-size list of D numbers; fixed-size binary of D bytes | `col` `[N, D]` |
//! | text, binary | `col/offsets` `[N + 1]`, `col/values` `[bytes]` |
//! | list of any of the first two | `col/offsets` `[N + 1]`, `col/values` `[items]` or `[items, D]` |
//! | list of text | `col/offsets` `[N + 1]`, `col/item_offsets` `[items + 1]`, `col/values` `[bytes]` |
//!
//! Nulls add an array of bytes, 1 where there is a value: `col.valid` beside an array `col`,
//! `valid` within a group, `item_valid` for the items of its lists. It exists only if there is a
//! null. Zarr allows no node below an array, hence the two spellings.
//!
//! Offsets are int64 from 0, never falling: row i has the items `offsets[i]..offsets[i + 1]`. A
//! null has no items; under a null number stands NaN (floating-point) or 0.

use arrow::datatypes::{DataType, Field};

use crate::dtype::DType;
use crate::error::{ExportError, Result};

/// The arrays of a column, as a tree: a list, and what its items are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Every entry has the same size.
    Fixed {
        /// The array of values.
        values: String,
        /// The array of validity, should there be a null.
        valid: String,
        /// Element type.
        dtype: DType,
        /// Elements of one entry, where an entry is a vector.
        width: Option<u64>,
    },
    /// Every entry is a run of bytes.
    Bytes {
        /// The array of offsets.
        offsets: String,
        /// The array of bytes.
        values: String,
        /// The array of validity, should there be a null.
        valid: String,
        /// Whether the bytes are UTF-8.
        utf8: bool,
    },
    /// Every entry is a run of items.
    List {
        /// The array of offsets.
        offsets: String,
        /// The array of validity, should there be a null.
        valid: String,
        /// The items.
        items: Box<Node>,
    },
}

impl Node {
    /// The arrays of a column.
    ///
    /// # Errors
    /// The column's name or type has no place in a tree of arrays.
    pub fn of(field: &Field) -> Result<Self> {
        let name = field.name();
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if name.is_empty() || name.len() > 128 || name.starts_with("__") || !name.bytes().all(plain)
        {
            return Err(ExportError::ColumnName(name.clone()));
        }
        Self::at(name, field.data_type(), 0).ok_or_else(|| ExportError::ColumnType {
            column: name.clone(),
            data_type: Box::new(field.data_type().clone()),
        })
    }

    fn at(column: &str, data_type: &DataType, depth: usize) -> Option<Self> {
        let items = "item_".repeat(depth);
        let offsets = format!("{column}/{items}offsets");
        let valid = format!("{column}/{items}valid");
        let values = format!("{column}/values");
        Some(match data_type {
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary => {
                Self::Bytes {
                    offsets,
                    values,
                    valid,
                    utf8: matches!(data_type, DataType::Utf8 | DataType::LargeUtf8),
                }
            }
            DataType::List(item) | DataType::LargeList(item) => Self::List {
                offsets,
                valid,
                items: Box::new(Self::at(column, item.data_type(), depth + 1)?),
            },
            fixed => {
                let positive = |size: i32| u64::try_from(size).ok().filter(|size| *size > 0);
                let (dtype, width) = match fixed {
                    DataType::FixedSizeList(item, size) => {
                        (scalar(item.data_type())?, Some(positive(*size)?))
                    }
                    DataType::FixedSizeBinary(size) => (DType::UInt8, Some(positive(*size)?)),
                    other => (scalar(other)?, None),
                };
                let top = depth == 0;
                Self::Fixed {
                    values: if top { column.to_owned() } else { values },
                    valid: if top {
                        format!("{column}.valid")
                    } else {
                        valid
                    },
                    dtype,
                    width,
                }
            }
        })
    }

    /// The offsets arrays from the rows inwards; none for a column that is not ragged.
    #[must_use]
    pub fn offsets(&self) -> Vec<&str> {
        match self {
            Self::Fixed { .. } => Vec::new(),
            Self::Bytes { offsets, .. } => vec![offsets],
            Self::List { offsets, items, .. } => {
                let mut all = vec![offsets.as_str()];
                all.extend(items.offsets());
                all
            }
        }
    }
}

fn scalar(data_type: &DataType) -> Option<DType> {
    Some(match data_type {
        DataType::Boolean => DType::Bool,
        DataType::UInt8 => DType::UInt8,
        DataType::UInt16 => DType::UInt16,
        DataType::UInt32 => DType::UInt32,
        DataType::UInt64 => DType::UInt64,
        DataType::Int8 => DType::Int8,
        DataType::Int16 => DType::Int16,
        DataType::Int32 | DataType::Date32 => DType::Int32,
        DataType::Int64 | DataType::Timestamp(..) => DType::Int64,
        DataType::Float16 => DType::Float16,
        DataType::Float32 => DType::Float32,
        DataType::Float64 => DType::Float64,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use penstock_types::{Kind, columns};

    use super::*;

    #[test]
    fn every_column_of_the_contract_has_a_form() {
        for kind in Kind::ALL {
            for field in columns::schema(kind).fields() {
                Node::of(field).unwrap();
            }
        }
    }

    #[test]
    fn names() {
        let names = Field::new("group_names", columns::list(DataType::Utf8), false);
        assert_eq!(
            Node::of(&names).unwrap().offsets(),
            ["group_names/offsets", "group_names/item_offsets"]
        );
        let gc = Field::new("gc", DataType::Float64, true);
        assert_eq!(
            Node::of(&gc).unwrap(),
            Node::Fixed {
                values: "gc".into(),
                valid: "gc.valid".into(),
                dtype: DType::Float64,
                width: None
            }
        );
        for bad in ["", "a/b", "a.b", "__x", "é"] {
            let field = Field::new(bad, DataType::Int32, true);
            assert!(matches!(Node::of(&field), Err(ExportError::ColumnName(_))));
        }
        for bad in [DataType::Null, DataType::FixedSizeBinary(0)] {
            let field = Field::new("x", bad, true);
            assert!(matches!(
                Node::of(&field),
                Err(ExportError::ColumnType { .. })
            ));
        }
    }
}
