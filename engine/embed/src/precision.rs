//! The numbers in which a model's products are computed.

use std::fmt;
use std::str::FromStr;

/// The numbers that the affine maps of a transformer multiply. Sums, attention scores, softmax,
/// norms, the residual stream, rotary angles and pooling are in single precision whatever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Precision {
    /// Single precision: what the reference implementations compute.
    #[default]
    F32,
    /// Weights and inputs rounded to `bfloat16`, 8 significant bits; products are exact and
    /// added up in single precision.
    Bf16,
    /// Whole numbers of -127 to 127: weights with one scale per output, inputs with one scale per
    /// token, found as it is computed. Products and their sums are exact.
    Int8,
}

impl Precision {
    /// All of them, the usual one first.
    pub const ALL: [Self; 3] = [Self::F32, Self::Bf16, Self::Int8];

    /// The word in an encoder's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A word that is no precision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is no precision: f32, bf16 or int8")]
pub struct NoSuchPrecision {
    /// The word.
    pub given: String,
}

impl FromStr for Precision {
    type Err = NoSuchPrecision;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|precision| precision.as_str() == word)
            .ok_or_else(|| NoSuchPrecision {
                given: word.to_owned(),
            })
    }
}
