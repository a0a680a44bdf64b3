//! Which way a search takes, and why.

use std::fmt;
use std::str::FromStr;

use crate::IndexError;

/// Where the candidates of a search come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Every row, one by one.
    Exact,
    /// An index in memory.
    Hot,
    /// An index of the table, on the disk or in the object store.
    Cold,
}

impl Tier {
    /// Every tier.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Hot, Self::Cold];

    /// The word used in requests and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Hot => "hot",
            Self::Cold => "cold",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = IndexError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str().eq_ignore_ascii_case(word))
            .ok_or_else(|| IndexError::Tier {
                given: word.to_owned(),
            })
    }
}

/// What the planner chose.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where candidates come from.
    pub tier: Tier,
    /// Why, in a sentence.
    pub reason: String,
    /// Rows of the version.
    pub rows: u64,
    /// Rows that satisfy the predicate: counted by the hot tier, estimated by the others; `None`
    /// without a predicate.
    pub matching: Option<u64>,
    /// The type of the index.
    pub index: Option<String>,
    /// Rows that the index does not have; they are compared one by one.
    pub unindexed_rows: u64,
    /// Candidates that the walk through a graph keeps.
    pub ef: Option<usize>,
    /// Partitions that are searched, at least.
    pub nprobes: Option<usize>,
    /// Candidates per hit that are re-ranked by exact distance.
    pub refine: Option<usize>,
    /// The recall that these settings had when they were last compared with the exact answer; 1
    /// for an exact search.
    pub recall: Option<f64>,
}

/// Rows whose exact comparison costs less than a search of an index on the disk: the search itself
/// takes some milliseconds, in which so many numbers are read and compared. Measured by
/// `penstock-bench filters`.
const EXACT_NUMBERS: u64 = 4_000_000;

/// Whether so few rows satisfy a predicate that comparing all of them is the cheaper way.
pub(crate) fn is_few(matching: u64, dim: usize) -> bool {
    matching.saturating_mul(dim as u64) <= EXACT_NUMBERS
}

/// A count for people: `1,234,567`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share for people.
pub(crate) fn percent(part: u64, of: u64) -> String {
    let share = 100.0 * part as f64 / of.max(1) as f64;
    match share {
        share if share >= 10.0 => format!("{share:.0} %"),
        share if share >= 0.1 => format!("{share:.1} %"),
        share => format!("{share:.3} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(percent(1, 2), "50 %");
        assert_eq!(percent(1, 100), "1.0 %");
        assert_eq!(percent(1, 10_000), "0.010 %");
        assert_eq!("HOT".parse::<Tier>().unwrap(), Tier::Hot);
        assert!("warm".parse::<Tier>().is_err());
    }
}
