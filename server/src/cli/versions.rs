use penstock_openapi::Versions;
use penstock_types::TableName;

use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::wire;

/// List the versions of a table
#[derive(Debug, clap::Args)]
#[command(after_help = help::VERSIONS)]
pub(super) struct Args {
    /// The table
    table: TableName,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let versions = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                wire::versions(&self.table, &engine.versions(&self.table).await?)
            }
            Target::Remote(client) => client.versions(&self.table).await?,
        };
        context.ui.answer(&versions, show)
    }
}

fn show(ui: &Ui, versions: &Versions) -> String {
    let mut rows = table::new(&[("version", true), ("committed", false), ("tags", false)]);
    for version in &versions.versions {
        rows.add_row([
            version.version.to_string(),
            version.timestamp.clone(),
            version.tags.join(", "),
        ]);
    }
    ui.table(&rows)
}
