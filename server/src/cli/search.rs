use std::path::PathBuf;

use penstock::index::Tier;
use penstock::store::VersionRef;
use penstock::{Engine, RerankBy, SearchInput};
use penstock_openapi::{Hit, Rerank, SearchAnswer, SearchPlan, SearchRequest};
use penstock_types::{Metric, TableName};
use serde_json::Value;

use super::rows::{self, Row};
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::load::{self, Input};
use crate::wire;

/// Find the nearest rows to an id, a sequence, a file or a vector
///
/// The answer says which version was searched, whether every row was compared (`exact`), and how
/// many rows no index covers yet; those are compared one by one, so that new rows are found at
/// once. Smaller distances are nearer, for every metric.
///
/// The way that costs least is taken: every row, the index in memory of a server, or the table's
/// own index; how hard to look follows from --min-recall and what was measured of the index.
#[derive(Debug, clap::Args)]
#[command(after_help = help::SEARCH)]
pub(super) struct Args {
    /// The table
    table: TableName,

    #[command(flatten)]
    query: Query,

    /// Rows wanted
    #[arg(short, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,

    /// SQL predicate that rows must meet; applied before the search
    #[arg(long = "where", value_name = "SQL")]
    filter: Option<String>,

    /// Compare with every row, even where there is an index
    #[arg(long)]
    exact: bool,

    /// Feature column; may be left out where there is one, or the kind's own
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Metric: cosine, l2 or dot; the index's, or cosine, where left out
    #[arg(long)]
    metric: Option<Metric>,

    /// Version, by number or tag
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    at: VersionRef,

    /// Columns of the answer, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,

    #[command(flatten)]
    effort: Effort,

    #[command(flatten)]
    after: After,
}

/// What is done with the candidates.
#[derive(Debug, clap::Args)]
struct After {
    /// Rank candidates again: by alignment (proteins, DNA), tm (structures of proteins) or chamfer
    /// (meshes)
    #[arg(long, value_name = "SCORE")]
    rerank: Option<RerankBy>,

    /// Candidates that are ranked again; ten times -k, and 100 at least, where left out
    #[arg(long, value_name = "N", requires = "rerank", value_parser = clap::value_parser!(u32).range(1..))]
    candidates: Option<u32>,

    /// Choose rows that differ from one another: from 1, the best only, to 0, only the farthest
    /// from one another
    #[arg(long, value_name = "LAMBDA")]
    diversity: Option<f32>,

    /// Keep only the best rows of each value of this column
    #[arg(long, value_name = "COLUMN")]
    group_by: Option<String>,

    /// Rows that are kept of each value; 1 where left out
    #[arg(long, value_name = "N", requires = "group_by", value_parser = clap::value_parser!(u32).range(1..))]
    group_size: Option<u32>,

    /// Words that names and descriptions should hold: rows are ranked by vector and by words
    #[arg(long, value_name = "TEXT")]
    words: Option<String>,
}

/// Where to look, and how hard.
#[derive(Debug, clap::Args)]
struct Effort {
    /// Where candidates come from: exact, hot (the index in memory) or cold (the table's own
    /// index); the one that costs least, where left out. Without a server, hot reads the index that
    /// `penstock warm` has saved
    #[arg(long, value_name = "TIER", conflicts_with = "exact")]
    tier: Option<Tier>,

    /// Share of the true nearest rows to aim at, from 0 to 1; the column's setting, or 0.95, where
    /// left out
    #[arg(long, value_name = "SHARE")]
    min_recall: Option<f64>,

    /// Only rows at most so far away, in the metric's own terms (l2: squared)
    #[arg(long, value_name = "DISTANCE", allow_negative_numbers = true)]
    radius: Option<f32>,

    /// Candidates that the walk through a graph keeps
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    ef: Option<u32>,

    /// Partitions of the table's own index to search, at least
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    nprobes: Option<u32>,

    /// Candidates of the table's own index per wanted row, ranked again by exact distance
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    refine: Option<u32>,

    /// Say which way the search took, and why
    #[arg(long)]
    explain: bool,
}

/// What to search with: exactly one.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Query {
    /// A stored row
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// A sequence, encoded by the column's own encoder
    #[arg(long, value_name = "SEQUENCE")]
    text: Option<String>,

    /// A file whose first record is encoded by the column's own encoder
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,

    /// A vector of the column's dimension: [0.1, ...]
    #[arg(long, value_name = "JSON", value_parser = vector, allow_hyphen_values = true)]
    vector: Option<Vector>,
}

#[derive(Debug, Clone)]
struct Vector(Vec<f32>);

fn vector(text: &str) -> Result<Vector, String> {
    serde_json::from_str(text)
        .map(Vector)
        .map_err(|error| format!("a JSON array of numbers was expected: {error}"))
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let answer = match context.target(Absent::Fail).await? {
            Target::Local(engine) => self.local(&engine).await?,
            Target::Remote(client) => self.remote(&client).await?,
        };
        context.ui.answer(&answer, show)
    }

    async fn local(self, engine: &Engine) -> Result<SearchAnswer, CliError> {
        let (table, at) = (self.table.clone(), self.at.clone());
        let (mut wanted, file) = self.request();
        let input = match file {
            None => wire::search_input(&mut wanted).map_err(usage)?,
            Some(path) => {
                let kind = engine.table(&table, &at).await?.kind();
                let input = file_input(path);
                let record =
                    tokio::task::spawn_blocking(move || load::first_record(input, Some(kind)))
                        .await
                        .map_err(penstock::Error::Worker)??;
                SearchInput::Records(record)
            }
        };
        let explain = wanted.explain;
        let request = wire::search_request(table, input, wanted).map_err(usage)?;
        if request.tier == Some(Tier::Hot) {
            // This process has nothing in memory but what was saved.
            engine.load_for(&request).await?;
        }
        wire::search_answer(&engine.search(request).await?, explain).map_err(CliError::Arrow)
    }

    async fn remote(self, client: &penstock_client::Client) -> Result<SearchAnswer, CliError> {
        let table = self.table.clone();
        let (request, file) = self.request();
        Ok(match file {
            Some(path) => client.search_file(&table, &request, &path).await?,
            None => client.search(&table, &request).await?,
        })
    }

    /// The request as a server takes it, and the file that goes beside it.
    fn request(self) -> (SearchRequest, Option<PathBuf>) {
        let Effort {
            tier,
            min_recall,
            radius,
            ef,
            nprobes,
            refine,
            explain,
        } = self.effort;
        let After {
            rerank,
            candidates,
            diversity,
            group_by,
            group_size,
            words,
        } = self.after;
        let request = SearchRequest {
            id: self.query.id,
            text: self.query.text,
            vector: self.query.vector.map(|vector| vector.0),
            k: self.k,
            column: self.column,
            metric: self.metric.map(|metric| metric.to_string()),
            filter: self.filter,
            exact: self.exact,
            version: (self.at != VersionRef::Latest).then(|| self.at.to_string()),
            columns: self.columns,
            tier: tier.map(|tier| tier.to_string()),
            min_recall,
            radius,
            ef,
            nprobes,
            refine,
            explain,
            rerank: rerank.map(|by| Rerank {
                by: by.to_string(),
                candidates,
            }),
            diversity,
            group_by,
            group_size,
            words,
        };
        (request, self.query.file)
    }
}

fn usage(fault: wire::SearchFault) -> CliError {
    CliError::usage(fault.to_string())
}

fn file_input(path: PathBuf) -> Input {
    if path.as_os_str() == "-" {
        Input::Stdin
    } else {
        Input::Path(path)
    }
}

fn show(ui: &Ui, answer: &SearchAnswer) -> String {
    let how = match answer.tier.as_str() {
        _ if answer.exact => "every row compared",
        "hot" => "by the index in memory",
        _ => "by index",
    };
    let mut text = format!(
        "{}, version {}, {} by {}, {how}",
        ui.bold(&answer.table),
        answer.version,
        answer.column,
        answer.metric
    );
    if !answer.exact && answer.unindexed_rows > 0 {
        let rows = table::counted(answer.unindexed_rows, "row");
        text += &format!(" ({rows} not yet indexed, compared one by one)");
    }
    if !answer.exact
        && let Some(recall) = answer.recall
    {
        text += &format!(", recall about {recall:.3}");
    }
    if let Some(considered) = answer.considered {
        text += &format!(", chosen from {}", table::counted(considered, "candidate"));
    }
    text.push('\n');
    if let Some(found) = &answer.plan {
        text.push('\n');
        text += &plan(found, answer.candidates);
    }
    text.push('\n');
    text += &hits(ui, &answer.hits);
    if answer.truncated {
        text += "\n  more rows may lie within the radius; -k asks for more\n";
    }
    text
}

/// The way that the search took, for people.
pub(super) fn plan(plan: &SearchPlan, candidates: u64) -> String {
    let matching = plan.matching.map_or_else(String::new, |rows| {
        format!(", of which {} meet the predicate", table::count(rows))
    });
    let mut facts = vec![
        ("tier", format!("{}: {}", plan.tier, plan.reason)),
        ("rows", format!("{}{matching}", table::count(plan.rows))),
    ];
    if let Some(index) = &plan.index {
        let missing = table::counted(plan.unindexed_rows, "row");
        facts.push((
            "index",
            format!("{index}; {missing} not in it, compared one by one"),
        ));
    }
    let settings = [
        ("ef", plan.ef),
        ("nprobes", plan.nprobes),
        ("refine", plan.refine),
    ];
    let settings: Vec<String> = settings
        .iter()
        .filter_map(|(name, value)| Some(format!("{name} {}", (*value)?)))
        .collect();
    if !settings.is_empty() {
        facts.push(("effort", settings.join(", ")));
    }
    let recall = plan.recall.map_or_else(
        || "not measured".to_owned(),
        |recall| format!("{recall:.3}"),
    );
    facts.push(("recall", recall));
    facts.push(("compared", table::counted(candidates, "vector")));
    table::facts(&facts)
}

/// The hits as a table: rank, id, distance, sizes, texts last.
pub(super) fn hits(ui: &Ui, hits: &[Hit]) -> String {
    if hits.is_empty() {
        return "  nothing found\n".to_owned();
    }
    let rows: Vec<Row> = hits
        .iter()
        .enumerate()
        .map(|(rank, hit)| {
            let mut row = vec![
                ("rank".to_owned(), Value::from(rank + 1)),
                ("id".to_owned(), Value::from(hit.id.clone())),
                ("distance".to_owned(), Value::from(hit.distance)),
            ];
            let is_name = |name: &str| {
                name == "name" && hit.columns.get(name) == Some(&Value::from(hit.id.clone()))
            };
            let (texts, others): (Vec<_>, Vec<_>) = hit
                .columns
                .iter()
                .filter(|(name, _)| !is_name(name))
                .partition(|(name, _)| matches!(name.as_str(), "name" | "description"));
            let both = others.into_iter().chain(texts.into_iter().rev());
            row.extend(both.map(|(name, value)| (name.clone(), value.clone())));
            Row(row)
        })
        .collect();
    rows::show(ui, &rows, true)
}
