//! Which records a head learns from, is chosen by, and is judged by.

use super::HeadFault;

/// What a record is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// The weights are fitted on it.
    Train,
    /// It says which epoch's weights are kept.
    Validation,
    /// It is looked at once, when the weights are settled.
    Test,
}

impl Split {
    /// Every split.
    pub const ALL: [Self; 3] = [Self::Train, Self::Validation, Self::Test];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Sorts records by a hash of a key of theirs: equal keys are never in two splits, and a record
/// stays where it is when others come or go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Splits {
    validation: f64,
    test: f64,
    seed: u64,
}

impl Splits {
    /// Shares of validation and test, each above 0, together below 1; the rest is for training.
    ///
    /// # Errors
    /// The shares are others.
    pub fn new(validation: f64, test: f64, seed: u64) -> Result<Self, HeadFault> {
        let wrong = |option| HeadFault::Option {
            option,
            expected: "a share above 0, and both together below 1",
        };
        // Written so that NaN is refused.
        if !(validation > 0.0 && validation < 1.0) {
            return Err(wrong("validation"));
        }
        if !(test > 0.0 && validation + test < 1.0) {
            return Err(wrong("test"));
        }
        Ok(Self {
            validation,
            test,
            seed,
        })
    }

    /// The split of a key, such as a sequence, or the name of a family.
    #[must_use]
    pub fn of(&self, key: &[u8]) -> Split {
        let mut hasher = blake3::Hasher::new_derive_key("penstock head splits v1");
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(key);
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        // The 53 highest bits: every one of them is exact in a double.
        let at = (u64::from_le_bytes(first) >> 11) as f64 / (1u64 << 53) as f64;
        if at < self.test {
            Split::Test
        } else if at < self.test + self.validation {
            Split::Validation
        } else {
            Split::Train
        }
    }
}
