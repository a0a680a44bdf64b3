use penstock_openapi::Tables;

use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::wire;

/// List the tables
#[derive(Debug, clap::Args)]
#[command(after_help = help::TABLES)]
pub(super) struct Args {}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let tables = match context.target(Absent::Fail).await? {
            Target::Local(engine) => Tables {
                tables: engine
                    .tables()
                    .await?
                    .iter()
                    .map(wire::table_summary)
                    .collect(),
            },
            Target::Remote(client) => client.tables().await?,
        };
        context.ui.answer(&tables, show)
    }
}

fn show(ui: &Ui, tables: &Tables) -> String {
    if tables.tables.is_empty() {
        return "There are no tables yet. Load a file: penstock ingest TABLE FILE\n".to_owned();
    }
    let mut rows = table::new(&[
        ("table", false),
        ("kind", false),
        ("rows", true),
        ("version", true),
        ("features", false),
    ]);
    for table in &tables.tables {
        rows.add_row([
            table.name.clone(),
            table.kind.clone(),
            table::count(table.rows),
            table.version.to_string(),
            if table.features.is_empty() {
                "-".to_owned()
            } else {
                table.features.join(", ")
            },
        ]);
    }
    ui.table(&rows)
}
