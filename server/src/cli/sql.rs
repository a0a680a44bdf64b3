use std::io;
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use futures::TryStreamExt as _;
use penstock::query::Limits;

use super::rows::{self, Row};
use super::target::{Absent, Target};
use super::{CliError, Context, help, remote, table};

/// Rows shown as a table; `--json` has no such bound.
const SHOWN: usize = 1000;

/// Run a read-only SQL query over all tables
///
/// Beside the tables there are `at('TABLE', VERSION_OR_TAG)` for time travel,
/// `vector_search('TABLE', 'COLUMN', QUERY, K)` as a table with a `distance` column, where QUERY is
/// an array of numbers, a sequence, or 'id:ID' for a stored row, and the functions
/// `cosine_distance(a, b)`, `l2_distance(a, b)` and `dot_distance(a, b)`.
#[derive(Debug, clap::Args)]
#[command(after_help = help::SQL)]
pub(super) struct Args {
    /// The query; `-` reads it from standard input
    #[arg(value_name = "QUERY")]
    query: String,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let query = match self.query.as_str() {
            "-" => io::read_to_string(io::stdin())
                .map_err(|error| CliError::file("standard input", error))?,
            _ => self.query,
        };
        match context.target(Absent::Fail).await? {
            Target::Local(engine) => local(context, &engine, &query).await,
            Target::Remote(client) => remote(context, &client, &query).await,
        }
    }
}

async fn local(
    context: &Context<'_>,
    engine: &penstock::Engine,
    query: &str,
) -> Result<(), CliError> {
    let mut batches = engine.sql(query, Some(&limits())).await?.batches;
    if context.ui.wants_json() {
        let mut array = JsonArray::default();
        while let Some(batch) = batches.try_next().await.map_err(penstock::Error::from)? {
            array.write(context, &batch)?;
        }
        return array.finish(context);
    }
    let (mut shown, mut total) = (Vec::new(), 0);
    while let Some(batch) = batches.try_next().await.map_err(penstock::Error::from)? {
        let room = SHOWN.saturating_sub(shown.len()).min(batch.num_rows());
        shown.extend(rows::from_batch(&batch.slice(0, room))?);
        total += batch.num_rows();
    }
    show(context, &shown, total)
}

/// All rows of a small answer.
pub(super) async fn rows(engine: &penstock::Engine, query: &str) -> Result<Vec<Row>, CliError> {
    let mut batches = engine.sql(query, None).await?.batches;
    let mut rows = Vec::new();
    while let Some(batch) = batches.try_next().await.map_err(penstock::Error::from)? {
        rows.extend(rows::from_batch(&batch)?);
    }
    Ok(rows)
}

/// Whoever runs a query here waits for it, and may stop it: only memory and disk stay bounded.
fn limits() -> Limits {
    Limits {
        rows: u64::MAX,
        intermediate_rows: u64::MAX,
        time: Duration::from_secs(7 * 86_400),
        ..Limits::default()
    }
}

async fn remote(
    context: &Context<'_>,
    client: &penstock_client::Client,
    query: &str,
) -> Result<(), CliError> {
    let body = client.sql(query).await?;
    let Some(all) = remote::document::<Vec<Row>>(context.ui, body).await? else {
        return Ok(());
    };
    show(context, &all[..all.len().min(SHOWN)], all.len())
}

fn show(context: &Context<'_>, rows: &[Row], total: usize) -> Result<(), CliError> {
    context.ui.print(&rows::show(context.ui, rows, false))?;
    let count = table::counted(total as u64, "row");
    let note = if total > rows.len() {
        format!(
            "{count}, of which the first {} are shown; --json prints all",
            table::count(rows.len() as u64)
        )
    } else {
        count
    };
    context
        .ui
        .print(&format!("{}\n", context.ui.dim(&format!("  ({note})"))))
}

/// One JSON array written batch by batch, a row per line.
#[derive(Default)]
struct JsonArray {
    has_rows: bool,
}

impl JsonArray {
    fn write(&mut self, context: &Context<'_>, batch: &RecordBatch) -> Result<(), CliError> {
        let text = rows::to_lines(batch)?;
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            context
                .ui
                .print_bytes(if self.has_rows { b",\n " } else { b"[" })?;
            context.ui.print_bytes(line)?;
            self.has_rows = true;
        }
        Ok(())
    }

    fn finish(self, context: &Context<'_>) -> Result<(), CliError> {
        context.ui.print(if self.has_rows { "]\n" } else { "[]\n" })
    }
}
