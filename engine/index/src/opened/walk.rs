//! Candidates: the rows that an index takes for nearest.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, RecordBatch, UInt32Array};
use arrow::compute::{cast, concat};
use arrow::datatypes::{Float32Type, UInt64Type};
use lance::index::prefilter::PreFilter;
use lance_index::metrics::NoOpMetricsCollector;
use lance_index::prefilter::NoFilter;
use lance_index::vector::{
    ApproxMode, DEFAULT_QUERY_PARALLELISM, PreparedPartitionSearchHandle, Query, VectorIndex,
};
use penstock_hnsw::threads::threads;
use penstock_store::Table;
use penstock_types::Metric;

use super::Opened;
use super::mask::Allowed;
use crate::approximate::distance_type;
use crate::kind::IndexKind;
use crate::nearest::ROW;
use crate::recall::Setting;
use crate::{IndexError, Result};

/// Numbers that are compared on the thread of the request: less than a millisecond, of which
/// handing them over to others would take a part.
const INLINE_NUMBERS: usize = 1 << 20;
/// Vectors that a walk compares for each candidate that it keeps.
const COMPARED: usize = 32;
/// Of the rows of a partition, one in so many is compared at most where a mask lets few of them be
/// found: Lance walks no more then.
const FEW: usize = 10;
/// Searches of partitions that are prepared together, and so hold what they will search.
const PREPARED: usize = 256;
/// Lance's name of the distance of a candidate.
const DISTANCE: &str = "_distance";

/// Rows that may be near, nearest first by the index's own distance.
pub(super) type Rows = Vec<u64>;

/// A row, and how far away the index takes it to be.
type Near = (f32, u64);

/// A search that only has to be run.
struct Prepared {
    index: Arc<dyn VectorIndex>,
    /// Which of many queries it is for.
    query: usize,
    search: PreparedPartitionSearchHandle,
}

impl Prepared {
    fn run(self, near: &mut Vec<Near>) -> Result<(), lance::Error> {
        let found = self
            .index
            .search_prepared_partition(self.search, &NoOpMetricsCollector)?;
        gather(&found, near)
    }
}

impl Opened {
    /// The `wanted` rows that the index takes for nearest; fewer where it has no more that may be
    /// found.
    pub(super) async fn candidates(
        &self,
        table: &Table,
        vector: &[f32],
        wanted: usize,
        setting: Setting,
        allowed: &Allowed,
    ) -> Result<Rows> {
        if let Some(all) = allowed.few(wanted) {
            return Ok(all);
        }
        let mut query = self.query(vector, wanted, setting)?;
        let mut near = Vec::new();
        let mut nearest = Vec::with_capacity(self.parts.len());
        for part in 0..self.parts.len() {
            let (partitions, _) = self.probes(table, part, &query).await?;
            nearest.push(partitions.values().to_vec());
        }
        let most = self.parts.iter().map(|part| part.index.total_partitions());
        let most = most.max().unwrap_or_default();
        let (mut from, mut to) = (0, setting.nprobes);
        loop {
            for (part, partitions) in nearest.iter().enumerate() {
                let end = to.min(partitions.len());
                let some = &partitions[from.min(end)..end];
                self.look(table, part, &query, some, allowed, &mut near)
                    .await?;
            }
            if near.len() >= wanted || to >= most {
                return Ok(nearest_rows(near, wanted));
            }
            // Those hold too few: on to the others, twice as many each time.
            if from == 0 {
                query.maximum_nprobes = None;
                for (part, first) in nearest.iter_mut().enumerate() {
                    let (all, _) = self.probes(table, part, &query).await?;
                    let others = all.values().iter().filter(|at| !first.contains(at));
                    let others: Vec<u32> = others.copied().collect();
                    first.extend(others);
                }
            }
            (from, to) = (to, to.saturating_mul(2));
        }
    }

    /// Searches some partitions of a part.
    async fn look(
        &self,
        table: &Table,
        part: usize,
        query: &Query,
        partitions: &[u32],
        allowed: &Allowed,
        near: &mut Vec<Near>,
    ) -> Result<()> {
        let failed = IndexError::read(table);
        let mut prepared = Vec::with_capacity(partitions.len());
        let mut numbers = 0;
        for partition in partitions {
            numbers += self.numbers(part, *partition, query, allowed);
            let search = self.prepare(part, *partition, (0, query), allowed).await;
            prepared.push(search.map_err(&failed)?);
        }
        let shares = threads(0).min(prepared.len());
        if numbers <= INLINE_NUMBERS || shares < 2 {
            for search in prepared {
                search.run(near).map_err(&failed)?;
            }
            return Ok(());
        }
        let mut shared: Vec<Vec<Prepared>> = (0..shares).map(|_| Vec::new()).collect();
        for (at, search) in prepared.into_iter().enumerate() {
            shared[at % shares].push(search);
        }
        let runs = shared.into_iter().map(|searches| {
            tokio::task::spawn_blocking(move || {
                let mut near = Vec::new();
                for search in searches {
                    search.run(&mut near)?;
                }
                Ok(near)
            })
        });
        for found in futures::future::try_join_all(runs).await? {
            near.extend(found.map_err(&failed)?);
        }
        Ok(())
    }

    /// About how many numbers a search of one partition compares.
    fn numbers(&self, part: usize, partition: u32, query: &Query, allowed: &Allowed) -> usize {
        let rows = self.parts[part].index.partition_size(partition as usize);
        let rows = match query.ef {
            None => rows,
            Some(ef) if allowed.rest.is_none() => (ef * COMPARED).min(rows),
            Some(ef) => (ef * COMPARED).max(rows / FEW).min(rows),
        };
        rows * self.dim
    }

    async fn prepare(
        &self,
        part: usize,
        partition: u32,
        (number, query): (usize, &Query),
        allowed: &Allowed,
    ) -> Result<Prepared, lance::Error> {
        let index = &self.parts[part].index;
        let mask: Arc<dyn PreFilter> = if self.is_whole && allowed.rest.is_none() {
            Arc::new(NoFilter)
        } else {
            allowed.partition(part, partition)
        };
        let search = index
            .prepare_partition_search(partition as usize, query, mask, &NoOpMetricsCollector)
            .await?;
        Ok(Prepared {
            index: Arc::clone(index),
            query: number,
            search,
        })
    }

    /// As [`Opened::candidates`], of many vectors, but of the first partitions alone: `None` of a
    /// vector for which those hold too few. Each partition is searched for one vector after the
    /// other, by one core, as long as it lies in its cache.
    pub(super) async fn candidates_many(
        &self,
        table: &Table,
        vectors: &[f32],
        wanted: usize,
        setting: Setting,
        allowed: &Arc<Allowed>,
    ) -> Result<Vec<Option<Rows>>> {
        let count = vectors.len() / self.dim;
        if let Some(all) = allowed.few(wanted) {
            return Ok(vec![Some(all); count]);
        }
        let queries: Vec<Query> = vectors
            .chunks_exact(self.dim)
            .map(|vector| self.query(vector, wanted, setting))
            .collect::<Result<_>>()?;
        let mut near: Vec<Vec<Near>> = vec![Vec::new(); count];
        for part in 0..self.parts.len() {
            // Of product codes Lance's way makes the tables of each query and partition all the
            // same, and took 1.5 times as long.
            let shared = self.kind != IndexKind::IvfPq
                && self.parts[part].index.supports_batch_partition_search();
            if shared && self.is_whole && allowed.rest.is_none() {
                let group = count.div_ceil(threads(0)).max(1);
                let groups = queries
                    .chunks(group)
                    .map(|queries| self.group(table, part, queries));
                let found = futures::future::try_join_all(groups).await?;
                for (near, found) in near.iter_mut().zip(found.iter().flatten()) {
                    gather(found, near).map_err(IndexError::read(table))?;
                }
                continue;
            }
            let mut pairs = Vec::with_capacity(count * setting.nprobes.min(1024));
            for (number, query) in queries.iter().enumerate() {
                let (partitions, _) = self.probes(table, part, query).await?;
                pairs.extend(partitions.values().iter().map(|at| (*at, number)));
            }
            pairs.sort_unstable();
            let share = pairs.len().div_ceil(threads(0)).max(1);
            let shares = pairs
                .chunks(share)
                .map(|pairs| self.share(table, part, pairs, &queries, allowed));
            for found in futures::future::try_join_all(shares).await? {
                for (query, found) in found {
                    near[query].extend(found);
                }
            }
        }
        let rows = near.into_iter().map(|near| {
            let rows = nearest_rows(near, wanted);
            (rows.len() == wanted).then_some(rows)
        });
        Ok(rows.collect())
    }

    /// Searches partitions, each for one query.
    async fn share(
        &self,
        table: &Table,
        part: usize,
        pairs: &[(u32, usize)],
        queries: &[Query],
        allowed: &Allowed,
    ) -> Result<Vec<(usize, Vec<Near>)>> {
        let failed = IndexError::read(table);
        let mut all = Vec::with_capacity(pairs.len());
        for pairs in pairs.chunks(PREPARED) {
            let mut prepared = Vec::with_capacity(pairs.len());
            for (partition, number) in pairs {
                let query = (*number, &queries[*number]);
                let search = self.prepare(part, *partition, query, allowed).await;
                prepared.push(search.map_err(&failed)?);
            }
            let found = tokio::task::spawn_blocking(move || {
                let found = prepared.into_iter().map(|search| {
                    let (query, mut near) = (search.query, Vec::new());
                    search.run(&mut near)?;
                    Ok((query, near))
                });
                found.collect::<Result<Vec<_>, lance::Error>>()
            });
            all.extend(found.await?.map_err(&failed)?);
        }
        Ok(all)
    }

    /// Searches a part, all of which may be found, for some queries: Lance compares a partition
    /// with all of them as it reads it.
    async fn group(
        &self,
        table: &Table,
        part: usize,
        queries: &[Query],
    ) -> Result<Vec<RecordBatch>> {
        let Some(mut all) = queries.first().cloned() else {
            return Ok(Vec::new());
        };
        let keys: Vec<&dyn Array> = queries.iter().map(|query| query.key.as_ref()).collect();
        all.key = concat(&keys)?;
        let (mut of, mut distances) = (Vec::new(), Vec::new());
        for query in queries {
            let (partitions, far) = self.probes(table, part, query).await?;
            of.push(Arc::new(partitions));
            distances.push(Arc::new(far));
        }
        let found = Arc::clone(&self.parts[part].index)
            .search_partitions_batch(
                all,
                of,
                distances,
                Arc::new(NoFilter),
                Arc::new(NoOpMetricsCollector),
            )
            .await
            .map_err(IndexError::read(table))?;
        if found.len() != queries.len() {
            return Err(IndexError::Invariant {
                what: "an index answered another number of queries",
            });
        }
        Ok(found)
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

    /// The partitions that a query looks into, nearest first, and how far away they are.
    async fn probes(
        &self,
        table: &Table,
        part: usize,
        query: &Query,
    ) -> Result<(UInt32Array, Float32Array)> {
        let failed = IndexError::read(table);
        let part = &self.parts[part].index;
        if part.total_partitions().saturating_mul(self.dim) <= INLINE_NUMBERS {
            return part.find_partitions(query).map_err(failed);
        }
        let (part, query) = (Arc::clone(part), query.clone());
        tokio::task::spawn_blocking(move || part.find_partitions(&query))
            .await?
            .map_err(failed)
    }
}

fn gather(batch: &RecordBatch, near: &mut Vec<Near>) -> Result<(), lance::Error> {
    let column = |name: &str| {
        batch
            .column_by_name(name)
            .ok_or_else(|| lance::Error::internal("an index search left out where the rows are"))
    };
    let distances = column(DISTANCE)?.as_primitive::<Float32Type>().values();
    let rows = column(ROW)?.as_primitive::<UInt64Type>().values();
    near.extend(distances.iter().copied().zip(rows.iter().copied()));
    Ok(())
}

fn nearest_rows(mut near: Vec<Near>, wanted: usize) -> Rows {
    let order =
        |a: &Near, b: &Near| -> Ordering { a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)) };
    if near.len() > wanted {
        near.select_nth_unstable_by(wanted, order);
        near.truncate(wanted);
    }
    near.sort_unstable_by(order);
    near.into_iter().map(|(_, row)| row).collect()
}
