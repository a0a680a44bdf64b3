//! Reads real files, damaged files and files made up by the test.

#![allow(clippy::unwrap_used, clippy::panic)]

mod compression;
mod corpus;
mod layouts;
mod malformed;
mod mesh;
mod structures;

use std::path::PathBuf;

use arrow::array::{Array, AsArray, LargeStringArray};
use arrow::record_batch::RecordBatch;
use penstock_ingest::{OnError, ReadError, ReadOptions, Report, Source, open};
use penstock_types::columns;

/// A file of the corpus of real files; `None`, said aloud, where it is not there.
fn corpus(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PENSTOCK_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus")),
        PathBuf::from,
    );
    let file = root.join(path);
    if file.exists() {
        Some(file)
    } else {
        println!(
            "skipped: {} is not there (set PENSTOCK_CORPUS)",
            file.display()
        );
        None
    }
}

struct Read {
    batches: Vec<RecordBatch>,
    report: Report,
}

/// Reads everything, and checks what holds for every reading.
fn read(source: Source, options: &ReadOptions) -> Result<Read, ReadError> {
    let mut reader = open(source, options)?;
    let schema = columns::schema(reader.kind());
    let mut batches = Vec::new();
    for batch in &mut reader {
        let batch = batch?;
        assert_eq!(batch.schema(), schema);
        assert!(batch.num_rows() > 0);
        batches.push(batch);
    }
    assert!(reader.next().is_none());
    let report = reader.report().clone();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows as u64, report.records + report.windows);
    Ok(Read { batches, report })
}

fn read_text(name: &str, text: impl Into<Vec<u8>>) -> Result<Read, ReadError> {
    read(Source::bytes(name, text.into()), &ReadOptions::default())
}

fn read_skipping(name: &str, text: impl Into<Vec<u8>>) -> Result<Read, ReadError> {
    let options = ReadOptions {
        on_error: OnError::Skip,
        ..ReadOptions::default()
    };
    read(Source::bytes(name, text.into()), &options)
}

impl Read {
    fn texts(&self, column: &str) -> Vec<Option<String>> {
        self.batches
            .iter()
            .flat_map(|batch| {
                let column = batch.column_by_name(column).unwrap();
                match column.as_any().downcast_ref::<LargeStringArray>() {
                    Some(column) => column.iter().map(|t| t.map(str::to_owned)).collect(),
                    None => column
                        .as_string::<i32>()
                        .iter()
                        .map(|t| t.map(str::to_owned))
                        .collect::<Vec<_>>(),
                }
            })
            .collect()
    }

    fn ids(&self) -> Vec<String> {
        self.texts(columns::ID).into_iter().flatten().collect()
    }

    fn sequences(&self) -> Vec<String> {
        self.texts(columns::SEQUENCE)
            .into_iter()
            .flatten()
            .collect()
    }

    fn numbers(&self, column: &str) -> Vec<Option<i64>> {
        self.batches
            .iter()
            .flat_map(|batch| {
                let column = batch.column_by_name(column).unwrap();
                column
                    .as_primitive::<arrow::datatypes::Int64Type>()
                    .iter()
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    fn hashes(&self) -> Vec<Vec<u8>> {
        self.batches
            .iter()
            .flat_map(|batch| {
                let column = batch.column_by_name(columns::CONTENT_HASH).unwrap();
                let column = column.as_fixed_size_binary();
                (0..column.len())
                    .map(|i| column.value(i).to_vec())
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}
