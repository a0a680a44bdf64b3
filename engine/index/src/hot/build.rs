//! How an index in memory comes to be.

use std::collections::HashSet;
use std::sync::Arc;

use lance_table::format::Fragment;
use penstock_hnsw::{Control, HnswError};
use penstock_store::{Store, Table};
use penstock_types::FeatureSpec;

use super::saved::{Current, Saved};
use super::segment::{Covered, Rows, Segment, fragments};
use super::{HotIndex, HotTier, Key, Watch};
use crate::{IndexError, Result};

/// What one build needs to know.
pub(super) struct Build<'a> {
    pub(super) tier: &'a HotTier,
    pub(super) store: &'a Store,
    pub(super) table: &'a Table,
    pub(super) saved: Saved,
    pub(super) key: &'a Key,
    pub(super) spec: &'a FeatureSpec,
    pub(super) watch: &'a Watch,
}

impl Build<'_> {
    /// The index as it was saved; `None` where there is none, or one that cannot be used.
    pub(super) async fn load(&self) -> Result<Option<Arc<HotIndex>>> {
        let current = self.saved.current().await?;
        let Some(current) = current.filter(|current| current.weights == self.spec.weights) else {
            return Ok(None);
        };
        let mut segments = Vec::with_capacity(current.segments.len());
        for file in &current.segments {
            let held: u64 = segments
                .iter()
                .map(|segment: &Arc<Segment>| segment.bytes())
                .sum();
            let allowed = self.tier.free().saturating_sub(held);
            match self.saved.read(file, allowed).await {
                Ok(segment) if segment.graph.dim() == self.spec.dim.get() => {
                    segments.push(Arc::new(segment));
                }
                Ok(_) => return Ok(None),
                Err(IndexError::Graph(HnswError::Memory { needed, allowed })) => {
                    return Err(IndexError::Memory {
                        needed,
                        free: allowed,
                        budget: self.tier.0.options.budget_bytes,
                    });
                }
                Err(error) => {
                    let (table, column) = (&self.key.table, &self.key.column);
                    tracing::warn!(%error, %table, column, "a saved index cannot be read; it is built anew");
                    return Ok(None);
                }
            }
        }
        let bytes = segments.iter().map(|segment| segment.bytes()).sum();
        let _fits = self.tier.reserve(bytes)?;
        Ok(Some(Arc::new(self.index(
            current.version,
            segments,
            current.segments,
        ))))
    }

    /// One segment of all rows.
    pub(super) async fn whole(&self) -> Result<HotIndex> {
        let all = fragments(self.table.dataset(), &self.key.column);
        self.with(Vec::new(), Vec::new(), &all).await
    }

    /// The segments that there are, and one for the rows that none has.
    pub(super) async fn extended(&self, held: &HotIndex) -> Result<HotIndex> {
        let has: HashSet<&Covered> = held
            .segments
            .iter()
            .flat_map(|segment| &segment.fragments)
            .collect();
        let mut rest = fragments(self.table.dataset(), &self.key.column);
        rest.retain(|(_, covered)| !has.contains(covered));
        self.with(held.segments.clone(), held.files.clone(), &rest)
            .await
    }

    async fn with(
        &self,
        mut segments: Vec<Arc<Segment>>,
        mut files: Vec<String>,
        rest: &[(Fragment, Covered)],
    ) -> Result<HotIndex> {
        let lease = self
            .store
            .lease(&self.key.table, "an index in memory")
            .await?;
        let built = async {
            let segment = self.segment(rest).await?;
            lease.check()?;
            let (segment, file) = self.saved.write(segment).await?;
            segments.push(Arc::new(segment));
            files.push(file);
            let current = Current {
                version: self.table.version(),
                weights: self.spec.weights.clone(),
                segments: files.clone(),
            };
            self.saved.commit(&current).await?;
            Ok(self.index(current.version, segments, files))
        };
        let built = built.await;
        lease.release().await?;
        built
    }

    async fn segment(&self, of: &[(Fragment, Covered)]) -> Result<Segment> {
        let (dim, metric) = (self.spec.dim.get(), self.key.metric);
        let rows = of
            .iter()
            .map(|(fragment, _)| fragment.num_rows().unwrap_or_default() as u64)
            .sum();
        let (_, peak) = self.tier.estimate(rows, dim, metric);
        let _fits = self.tier.reserve(peak)?;
        let rows = Rows::read(self.table, &self.key.column, dim, of).await?;
        let options = self.tier.options(metric);
        let watch = self.watch.clone();
        tracing::info!(
            table = %self.key.table, column = self.key.column, %metric, rows = rows.count(),
            "an index in memory is built"
        );
        tokio::task::spawn_blocking(move || {
            let control = Control {
                cancel: &watch.cancel,
                progress: &*watch.progress,
            };
            rows.index(&options, &control)
        })
        .await?
    }

    fn index(&self, version: u64, segments: Vec<Arc<Segment>>, files: Vec<String>) -> HotIndex {
        HotIndex::new(self.key.clone(), self.spec, version, segments, files)
    }
}
