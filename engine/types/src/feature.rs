//! What a feature column says of itself.
//!
//! The field metadata of every feature column carries the keys below, so that a query made with
//! another encoder than the column's is refused, and so that a reader who has only the Lance table
//! knows what the numbers are.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};

/// Metadata key: the encoder's name, with its version.
pub const KEY_ENCODER: &str = "penstock:encoder";
/// Metadata key: digest of the encoder's weights, or of its constants where it has no weights.
pub const KEY_WEIGHTS: &str = "penstock:weights";
/// Metadata key: how item features became one vector.
pub const KEY_POOLING: &str = "penstock:pooling";
/// Metadata key: element type.
pub const KEY_DTYPE: &str = "penstock:dtype";
/// Metadata key: vector length.
pub const KEY_DIM: &str = "penstock:dim";
/// Metadata key: the licence of the encoder's weights, where it is known.
pub const KEY_LICENCE: &str = "penstock:licence";

/// The length of a vector. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dim(NonZeroUsize);

impl Dim {
    /// `None` for zero, and for what Arrow's fixed-size lists cannot hold.
    #[must_use]
    pub const fn new(dim: usize) -> Option<Self> {
        if dim > i32::MAX as usize {
            return None;
        }
        match NonZeroUsize::new(dim) {
            Some(dim) => Some(Self(dim)),
            None => None,
        }
    }

    /// The length.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0.get()
    }

    /// The length as Arrow counts it.
    #[must_use]
    pub const fn as_i32(self) -> i32 {
        self.0.get() as i32
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! word {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $type { $($(#[$vdoc])* $variant),+ }

        impl $type {
            /// The word stored in metadata.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = FeatureError;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(FeatureError::Word { what: stringify!($type), given: word.to_owned() }),
                }
            }
        }
    };
}

word!(
    /// Element type of a feature.
    DType {
        /// IEEE half precision.
        F16 = "f16",
        /// IEEE single precision.
        F32 = "f32",
    }
);
word!(
    /// How the features of a record's items (residues, bases, vertices) became one vector.
    Pooling {
        /// The encoder makes one vector per record by itself.
        Whole = "whole",
        /// Mean over items.
        Mean = "mean",
        /// The model's summary token.
        Cls = "cls",
        /// Maximum over items.
        Max = "max",
        /// Not pooled: one vector per item, in a list.
        None = "none",
    }
);

/// The metadata of a feature column is incomplete or contradicts its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FeatureError {
    /// A key is missing.
    #[error("column `{column}` has no `{key}` in its metadata")]
    Missing {
        /// The column.
        column: String,
        /// The missing key.
        key: &'static str,
    },
    /// A value is no known word.
    #[error("`{given}` is no {what}")]
    Word {
        /// The type of the value.
        what: &'static str,
        /// What was found.
        given: String,
    },
    /// The dimension in the metadata is not the one of the type.
    #[error("column `{column}`: `{given}` is not the dimension of its type")]
    Dim {
        /// The column.
        column: String,
        /// What the metadata says.
        given: String,
    },
}

/// Who made a feature column, and what one vector of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeatureSpec {
    /// Encoder name with its version, such as `protein-kmer-v1`.
    pub encoder: String,
    /// BLAKE3 in hexadecimal of the weights, or of the constants of a descriptor.
    pub weights: String,
    /// How items became one vector.
    pub pooling: Pooling,
    /// Element type.
    pub dtype: DType,
    /// Vector length.
    pub dim: Dim,
    /// The licence of the encoder's weights, such as `mit`, where it is known.
    pub licence: Option<String>,
}

impl FeatureSpec {
    /// Whether both make the same vectors: all but the licence is the same.
    #[must_use]
    pub fn makes_the_same(&self, other: &Self) -> bool {
        self.encoder == other.encoder
            && self.weights == other.weights
            && self.pooling == other.pooling
            && self.dtype == other.dtype
            && self.dim == other.dim
    }

    /// The column's name: the encoder's, with `_` for what SQL would make one quote.
    #[must_use]
    pub fn column(&self) -> String {
        column_of(&self.encoder)
    }

    /// The Arrow field: `FixedSizeList<dtype, dim>`, or a list of those where pooling is `none`.
    /// Nullable: a row without a feature (an empty mesh, a row not yet encoded) has a null.
    #[must_use]
    pub fn field(&self) -> Field {
        let element = match self.dtype {
            DType::F16 => DataType::Float16,
            DType::F32 => DataType::Float32,
        };
        let vector = DataType::FixedSizeList(
            Arc::new(Field::new("item", element, true)),
            self.dim.as_i32(),
        );
        let data_type = match self.pooling {
            Pooling::None => DataType::List(Arc::new(Field::new("item", vector, true))),
            _ => vector,
        };
        let mut metadata = HashMap::from(
            [
                (KEY_ENCODER, self.encoder.clone()),
                (KEY_WEIGHTS, self.weights.clone()),
                (KEY_POOLING, self.pooling.to_string()),
                (KEY_DTYPE, self.dtype.to_string()),
                (KEY_DIM, self.dim.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        if let Some(licence) = &self.licence {
            metadata.insert(KEY_LICENCE.to_owned(), licence.clone());
        }
        Field::new(self.column(), data_type, true).with_metadata(metadata)
    }

    /// Reads the metadata of a field. `Ok(None)`: the field is no feature column.
    ///
    /// # Errors
    /// The field names an encoder, and the rest is missing or wrong.
    pub fn of(field: &Field) -> Result<Option<Self>, FeatureError> {
        let metadata = field.metadata();
        let Some(encoder) = metadata.get(KEY_ENCODER) else {
            return Ok(None);
        };
        let get = |key: &'static str| {
            metadata.get(key).ok_or_else(|| FeatureError::Missing {
                column: field.name().clone(),
                key,
            })
        };
        let vector = match field.data_type() {
            DataType::List(item) => item.data_type(),
            other => other,
        };
        let given = get(KEY_DIM)?;
        let dim = given.parse().ok().and_then(Dim::new).filter(
            |dim| matches!(vector, DataType::FixedSizeList(_, size) if *size == dim.as_i32()),
        );
        Ok(Some(Self {
            encoder: encoder.clone(),
            weights: get(KEY_WEIGHTS)?.clone(),
            pooling: get(KEY_POOLING)?.parse()?,
            dtype: get(KEY_DTYPE)?.parse()?,
            dim: dim.ok_or_else(|| FeatureError::Dim {
                column: field.name().clone(),
                given: given.clone(),
            })?,
            licence: metadata.get(KEY_LICENCE).cloned(),
        }))
    }
}

/// The name of the column that an encoder fills.
#[must_use]
pub fn column_of(encoder: &str) -> String {
    encoder
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_round_trip() {
        for pooling in [Pooling::Whole, Pooling::Mean, Pooling::None] {
            let spec = FeatureSpec {
                encoder: "protein-kmer-v1".into(),
                weights: "00".repeat(32),
                pooling,
                dtype: DType::F32,
                dim: Dim::new(256).unwrap(),
                licence: Some("mit".into()),
            };
            assert_eq!(FeatureSpec::of(&spec.field()).unwrap().unwrap(), spec);
            assert_eq!(spec.field().name(), "protein_kmer_v1");
        }
    }

    #[test]
    fn wrong_dimension_is_refused() {
        let spec = FeatureSpec {
            encoder: "x-v1".into(),
            weights: String::new(),
            pooling: Pooling::Whole,
            dtype: DType::F32,
            dim: Dim::new(8).unwrap(),
            licence: None,
        };
        let field = spec.field();
        let mut metadata = field.metadata().clone();
        metadata.insert(KEY_DIM.into(), "9".into());
        let error = FeatureSpec::of(&field.with_metadata(metadata)).unwrap_err();
        assert!(matches!(error, FeatureError::Dim { .. }));
    }
}
