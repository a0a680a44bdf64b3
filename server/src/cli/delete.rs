use penstock_types::TableName;

use super::target::{Absent, Target};
use super::{CliError, Context, help, table};
use crate::wire;

/// Delete rows
///
/// The rows go from the new version; versions before it keep them until `gc` removes those.
#[derive(Debug, clap::Args)]
#[command(after_help = help::DELETE)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// SQL predicate of the rows to delete
    #[arg(long = "where", value_name = "SQL")]
    predicate: String,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let outcome = match context.target(Absent::Fail).await? {
            Target::Local(engine) => wire::delete_outcome(
                &self.table,
                &engine.delete(&self.table, &self.predicate, None).await?,
            ),
            Target::Remote(client) => client.delete_rows(&self.table, &self.predicate).await?,
        };
        context.ui.answer(&outcome, |ui, outcome| {
            format!(
                "{} {} deleted; {} is at version {}\n",
                ui.good("✓"),
                table::counted(outcome.rows_deleted, "row"),
                outcome.table,
                outcome.version
            )
        })
    }
}
