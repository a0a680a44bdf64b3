//! Doing the work.

use std::path::Path;
use std::time::Instant;

use penstock::store::VersionRef;
use penstock::{Engine, Error, GraphRequest, Task};
use serde_json::Value;

use super::record::Record;
use super::request::{JobRequest, age, create_request, scope};
use crate::load::{self, Input, LoadFiles};
use crate::wire;
use crate::wire::graph_options;

/// A job's work done, and how many rows it brought in.
pub(super) struct Done {
    pub(super) result: Value,
    pub(super) rows_ingested: u64,
}

impl Done {
    fn new(result: &impl serde::Serialize) -> Self {
        // Plain structs of text and numbers: there is nothing in them that JSON cannot say.
        Self {
            result: serde_json::to_value(result).unwrap_or_default(),
            rows_ingested: 0,
        }
    }
}

pub(super) async fn run(
    engine: &Engine,
    files: &Path,
    record: &Record,
    task: &Task,
) -> Result<Done, Error> {
    let started = Instant::now();
    match &record.request {
        JobRequest::Ingest(ingest) => {
            let inputs = ingest
                .files
                .iter()
                .enumerate()
                .map(|(i, name)| Input::Upload {
                    name: name.clone(),
                    path: files.join(i.to_string()),
                });
            let request = LoadFiles {
                table: ingest.table.clone(),
                inputs: inputs.collect(),
                read: ingest.read_options(),
                encoders: ingest.encoders(),
                key: Some(record.commit_key()),
            };
            let loaded = load::run(engine, request, task).await?;
            let rows_ingested = loaded.outcome.added + loaded.outcome.updated;
            Ok(Done {
                rows_ingested,
                ..Done::new(&wire::ingest_result(&loaded))
            })
        }
        JobRequest::Encode { table, encoder } => {
            let outcome = engine.encode(table, encoder, task).await?;
            let outcome = wire::encode_outcome(table, encoder, &outcome, started.elapsed());
            Ok(Done::new(&outcome))
        }
        JobRequest::Index {
            table,
            column,
            kind,
            metric,
        } => {
            let kind = kind.unwrap_or_default();
            let outcome = engine.index(table, column, kind, *metric, task).await?;
            Ok(Done::new(&wire::index_outcome(table, &outcome)))
        }
        JobRequest::Warm {
            table,
            column,
            metric,
        } => {
            let metric = metric.unwrap_or_default();
            let outcome = engine.warm(table, column, metric, task).await?;
            Ok(Done::new(&wire::warm_outcome(&outcome)))
        }
        JobRequest::Measure {
            table,
            column,
            min_recall,
            measure,
        } => {
            if let Some(recall) = min_recall {
                engine.set_min_recall(table, column, *recall).await?;
            }
            let indexes = if *measure {
                engine.measure_indexes(table, column, task).await?
            } else {
                engine.indexes_of(table, column).await?
            };
            let budget = engine.searcher().hot().budget();
            Ok(Done::new(&wire::vector_indexes(&indexes, budget)))
        }
        JobRequest::Compact { table } => {
            let outcomes = engine.compact(table.as_ref(), task).await?;
            Ok(Done::new(&wire::compact_outcomes(&outcomes)))
        }
        JobRequest::Gc {
            table,
            older_than_secs,
        } => {
            let outcomes = engine
                .gc(table.as_ref(), age(*older_than_secs), task)
                .await?;
            Ok(Done::new(&wire::gc_outcomes(&outcomes)))
        }
        JobRequest::Verify {
            table,
            all_versions,
        } => {
            let reports = engine
                .verify(table.as_ref(), scope(*all_versions), task)
                .await?;
            Ok(Done::new(&wire::verify_reports(&reports)))
        }
        JobRequest::Snapshot {
            name,
            table,
            version,
            columns,
            filter,
        } => {
            let request = create_request(name, table, *version, columns.as_ref(), filter.as_ref());
            let created = engine.snapshot_create(&request, task).await?;
            Ok(Done::new(&wire::snapshot(
                Some(name.as_str()),
                &created.snapshot,
            )))
        }
        JobRequest::Graph {
            table,
            from,
            version,
            filter,
            cutoff_angstrom,
            k,
        } => {
            let request = GraphRequest {
                into: table.clone(),
                from: from.clone(),
                version: VersionRef::Number(*version),
                filter: filter.clone(),
                options: graph_options(*cutoff_angstrom, *k),
                key: Some(record.commit_key()),
            };
            let made = engine.make_graphs(request, task).await?;
            Ok(Done::new(&wire::graph_outcome(table, from, &made)))
        }
        JobRequest::TrainHead(head) => {
            let request = head.request(record.commit_key());
            let record = engine.train_head(&request, task).await?;
            Ok(Done::new(&wire::head(&record)))
        }
    }
}
