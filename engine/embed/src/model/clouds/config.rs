//! Checks of a configuration's numbers.

use serde::de::IgnoredAny;

use crate::checkpoint::CheckpointFault;

/// A key that says which model it is, and nothing of its layers.
pub(crate) type Ignored = Option<IgnoredAny>;

/// Every number of some key is at least one.
pub(crate) fn positive(key: &'static str, values: &[usize]) -> Result<(), CheckpointFault> {
    if values.is_empty() || values.contains(&0) {
        return Err(CheckpointFault::Config {
            key,
            given: format!("{values:?}"),
            expected: "one positive number or more",
        });
    }
    Ok(())
}

/// A number is from 1 to `most`.
pub(crate) fn within(
    key: &'static str,
    value: usize,
    most: usize,
    expected: &'static str,
) -> Result<(), CheckpointFault> {
    if value == 0 || value > most {
        return Err(CheckpointFault::Config {
            key,
            given: value.to_string(),
            expected,
        });
    }
    Ok(())
}
