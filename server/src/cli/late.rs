mod vectors;

use std::path::PathBuf;

use penstock::store::VersionRef;
use penstock_openapi::{LateAnswer, LateRequest};
use penstock_types::TableName;

use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, search, table};
use crate::wire;

/// Find the rows whose residues, bases or vertices answer the query's best
///
/// Late interaction: the score of a row is the sum, over the query's vectors, of the largest cosine
/// with one of the row's; the distance that is shown is 1 less its mean. The table needs a column
/// with a vector for each item (`penstock encode TABLE --encoder NAME:none:f16`).
#[derive(Debug, clap::Args)]
#[command(after_help = help::LATE)]
pub(super) struct Args {
    /// The table
    table: TableName,

    #[command(flatten)]
    query: Query,

    /// The encoder that made the vectors of --vectors; must be the column's
    #[arg(long, value_name = "NAME", requires = "vectors")]
    encoder: Option<String>,

    /// The digest of that encoder's weights; must be the column's
    #[arg(long, value_name = "DIGEST", requires = "vectors")]
    weights: Option<String>,

    /// Rows wanted
    #[arg(short, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    k: u32,

    /// SQL predicate that rows must meet; applied before the search
    #[arg(long = "where", value_name = "SQL")]
    filter: Option<String>,

    /// The column with a vector for each item; may be left out where there is one
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Score only so many rows: those whose one vector is nearest to the mean of the query's
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    candidates: Option<u32>,

    /// The column with one vector per row that candidates are found by; may be left out where
    /// there is one of the same encoder, or one that holds means
    #[arg(long, value_name = "NAME", requires = "candidates")]
    candidates_column: Option<String>,

    /// Version, by number or tag
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    at: VersionRef,

    /// Columns of the answer, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,

    /// Say which way candidates were found, and why
    #[arg(long, requires = "candidates")]
    explain: bool,
}

/// What to search with: exactly one.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Query {
    /// A stored row, whose own vectors are the query
    #[arg(long, value_name = "ID")]
    id: Option<String>,

    /// A sequence, encoded by the column's own encoder
    #[arg(long, value_name = "SEQUENCE")]
    text: Option<String>,

    /// A file of vectors: a JSON array of arrays, what `penstock embed --json` prints (its first
    /// record), or an Arrow stream with a column `vector`; `-` is standard input
    #[arg(long, value_name = "FILE")]
    vectors: Option<PathBuf>,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let table = self.table.clone();
        let request = self.request()?;
        let answer = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let explain = request.explain;
                let search = wire::late_request(table.clone(), request, None)
                    .map_err(|fault| CliError::usage(fault.to_string()))?;
                let found = engine.late(search).await?;
                wire::late_answer(&table, &found, explain).map_err(CliError::Arrow)?
            }
            Target::Remote(client) => client.search_late(&table, &request).await?,
        };
        context.ui.answer(&answer, show)
    }

    fn request(self) -> Result<LateRequest, CliError> {
        let given = self.query.vectors.as_deref();
        let given = given.map(vectors::read).transpose()?;
        let (vectors, encoder) = match given {
            Some(given) => (Some(given.vectors), given.encoder),
            None => (None, None),
        };
        Ok(LateRequest {
            id: self.query.id,
            text: self.query.text,
            vectors,
            encoder: self.encoder.or(encoder),
            weights: self.weights,
            k: self.k,
            column: self.column,
            filter: self.filter,
            version: (self.at != VersionRef::Latest).then(|| self.at.to_string()),
            columns: self.columns,
            candidates: self.candidates,
            candidates_column: self.candidates_column,
            explain: self.explain,
        })
    }
}

fn show(ui: &Ui, answer: &LateAnswer) -> String {
    let how = match answer.exact {
        true => "every row scored".to_owned(),
        false => format!("{} scored", table::counted(answer.candidates, "candidate")),
    };
    let mut text = format!(
        "{}, version {}, {} by {}, {how}\n\n",
        ui.bold(&answer.table),
        answer.version,
        answer.column,
        table::counted(answer.vectors, "vector"),
    );
    if let Some(plan) = &answer.plan {
        text += &search::plan(plan, answer.candidates);
        text.push('\n');
    }
    text + &search::hits(ui, &answer.hits)
}
