//! Engine types to wire types: the only place where the two meet.

mod batch;
mod head;
mod indexes;
mod late;
mod matching;
mod motif;
mod search;
mod similar;

use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::{DateTime, SecondsFormat, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use penstock::export::{Snapshot, SnapshotEntry};
use penstock::store;
use penstock::{EncodeOutcome, EncoderInfo, Engine, IndexOutcome, TableDescription};
use penstock_ingest::Position;
use penstock_openapi as wire;
use penstock_types::columns::KEY_UNIT;
use penstock_types::{FeatureSpec, TableName};
use serde_json::{Map, Value};

use crate::load::Loaded;
pub use batch::{batch_answer, batch_of_params, batch_request};
pub use head::{head, head_options, head_options_of};
pub use indexes::{vector_indexes, warm_outcome};
pub use late::{LateFault, late_answer, late_of_params, late_request};
pub use matching::{LONGEST_MATCH, MatchFault, match_request};
pub use motif::{motif_answer, motif_request};
pub use search::{SearchFault, search_answer, search_input, search_request};
pub use similar::{SimilarFault, similar_answer, similar_request};

/// A moment, in RFC 3339.
#[must_use]
pub fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Seconds, to a millisecond.
#[must_use]
pub fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The rows of a batch as objects.
///
/// # Errors
/// A column has a type that JSON has no form for.
pub fn rows(batch: &RecordBatch) -> Result<Vec<Map<String, Value>>, ArrowError> {
    penstock::query::json_rows(batch)
}

/// An encoder.
#[must_use]
pub fn encoder(info: &EncoderInfo) -> wire::Encoder {
    wire::Encoder {
        name: info.name.clone(),
        kind: info.kind.to_string(),
        column: info.column(),
        dim: info.dim as u64,
        dtype: info.dtype.to_string(),
        pooling: info.pooling.to_string(),
        weights: info.weights.clone(),
        device: info.device.clone(),
        description: info.description.clone(),
        licence: info.licence.clone(),
        is_default: info.is_default,
    }
}

/// A table in a list.
#[must_use]
pub fn table_summary(table: &store::TableSummary) -> wire::TableSummary {
    wire::TableSummary {
        name: table.name.to_string(),
        kind: table.kind.to_string(),
        version: table.version,
        rows: table.rows,
        features: table.features.clone(),
    }
}

/// The columns of a schema.
#[must_use]
pub fn columns_of(schema: &SchemaRef) -> Vec<wire::Column> {
    schema
        .fields()
        .iter()
        .map(|field| wire::Column {
            name: field.name().clone(),
            data_type: field.data_type().to_string(),
            nullable: field.is_nullable(),
            unit: field.metadata().get(KEY_UNIT).cloned(),
        })
        .collect()
}

/// A feature column.
#[must_use]
pub fn feature(column: &str, spec: &FeatureSpec) -> wire::Feature {
    wire::Feature {
        column: column.to_owned(),
        encoder: spec.encoder.clone(),
        weights: spec.weights.clone(),
        pooling: spec.pooling.to_string(),
        dtype: spec.dtype.to_string(),
        dim: spec.dim.get() as u64,
    }
}

fn index(info: &store::IndexInfo) -> wire::Index {
    wire::Index {
        name: info.name.clone(),
        column: info.column.clone(),
        kind: info.kind.clone(),
        metric: info.metric.map(|metric| metric.to_string()),
        indexed_rows: info.indexed_rows,
        unindexed_rows: info.unindexed_rows,
    }
}

/// One version of a table.
#[must_use]
pub fn table_description(table: &TableDescription) -> wire::TableDescription {
    wire::TableDescription {
        name: table.name.to_string(),
        kind: table.kind.to_string(),
        version: table.version,
        columns: columns_of(&table.schema),
        features: table
            .features
            .iter()
            .map(|(column, spec)| feature(column, spec))
            .collect(),
        indexes: table.indexes.iter().map(index).collect(),
        stats: wire::TableStats {
            rows: table.stats.rows,
            deleted_rows: table.stats.deleted_rows,
            fragments: table.stats.fragments as u64,
            data_bytes: table.stats.data_bytes,
            versions: table.stats.versions as u64,
            indexes: table.stats.indexes as u64,
        },
        tags: table
            .tags
            .iter()
            .map(|(tag, version)| (tag.to_string(), *version))
            .collect(),
    }
}

/// The versions of a table.
#[must_use]
pub fn versions(table: &TableName, versions: &[store::VersionInfo]) -> wire::Versions {
    wire::Versions {
        table: table.to_string(),
        versions: versions
            .iter()
            .map(|version| wire::Version {
                version: version.version,
                timestamp: moment(version.timestamp),
                tags: version.tags.iter().map(ToString::to_string).collect(),
            })
            .collect(),
    }
}

/// What a load did.
#[must_use]
pub fn ingest_result(loaded: &Loaded) -> wire::IngestResult {
    let (outcome, report) = (&loaded.outcome, &loaded.report);
    wire::IngestResult {
        table: loaded.table.to_string(),
        kind: loaded.kind.to_string(),
        version: outcome.version,
        rows_added: outcome.added,
        rows_updated: outcome.updated,
        rows_unchanged: outcome.unchanged,
        rows_skipped: report.skipped_count,
        windows_written: outcome.windows_added + outcome.windows_updated,
        windows_removed: outcome.windows_removed,
        skipped: report
            .skipped
            .iter()
            .map(|skipped| {
                let (line, byte) = match skipped.position {
                    Some(Position::Line(line)) => (Some(line), None),
                    Some(Position::Byte(byte)) => (None, Some(byte)),
                    None => (None, None),
                };
                wire::Skipped {
                    source: skipped.source.clone(),
                    record: skipped.record.clone(),
                    line,
                    byte,
                    reason: skipped.reason.clone(),
                }
            })
            .collect(),
        warning_count: report.warning_count,
        warnings: report
            .warnings
            .iter()
            .map(|warning| wire::Warning {
                source: warning.source.clone(),
                record: warning.record.clone(),
                message: warning.message.clone(),
            })
            .collect(),
        replayed: outcome.replayed,
        seconds: loaded.seconds,
    }
}

/// How graphs are made, with the defaults where nothing is said.
#[must_use]
pub fn graph_options(cutoff_angstrom: Option<f32>, k: Option<u32>) -> penstock::GraphOptions {
    let mut options = penstock::GraphOptions::default();
    if let Some(cutoff) = cutoff_angstrom {
        options.contacts.cutoff_angstrom = cutoff;
    }
    if let Some(k) = k {
        options.unitigs.k = k as usize;
    }
    options
}

/// What became of graphs that were made.
#[must_use]
pub fn graph_outcome(
    table: &TableName,
    from: &TableName,
    made: &penstock::GraphsMade,
) -> wire::GraphOutcome {
    let outcome = &made.outcome;
    wire::GraphOutcome {
        table: table.to_string(),
        version: outcome.version,
        from: from.to_string(),
        from_version: made.from_version,
        graphs_added: outcome.added,
        graphs_updated: outcome.updated,
        graphs_unchanged: outcome.unchanged,
        vertices_written: outcome.windows_added + outcome.windows_updated,
        seconds: made.seconds,
    }
}

/// Where a part of a structure recurs.
#[must_use]
pub fn structure_answer(answer: &penstock::StructureAnswer) -> wire::StructureAnswer {
    let matches = answer.matches.iter().map(|found| wire::StructureMatch {
        graph: found.graph.clone(),
        rmsd: found.rmsd,
        names: found.names.clone(),
        vertices: found.vertices.clone(),
        rotation: found.rotation,
        translation: found.translation,
    });
    wire::StructureAnswer {
        table: answer.table.to_string(),
        version: answer.version,
        count: answer.count,
        complete: answer.complete,
        graphs: answer.graphs,
        seconds: answer.seconds,
        matches: matches.collect(),
    }
}

/// Clusters of near-duplicates.
#[must_use]
pub fn duplicates(
    table: &TableName,
    answer: &penstock::index::duplicates::DuplicateAnswer,
) -> wire::DuplicatesAnswer {
    use arrow::array::AsArray;
    use arrow::datatypes::{Float32Type, Int64Type};

    // The columns are those that the answer promises.
    let column = |at: usize| answer.batch.column(at);
    let clusters = column(0).as_primitive::<Int64Type>();
    let ids = column(1).as_string::<i32>();
    let distances = column(2).as_primitive::<Float32Type>();
    let mut grouped: Vec<wire::DuplicateCluster> = Vec::new();
    for row in 0..answer.batch.num_rows() {
        let cluster = usize::try_from(clusters.value(row)).unwrap_or_default();
        if grouped.len() <= cluster {
            grouped.push(wire::DuplicateCluster {
                members: Vec::new(),
            });
        }
        if let Some(last) = grouped.last_mut() {
            last.members.push(wire::DuplicateMember {
                id: ids.value(row).to_owned(),
                distance: f64::from(distances.value(row)),
            });
        }
    }
    wire::DuplicatesAnswer {
        table: table.to_string(),
        version: answer.version,
        column: answer.column.clone(),
        metric: answer.metric.to_string(),
        tier: answer.tier.to_string(),
        exact: answer.exact,
        rows: answer.rows,
        pairs: answer.pairs,
        cluster_count: answer.clusters,
        complete: answer.complete,
        clusters: grouped,
    }
}

/// Why a search ended early, in a word.
fn stopped(stopped: penstock::pattern::Stopped) -> String {
    use penstock::pattern::Stopped;

    let word = match stopped {
        Stopped::Limit => "limit",
        Stopped::Deadline => "deadline",
        Stopped::Cancelled => "cancelled",
    };
    word.to_owned()
}

/// Where a pattern occurs.
#[must_use]
pub fn match_answer(answer: &penstock::MatchAnswer) -> wire::MatchAnswer {
    wire::MatchAnswer {
        table: answer.table.to_string(),
        version: answer.version,
        count: answer.count,
        complete: answer.complete,
        stopped: answer.stopped.map(stopped),
        graphs: answer.graphs,
        graphs_searched: answer.graphs_searched,
        candidates: answer.candidates,
        load_seconds: answer.load_seconds,
        seconds: answer.seconds,
        matches: answer
            .matches
            .iter()
            .map(|found| wire::Match {
                graph: found.graph.clone(),
                vertices: found.vertices.clone(),
            })
            .collect(),
    }
}

/// What a deletion did.
#[must_use]
pub fn delete_outcome(table: &TableName, outcome: &store::DeleteOutcome) -> wire::DeleteOutcome {
    wire::DeleteOutcome {
        table: table.to_string(),
        version: outcome.version,
        rows_deleted: outcome.rows_deleted,
        replayed: outcome.replayed,
    }
}

/// What the filling of a feature column did.
#[must_use]
pub fn encode_outcome(
    table: &TableName,
    encoder: &str,
    outcome: &EncodeOutcome,
    took: Duration,
) -> wire::EncodeOutcome {
    wire::EncodeOutcome {
        table: table.to_string(),
        version: outcome.version,
        column: outcome.column.clone(),
        encoder: encoder.to_owned(),
        rows_encoded: outcome.rows_encoded,
        rows_empty: outcome.rows_empty,
        seconds: seconds(took),
    }
}

/// What an index build did.
#[must_use]
pub fn index_outcome(table: &TableName, outcome: &IndexOutcome) -> wire::IndexOutcome {
    wire::IndexOutcome {
        table: table.to_string(),
        version: outcome.version,
        column: outcome.column.clone(),
        index_type: outcome.kind.to_string(),
        metric: outcome.metric.map(|metric| metric.to_string()),
        rows: outcome.indexed_rows,
        seconds: outcome.seconds,
    }
}

/// What compaction did.
#[must_use]
pub fn compact_outcomes(outcomes: &[(TableName, store::CompactOutcome)]) -> wire::CompactOutcomes {
    let tables = outcomes
        .iter()
        .map(|(table, outcome)| wire::CompactOutcome {
            table: table.to_string(),
            version: outcome.version,
            fragments_removed: outcome.fragments_removed,
            fragments_added: outcome.fragments_added,
            files_removed: outcome.files_removed,
            files_added: outcome.files_added,
        })
        .collect();
    wire::CompactOutcomes { tables }
}

/// What the removal of old versions did.
#[must_use]
pub fn gc_outcomes(outcomes: &[(TableName, store::GcOutcome)]) -> wire::GcOutcomes {
    let tables = outcomes
        .iter()
        .map(|(table, outcome)| wire::GcOutcome {
            table: table.to_string(),
            versions_removed: outcome.versions_removed,
            bytes_removed: outcome.bytes_removed,
            data_files_removed: outcome.data_files_removed,
            index_files_removed: outcome.index_files_removed,
        })
        .collect();
    wire::GcOutcomes { tables }
}

/// What verification found.
#[must_use]
pub fn verify_reports(reports: &[store::VerifyReport]) -> wire::VerifyReports {
    let tables: Vec<wire::VerifyReport> = reports
        .iter()
        .map(|report| wire::VerifyReport {
            table: report.table.to_string(),
            ok: report.is_ok(),
            versions: report.versions.clone(),
            files: report.files,
            bytes: report.bytes,
            problems: report.problems.iter().map(verify_problem).collect(),
        })
        .collect();
    wire::VerifyReports {
        ok: tables.iter().all(|table| table.ok),
        tables,
    }
}

fn verify_problem(problem: &store::VerifyProblem) -> wire::VerifyProblem {
    use store::VerifyProblem as Found;
    use wire::VerifyProblemKind as Kind;
    let (kind, file, detail) = match problem {
        Found::Missing { file } => (Kind::Missing, file.clone(), None),
        Found::Changed {
            file,
            recorded,
            found,
        } => (
            Kind::Changed,
            file.clone(),
            Some(format!("recorded as {recorded}, found {found}")),
        ),
        Found::Unrecorded { file } => (Kind::Unrecorded, file.clone(), None),
        Found::Unreadable { file, reason } => {
            (Kind::Unreadable, file.clone(), Some(reason.clone()))
        }
        // A finding that this interface has no word for yet is still a finding.
        other => (Kind::Unreadable, String::new(), Some(format!("{other:?}"))),
    };
    wire::VerifyProblem { kind, file, detail }
}

/// A snapshot.
#[must_use]
pub fn snapshot(name: Option<&str>, snapshot: &Snapshot) -> wire::Snapshot {
    let manifest = snapshot.manifest();
    let arrays: Vec<wire::SnapshotArray> = manifest
        .arrays
        .iter()
        .map(|array| wire::SnapshotArray {
            name: array.name.clone(),
            column: array.column.clone(),
            shape: array.shape.clone(),
            chunk_shape: array.chunk_shape.clone(),
            dtype: array.dtype.to_string(),
            chunks: array.chunks.len() as u64,
            bytes: array.bytes(),
        })
        .collect();
    wire::Snapshot {
        name: name.map(str::to_owned),
        digest: snapshot.digest().to_string(),
        table: manifest.table.clone(),
        version: manifest.version,
        filter: manifest.filter.clone(),
        rows: manifest.rows,
        bytes: arrays.iter().map(|array| array.bytes).sum(),
        arrays,
    }
}

/// Every named snapshot, with what its manifest says.
///
/// # Errors
/// The store cannot be read, or a manifest does not match its digest.
pub async fn snapshots(engine: &Engine) -> Result<wire::Snapshots, penstock::Error> {
    let entries = stream::iter(engine.snapshots().await?);
    let snapshots = entries
        .map(|entry| async move {
            let snapshot = engine.snapshot(&entry.digest.to_string()).await?;
            Ok::<_, penstock::Error>(snapshot_summary(&entry, &snapshot))
        })
        .buffered(8)
        .try_collect()
        .await?;
    Ok(wire::Snapshots { snapshots })
}

fn snapshot_summary(entry: &SnapshotEntry, snapshot: &Snapshot) -> wire::SnapshotSummary {
    let manifest = snapshot.manifest();
    wire::SnapshotSummary {
        name: entry.name.to_string(),
        digest: entry.digest.to_string(),
        table: manifest.table.clone(),
        version: manifest.version,
        rows: manifest.rows,
        created: moment(entry.created),
    }
}
