//! Sequences one after another, without padding between them.

/// Tokens of several sequences and where each begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    tokens: Vec<u32>,
    ends: Vec<usize>,
}

impl Packed {
    pub(crate) fn push(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
        self.ends.push(self.tokens.len());
    }

    /// The tokens of all sequences.
    pub(crate) fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// How many sequences there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The rows of each sequence.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| start..*end)
    }

    /// The length of the longest sequence.
    pub(crate) fn longest(&self) -> usize {
        self.ranges().map(|range| range.len()).max().unwrap_or(0)
    }
}
