//! The Arrow types that a snapshot can hold, as JSON.
//!
//! A manifest spells a column's type out as a tree that any JSON reader can follow, rather than in
//! one of Arrow's own encodings: `{"type": "list", "item": {"name": "item", "nullable": true,
//! "type": "float32"}}`.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde::{Deserialize, Serialize};

/// One Arrow type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ArrowType {
    /// Boolean.
    Bool,
    /// UInt8.
    Uint8,
    /// UInt16.
    Uint16,
    /// UInt32.
    Uint32,
    /// UInt64.
    Uint64,
    /// Int8.
    Int8,
    /// Int16.
    Int16,
    /// Int32.
    Int32,
    /// Int64.
    Int64,
    /// Float16.
    Float16,
    /// Float32.
    Float32,
    /// Float64.
    Float64,
    /// Utf8.
    Utf8,
    /// LargeUtf8.
    LargeUtf8,
    /// Binary.
    Binary,
    /// LargeBinary.
    LargeBinary,
    /// Days since 1970-01-01, 32 bits.
    Date32,
    /// Time since 1970-01-01, 64 bits.
    Timestamp {
        /// `s`, `ms`, `us` or `ns`.
        unit: Unit,
        /// Time zone.
        zone: Option<String>,
    },
    /// FixedSizeBinary.
    FixedSizeBinary {
        /// Bytes of one value.
        size: i32,
    },
    /// FixedSizeList.
    FixedSizeList {
        /// Items of one value.
        size: i32,
        /// The items.
        item: Box<Item>,
    },
    /// List.
    List {
        /// The items.
        item: Box<Item>,
    },
    /// LargeList.
    LargeList {
        /// The items.
        item: Box<Item>,
    },
}

/// The items of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The name of the field, `item` as a rule.
    pub name: String,
    /// Whether an item may be null.
    pub nullable: bool,
    /// The type of one item.
    #[serde(flatten)]
    pub data_type: ArrowType,
}

/// The unit of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Seconds.
    #[serde(rename = "s")]
    Second,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Millisecond,
    /// Microseconds.
    #[serde(rename = "us")]
    Microsecond,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Nanosecond,
}

impl ArrowType {
    /// The tree of a type; `None` where a snapshot cannot hold it.
    #[must_use]
    pub fn of(data_type: &DataType) -> Option<Self> {
        let item = |field: &Field| {
            Some(Box::new(Item {
                name: field.name().clone(),
                nullable: field.is_nullable(),
                data_type: Self::of(field.data_type())?,
            }))
        };
        Some(match data_type {
            DataType::Boolean => Self::Bool,
            DataType::UInt8 => Self::Uint8,
            DataType::UInt16 => Self::Uint16,
            DataType::UInt32 => Self::Uint32,
            DataType::UInt64 => Self::Uint64,
            DataType::Int8 => Self::Int8,
            DataType::Int16 => Self::Int16,
            DataType::Int32 => Self::Int32,
            DataType::Int64 => Self::Int64,
            DataType::Float16 => Self::Float16,
            DataType::Float32 => Self::Float32,
            DataType::Float64 => Self::Float64,
            DataType::Utf8 => Self::Utf8,
            DataType::LargeUtf8 => Self::LargeUtf8,
            DataType::Binary => Self::Binary,
            DataType::LargeBinary => Self::LargeBinary,
            DataType::Date32 => Self::Date32,
            DataType::Timestamp(unit, zone) => Self::Timestamp {
                unit: match unit {
                    TimeUnit::Second => Unit::Second,
                    TimeUnit::Millisecond => Unit::Millisecond,
                    TimeUnit::Microsecond => Unit::Microsecond,
                    TimeUnit::Nanosecond => Unit::Nanosecond,
                },
                zone: zone.as_deref().map(str::to_owned),
            },
            DataType::FixedSizeBinary(size) => Self::FixedSizeBinary { size: *size },
            DataType::FixedSizeList(field, size) => Self::FixedSizeList {
                size: *size,
                item: item(field)?,
            },
            DataType::List(field) => Self::List { item: item(field)? },
            DataType::LargeList(field) => Self::LargeList { item: item(field)? },
            _ => return None,
        })
    }

    /// The type.
    #[must_use]
    pub fn to_arrow(&self) -> DataType {
        let field = |item: &Item| {
            Arc::new(Field::new(
                &item.name,
                item.data_type.to_arrow(),
                item.nullable,
            ))
        };
        match self {
            Self::Bool => DataType::Boolean,
            Self::Uint8 => DataType::UInt8,
            Self::Uint16 => DataType::UInt16,
            Self::Uint32 => DataType::UInt32,
            Self::Uint64 => DataType::UInt64,
            Self::Int8 => DataType::Int8,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Float16 => DataType::Float16,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Utf8 => DataType::Utf8,
            Self::LargeUtf8 => DataType::LargeUtf8,
            Self::Binary => DataType::Binary,
            Self::LargeBinary => DataType::LargeBinary,
            Self::Date32 => DataType::Date32,
            Self::Timestamp { unit, zone } => DataType::Timestamp(
                match unit {
                    Unit::Second => TimeUnit::Second,
                    Unit::Millisecond => TimeUnit::Millisecond,
                    Unit::Microsecond => TimeUnit::Microsecond,
                    Unit::Nanosecond => TimeUnit::Nanosecond,
                },
                zone.as_deref().map(Into::into),
            ),
            Self::FixedSizeBinary { size } => DataType::FixedSizeBinary(*size),
            Self::FixedSizeList { size, item } => DataType::FixedSizeList(field(item), *size),
            Self::List { item } => DataType::List(field(item)),
            Self::LargeList { item } => DataType::LargeList(field(item)),
        }
    }
}

#[cfg(test)]
mod tests {
    use penstock_types::{Kind, columns};

    use super::*;

    #[test]
    fn every_column_of_the_contract_round_trips() {
        for kind in Kind::ALL {
            for field in columns::schema(kind).fields() {
                let tree = ArrowType::of(field.data_type()).unwrap();
                let json = serde_json::to_string(&tree).unwrap();
                let back: ArrowType = serde_json::from_str(&json).unwrap();
                assert_eq!(back.to_arrow(), *field.data_type(), "{json}");
            }
        }
    }

    #[test]
    fn what_cannot_be_held_is_said() {
        assert_eq!(ArrowType::of(&DataType::Null), None);
        assert_eq!(
            ArrowType::of(&columns::list(DataType::Decimal128(9, 2))),
            None
        );
    }
}
