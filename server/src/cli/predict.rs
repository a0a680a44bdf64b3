use std::path::PathBuf;

use arrow::array::{Array as _, AsArray as _};
use arrow::record_batch::RecordBatch;
use futures::TryStreamExt as _;
use penstock::store::VersionRef;
use penstock_openapi::{EmbedSequence, PredictAnswer, PredictRequest};
use penstock_types::{HeadName, TableName, columns};

use super::embed::Document;
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, remote};
use crate::load;
use crate::predict::{self, Source};

/// Predict secondary structure with a head
///
/// Prints a header with the id and a line of states (H, E, C) for each record; `--json` prints the
/// probabilities as well. A table's own vectors are used where it has those that the head reads.
#[derive(Debug, clap::Args)]
#[command(after_help = help::PREDICT)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,

    /// The head
    #[arg(long, value_name = "NAME")]
    head: HeadName,

    /// Version of the table, by number or tag
    #[arg(long, value_name = "VERSION", requires = "table")]
    at: Option<VersionRef>,
}

/// What to predict for.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Input {
    /// The rows of a table
    table: Option<TableName>,

    /// Files, in any of the formats that are read; `-` is standard input
    #[arg(long, value_name = "PATH", num_args = 1..)]
    file: Vec<PathBuf>,

    /// Sequences
    #[arg(long, value_name = "SEQUENCE", num_args = 1..)]
    text: Vec<String>,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let Input { table, file, text } = self.input;
        let sequences: Vec<_> = text.into_iter().map(EmbedSequence::Plain).collect();
        let engine = match context.target(Absent::Fail).await? {
            Target::Local(engine) => engine,
            Target::Remote(client) => {
                if !file.is_empty() {
                    return Err(CliError::usage(
                        "a server predicts for its tables and for --text; load the file into a \
                         table first",
                    ));
                }
                let request = PredictRequest {
                    head: self.head.to_string(),
                    sequences,
                    table: table.map(|table| table.to_string()),
                    version: self.at.map(|at| at.to_string()),
                };
                let body = client.predict(&request).await?;
                let answer = remote::document::<PredictAnswer>(context.ui, body).await?;
                for found in answer.iter().flat_map(|answer| &answer.predictions) {
                    print(context.ui, &found.id, found.states.as_deref())?;
                }
                return Ok(());
            }
        };
        let source = match table {
            Some(table) => Source::Table(table, self.at.unwrap_or_default()),
            None if file.is_empty() => Source::Sequences(sequences),
            None => Source::Files(load::expand(&file).map_err(penstock::Error::from)?),
        };
        let head = engine.head(&self.head).await?;
        context.ui.note_licence(head.record().licence.as_deref());
        let mut batches = predict::stream(&engine, &head, source).await?;
        if context.ui.wants_json() {
            let (before, after) = predict::around(&head);
            let mut document = Document::open(context.ui, &before)?;
            while let Some(batch) = batches.try_next().await? {
                document.write(&batch)?;
            }
            return document.close(after);
        }
        while let Some(batch) = batches.try_next().await? {
            show(context.ui, &batch)?;
        }
        context.ui.print("")
    }
}

fn show(ui: &Ui, batch: &RecordBatch) -> Result<(), CliError> {
    let ids = batch
        .column_by_name(columns::ID)
        .and_then(|ids| ids.as_string_opt::<i32>());
    let states = batch
        .column_by_name(penstock::STATES)
        .and_then(|states| states.as_string_opt::<i64>());
    let Some(states) = states else {
        return Ok(());
    };
    for row in 0..batch.num_rows() {
        let id = ids.map_or("", |ids| ids.value(row));
        let letters = states.is_valid(row).then(|| states.value(row));
        print(ui, id, letters)?;
    }
    Ok(())
}

/// Prints one record. One without a vector has a note on standard error in place of letters.
fn print(ui: &Ui, id: &str, states: Option<&str>) -> Result<(), CliError> {
    match states {
        Some(states) => ui.print_bytes(format!(">{id}\n{states}\n").as_bytes()),
        None => {
            ui.warn(&format!("`{id}` has no vectors, and no states"));
            Ok(())
        }
    }
}
