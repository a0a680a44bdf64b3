//! Tables of graphs, made from tables of structures, sequences and meshes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use arrow::record_batch::RecordBatch;
use futures::StreamExt;
use penstock_graph::GraphError;
use penstock_graph::make::contacts::{ContactOptions, contacts};
use penstock_graph::make::faces::{FaceOptions, faces};
use penstock_graph::make::unitigs::{UnitigOptions, unitigs};
use penstock_graph::rows::{Origin, write_by};
use penstock_store::{LoadOutcome, Scan, StoreError, VersionRef};
use penstock_types::{Kind, TableName, columns};

use crate::error::SourceError;
use crate::{Encoders, Engine, Error, LoadRequest, Task};

/// Bytes of records that are turned into graphs at once.
const BATCH_BYTES: u64 = 16 << 20;

/// How graphs are made: of each kind of table in its own way.
#[derive(Debug, Clone, Default)]
pub struct GraphOptions {
    /// Of proteins with coordinates: residues and their contacts.
    pub contacts: ContactOptions,
    /// Of DNA: unitigs of the compacted de Bruijn graph.
    pub unitigs: UnitigOptions,
    /// Of meshes: faces that share a side.
    pub faces: FaceOptions,
}

/// What graphs are made from, and where they go.
#[derive(Debug, Clone)]
pub struct GraphRequest {
    /// The table of graphs; created when there is none of that name.
    pub into: TableName,
    /// The table of records.
    pub from: TableName,
    /// Its version.
    pub version: VersionRef,
    /// SQL predicate of the records.
    pub filter: Option<String>,
    /// How they are made.
    pub options: GraphOptions,
    /// Idempotency key.
    pub key: Option<String>,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct GraphsMade {
    /// The version of the table of graphs, and what changed in it.
    pub outcome: LoadOutcome,
    /// The version that was read.
    pub from_version: u64,
    /// Time taken.
    pub seconds: f64,
}

/// Ends the reading when the load ends.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn source_error(error: GraphError) -> SourceError {
    SourceError {
        code: error.code(),
        source: Box::new(error),
    }
}

impl Engine {
    /// Makes a graph of each record of a table that has what a graph needs, as one version of a
    /// table of graphs. A graph has its record's id; made again from the same record it stays as
    /// it is.
    ///
    /// # Errors
    /// No such table or version; it holds graphs already; options that make no sense; a record too
    /// large for its graph; what a load reports.
    pub async fn make_graphs(
        &self,
        request: GraphRequest,
        task: &Task,
    ) -> Result<GraphsMade, Error> {
        let started = Instant::now();
        let table = self.table(&request.from, &request.version).await?;
        let kind = table.kind();
        if kind == Kind::Graph {
            return Err(Error::KindMismatch {
                table: request.from.clone(),
                holds: kind,
                given: kind,
            });
        }
        let needed: &[&str] = match kind {
            Kind::Protein => &[
                columns::ID,
                columns::DESCRIPTION,
                columns::SEQUENCE,
                columns::RESIDUE_CHAIN,
                columns::RESIDUE_NUMBER,
                columns::RESIDUE_INSERTION,
                columns::RESIDUE_NAME,
                columns::CA_XYZ,
                columns::CA_PRESENT,
            ],
            Kind::Dna | Kind::Graph => &[columns::ID, columns::DESCRIPTION, columns::SEQUENCE],
            Kind::Mesh => &[
                columns::ID,
                columns::DESCRIPTION,
                columns::VERTICES,
                columns::FACES,
            ],
        };
        // Windows are parts of contigs, which have a graph of their own.
        let whole = (kind == Kind::Dna).then(|| format!("{} IS NULL", columns::PARENT));
        let filter = match (&request.filter, whole) {
            (Some(filter), Some(whole)) => Some(format!("({filter}) AND {whole}")),
            (filter, whole) => filter.clone().or(whole),
        };
        let mut rows = table
            .scan(Scan {
                filter,
                batch_bytes: Some(BATCH_BYTES),
                ..Scan::columns(needed.iter().copied())
            })
            .await?;
        let (sender, mut batches) =
            tokio::sync::mpsc::channel::<Result<RecordBatch, StoreError>>(1);
        let reading = tokio::spawn(async move {
            while let Some(batch) = rows.next().await {
                let failed = batch.is_err();
                if sender.send(batch).await.is_err() || failed {
                    break;
                }
            }
        });
        let stop = Stop(Arc::default());
        let cancelled = Arc::clone(&stop.0);
        let options = request.options.clone();
        let maker = self.row_maker().clone();
        let origin = Origin {
            source: format!("{}@{}", request.from, table.version()),
            event_time: chrono::Utc::now().timestamp_micros(),
        };
        let graphs = std::iter::from_fn(move || batches.blocking_recv()).flat_map(move |batch| {
            let made = batch
                .map_err(|error| SourceError {
                    code: error.code(),
                    source: Box::new(error),
                })
                .and_then(|batch| {
                    match kind {
                        Kind::Protein => contacts(&batch, &options.contacts, &cancelled),
                        Kind::Dna | Kind::Graph => unitigs(&batch, &options.unitigs, &cancelled),
                        Kind::Mesh => faces(&batch, &options.faces, &cancelled),
                    }
                    .map_err(source_error)
                });
            let (graphs, failed) = match made {
                Ok(made) => (made.graphs, None),
                Err(error) => (Vec::new(), Some(Err(error))),
            };
            let (origin, maker) = (origin.clone(), maker.clone());
            let rows = graphs.into_iter().flat_map(move |named| {
                let (rows, failed) = match write_by(named, origin.clone(), &maker) {
                    Ok(rows) => (Some(rows), None),
                    Err(error) => (None, Some(Err(source_error(error)))),
                };
                let rows = rows.into_iter().flatten();
                rows.map(|batch| batch.map_err(source_error)).chain(failed)
            });
            rows.chain(failed)
        });
        let load = LoadRequest {
            table: request.into,
            kind: Kind::Graph,
            encoders: Encoders::None,
            key: request.key,
        };
        let outcome = self.load(load, graphs, task).await;
        drop(stop);
        reading.abort();
        Ok(GraphsMade {
            outcome: outcome?,
            from_version: table.version(),
            seconds: started.elapsed().as_secs_f64(),
        })
    }
}
