use penstock::Task;
use penstock_openapi::{WarmOutcome, WarmRequest, Warmed};
use penstock_types::{Metric, TableName};

use super::progress::watch;
use super::target::{Absent, Target};
use super::{CliError, Context, help, remote, table};
use crate::wire;

/// Bring the index of a feature column into memory
///
/// With --server it is the server's memory, and searches there are answered from it. Without, the
/// index is built and saved beside the table, so that `serve --warm` and `search --tier hot` read
/// it instead of building it.
#[derive(Debug, clap::Args)]
#[command(after_help = help::WARM)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// The feature column; `penstock describe TABLE` lists them
    column: String,

    /// Metric of the searches that it shall answer: cosine, l2 or dot
    #[arg(long, default_value = "cosine")]
    metric: Metric,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let is_server = context.global.server.is_some();
        let outcome: WarmOutcome = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let task = Task::default();
                let work = engine.warm(&self.table, &self.column, self.metric, &task);
                let outcome = watch(context.ui, self.table.as_str(), &task, work).await?;
                wire::warm_outcome(&outcome)
            }
            Target::Remote(client) => {
                let request = WarmRequest {
                    column: self.column,
                    metric: Some(self.metric.to_string()),
                };
                let job = client.warm(&self.table, &request).await?;
                remote::finish(context.ui, &client, job, self.table.as_str()).await?
            }
        };
        context.ui.answer(&outcome, |ui, outcome| {
            let how = match outcome.how {
                Warmed::Kept => "as it was",
                Warmed::Loaded => "read",
                Warmed::Extended => "extended",
                Warmed::Built => "built",
            };
            let place = if is_server {
                "in the server's memory"
            } else {
                "saved beside the table"
            };
            format!(
                "{} {}.{} ({}) {how} in {}: {}, {} {place}\n",
                ui.good("✓"),
                ui.bold(&outcome.table),
                outcome.column,
                outcome.metric,
                table::seconds(outcome.seconds),
                table::counted(outcome.rows, "row"),
                table::bytes(outcome.bytes),
            )
        })
    }
}
