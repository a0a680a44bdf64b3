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
    outcomes.tables.iter().fold(String::new(), |text, outcome| {
        let what = if outcome.fragments_removed == 0 {
            "nothing to merge".to_owned()
        } else {
            format!(
                "{} became {}; version {}",
                table::counted(outcome.fragments_removed, "fragment"),
                table::count(outcome.fragments_added),
                outcome.version
            )
        };
        text + &format!("{} {}: {what}\n", ui.good("✓"), ui.bold(&outcome.table))
    })
}
