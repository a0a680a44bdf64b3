use std::path::PathBuf;

use clap::ValueEnum;
use penstock::{Encoders, Task};
use penstock_ingest::{OnError, ReadOptions};
use penstock_openapi::IngestResult;
use penstock_types::{Kind, TableName};

use super::progress::watch;
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, remote, table};
use crate::load::{self, LoadFiles};
use crate::wire;

/// Warnings and skipped records shown; `--json` has more.
const SHOWN: usize = 10;

/// Load files into a table
///
/// Format, kind and compression are seen in the content first and in the name second. A table is
/// made when there is none of its name. All files of one command are one version, or nothing is
/// loaded: a record whose id is new is added, one whose content changed is updated, and one that
/// is there already is left alone.
#[derive(Debug, clap::Args)]
#[command(after_help = help::INGEST)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// Files and folders; `-` is standard input
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,

    /// Kind of the data, where the content does not tell: protein, dna, mesh or graph
    #[arg(long, value_name = "KIND")]
    kind: Option<Kind>,

    /// Edges go from the first vertex to the second, in files of graphs that do not say: edge lists
    #[arg(long)]
    directed: bool,

    /// Encoder to run, once for each; the kind's own descriptor where left out
    #[arg(long = "encoder", value_name = "NAME")]
    encoders: Vec<String>,

    /// Run no encoder: `penstock encode` can do so later
    #[arg(long, conflicts_with = "encoders")]
    no_encode: bool,

    /// What to do with a record that cannot be read
    #[arg(long, value_name = "WHAT", default_value = "fail")]
    on_error: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Load nothing, and say where it is
    Fail,
    /// Leave it out, and list it
    Skip,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let result = match context.target(Absent::Create).await? {
            Target::Local(engine) => {
                let title = self.table.to_string();
                let request = self.local()?;
                // What has to be downloaded is shown by itself, and a wrong name is seen at once.
                if let Encoders::Named(names) = &request.encoders {
                    for name in names {
                        let encoder = engine.encoder(name).await?;
                        context.note_weights(engine.registry(), name, &*encoder);
                    }
                }
                let task = Task::default();
                let work = load::run(&engine, request, &task);
                wire::ingest_result(&watch(context.ui, &title, &task, work).await?)
            }
            Target::Remote(client) => remote::ingest(context.ui, &client, self.remote()?).await?,
        };
        warn(context.ui, &result);
        context.ui.answer(&result, show)
    }

    fn local(self) -> Result<LoadFiles, CliError> {
        let on_error = match self.on_error {
            What::Fail => OnError::Fail,
            What::Skip => OnError::Skip,
        };
        Ok(LoadFiles {
            inputs: load::expand(&self.paths)?,
            read: ReadOptions {
                kind: self.kind,
                on_error,
                directed: self.directed,
                ..ReadOptions::default()
            },
            encoders: if self.no_encode {
                Encoders::None
            } else if self.encoders.is_empty() {
                Encoders::Default
            } else {
                Encoders::Named(self.encoders)
            },
            table: self.table,
            key: None,
        })
    }

    fn remote(self) -> Result<remote::Upload, CliError> {
        let encoder = if self.no_encode {
            Some("none".to_owned())
        } else {
            (!self.encoders.is_empty()).then(|| self.encoders.join(","))
        };
        Ok(remote::Upload {
            inputs: load::expand(&self.paths)?,
            params: penstock_openapi::IngestParams {
                name: None,
                kind: self.kind.map(|kind| kind.to_string()),
                encoder,
                on_error: (self.on_error == What::Skip).then(|| "skip".to_owned()),
                directed: self.directed.then_some(true),
            },
            table: self.table,
        })
    }
}

fn warn(ui: &Ui, result: &IngestResult) {
    for warning in result.warnings.iter().take(SHOWN) {
        let record = match &warning.record {
            // A mesh is named after its file.
            Some(record) if !warning.source.ends_with(record) => format!(", `{record}`"),
            _ => String::new(),
        };
        ui.warn(&format!("{}{record}: {}", warning.source, warning.message));
    }
    let more = result.warning_count.saturating_sub(SHOWN as u64);
    if more > 0 {
        ui.warn(&format!("and {}", table::counted(more, "more warning")));
    }
}

pub(super) fn show(ui: &Ui, result: &IngestResult) -> String {
    let mut text = format!(
        "{} {} ({}) is at version {}: {} added, {} updated, {} unchanged",
        ui.good("✓"),
        ui.bold(&result.table),
        result.kind,
        result.version,
        table::count(result.rows_added),
        table::count(result.rows_updated),
        table::count(result.rows_unchanged),
    );
    if result.rows_skipped > 0 {
        text += &format!(", {} skipped", table::count(result.rows_skipped));
    }
    let total = result.rows_added + result.rows_updated + result.rows_unchanged;
    let mut pace = table::seconds(result.seconds);
    if result.seconds > 0.0 && total >= 1000 {
        let rate = table::count((total as f64 / result.seconds) as u64);
        pace += &format!(", {rate} rows/s");
    }
    text += &ui.dim(&format!("  ({pace})"));
    text.push('\n');
    let graphs = result.kind == Kind::Graph.as_str();
    let (part, wholes) = match graphs {
        true => ("row", "vertices"),
        false => ("window", "long contigs"),
    };
    if result.windows_written > 0 {
        let parts = table::counted(result.windows_written, part);
        text += &format!("  {parts} of {wholes}\n");
    }
    if result.windows_removed > 0 {
        let parts = table::counted(result.windows_removed, part);
        let wholes = if graphs { "vertices" } else { "contigs" };
        text += &format!("  {parts} of changed {wholes} removed\n");
    }
    for skipped in result.skipped.iter().take(SHOWN) {
        text += &format!("  skipped: {}\n", skipped.reason);
    }
    let more = result.rows_skipped.saturating_sub(SHOWN as u64);
    if more > 0 {
        text += &format!("  and {} more; --json lists them\n", table::count(more));
    }
    text
}
