mod similar;

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock::graph::motif::LabelMatch;
use penstock::pattern::format::{ReadOptions, graphml, json, tve};
use penstock::pattern::{Pattern, PatternError};
use penstock::store::VersionRef;
use penstock::{MatchRequest, MotifPart, Task};
use penstock_openapi::{MatchAnswer, StructureAnswer, StructureRequest};
use penstock_types::TableName;
use serde_json::Value;

use super::progress::watch;
use super::rows::{self, Row};
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::wire;

/// Matches shown; `--json` has all that were kept.
const SHOWN: usize = 20;

/// Find a pattern in the graphs of a table, exactly or the places that resemble it
///
/// Every occurrence is found, none is missed; where a limit or a deadline ended the search first,
/// the answer says so. The pattern is a file: JSON (labels, wildcards, tolerances), t/v/e or
/// GraphML. With --similar places are ranked by how much of the pattern they have; the table then
/// needs vectors of its vertices (`penstock encode TABLE`).
#[derive(Debug, clap::Args)]
#[command(after_help = help::MATCH)]
pub(super) struct Args {
    /// A table of graphs
    table: TableName,

    /// The file of the pattern; `-` is standard input
    #[arg(long, value_name = "FILE", required_unless_present = "of")]
    pattern: Option<PathBuf>,

    /// Instead of a pattern, a part of this stored graph: where does its geometry recur?
    #[arg(long, value_name = "ID", conflicts_with_all = ["pattern", "induced", "count", "deadline", "keep", "graphs"])]
    of: Option<String>,

    /// The part: residues, such as A:45,48,52-54
    #[arg(
        long,
        value_name = "SELECTION",
        requires = "of",
        conflicts_with = "vertices"
    )]
    residues: Option<String>,

    /// The part: vertices by number, such as the faces of a patch
    #[arg(long, value_name = "N,N", requires = "of", value_delimiter = ',')]
    vertices: Option<Vec<u32>>,

    /// How far each distance may be from the part's, in the unit of the positions
    #[arg(long, value_name = "DISTANCE", requires = "of")]
    tolerance: Option<f64>,

    /// The largest root mean square deviation, in the same unit
    #[arg(long, value_name = "DISTANCE", requires = "of")]
    max_rmsd: Option<f64>,

    /// Labels (residue names) do not count
    #[arg(long, requires = "of")]
    any_label: bool,

    /// Vertices that the pattern does not join must not be joined in the graph either
    #[arg(long)]
    induced: bool,

    /// Stop when so many matches were found; with --similar or --of, the best so many (20, 100)
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// Stop after so many seconds
    #[arg(long, value_name = "SECS")]
    deadline: Option<f64>,

    /// Only count, which is faster
    #[arg(long, conflicts_with = "keep")]
    count: bool,

    /// Matches to name; the others are counted
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    keep: u64,

    /// Only in this graph, by id; may be given several times
    #[arg(long = "graph", value_name = "ID")]
    graphs: Vec<String>,

    /// Version, by number or tag
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    at: VersionRef,

    #[command(flatten)]
    similar: similar::Options,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        if self.similar.similar {
            return self.resembling(context).await;
        }
        let Some(path) = &self.pattern else {
            return self.structure(context).await;
        };
        let pattern = read(path)?;
        let keep = if self.count { 0 } else { self.keep };
        let graphs = (!self.graphs.is_empty()).then_some(self.graphs);
        let answer: MatchAnswer = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let mut request = MatchRequest::new(self.table, pattern);
                request.version = self.at;
                request.induced = self.induced;
                request.limit = self.limit;
                let deadline = self.deadline.map(Duration::try_from_secs_f64).transpose();
                request.deadline =
                    deadline.map_err(|error| CliError::usage(format!("--deadline: {error}")))?;
                request.keep = usize::try_from(keep).unwrap_or(usize::MAX);
                request.graphs = graphs;
                let task = Task::default();
                let title = request.table.to_string();
                let work = engine.match_pattern(request, &task);
                wire::match_answer(&watch(context.ui, &title, &task, work).await?)
            }
            Target::Remote(client) => {
                let request = penstock_openapi::MatchRequest {
                    pattern: json::to_value(&pattern),
                    induced: self.induced,
                    limit: self.limit,
                    deadline_secs: self.deadline,
                    keep,
                    graphs,
                    version: (self.at != VersionRef::Latest).then(|| self.at.to_string()),
                };
                client.find_pattern(&self.table, &request).await?
            }
        };
        context.ui.answer(&answer, show)
    }
}

impl Args {
    async fn structure(self, context: &Context<'_>) -> Result<(), CliError> {
        let mut request = StructureRequest {
            graph: self.of.unwrap_or_default(),
            residues: self.residues,
            vertices: self.vertices,
            any_label: self.any_label,
            tolerance: self.tolerance,
            max_rmsd: self.max_rmsd,
            limit: self.limit.unwrap_or(100),
            version: (self.at != VersionRef::Latest).then(|| self.at.to_string()),
        };
        let answer: StructureAnswer = match context.target(Absent::Fail).await? {
            Target::Remote(client) => client.find_structure(&self.table, &request).await?,
            Target::Local(engine) => {
                let part = match (request.residues.take(), request.vertices.take()) {
                    (Some(residues), None) => MotifPart::Residues(residues),
                    (None, Some(vertices)) => MotifPart::Vertices(vertices),
                    _ => return Err(CliError::usage("give --residues or --vertices with --of")),
                };
                let mut ask = penstock::StructureRequest::new(self.table, request.graph, part);
                ask.version = self.at;
                if request.any_label {
                    ask.labels = LabelMatch::Any;
                }
                ask.tolerance = request.tolerance.unwrap_or(ask.tolerance);
                ask.max_rmsd = request.max_rmsd.unwrap_or(ask.max_rmsd);
                ask.limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
                let task = Task::default();
                let title = ask.table.to_string();
                let work = engine.match_structure(ask, &task);
                wire::structure_answer(&watch(context.ui, &title, &task, work).await?)
            }
        };
        context.ui.answer(&answer, show_structure)
    }
}

fn show_structure(ui: &Ui, answer: &StructureAnswer) -> String {
    let count = match answer.count {
        1 => "1 place".to_owned(),
        count => format!("{count} places"),
    };
    let mut text = format!(
        "{} in {}, version {}, {} searched, {}\n",
        ui.bold(&count),
        answer.table,
        answer.version,
        table::counted(answer.graphs, "graph"),
        table::seconds(answer.seconds),
    );
    if !answer.complete {
        text += "some graphs have more places than are looked for\n";
    }
    let shown: Vec<Row> = answer
        .matches
        .iter()
        .take(SHOWN)
        .map(|found| {
            let names = if found.names.iter().all(String::is_empty) {
                let numbers: Vec<String> = found.vertices.iter().map(u32::to_string).collect();
                numbers.join(" ")
            } else {
                found.names.join(" ")
            };
            Row(vec![
                ("graph".to_owned(), Value::from(found.graph.clone())),
                (
                    "rmsd".to_owned(),
                    Value::from((found.rmsd * 1e3).round() / 1e3),
                ),
                ("vertices".to_owned(), Value::from(names)),
            ])
        })
        .collect();
    if shown.is_empty() {
        return text;
    }
    text += "\n";
    text + &rows::show(ui, &shown, true)
}

/// The pattern in a file, whose content says its format.
fn read(path: &Path) -> Result<Pattern, CliError> {
    let bytes = match path.as_os_str() == "-" {
        true => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes).map(|_| bytes)
        }
        false => std::fs::read(path),
    };
    let bytes = bytes.map_err(|error| CliError::file(path.display().to_string(), error))?;
    let options = ReadOptions::default();
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    let pattern: Result<Pattern, PatternError> = match first {
        Some(b'{') => json::read_pattern(bytes.as_slice()),
        Some(b'<') => graphml::read_pattern(bytes.as_slice(), &options),
        _ => tve::read_pattern(bytes.as_slice(), &options),
    };
    pattern.map_err(|error| CliError::Engine(error.into()))
}

fn show(ui: &Ui, answer: &MatchAnswer) -> String {
    let count = match answer.count {
        1 => "1 match".to_owned(),
        count => format!("{count} matches"),
    };
    let mut text = format!(
        "{} in {}, version {}, {} of {} searched, {}",
        ui.bold(&count),
        answer.table,
        answer.version,
        answer.graphs_searched,
        table::counted(answer.graphs, "graph"),
        table::seconds(answer.seconds),
    );
    if answer.load_seconds > 0.001 {
        text += &format!(" after {} of reading", table::seconds(answer.load_seconds));
    }
    text += "\n";
    if let Some(stopped) = &answer.stopped {
        let why = match stopped.as_str() {
            "limit" => "at the limit",
            "deadline" => "at the deadline",
            _ => "when it was cancelled",
        };
        text += &format!("stopped {why}: there may be more\n");
    }
    if answer.matches.is_empty() {
        return text;
    }
    let shown: Vec<Row> = answer
        .matches
        .iter()
        .take(SHOWN)
        .map(|found| {
            let vertices: Vec<String> = found.vertices.iter().map(u32::to_string).collect();
            Row(vec![
                ("graph".to_owned(), Value::from(found.graph.clone())),
                ("vertices".to_owned(), Value::from(vertices.join(" "))),
            ])
        })
        .collect();
    text += "\n";
    text += &rows::show(ui, &shown, true);
    if answer.count > SHOWN as u64 {
        text += &format!(
            "and {} more; --json has up to --keep of them\n",
            answer.count - SHOWN as u64
        );
    }
    text
}
