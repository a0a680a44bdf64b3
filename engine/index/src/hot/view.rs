//! An index in memory as one version of its table sees it.

use std::collections::HashMap;
use std::sync::Arc;

use lance_table::format::Fragment;
use penstock_hnsw::Filter;
use penstock_store::Table;

use super::segment::{Covered, Segment, fragments};
use crate::predicate::{check_predicate, matching};
use crate::{IndexError, Result};

/// Which rows of each segment a version has, and what of the version no segment has.
#[derive(Debug)]
pub(super) struct View {
    /// Per segment; `None` where every row is there.
    pub(super) live: Vec<Option<Arc<Filter>>>,
    /// Rows of the version in all segments.
    pub(super) rows: u64,
    /// Rows of the segments that the version has not.
    pub(super) dead: u64,
    /// Fragments that no segment has.
    pub(super) uncovered: Vec<Fragment>,
    /// Rows of those.
    pub(super) uncovered_rows: u64,
    /// Fragments that some segment has.
    covered: Vec<Fragment>,
}

impl View {
    pub(super) async fn of(segments: &[Arc<Segment>], table: &Table, column: &str) -> Result<Self> {
        let failed = IndexError::read(table);
        let dataset = table.dataset();
        let there: HashMap<Covered, Fragment> = fragments(dataset, column)
            .into_iter()
            .map(|(fragment, covered)| (covered, fragment))
            .collect();
        let mut view = Self {
            live: Vec::with_capacity(segments.len()),
            rows: 0,
            dead: 0,
            uncovered: Vec::new(),
            uncovered_rows: 0,
            covered: Vec::new(),
        };
        for segment in segments {
            let present = segment.present(&there);
            let mut gone = Vec::new();
            for (covered, fragment) in &present {
                view.covered.push((*fragment).clone());
                if fragment.deletion_file.is_none() {
                    continue;
                }
                let missing = IndexError::Invariant {
                    what: "a fragment of a version is not in it",
                };
                let file = usize::try_from(covered.fragment)
                    .ok()
                    .and_then(|id| dataset.get_fragment(id))
                    .ok_or(missing)?;
                if let Some(deleted) = file.get_deletion_vector().await.map_err(&failed)? {
                    let high = covered.fragment << 32;
                    gone.extend(
                        deleted
                            .to_sorted_iter()
                            .map(|offset| high | u64::from(offset)),
                    );
                }
            }
            let rows = segment.graph.len();
            let gone: Vec<u32> = segment.rows_of(gone.into_iter()).collect();
            let live = if gone.is_empty() && present.len() == segment.fragments.len() {
                None
            } else {
                let has: std::collections::HashSet<u64> = present
                    .iter()
                    .map(|(covered, _)| covered.fragment)
                    .collect();
                let dead = Filter::from_rows(rows, gone);
                let labels = segment.graph.labels();
                Some(Arc::new(Filter::new(rows, |row| {
                    has.contains(&(labels[row] >> 32)) && !dead.allows(row as u32)
                })))
            };
            let count = live.as_ref().map_or(rows, |live| live.count()) as u64;
            view.rows += count;
            view.dead += rows as u64 - count;
            view.live.push(live);
        }
        let held: std::collections::HashSet<u64> =
            view.covered.iter().map(|fragment| fragment.id).collect();
        // Fragments without a file of the column too: they have no vectors, and cost nothing.
        let rest = dataset
            .fragments()
            .iter()
            .filter(|fragment| !held.contains(&fragment.id));
        view.uncovered = rest.cloned().collect();
        view.uncovered_rows = view
            .uncovered
            .iter()
            .map(|fragment| fragment.num_rows().unwrap_or_default() as u64)
            .sum();
        Ok(view)
    }

    /// The rows of each segment for which a predicate holds.
    pub(super) async fn matching(
        &self,
        segments: &[Arc<Segment>],
        table: &Table,
        predicate: &str,
    ) -> Result<Vec<Arc<Filter>>> {
        // Nothing is read of a version without rows in the segments.
        check_predicate(predicate)?;
        let mut addresses: Vec<u64> = Vec::new();
        if !self.covered.is_empty() {
            let covered = Some(self.covered.clone());
            let each = |some: &[u64]| addresses.extend_from_slice(some);
            matching(table, predicate, covered, each).await?;
        }
        addresses.sort_unstable();
        Ok(segments
            .iter()
            .zip(&self.live)
            .map(|(segment, live)| {
                let rows = segment
                    .rows_of(addresses.iter().copied())
                    .filter(|row| live.as_ref().is_none_or(|live| live.allows(*row)));
                Arc::new(Filter::from_rows(segment.graph.len(), rows))
            })
            .collect())
    }
}
