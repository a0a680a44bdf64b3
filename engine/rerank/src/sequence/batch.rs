//! A batch of targets, aligned with one query after another.

use super::kernel::{self, Columns, Encoded, Run, Scratch};

/// Targets that share the lanes, and the memory to align with them.
#[derive(Debug, Default)]
pub(super) struct Batch {
    columns: Columns,
    scratch: Scratch,
    narrow: Vec<Option<u32>>,
    over: Vec<usize>,
    wide: Vec<u32>,
    scores: Vec<u32>,
}

impl Batch {
    /// Takes the next targets; at most as many as there are lanes.
    pub(super) fn fill(&mut self, run: Run<'_>, targets: &[Encoded<'_>]) {
        self.columns.fill(run.isa, targets);
    }

    /// The score of a query with each of the targets that were filled in.
    pub(super) fn scores(
        &mut self,
        run: Run<'_>,
        query: Encoded<'_>,
        targets: &[Encoded<'_>],
    ) -> &[u32] {
        self.narrow.clear();
        self.narrow.resize(targets.len(), None);
        kernel::narrow(
            run,
            query,
            &self.columns,
            &mut self.scratch,
            &mut self.narrow,
        );
        self.scores.clear();
        self.scores
            .extend(self.narrow.iter().map(|score| score.unwrap_or(0)));
        self.over.clear();
        let over = self
            .narrow
            .iter()
            .enumerate()
            .filter(|(_, score)| score.is_none());
        self.over.extend(over.map(|(lane, _)| lane));
        if !self.over.is_empty() {
            let again: Vec<_> = self.over.iter().map(|lane| targets[*lane]).collect();
            kernel::wide(run, query, &again, &mut self.scratch, &mut self.wide);
            for (lane, score) in self.over.iter().zip(&self.wide) {
                self.scores[*lane] = *score;
            }
        }
        &self.scores
    }
}
