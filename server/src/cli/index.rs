use penstock::{IndexType, Task};
use penstock_openapi::{IndexOutcome, IndexRequest, MeasureRequest};
use penstock_types::{Metric, TableName};

use super::progress::watch;
use super::target::{Absent, Target};
use super::{CliError, Context, help, measure, remote, table};
use crate::wire;

/// Build an index: of vectors, of substrings or of words
///
/// `serve` builds and refreshes indexes by itself where a table is large enough to profit. Rows
/// that no index covers yet are found all the same.
///
/// An index finds most of the nearest rows, not always all. --measure says how many, at settings of
/// growing effort; searches take the cheapest one whose recall is high enough.
#[derive(Debug, clap::Args)]
#[command(after_help = help::INDEX)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// The column: of features, or of text; `penstock describe TABLE` lists them
    column: String,

    /// Type of the index: ivf_hnsw_sq, ivf_hnsw_pq, ivf_pq, ivf_flat or ivf_rq of vectors,
    /// substrings (for `motif`) or words (for `search --words`)
    #[arg(long = "type", value_name = "TYPE", default_value = "ivf_hnsw_sq")]
    kind: IndexType,

    /// Metric of an index of vectors: cosine, l2 or dot; cosine where left out
    #[arg(long)]
    metric: Option<Metric>,

    /// Build nothing; compare the column's indexes with the exact answer, and print what they find
    /// at which speed
    #[arg(long, conflicts_with_all = ["kind", "metric"])]
    measure: bool,

    /// Build nothing; set the recall, from 0 to 1, that searches of the column aim at where they
    /// ask for none
    #[arg(long, value_name = "SHARE", conflicts_with_all = ["kind", "metric"])]
    min_recall: Option<f64>,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        if self.measure || self.min_recall.is_some() {
            let request = MeasureRequest {
                column: self.column,
                min_recall: self.min_recall,
                measure: self.measure,
            };
            return measure::run(context, &self.table, request).await;
        }
        let outcome: IndexOutcome = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let task = Task::default();
                let work = engine.index(&self.table, &self.column, self.kind, self.metric, &task);
                let outcome = watch(context.ui, self.table.as_str(), &task, work).await?;
                wire::index_outcome(&self.table, &outcome)
            }
            Target::Remote(client) => {
                let request = IndexRequest {
                    column: self.column,
                    kind: Some(self.kind.to_string()),
                    metric: self.metric.map(|metric| metric.to_string()),
                };
                let job = client.index(&self.table, &request).await?;
                remote::finish(context.ui, &client, job, self.table.as_str()).await?
            }
        };
        context.ui.answer(&outcome, |ui, outcome| {
            let metric = outcome.metric.as_ref();
            format!(
                "{} {}{} over {} of {}.{} in {}; version {}\n",
                ui.good("✓"),
                ui.bold(&outcome.index_type),
                metric.map_or_else(String::new, |metric| format!(" ({metric})")),
                table::counted(outcome.rows, "row"),
                outcome.table,
                outcome.column,
                table::seconds(outcome.seconds),
                outcome.version
            )
        })
    }
}
