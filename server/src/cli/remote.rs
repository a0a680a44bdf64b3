//! What `--server` needs beside the client: uploads, and waiting for jobs.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use futures::TryStreamExt as _;
use penstock::ProgressSnapshot;
use penstock_client::{Bytes, Client};
use penstock_openapi::{IngestParams, IngestResult, Job, JobProgress};
use penstock_types::{Kind, TableName};
use serde::de::DeserializeOwned;

use super::CliError;
use super::progress::Bar;
use super::ui::Ui;
use crate::load::Input;
use crate::problem;

/// First and longest time between two looks at a job.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));

/// A server's JSON document: printed as it comes with `--json`, and then there is none, else read.
pub(super) async fn document<T: DeserializeOwned>(
    ui: &Ui,
    mut body: Bytes,
) -> Result<Option<T>, CliError> {
    if ui.wants_json() {
        while let Some(bytes) = body.try_next().await? {
            ui.print_bytes(&bytes)?;
        }
        ui.print("\n")?;
        return Ok(None);
    }
    let mut text = Vec::new();
    while let Some(bytes) = body.try_next().await? {
        text.extend_from_slice(&bytes);
    }
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(CliError::Document)
}

/// Files on their way to a server.
pub(super) struct Upload {
    pub(super) table: TableName,
    pub(super) inputs: Vec<Input>,
    pub(super) params: IngestParams,
}

/// Uploads the files and waits until they are loaded.
pub(super) async fn ingest(
    ui: &Ui,
    client: &Client,
    upload: Upload,
) -> Result<IngestResult, CliError> {
    let mut spooled = None;
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for input in upload.inputs {
        let name = input.name();
        match input {
            Input::Path(path) | Input::Found(path) | Input::Upload { path, .. } => {
                files.push((name, path));
            }
            Input::Stdin => {
                // A request that is sent again needs its body again.
                let path = spool_stdin().await?;
                files.push((name, path.to_path_buf()));
                spooled = Some(path);
            }
        }
    }
    let title = upload.table.to_string();
    let job = client.ingest(&upload.table, &upload.params, files).await?;
    let result = finish(ui, client, job, &title).await;
    drop(spooled);
    result
}

async fn spool_stdin() -> Result<tempfile::TempPath, CliError> {
    let copy = || -> io::Result<tempfile::TempPath> {
        let mut file = tempfile::NamedTempFile::new()?;
        io::copy(&mut io::stdin(), &mut file)?;
        Ok(file.into_temp_path())
    };
    tokio::task::spawn_blocking(copy)
        .await
        .map_err(penstock::Error::Worker)?
        .map_err(|error| CliError::file("standard input", error))
}

/// Waits for a job with a bar. Ctrl-C cancels the job; a second one leaves it to the server.
pub(super) async fn finish<T: DeserializeOwned>(
    ui: &Ui,
    client: &Client,
    mut job: Job,
    title: &str,
) -> Result<T, CliError> {
    let mut bar = Bar::new(ui, title);
    let mut pause = LOOKS.0;
    let mut interrupts = 0;
    while !job.state.is_final() {
        bar.show(&snapshot(&job.progress));
        tokio::select! {
            () = tokio::time::sleep(pause) => job = client.job(&job.id).await?,
            Ok(()) = tokio::signal::ctrl_c() => {
                interrupts += 1;
                if interrupts > 1 {
                    std::process::exit(i32::from(super::error::CANCELLED));
                }
                job = client.cancel_job(&job.id).await?;
            }
        }
        pause = (pause * 2).min(LOOKS.1);
    }
    bar.clear();
    match (job.result, job.error) {
        (Some(result), _) => serde_json::from_value(result).map_err(CliError::Document),
        (None, Some(problem)) => Err(CliError::Job(Box::new(problem))),
        (None, None) => Err(CliError::Job(Box::new(problem::problem(
            penstock_types::ErrorCode::Cancelled,
            "the job was cancelled; nothing was changed",
        )))),
    }
}

fn snapshot(progress: &JobProgress) -> ProgressSnapshot {
    ProgressSnapshot {
        rows: progress.rows,
        total_rows: progress.total_rows,
        items: progress.items,
        item: [Kind::Protein, Kind::Dna, Kind::Mesh]
            .map(penstock::item_name)
            .into_iter()
            .find(|name| *name == progress.item)
            .unwrap_or_default(),
        bytes: progress.bytes,
        total_bytes: progress.total_bytes,
        // The stages are words of the engine, which live as long as the program; this is text.
        stage: "",
        note: progress.stage.clone(),
    }
}
