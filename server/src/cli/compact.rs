use penstock::Task;
use penstock_openapi::CompactOutcomes;
use penstock_types::TableName;

use super::progress::watch;
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, remote, table};
use crate::wire;

/// Merge small data files
#[derive(Debug, clap::Args)]
#[command(after_help = help::COMPACT)]
pub(super) struct Args {
    /// The table; all tables where left out
    table: Option<TableName>,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let outcomes: CompactOutcomes = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let task = Task::default();
                let work = engine.compact(self.table.as_ref(), &task);
                wire::compact_outcomes(&watch(context.ui, "compact", &task, work).await?)
            }
            Target::Remote(client) => {
                let job = client.compact(self.table.as_ref()).await?;
                remote::finish(context.ui, &client, job, "compact").await?
            }
        };
        context.ui.answer(&outcomes, show)
    }
}

fn show(ui: &Ui, outcomes: &CompactOutcomes) -> String {
    if outcomes.tables.is_empty() {
        return "There are no tables.\n".to_owned();
    }
    let mut rows = table::new(&[
        ("table", false),
        ("version", true),
        ("fragments before", true),
        ("after", true),
    ]);
    for outcome in &outcomes.tables {
        rows.add_row([
            outcome.table.clone(),
            outcome.version.to_string(),
            table::count(outcome.fragments_removed),
            table::count(outcome.fragments_added),
        ]);
    }
    ui.table(&rows)
}
