//! Indexes on the disk, asked without a plan.
//!
//! A plan of DataFusion's costs more than the walk that it is made for. So an index is opened once
//! for all searches of a version and asked itself: for the rows that it has, under a mask of those
//! that the version still has and of those for which a predicate holds ([`mask`]). Rows that it has
//! not are compared one by one ([`rest`]), vectors of candidates are read where they lie
//! ([`files`]).

mod files;
mod mask;
mod plain;
mod refine;
mod rest;
mod walk;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::DataType;
use lance::index::{DatasetIndexExt, DatasetIndexInternalExt};
use lance_index::metrics::NoOpMetricsCollector;
use lance_index::vector::VectorIndex;
use penstock_store::{IndexInfo, Table};
use penstock_types::Metric;
use roaring::RoaringBitmap;

use crate::kind::IndexKind;
use crate::predicate::{self, check_predicate};
use crate::{IndexError, Result};
use files::Files;
use mask::Allowed;
use rest::Rest;

/// Bytes of the rows of predicates that are kept of one index and version.
const MATCHING_BYTES: u64 = 64 << 20;
/// Predicates whose rows are kept.
const PREDICATES: usize = 32;

/// An index, open, as one version sees it.
pub(crate) struct Opened {
    parts: Vec<Part>,
    live: Arc<Allowed>,
    /// Rows of predicates that came with searches, the last one last.
    matching: Mutex<Vec<(String, Arc<Allowed>)>>,
    rest: Rest,
    files: Arc<Files>,
    column: String,
    metric: Metric,
    kind: IndexKind,
    /// The type of a number in the column.
    number: DataType,
    dim: usize,
    indexed_rows: u64,
    /// Whether a version has all rows of the index, and no other.
    is_whole: bool,
}

/// A part of an index, and the fragments whose rows it answers for.
struct Part {
    index: Arc<dyn VectorIndex>,
    owned: RoaringBitmap,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened")
            .field("column", &self.column)
            .field("kind", &self.kind)
            .field("parts", &self.parts.len())
            .finish_non_exhaustive()
    }
}

impl Opened {
    /// Opens an index; `None` where only a plan of Lance's can answer: values were laid over those
    /// that the index was built of, or it is of a kind that is asked in another way.
    pub(crate) async fn of(
        table: &Table,
        kind: IndexKind,
        info: &IndexInfo,
        metric: Metric,
    ) -> Result<Option<Self>> {
        let failed = IndexError::read(table);
        let dataset = table.dataset();
        let schema = table.schema();
        let field = schema.field_with_name(&info.column).map(|f| f.data_type());
        let Ok(DataType::FixedSizeList(item, dim)) = field else {
            return Ok(None);
        };
        let (number, dim) = (item.data_type().clone(), *dim as usize);
        let laid_over = dataset.fragments().iter().any(|f| !f.overlays.is_empty());
        if laid_over || dataset.manifest().uses_stable_row_ids() {
            return Ok(None);
        }
        let segments = dataset.load_indices_by_name(&info.name).await;
        let segments = segments.map_err(&failed)?;
        let mut parts = Vec::with_capacity(segments.len());
        for segment in &segments {
            let index = dataset
                .open_vector_index(&info.column, &segment.uuid, &NoOpMetricsCollector)
                .await
                .map_err(&failed)?;
            // One of an older Lance; its plan knows what to do.
            let Some(owned) = segment.fragment_bitmap.clone() else {
                return Ok(None);
            };
            if !index.supports_prepared_partition_search() {
                return Ok(None);
            }
            parts.push(Part { index, owned });
        }
        let is_flat = !kind.has_graph();
        let mut live = Vec::with_capacity(parts.len());
        for part in &parts {
            let rows = mask::live(dataset, &part.owned).await.map_err(&failed)?;
            live.push((rows, part.index.total_partitions()));
        }
        let has = |id: u64| {
            let id = u32::try_from(id).ok();
            id.is_some_and(|id| parts.iter().any(|part| part.owned.contains(id)))
        };
        let all = dataset.fragments();
        let rest: Vec<_> = all.iter().filter(|f| !has(f.id)).cloned().collect();
        let is_whole = match parts.as_slice() {
            [part] => {
                rest.is_empty()
                    && part.owned.len() == all.len() as u64
                    && all.iter().all(|fragment| fragment.deletion_file.is_none())
            }
            _ => false,
        };
        let files = Files::of(dataset, &info.column, &number, dim).await;
        Ok(Some(Self {
            live: Arc::new(Allowed::new(live, None, is_flat, info.indexed_rows)),
            matching: Mutex::default(),
            rest: Rest::new(rest),
            files: Arc::new(files.map_err(&failed)?),
            column: info.column.clone(),
            metric,
            kind,
            number,
            dim,
            indexed_rows: info.indexed_rows,
            is_whole,
            parts,
        }))
    }

    /// The rows that may be found: kept, since the same predicate comes with many queries.
    async fn allowed(&self, table: &Table, filter: Option<&str>) -> Result<Arc<Allowed>> {
        let Some(predicate) = filter else {
            return Ok(Arc::clone(&self.live));
        };
        {
            let kept = self.matching.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, allowed)) = kept.iter().find(|(other, _)| other == predicate) {
                return Ok(Arc::clone(allowed));
            }
        }
        let allowed = Arc::new(self.matching(table, predicate).await?);
        let mut kept = self.matching.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push((predicate.to_owned(), Arc::clone(&allowed)));
        let mut bytes: u64 = kept.iter().map(|(_, allowed)| allowed.bytes).sum();
        while bytes > MATCHING_BYTES || kept.len() > PREDICATES {
            bytes -= kept.remove(0).1.bytes;
        }
        Ok(allowed)
    }

    /// The rows of the version for which a predicate holds.
    async fn matching(&self, table: &Table, predicate: &str) -> Result<Allowed> {
        // Nothing is read of a version without rows.
        check_predicate(predicate)?;
        let mut rows: HashMap<u32, RoaringBitmap> = HashMap::new();
        let each = |addresses: &[u64]| {
            for of_one in addresses.chunk_by(|a, b| a >> 32 == b >> 32) {
                let fragment = (of_one[0] >> 32) as u32;
                let offsets = of_one.iter().map(|address| *address as u32);
                rows.entry(fragment).or_default().extend(offsets);
            }
        };
        predicate::matching(table, predicate, None, each).await?;
        let parts = self.parts.iter().map(|part| {
            let owned = mask::of_fragments(&rows, |fragment| part.owned.contains(fragment));
            (owned, part.index.total_partitions())
        });
        let rest = mask::of_fragments(&rows, |fragment| {
            self.parts.iter().all(|part| !part.owned.contains(fragment))
        });
        Ok(Allowed::new(
            parts.collect(),
            Some(rest),
            !self.kind.has_graph(),
            self.indexed_rows,
        ))
    }
}
