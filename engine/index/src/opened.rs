//! Candidates of an index on the disk, asked of the index itself.
//!
//! A plan of DataFusion's costs more than the walk that it is made for. So where nothing but the
//! index is to be asked - no predicate, no rows that it does not cover - it is asked directly, once
//! opened for all searches of a version.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, RecordBatch, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, UInt64Type};
use futures::{Stream, StreamExt, TryStreamExt};
use lance::Dataset;
use lance::dataset::ProjectionRequest;
use lance::dataset::fragment::{FileFragment, FragReadConfig, FragmentReader};
use lance::index::prefilter::{DatasetPreFilter, PreFilter};
use lance::index::{DatasetIndexExt, DatasetIndexInternalExt};
use lance_index::metrics::NoOpMetricsCollector;
use lance_index::vector::{ApproxMode, DEFAULT_QUERY_PARALLELISM, Query, VectorIndex};
use penstock_hnsw::threads::threads;
use penstock_store::{IndexInfo, Table};
use penstock_types::Metric;
use penstock_types::columns::ID;
use tokio::sync::OnceCell;

use crate::approximate::{self, READ_ROWS, distance_type};
use crate::kind::IndexKind;
use crate::nearest::ROW;
use crate::recall::Setting;
use crate::{IndexError, Result};

/// Centroids times numbers that are compared on the thread of the request.
const INLINE_NUMBERS: usize = 1 << 20;
/// Fragments whose files stay open.
const FRAGMENTS: usize = 64;
/// Lance's name of the distance of a candidate.
const DISTANCE: &str = "_distance";

/// The parts of an index, open, and which of their rows a version still has.
pub(crate) struct Opened {
    parts: Vec<Arc<dyn VectorIndex>>,
    live: Arc<dyn PreFilter>,
    column: String,
    metric: Metric,
    kind: IndexKind,
    /// The type of a number in the column.
    number: DataType,
    /// Readers of ids and vectors, opened when they are first needed; empty where there are too many
    /// fragments to keep their files open.
    readers: HashMap<u32, (FileFragment, OnceCell<FragmentReader>)>,
    columns: Arc<lance::datatypes::Schema>,
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

/// Rows that may be near, nearest first by the index's own distance.
pub(crate) type Rows = Vec<u64>;

impl Opened {
    /// Opens an index; `None` where it cannot answer alone: it does not cover every row, or values
    /// were laid over those that it was built of.
    pub(crate) async fn of(
        table: &Table,
        kind: IndexKind,
        info: &IndexInfo,
        metric: Metric,
    ) -> Result<Option<Self>> {
        let failed = IndexError::read(table);
        let dataset = table.dataset();
        let laid_over = dataset.fragments().iter().any(|f| !f.overlays.is_empty());
        let schema = table.schema();
        let number = match schema.field_with_name(&info.column).map(|f| f.data_type()) {
            Ok(DataType::FixedSizeList(item, _)) => item.data_type().clone(),
            _ => return Ok(None),
        };
        if info.unindexed_rows > 0 || laid_over {
            return Ok(None);
        }
        let segments = dataset.load_indices_by_name(&info.name).await;
        let segments = segments.map_err(&failed)?;
        let mut parts = Vec::with_capacity(segments.len());
        for segment in &segments {
            let part = dataset
                .open_vector_index(&info.column, &segment.uuid, &NoOpMetricsCollector)
                .await
                .map_err(&failed)?;
            // A kind of an older Lance; its plan knows what to do.
            if !part.supports_prepared_partition_search() {
                return Ok(None);
            }
            parts.push(part);
        }
        let live = Arc::new(DatasetPreFilter::new(Arc::clone(dataset), &segments, None));
        let mut readers = HashMap::new();
        if dataset.fragments().len() <= FRAGMENTS {
            for fragment in dataset.get_fragments() {
                if let Ok(id) = u32::try_from(fragment.id()) {
                    readers.insert(id, (fragment, OnceCell::new()));
                }
            }
        }
        let columns = dataset.schema().project(&[ID, &info.column]);
        Ok(Some(Self {
            parts,
            live,
            column: info.column.clone(),
            metric,
            kind,
            number,
            readers,
            columns: Arc::new(columns.map_err(&failed)?),
        }))
    }

    /// The `wanted` rows that the index takes for nearest; fewer where the partitions that are
    /// searched hold no more.
    pub(crate) async fn candidates(
        &self,
        table: &Table,
        vector: &[f32],
        wanted: usize,
        setting: Setting,
    ) -> Result<Rows> {
        let failed = IndexError::read(table);
        let query = self.query(vector, wanted, setting)?;
        let mut near = Vec::new();
        for part in &self.parts {
            let (partitions, distances) = probes(part, &query, vector.len(), &failed).await?;
            let found = if self.kind.has_graph() {
                // A graph each: side by side.
                let searches = partitions.values().iter().map(|partition| {
                    part.search_in_partition(
                        *partition as usize,
                        &query,
                        Arc::clone(&self.live),
                        &NoOpMetricsCollector,
                    )
                });
                let searches: Vec<_> = searches.collect();
                futures::stream::iter(searches)
                    .buffer_unordered(threads(0))
                    .try_collect::<Vec<_>>()
                    .await
                    .map_err(&failed)?
            } else {
                let end = partitions.len();
                let found = Arc::clone(part)
                    .search_partitions(
                        query.clone(),
                        Arc::new(partitions),
                        Arc::new(distances),
                        0,
                        end,
                        Arc::clone(&self.live),
                        None,
                        Arc::new(NoOpMetricsCollector),
                    )
                    .await
                    .map_err(&failed)?;
                found
                    .try_collect::<Vec<_>>()
                    .await
                    .map_err(|error| failed(error.into()))?
            };
            for batch in &found {
                gather(batch, &mut near)?;
            }
        }
        Ok(nearest_rows(near, wanted))
    }

    /// As [`Opened::candidates`], of many vectors. Partitions that are scanned are read once for
    /// all of them.
    pub(crate) async fn candidates_many(
        &self,
        table: &Table,
        vectors: &[f32],
        dim: usize,
        wanted: usize,
        setting: Setting,
    ) -> Result<Vec<Rows>> {
        if !self
            .parts
            .iter()
            .all(|part| part.supports_batch_partition_search())
        {
            let each: Vec<_> = vectors
                .chunks_exact(dim)
                .map(|vector| self.candidates(table, vector, wanted, setting))
                .collect();
            return futures::stream::iter(each)
                .buffered(threads(0))
                .try_collect()
                .await;
        }
        // As many groups as cores: a group is compared by one of them.
        let count = vectors.len() / dim;
        let group = count.div_ceil(threads(0)).max(1);
        let groups: Vec<_> = vectors
            .chunks(group * dim)
            .map(|vectors| self.group(table, vectors, dim, wanted, setting))
            .collect();
        let found: Vec<Vec<Rows>> = futures::future::try_join_all(groups).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn group(
        &self,
        table: &Table,
        vectors: &[f32],
        dim: usize,
        wanted: usize,
        setting: Setting,
    ) -> Result<Vec<Rows>> {
        let failed = IndexError::read(table);
        let count = vectors.len() / dim;
        let mut near = vec![Vec::new(); count];
        let queries: Vec<Query> = vectors
            .chunks_exact(dim)
            .map(|vector| self.query(vector, wanted, setting))
            .collect::<Result<_>>()?;
        let keys: Vec<&dyn Array> = queries.iter().map(|query| query.key.as_ref()).collect();
        let Some(mut all) = queries.first().cloned() else {
            return Ok(Vec::new());
        };
        all.key = arrow::compute::concat(&keys)?;
        for part in &self.parts {
            let (mut of, mut distances) = (Vec::new(), Vec::new());
            for query in &queries {
                let (partitions, far) = probes(part, query, dim, &failed).await?;
                of.push(Arc::new(partitions));
                distances.push(Arc::new(far));
            }
            let found = Arc::clone(part)
                .search_partitions_batch(
                    all.clone(),
                    of,
                    distances,
                    Arc::clone(&self.live),
                    Arc::new(NoOpMetricsCollector),
                )
                .await
                .map_err(&failed)?;
            if found.len() != count {
                return Err(IndexError::Invariant {
                    what: "an index answered another number of queries",
                });
            }
            for (near, batch) in near.iter_mut().zip(&found) {
                gather(batch, near)?;
            }
        }
        Ok(near
            .into_iter()
            .map(|near| nearest_rows(near, wanted))
            .collect())
    }

    /// Ids and vectors of these rows, in no particular order, with where they are; each row once.
    pub(crate) fn read(
        self: &Arc<Self>,
        table: &Table,
        mut rows: Rows,
    ) -> impl Stream<Item = Result<RecordBatch, lance::Error>> + use<> {
        rows.sort_unstable();
        rows.dedup();
        let same = |a: &u64, b: &u64| a >> 32 == b >> 32;
        let chunks: Vec<Vec<u64>> = rows
            .chunk_by(same)
            .flat_map(|of_one| of_one.chunks(READ_ROWS))
            .map(<[u64]>::to_vec)
            .collect();
        let (this, dataset) = (Arc::clone(self), Arc::clone(table.dataset()));
        futures::stream::iter(chunks)
            .map(move |rows| Arc::clone(&this).read_some(Arc::clone(&dataset), rows))
            .buffered(2)
    }

    /// Rows of one fragment.
    async fn read_some(
        self: Arc<Self>,
        dataset: Arc<Dataset>,
        rows: Rows,
    ) -> Result<RecordBatch, lance::Error> {
        let fragment = rows.first().map(|row| (row >> 32) as u32);
        let Some((file, reader)) = fragment.and_then(|fragment| self.readers.get(&fragment)) else {
            let columns = ProjectionRequest::Schema(Arc::clone(&self.columns));
            return approximate::read(dataset, rows, columns).await;
        };
        let reader = reader
            .get_or_try_init(|| {
                let how = FragReadConfig::default().with_row_id(true);
                file.open(&self.columns, how)
            })
            .await?;
        let offsets: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
        reader.take_as_batch(&offsets, None).await
    }

    fn query(&self, vector: &[f32], wanted: usize, setting: Setting) -> Result<Query> {
        let mut key = vector.to_vec();
        if self.metric == Metric::Cosine {
            // Such an index is one of directions.
            let norm = key
                .iter()
                .map(|x| f64::from(*x).powi(2))
                .sum::<f64>()
                .sqrt();
            key.iter_mut()
                .for_each(|x| *x = (f64::from(*x) / norm) as f32);
        }
        let key: ArrayRef = Arc::new(Float32Array::from(key));
        Ok(Query {
            column: self.column.clone(),
            key: cast(&key, &self.number)?,
            k: wanted,
            lower_bound: None,
            upper_bound: None,
            minimum_nprobes: setting.nprobes,
            maximum_nprobes: Some(setting.nprobes),
            search_effort: 0.5,
            ef: self.kind.has_graph().then_some(setting.ef.max(wanted)),
            refine_factor: None,
            metric_type: Some(distance_type(self.metric)),
            use_index: true,
            query_parallelism: DEFAULT_QUERY_PARALLELISM,
            dist_q_c: 0.0,
            approx_mode: ApproxMode::Normal,
        })
    }
}

/// The partitions that a query looks into, nearest first, and how far away they are.
async fn probes(
    part: &Arc<dyn VectorIndex>,
    query: &Query,
    dim: usize,
    failed: &impl Fn(lance::Error) -> IndexError,
) -> Result<(UInt32Array, Float32Array)> {
    if part.total_partitions().saturating_mul(dim) <= INLINE_NUMBERS {
        return part.find_partitions(query).map_err(failed);
    }
    let (part, query) = (Arc::clone(part), query.clone());
    tokio::task::spawn_blocking(move || part.find_partitions(&query))
        .await?
        .map_err(failed)
}

fn gather(batch: &RecordBatch, near: &mut Vec<(f32, u64)>) -> Result<()> {
    let column = |name: &str| {
        batch.column_by_name(name).ok_or(IndexError::Invariant {
            what: "an index search left out where the rows are",
        })
    };
    let distances = column(DISTANCE)?.as_primitive::<Float32Type>().values();
    let rows = column(ROW)?.as_primitive::<UInt64Type>().values();
    near.extend(distances.iter().copied().zip(rows.iter().copied()));
    Ok(())
}

fn nearest_rows(mut near: Vec<(f32, u64)>, wanted: usize) -> Rows {
    let order = |a: &(f32, u64), b: &(f32, u64)| -> Ordering {
        a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1))
    };
    if near.len() > wanted {
        near.select_nth_unstable_by(wanted, order);
        near.truncate(wanted);
    }
    near.sort_unstable_by(order);
    near.into_iter().map(|(_, row)| row).collect()
}
