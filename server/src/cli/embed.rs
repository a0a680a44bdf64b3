mod contacts;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};
use arrow::record_batch::RecordBatch;
use futures::{StreamExt as _, TryStreamExt as _};
use penstock_openapi::{EmbedAnswer, EmbedRequest, EmbedSequence, VectorForm};
use penstock_types::columns;

use super::target::Names;
use super::ui::Ui;
use super::{CliError, Context, help, remote, rows, table};
use crate::embed::{self, Output, Source};
use crate::load;

/// Records shown as a table; `--json` has no such bound.
const SHOWN: usize = 20;

/// Numbers shown of a vector.
const NUMBERS: usize = 4;

/// Print vectors of sequences or files; nothing is stored
///
/// Vectors are computed and printed batch by batch, so that a file may be of any size.
#[derive(Debug, clap::Args)]
#[command(after_help = help::EMBED)]
pub(super) struct Args {
    /// The encoder: a name of `penstock encoders`, the folder of a trained model, or its name
    /// ORG/NAME on the Hugging Face hub, from where it is downloaded once
    #[arg(long, value_name = "NAME_OR_FOLDER")]
    encoder: String,

    #[command(flatten)]
    input: Input,

    /// Print the probability of contact between every two residues instead
    #[arg(long)]
    contacts: bool,
}

/// What to embed.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Input {
    /// Files to embed, in any of the formats that are read; `-` is standard input
    #[arg(long, value_name = "PATH", num_args = 1..)]
    file: Vec<PathBuf>,

    /// Sequences to embed
    #[arg(long, value_name = "SEQUENCE", num_args = 1..)]
    text: Vec<String>,
}

impl Input {
    fn sequences(self) -> Vec<EmbedSequence> {
        self.text.into_iter().map(EmbedSequence::Plain).collect()
    }
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        match context.server()? {
            Some(client) => self.remote(context, &client).await,
            None => self.local(context).await,
        }
    }

    const fn output(&self) -> Output {
        match self.contacts {
            true => Output::Contacts,
            false => Output::Vectors,
        }
    }

    async fn local(self, context: &Context<'_>) -> Result<(), CliError> {
        let output = self.output();
        let registry = Arc::new(context.registry(Names::Paths));
        let (loading, name) = (Arc::clone(&registry), self.encoder.clone());
        let encoder = tokio::task::spawn_blocking(move || loading.get(&name))
            .await
            .map_err(penstock::Error::Worker)?
            .map_err(penstock::Error::from)?;
        let source = match self.input.file.is_empty() {
            true => Source::Sequences(self.input.sequences()),
            false => Source::Files(
                load::expand(&self.input.file).map_err(penstock::Error::from)?,
                None,
            ),
        };
        context.note_weights(&registry, &self.encoder, &*encoder);
        let started = Instant::now();
        let mut batches = Box::pin(embed::stream(Arc::clone(&encoder), source, output));
        if context.ui.wants_json() {
            let (head, end) = output.around(&*encoder);
            let mut document = Document::open(context.ui, &head)?;
            while let Some(batch) = batches.try_next().await? {
                document.write(&batch)?;
            }
            return document.close(end);
        }
        if output == Output::Contacts {
            while let Some(batch) = batches.try_next().await? {
                contacts::show(context.ui, &batch)?;
            }
            return Ok(());
        }
        let (mut shown, mut total) = (Vec::new(), 0);
        while let Some(batch) = batches.next().await.transpose()? {
            for row in 0..batch.num_rows().min(SHOWN.saturating_sub(shown.len())) {
                shown.push(line(&batch, row)?);
            }
            total += batch.num_rows();
        }
        let spec = encoder.spec();
        let head = format!(
            "{}: {} × {}, {}",
            spec.encoder, spec.dim, spec.dtype, spec.pooling
        );
        show(context.ui, &head, &shown, total, Some(started))
    }

    async fn remote(
        self,
        context: &Context<'_>,
        client: &penstock_client::Client,
    ) -> Result<(), CliError> {
        let mut request = EmbedRequest {
            encoder: self.encoder,
            sequences: Vec::new(),
            contacts: self.contacts,
        };
        let body = match self.input.file.as_slice() {
            [] => {
                request.sequences = self.input.sequences();
                client.embed(&request, None).await?
            }
            [file] => client.embed(&request, Some(file)).await?,
            _ => {
                return Err(CliError::usage(
                    "a server embeds one file at a time; call this once for each",
                ));
            }
        };
        let Some(answer) = remote::document::<EmbedAnswer>(context.ui, body).await? else {
            return Ok(());
        };
        if self.contacts {
            for found in &answer.contacts {
                let rows: Vec<&[f32]> = found.contacts.iter().map(Vec::as_slice).collect();
                contacts::show_map(context.ui, &found.id, &rows)?;
            }
            return Ok(());
        }
        let lines: Vec<Line> = answer
            .vectors
            .iter()
            .take(SHOWN)
            .map(|found| match &found.vector {
                Some(VectorForm::One(vector)) => Line::of(&found.id, vector, None),
                Some(VectorForm::Each(all)) => {
                    let first = all.first().map_or(&[][..], |vector| vector);
                    Line::of(&found.id, first, Some(all.len()))
                }
                None => Line::of(&found.id, &[], None),
            })
            .collect();
        let head = format!("{}: {}, {}", answer.encoder, answer.dim, answer.pooling);
        show(context.ui, &head, &lines, answer.vectors.len(), None)
    }
}

/// What is shown of one record.
struct Line {
    id: String,
    items: Option<usize>,
    numbers: String,
    norm: String,
}

impl Line {
    fn of(id: &str, vector: &[f32], items: Option<usize>) -> Self {
        let mut numbers: Vec<String> = vector
            .iter()
            .take(NUMBERS)
            .map(|x| format!("{x:>8.4}"))
            .collect();
        if vector.len() > NUMBERS {
            numbers.push("…".to_owned());
        }
        let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        Self {
            id: id.to_owned(),
            items,
            numbers: numbers.join(" "),
            norm: match vector.is_empty() {
                true => "-".to_owned(),
                false => format!("{norm:.4}"),
            },
        }
    }
}

fn line(batch: &RecordBatch, row: usize) -> Result<Line, CliError> {
    let id = batch
        .column_by_name(columns::ID)
        .and_then(|ids| ids.as_string_opt::<i32>())
        .map_or("", |ids| ids.value(row));
    let numbers = |array: ArrayRef| -> Result<Vec<f32>, CliError> {
        let array = cast(&array, &DataType::Float32).map_err(CliError::Arrow)?;
        Ok(array.as_primitive::<Float32Type>().values().to_vec())
    };
    let Some(vectors) = batch.column_by_name(penstock::VECTOR) else {
        return Ok(Line::of(id, &[], None));
    };
    if vectors.is_null(row) {
        return Ok(Line::of(id, &[], None));
    }
    if let Some(lists) = vectors.as_list_opt::<i32>() {
        let items = lists.value(row);
        let items = items.as_fixed_size_list();
        return Ok(Line::of(id, &numbers(items.value(0))?, Some(items.len())));
    }
    let vector = vectors.as_fixed_size_list().value(row);
    Ok(Line::of(id, &numbers(vector)?, None))
}

fn show(
    ui: &Ui,
    head: &str,
    lines: &[Line],
    total: usize,
    started: Option<Instant>,
) -> Result<(), CliError> {
    let each = lines.iter().any(|line| line.items.is_some());
    let mut table_ = table::new(&[
        ("id", false),
        (if each { "vectors" } else { "norm" }, true),
        (if each { "first vector" } else { "vector" }, false),
    ]);
    for line in lines {
        let middle = match line.items {
            Some(items) => table::count(items as u64),
            None => line.norm.clone(),
        };
        table_.add_row([line.id.clone(), middle, line.numbers.clone()]);
    }
    let mut text = format!("{}\n{}", ui.bold(head), ui.table(&table_));
    let mut note = table::counted(total as u64, "record");
    if total > lines.len() {
        note += &format!(", of which the first {} are shown", lines.len());
    }
    if let Some(started) = started {
        note += &format!(", {}", table::seconds(started.elapsed().as_secs_f64()));
    }
    text += &format!(
        "{}\n",
        ui.dim(&format!("  ({note}; --json prints all numbers)"))
    );
    ui.print(&text)
}

/// A JSON document with an array of rows, written as they come.
pub(super) struct Document<'a> {
    ui: &'a Ui,
    has_rows: bool,
}

impl<'a> Document<'a> {
    pub(super) fn open(ui: &'a Ui, head: &str) -> Result<Self, CliError> {
        ui.print_bytes(head.as_bytes())?;
        Ok(Self {
            ui,
            has_rows: false,
        })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        let text = rows::to_lines(batch)?;
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let before: &[u8] = if self.has_rows { b",\n" } else { b"\n" };
            self.ui.print_bytes(before)?;
            self.ui.print_bytes(line)?;
            self.has_rows = true;
        }
        Ok(())
    }

    pub(super) fn close(self, end: &str) -> Result<(), CliError> {
        self.ui.print(&format!("\n{end}\n"))
    }
}
