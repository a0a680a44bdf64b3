//! Candidates compared exactly, together with the rows that the index has not.

use std::collections::BinaryHeap;
use std::sync::Arc;

use penstock_hnsw::threads::threads;
use penstock_store::Table;

use super::Opened;
use super::files::Distances;
use super::walk::Rows;
use crate::approximate::{self, candidates_of};
use crate::many::{self, Queries};
use crate::nearest::{Found, Hit, Target, nearest, offer};
use crate::recall::Setting;
use crate::{IndexError, Result, exact};

/// A candidate near enough to be a hit.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Close {
    distance: f32,
    row: u64,
}

impl Opened {
    /// The rows nearest to a vector of those that the index finds, and of all that it has not.
    pub(crate) async fn search(
        &self,
        table: &Table,
        target: &Arc<Target>,
        filter: Option<&str>,
        setting: Setting,
    ) -> Result<Found> {
        let wanted = candidates_of(target.k, setting);
        let allowed = self.allowed(table, filter).await?;
        let rows = self
            .candidates(table, &target.vector, wanted, setting, &allowed)
            .await?;
        let found = self.compared(table, target, rows).await?;
        if self.rest.fragments.is_empty() {
            return Ok(found);
        }
        let rest = self.rest.batches(table, &self.column, self.dim, &allowed);
        let rest = match rest.await? {
            Some(batches) => {
                let batches = futures::stream::iter(batches.into_iter().map(Ok));
                nearest(batches, Arc::clone(target), IndexError::read(table)).await?
            }
            None => {
                let fragments = self.rest.fragments.clone();
                exact::scan_fragments(table, target, filter, fragments).await?
            }
        };
        Ok(joined(found, rest, target.k))
    }

    /// The nearest of some rows.
    async fn compared(&self, table: &Table, target: &Arc<Target>, rows: Rows) -> Result<Found> {
        let failed = IndexError::read(table);
        if !self.files.is_plain(&rows) {
            let batches = self.files.read(table, rows);
            return nearest(batches, Arc::clone(target), failed).await;
        }
        let (metric, vector) = (target.metric, target.vector.as_slice());
        let distances = self.files.distances(metric, vector, &rows, &failed).await?;
        let (close, compared) = closest(&rows, &distances, target.k, target.radius);
        let places: Vec<u64> = close.iter().map(|close| close.row).collect();
        let ids = self.files.ids(&places).await.map_err(&failed)?;
        let prefer = target.prefer_id.as_deref();
        Ok(Found {
            hits: hits(&close, ids, target.k, prefer),
            compared,
        })
    }

    /// As [`Opened::search`], of many queries. Of a query for which the index finds too little the
    /// answer is `None`.
    pub(crate) async fn search_many(
        &self,
        table: &Table,
        queries: &Arc<Queries>,
        filter: Option<&str>,
        setting: Setting,
    ) -> Result<Vec<Option<Found>>> {
        let wanted = candidates_of(queries.k, setting);
        let allowed = self.allowed(table, filter).await?;
        // So many at a time that their candidates are as few as those of one search may be.
        let group = (approximate::MAX_CANDIDATES / wanted).max(1);
        let mut all = Vec::with_capacity(queries.count());
        for (part, vectors) in queries.vectors.chunks(group * queries.dim).enumerate() {
            let candidates = self
                .candidates_many(table, vectors, wanted, setting, &allowed)
                .await?;
            let enough: Vec<bool> = candidates.iter().map(Option::is_some).collect();
            let candidates = candidates.into_iter().map(Option::unwrap_or_default);
            let candidates: Vec<Rows> = candidates.collect();
            let found = if self.files.is_plain(candidates.iter().flatten()) {
                self.compared_many(table, queries, vectors, candidates)
                    .await?
            } else {
                let read = |rows| self.files.read(table, rows);
                approximate::refine(table, queries, part * group, candidates, read).await?
            };
            let found = found.into_iter().zip(enough);
            all.extend(found.map(|(found, enough)| enough.then_some(found)));
        }
        if self.rest.fragments.is_empty() {
            return Ok(all);
        }
        let rest = self.rest.batches(table, &self.column, self.dim, &allowed);
        let rest = match rest.await? {
            Some(batches) => {
                let batches = futures::stream::iter(batches.into_iter().map(Ok));
                many::nearest_many(batches, Arc::clone(queries), IndexError::read(table)).await?
            }
            None => {
                let fragments = self.rest.fragments.clone();
                many::scan(table, queries, filter, Some(fragments)).await?
            }
        };
        let all = all.into_iter().zip(rest);
        let joined = all.map(|(found, rest)| found.map(|found| joined(found, rest, queries.k)));
        Ok(joined.collect())
    }

    /// The nearest of each query's rows; `vectors` are those of the queries.
    async fn compared_many(
        &self,
        table: &Table,
        queries: &Queries,
        vectors: &[f32],
        candidates: Vec<Rows>,
    ) -> Result<Vec<Found>> {
        let failed = IndexError::read(table);
        let share = candidates.len().div_ceil(threads(0)).max(1);
        let mut shares = Vec::new();
        let mut rest = candidates;
        for vectors in vectors.chunks(share * queries.dim) {
            let later = rest.split_off(share.min(rest.len()));
            let rows = std::mem::replace(&mut rest, later);
            let (files, vectors) = (Arc::clone(&self.files), vectors.to_vec());
            let (metric, k, dim) = (queries.metric, queries.k, queries.dim);
            shares.push(tokio::task::spawn_blocking(move || {
                let near = rows.iter().zip(vectors.chunks_exact(dim));
                let near = near.map(|(rows, vector)| {
                    let distances = files.distances_here(metric, vector, rows)?;
                    Ok(closest(rows, &distances, k, f32::INFINITY))
                });
                near.collect::<Result<Vec<_>, lance::Error>>()
            }));
        }
        let mut near = Vec::with_capacity(vectors.len() / queries.dim);
        for found in futures::future::try_join_all(shares).await? {
            near.extend(found.map_err(&failed)?);
        }
        let places: Vec<u64> = near
            .iter()
            .flat_map(|(close, _)| close.iter().map(|close| close.row))
            .collect();
        let mut ids = self.files.ids(&places).await.map_err(&failed)?.into_iter();
        let found = near.into_iter().map(|(close, compared)| Found {
            hits: hits(&close, ids.by_ref().take(close.len()), queries.k, None),
            compared,
        });
        Ok(found.collect())
    }
}

/// The `k` nearest rows and all others as near as the last of them, of those within the radius; and
/// how many had a distance.
fn closest(rows: &[u64], distances: &Distances, k: usize, radius: f32) -> (Vec<Close>, u64) {
    let mut close: Vec<Close> = rows
        .iter()
        .zip(distances)
        .filter_map(|(row, distance)| {
            distance.map(|distance| Close {
                distance,
                row: *row,
            })
        })
        .collect();
    let compared = close.len() as u64;
    close.retain(|close| close.distance <= radius);
    close.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row)));
    close.dedup_by_key(|close| close.row);
    if let Some(last) = k.checked_sub(1).and_then(|last| close.get(last)).copied() {
        let within = close.partition_point(|close| close.distance <= last.distance);
        close.truncate(within);
    }
    (close, compared)
}

/// The `k` first of these, with their ids.
fn hits(
    close: &[Close],
    ids: impl IntoIterator<Item = String>,
    k: usize,
    prefer: Option<&str>,
) -> Vec<Hit> {
    let mut heap = BinaryHeap::with_capacity(k.min(close.len()) + 1);
    for (close, id) in close.iter().zip(ids) {
        let hit = Hit {
            distance: close.distance,
            preferred: prefer == Some(id.as_str()),
            id,
            row: close.row,
        };
        offer(&mut heap, k, hit);
    }
    heap.into_sorted_vec()
}

/// The `k` nearest of both.
fn joined(one: Found, other: Found, k: usize) -> Found {
    let mut heap = BinaryHeap::from(one.hits);
    for hit in other.hits {
        offer(&mut heap, k, hit);
    }
    Found {
        hits: heap.into_sorted_vec(),
        compared: one.compared + other.compared,
    }
}
