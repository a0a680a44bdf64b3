//! Named numeric attributes.

use crate::error::{PatternError, Result};

/// Columns of `f32`, a value for each vertex or edge. NaN stands for an unknown value: it is
/// within no tolerance of anything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Columns {
    columns: Vec<(String, Vec<f32>)>,
}

impl Columns {
    /// Adds a column, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<String>, values: Vec<f32>) {
        let name = name.into();
        match self.columns.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = values,
            None => self.columns.push((name, values)),
        }
    }

    /// The values of a column.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        let found = self.columns.iter().find(|(known, _)| known == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// Names and values, in the order in which columns were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.columns
            .iter()
            .map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// How many columns there are.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is no column.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.columns
            .iter()
            .map(|(n, v)| n.len() + 4 * v.len())
            .sum()
    }

    /// The names there are, in words.
    pub(crate) fn known(&self) -> String {
        if self.is_empty() {
            return "none".to_owned();
        }
        let names: Vec<_> = self.iter().map(|(name, _)| format!("`{name}`")).collect();
        names.join(", ")
    }

    pub(crate) fn check(&self, expected: usize, what: &'static str) -> Result<()> {
        match self.columns.iter().find(|(_, v)| v.len() != expected) {
            None => Ok(()),
            Some((column, values)) => Err(PatternError::Length {
                column: column.clone(),
                given: values.len(),
                expected,
                what,
            }),
        }
    }

    /// The rows that `keep` names, in its order.
    pub(crate) fn take(&mut self, keep: &[u32]) {
        for (_, values) in &mut self.columns {
            *values = keep.iter().map(|&row| values[row as usize]).collect();
        }
    }
}
