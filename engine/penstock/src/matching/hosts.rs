//! Graphs of tables in memory, made ready for searches.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;
use penstock_pattern::{Host, Pattern};
use penstock_store::{Scan, Table};
use penstock_types::{TableName, columns};

use super::{read, sieve};
use crate::Error;

/// Bytes of graphs that stay in memory, where nothing else is said.
pub(crate) const BUDGET: u64 = 2 << 30;

/// From this many graphs on, those that lack a vertex of the pattern are sorted out before any
/// edge is read.
const SIEVED: u64 = 16;

/// Graphs ready to be searched.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(super) host: Host,
    /// First vertex of each graph.
    pub(super) starts: Vec<u32>,
    pub(super) ids: Vec<String>,
}

/// Graphs that are searched together.
#[derive(Debug)]
pub(crate) enum Shard {
    /// All of the table: kept for the next search.
    All,
    /// These.
    Some(Vec<String>),
}

/// What a search reads.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(super) graphs: u64,
    pub(super) searched: u64,
    pub(super) shards: Vec<Shard>,
}

/// The graphs that searches left in memory.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    budget: Option<u64>,
    held: Mutex<Vec<(TableName, u64, Arc<Ready>)>>,
}

/// Bytes that graphs of so many vertices and edges take in memory, about.
fn bytes(vertices: u64, edges: u64) -> u64 {
    40 * vertices + 24 * edges
}

impl Hosts {
    pub(crate) fn new(budget: Option<u64>) -> Self {
        Self {
            budget,
            ..Self::default()
        }
    }

    pub(crate) fn budget(&self) -> u64 {
        self.budget.unwrap_or(BUDGET)
    }

    fn held(&self, table: &Table) -> Option<Arc<Ready>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let same = held
            .iter()
            .find(|(name, version, _)| name == table.name() && *version == table.version());
        same.map(|(_, _, ready)| Arc::clone(ready))
    }

    /// Which graphs to read, and how many at a time.
    pub(super) async fn plan(
        &self,
        table: &Table,
        only: Option<&[String]>,
        pattern: &Pattern,
    ) -> Result<Plan, Error> {
        if only.is_none()
            && let Some(ready) = self.held(table)
        {
            let graphs = ready.ids.len() as u64;
            return Ok(Plan {
                graphs,
                searched: graphs,
                shards: vec![Shard::All],
            });
        }
        let mut graphs = sizes(table).await?;
        let count = graphs.len() as u64;
        if let Some(only) = only {
            let only: HashSet<&str> = only.iter().map(String::as_str).collect();
            graphs.retain(|(id, _)| only.contains(id.as_str()));
        }
        let total: u64 = graphs.iter().map(|(_, bytes)| bytes).sum();
        if only.is_none() && total <= self.budget() {
            return Ok(Plan {
                graphs: count,
                searched: count,
                shards: vec![Shard::All],
            });
        }
        if graphs.len() as u64 >= SIEVED {
            let left = sieve::graphs(table, pattern).await?;
            graphs.retain(|(id, _)| left.contains(id));
        }
        let searched = graphs.len() as u64;
        Ok(Plan {
            graphs: count,
            searched,
            shards: self.shards(graphs)?,
        })
    }

    /// The whole table where it is in memory, or fits.
    pub(super) async fn whole(&self, table: &Table) -> Result<Option<Arc<Ready>>, Error> {
        if let Some(ready) = self.held(table) {
            return Ok(Some(ready));
        }
        let graphs = sizes(table).await?;
        let total: u64 = graphs.iter().map(|(_, bytes)| bytes).sum();
        if total > self.budget() {
            return Ok(None);
        }
        Ok(Some(self.ready(table, &Shard::All).await?))
    }

    /// How to read some graphs of a table that does not fit.
    pub(super) async fn some(&self, table: &Table, hit: &HashSet<&str>) -> Result<Plan, Error> {
        let mut graphs = sizes(table).await?;
        let count = graphs.len() as u64;
        graphs.retain(|(id, _)| hit.contains(id.as_str()));
        Ok(Plan {
            graphs: count,
            searched: graphs.len() as u64,
            shards: self.shards(graphs)?,
        })
    }

    /// Graphs in lots that fit the memory set aside.
    fn shards(&self, graphs: Vec<(String, u64)>) -> Result<Vec<Shard>, Error> {
        let mut shards: Vec<Vec<String>> = Vec::new();
        let mut room = 0;
        for (id, bytes) in graphs {
            if bytes > self.budget() {
                return Err(Error::TooMuch {
                    what: "bytes of one graph in memory",
                    given: bytes,
                    max: self.budget(),
                });
            }
            match shards.last_mut() {
                Some(shard) if bytes <= room => shard.push(id),
                _ => {
                    room = self.budget();
                    shards.push(vec![id]);
                }
            }
            room -= bytes;
        }
        Ok(shards.into_iter().map(Shard::Some).collect())
    }

    /// The graphs of a shard, in memory.
    pub(super) async fn ready(&self, table: &Table, shard: &Shard) -> Result<Arc<Ready>, Error> {
        match shard {
            Shard::Some(ids) => Ok(Arc::new(read(table, Some(ids)).await?)),
            Shard::All => {
                if let Some(ready) = self.held(table) {
                    return Ok(ready);
                }
                let ready = Arc::new(read(table, None).await?);
                self.keep(table, &ready);
                Ok(ready)
            }
        }
    }

    /// Keeps graphs, and lets those go that were not asked for longest, as far as there is no room.
    fn keep(&self, table: &Table, ready: &Arc<Ready>) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        // Of a table one version is enough: the one that is asked for now.
        held.retain(|(name, _, _)| name != table.name());
        held.push((table.name().clone(), table.version(), Arc::clone(ready)));
        let size = |held: &[(TableName, u64, Arc<Ready>)]| -> u64 {
            held.iter()
                .map(|(_, _, ready)| ready.host.bytes() as u64)
                .sum()
        };
        while held.len() > 1 && size(&held) > self.budget() {
            held.remove(0);
        }
    }
}

/// The graphs of a table and what each takes in memory, about.
async fn sizes(table: &Table) -> Result<Vec<(String, u64)>, Error> {
    let scan = Scan {
        filter: Some(format!("{} IS NULL", columns::PARENT)),
        ..Scan::columns([columns::ID, columns::VERTEX_COUNT, columns::EDGE_COUNT])
    };
    let mut batches = table.scan(scan).await?;
    let mut graphs = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        let ids = batch.column(0).as_string_opt::<i32>();
        let counts = [1, 2].map(|at| batch.column(at).as_primitive_opt::<Int64Type>());
        let (Some(ids), [Some(vertices), Some(edges)]) = (ids, counts) else {
            continue; // the contract gives these types
        };
        for row in 0..batch.num_rows() {
            let count = |of: &arrow::array::Int64Array| {
                if of.is_null(row) {
                    0
                } else {
                    of.value(row).max(0) as u64
                }
            };
            graphs.push((
                ids.value(row).to_owned(),
                bytes(count(vertices), count(edges)),
            ));
        }
    }
    Ok(graphs)
}
