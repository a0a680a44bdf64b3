use std::path::PathBuf;

use penstock::store::VersionRef;
use penstock::{Engine, SearchInput};
use penstock_openapi::SearchAnswer;
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
        let input = match self.query {
            Query { id: Some(id), .. } => SearchInput::Id(id),
            Query {
                text: Some(text), ..
            } => SearchInput::Text(text),
            Query {
                vector: Some(vector),
                ..
            } => SearchInput::Vector(vector.0),
            Query { file, .. } => {
                let kind = engine.table(&self.table, &self.at).await?.kind();
                let input = file_input(file.unwrap_or_default());
                let record =
                    tokio::task::spawn_blocking(move || load::first_record(input, Some(kind)))
                        .await
                        .map_err(penstock::Error::Worker)??;
                SearchInput::Records(record)
            }
        };
        let mut request = penstock::SearchRequest::new(self.table, input);
        request.version = self.at;
        request.column = self.column;
        request.k = self.k as usize;
        request.metric = self.metric;
        request.filter = self.filter;
        request.exact = self.exact;
        request.columns = self.columns;
        wire::search_answer(&engine.search(request).await?).map_err(CliError::Arrow)
    }

    async fn remote(self, client: &penstock_client::Client) -> Result<SearchAnswer, CliError> {
        let request = penstock_openapi::SearchRequest {
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
        };
        Ok(match self.query.file {
            Some(path) => client.search_file(&self.table, &request, &path).await?,
            None => client.search(&self.table, &request).await?,
        })
    }
}

fn file_input(path: PathBuf) -> Input {
    if path.as_os_str() == "-" {
        Input::Stdin
    } else {
        Input::Path(path)
    }
}

fn show(ui: &Ui, answer: &SearchAnswer) -> String {
    let how = if answer.exact {
        "every row compared"
    } else {
        "by index"
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
    text += "\n\n";
    text + &hits(ui, answer)
}

/// The hits as a table: rank, id, distance, sizes, texts last.
pub(super) fn hits(ui: &Ui, answer: &SearchAnswer) -> String {
    if answer.hits.is_empty() {
        return "  nothing found\n".to_owned();
    }
    let rows: Vec<Row> = answer
        .hits
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
