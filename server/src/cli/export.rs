use std::path::PathBuf;
use std::sync::Arc;

use futures::FutureExt as _;
use penstock::Task;
use penstock::export::{ExportRequest, Format, Rank, Snapshot};
use penstock_client::Client;
use penstock_types::digest::DigestError;
use serde::Serialize;

use super::progress::watch;
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};

/// Write a snapshot as Zarr, Parquet or NPY files
///
/// With --rank and --of, only the rows of one rank of a parallel job are written, dealt as PETSc
/// deals them: rank r of n has N/n rows, and one more if r < N mod n. Ranks may share a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = help::EXPORT)]
pub(super) struct Args {
    /// The snapshot's name, or its digest
    name: String,

    /// Form of the files: zarr, parquet or npy
    #[arg(long)]
    format: Format,

    /// Folder to write to: new, empty, or of the same export
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Only the rows of this rank, from 0
    #[arg(long, value_name = "R", requires = "of")]
    rank: Option<u64>,

    /// How many ranks there are
    #[arg(long, value_name = "N", requires = "rank")]
    of: Option<u64>,
}

/// What was written.
#[derive(Debug, Serialize)]
pub(super) struct Written {
    snapshot: String,
    digest: String,
    format: String,
    out: String,
    /// First row of the snapshot that was written.
    row_offset: u64,
    rows: u64,
    files: u64,
    bytes: u64,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let rank = match (self.rank, self.of) {
            (Some(rank), Some(of)) => {
                Some(Rank::new(rank, of).map_err(|error| CliError::usage(error.to_string()))?)
            }
            _ => None,
        };
        let snapshot = match context.target(Absent::Fail).await? {
            Target::Local(engine) => engine.snapshot(&self.name).await?,
            Target::Remote(client) => fetched(client, &self.name).await?,
        };
        let written = write(context, &snapshot, &self.name, self.format, self.out, rank).await?;
        context.ui.answer(&written, show)
    }
}

/// A snapshot that a server has. Only the chunks that an export needs are fetched.
async fn fetched(client: Client, name: &str) -> Result<Snapshot, CliError> {
    let digest = client.snapshot(name).await?.digest;
    let manifest = client.manifest(&digest).await?;
    let parsed = digest
        .parse()
        .map_err(|error: DigestError| CliError::usage(error.to_string()))?;
    let fetch = move |key: String| {
        let (client, digest) = (client.clone(), digest.clone());
        async move { Ok(client.zarr_object(&digest, &key).await?) }.boxed()
    };
    Snapshot::remote(parsed, manifest, Arc::new(fetch))
        .map_err(|error| CliError::Engine(error.into()))
}

pub(super) async fn write(
    context: &Context<'_>,
    snapshot: &Snapshot,
    name: &str,
    format: Format,
    out: PathBuf,
    rank: Option<Rank>,
) -> Result<Written, CliError> {
    let task = Task::default();
    let mut request = ExportRequest::whole(format, &out);
    request.rank = rank;
    request.cancel = Some(task.cancel_fn());
    task.progress.set_stage("exporting");
    let exported = watch(context.ui, name, &task, snapshot.export(&request))
        .await
        .map_err(penstock::Error::from)?;
    Ok(Written {
        snapshot: name.to_owned(),
        digest: snapshot.digest().to_string(),
        format: format.to_string(),
        out: out.display().to_string(),
        row_offset: exported.rows.start,
        rows: exported.rows.end - exported.rows.start,
        files: exported.files,
        bytes: exported.bytes,
    })
}

pub(super) fn show(ui: &Ui, written: &Written) -> String {
    format!(
        "{} {} as {} in {}: {}, {}, {}\n",
        ui.good("✓"),
        ui.bold(&written.snapshot),
        written.format,
        written.out,
        table::counted(written.rows, "row"),
        table::counted(written.files, "file"),
        table::bytes(written.bytes),
    )
}
