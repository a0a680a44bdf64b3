//! Vectors of the vertices of a table of graphs.
//!
//! A graph is read whole, given to the encoder, and its vectors are kept on a disk, so that the
//! column can be written in the order of the table's rows, in one commit. Graphs that have their
//! vectors are not read: all rows of a graph that changed are new, so one without a vector tells.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt as _;
use penstock_embed::{Encoder, Graph};
use penstock_graph::rows::{Head, Outline, Outlines};
use penstock_graph::{GraphError, rows};
use penstock_store::{FeatureOptions, FeatureOutcome, Scan, Table};
use penstock_types::{TableName, columns};
use rayon::prelude::*;

use super::spool::{COLUMNS, Kept, Spool};
use crate::{Engine, Error, Task};

/// Arrays as large as the vectors that an encoder has in memory beside a graph, about.
const ARRAYS: u64 = 3;

/// Bytes of graphs and vectors that are computed together.
const TOGETHER: u64 = 64 << 20;

/// Up to so many graphs are asked for by their ids.
const BY_ID: usize = 500;

/// Rows of the table that are read at once, by number and by bytes.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: u64 = 16 << 20;

/// Graphs whose vectors are computed next.
#[derive(Default)]
struct Group {
    outlines: Vec<Outline>,
    bytes: u64,
}

/// One run of an encoder over a table of graphs.
struct Run<'a> {
    encoder: &'a Arc<dyn Encoder>,
    task: &'a Task,
    spool: Option<Spool>,
    done: u64,
    total: u64,
}

/// Fills the column of an encoder of graphs.
pub(super) async fn fill(
    engine: &Engine,
    (name, table): (&TableName, &Table),
    encoder: &Arc<dyn Encoder>,
    task: &Task,
) -> Result<FeatureOutcome, Error> {
    let spec = encoder.spec();
    let there = table
        .features()
        .into_iter()
        .find(|(column, _)| *column == spec.column());
    let heads = match &there {
        // The store refuses it below, and says why.
        Some((_, is)) if !is.makes_the_same(spec) => Vec::new(),
        Some((column, _)) => {
            let lacking = lacking(table, column).await?;
            heads(table, Some(&lacking)).await?
        }
        None => heads(table, None).await?,
    };
    let budget = engine.hosts().budget();
    for head in &heads {
        let bytes = bytes(head, &**encoder);
        if bytes > budget {
            return Err(Error::TooMuch {
                what: "bytes of one graph and its vectors in memory",
                given: bytes,
                max: budget,
            });
        }
    }
    let mut run = Run {
        encoder,
        task,
        spool: Some(Spool::new(&engine.store().temp_dir(), spec.dim.get())?),
        done: 0,
        total: heads.iter().map(|head| u64::from(head.vertices)).sum(),
    };
    let kept = Arc::new(run.compute(table, heads, budget).await?);
    task.progress.set_stage("writing");
    let (progress, spec) = (Arc::clone(&task.progress), spec.clone());
    let options = FeatureOptions {
        batch_rows: BATCH_ROWS,
        progress: Some(Arc::new(move |done, all| progress.set_rows(done, all))),
        cancel: Some(task.cancel_fn()),
        ..FeatureOptions::default()
    };
    let wanted = spec.clone();
    let vectors = move |batch: &_| kept.vectors(&wanted, batch).map_err(Into::into);
    engine
        .store()
        .add_feature(name, &spec, &COLUMNS, Arc::new(vectors), options)
        .await
        .map_err(|error| match task.cancel.is_cancelled() {
            true => Error::Cancelled,
            false => error.into(),
        })
}

/// What a graph takes while its vectors are made.
fn bytes(head: &Head, encoder: &dyn Encoder) -> u64 {
    let vectors = 4 * ARRAYS * encoder.spec().dim.get() as u64;
    head.bytes() + vectors * u64::from(head.vertices)
}

/// The graphs that have a vertex without a vector.
async fn lacking(table: &Table, column: &str) -> Result<HashSet<String>, Error> {
    let scan = Scan {
        filter: Some(format!(
            "{} IS NOT NULL AND `{column}` IS NULL",
            columns::PARENT
        )),
        ordered: false,
        ..Scan::columns([columns::PARENT])
    };
    let mut batches = table.scan(scan).await?;
    let mut graphs: HashSet<String> = HashSet::new();
    while let Some(batch) = batches.try_next().await? {
        let parents = batch.column(0).as_string_opt::<i32>();
        let parents = parents.ok_or(GraphError::Column {
            column: columns::PARENT,
        })?;
        for parent in parents.iter().flatten() {
            if !graphs.contains(parent) {
                graphs.insert(parent.to_owned());
            }
        }
    }
    Ok(graphs)
}

/// What the rows of graphs say of their sizes.
async fn heads(table: &Table, only: Option<&HashSet<String>>) -> Result<Vec<Head>, Error> {
    let scan = Scan {
        filter: Some(format!("{} IS NULL", columns::PARENT)),
        ..Scan::columns([
            columns::ID,
            columns::DIRECTED,
            columns::VERTEX_COUNT,
            columns::EDGE_COUNT,
        ])
    };
    let mut batches = table.scan(scan).await?;
    let mut heads = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        let wrong = |column| GraphError::Column { column };
        let ids = batch.column(0).as_string_opt::<i32>();
        let ids = ids.ok_or_else(|| wrong(columns::ID))?;
        let directed = batch.column(1).as_boolean_opt();
        let directed = directed.ok_or_else(|| wrong(columns::DIRECTED))?;
        let count = |at: usize, name| {
            let counts = batch.column(at).as_primitive_opt::<Int64Type>();
            counts.ok_or_else(|| wrong(name))
        };
        let vertices = count(2, columns::VERTEX_COUNT)?;
        let edges = count(3, columns::EDGE_COUNT)?;
        for row in 0..batch.num_rows() {
            let id = ids.value(row);
            if only.is_some_and(|only| !only.contains(id)) {
                continue;
            }
            let vertices = match vertices.is_valid(row) {
                true => u32::try_from(vertices.value(row)).ok(),
                false => None,
            };
            let bad = |problem| GraphError::Row {
                id: id.to_owned(),
                problem,
            };
            let edges = match edges.is_valid(row) {
                true => edges.value(row).max(0).unsigned_abs(),
                false => 0,
            };
            heads.push(Head {
                id: id.into(),
                directed: directed.is_valid(row) && directed.value(row),
                vertices: vertices.ok_or_else(|| bad("a graph says how many vertices it has"))?,
                edges,
            });
        }
    }
    Ok(heads)
}

impl Run<'_> {
    /// Reads the graphs and makes their vectors.
    async fn compute(
        &mut self,
        table: &Table,
        heads: Vec<Head>,
        budget: u64,
    ) -> Result<Kept, Error> {
        // A quarter for graphs of which only some rows came; the rest is for one that is computed.
        let mut outlines = Outlines::new(heads, budget / 4);
        while outlines.left() > 0 {
            let mut group = Group::default();
            let mut batches = table.scan(scan(&outlines)).await?;
            while let Some(batch) = self.task.run(batches.try_next()).await?? {
                for outline in outlines.push(&batch)? {
                    group.bytes += self.bytes(&outline);
                    group.outlines.push(outline);
                    if group.bytes >= TOGETHER {
                        self.encode(std::mem::take(&mut group)).await?;
                    }
                }
            }
            self.encode(group).await?;
            outlines.end_of_rows()?;
        }
        let spool = self.spool.take().ok_or(Error::Cancelled)?;
        spool.finish()
    }

    fn bytes(&self, outline: &Outline) -> u64 {
        let vectors = 4 * ARRAYS * self.encoder.spec().dim.get() as u64;
        vectors * outline.labels.len() as u64 + 4 * outline.neighbours.len() as u64
    }

    /// Makes the vectors of some graphs and keeps them.
    async fn encode(&mut self, group: Group) -> Result<(), Error> {
        let Some(mut spool) = self.spool.take() else {
            return Err(Error::Cancelled); // an encoding before this one failed
        };
        let (encoder, task) = (Arc::clone(self.encoder), self.task.clone());
        let made = tokio::task::spawn_blocking(move || {
            let one = |outline: Outline| {
                if task.cancel.is_cancelled() {
                    return Err(Error::Cancelled);
                }
                let (outline, vectors) = vectors(&*encoder, outline)?;
                let vertices = outline.hashes.len() as u64;
                task.progress.add_items(vertices, "vertices");
                Ok((outline, vectors))
            };
            let graphs = group.outlines;
            let made: Vec<_> = match penstock_embed::device().is_cpu() {
                true => graphs.into_par_iter().map(one).collect::<Result<_, _>>()?,
                false => graphs.into_iter().map(one).collect::<Result<_, _>>()?,
            };
            let mut vertices = 0;
            for (outline, vectors) in &made {
                spool.append(outline, vectors)?;
                vertices += outline.hashes.len() as u64;
            }
            Ok::<_, Error>((spool, vertices))
        });
        let (spool, vertices) = made.await.map_err(Error::Worker)??;
        self.spool = Some(spool);
        self.done += vertices;
        self.task.progress.set_rows(self.done, self.total);
        Ok(())
    }
}

/// The rows of the graphs that are left.
fn scan(outlines: &Outlines) -> Scan {
    let some: Vec<&Head> = outlines.waiting().take(BY_ID + 1).collect();
    let filter = match some.len() > BY_ID {
        true => format!("{} IS NOT NULL", columns::PARENT),
        false => {
            let ids: Vec<String> = some
                .iter()
                .map(|head| format!("'{}'", head.id.replace('\'', "''")))
                .collect();
            format!("{} IN ({})", columns::PARENT, ids.join(", "))
        }
    };
    Scan {
        filter: Some(filter),
        batch_bytes: Some(BATCH_BYTES),
        batch_rows: Some(BATCH_ROWS),
        ..Scan::columns(rows::Outlines::columns().iter().copied())
    }
}

/// The vectors of a graph's vertices; the outline is given back without its neighbours.
fn vectors(encoder: &dyn Encoder, mut outline: Outline) -> Result<(Outline, Vec<f32>), Error> {
    let offsets = std::mem::take(&mut outline.offsets);
    let neighbours = std::mem::take(&mut outline.neighbours);
    let graph = Graph::from_csr(offsets, neighbours).map_err(penstock_embed::EmbedError::from)?;
    let labels: Vec<Option<&str>> = outline
        .labels
        .iter()
        .map(|label| outline.names.get(*label as usize).map(String::as_str))
        .collect();
    let vectors = encoder.vertices(&graph, &labels)?;
    Ok((outline, vectors))
}

#[cfg(test)]
mod tests;
