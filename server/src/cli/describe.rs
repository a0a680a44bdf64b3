use penstock::store::VersionRef;
use penstock_openapi::TableDescription;
use penstock_types::TableName;

use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::wire;

/// Show columns, features, indexes and sizes of a table
#[derive(Debug, clap::Args)]
#[command(after_help = help::DESCRIBE)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// Version, by number or tag
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    at: VersionRef,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let description = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                wire::table_description(&engine.describe(&self.table, &self.at).await?)
            }
            Target::Remote(client) => client.describe(&self.table, &self.at.to_string()).await?,
        };
        context.ui.answer(&description, show)
    }
}

fn show(ui: &Ui, table: &TableDescription) -> String {
    let stats = &table.stats;
    let mut text = format!("{}\n", ui.bold(&table.name));
    let mut facts = vec![
        ("kind", table.kind.clone()),
        (
            "version",
            format!("{} of {}", table.version, table::count(stats.versions)),
        ),
        ("rows", table::count(stats.rows)),
        (
            "size",
            format!(
                "{} in {}",
                table::bytes(stats.data_bytes),
                table::counted(stats.fragments, "fragment")
            ),
        ),
    ];
    if stats.deleted_rows > 0 {
        let rows = table::counted(stats.deleted_rows, "deleted row");
        facts.push(("", format!("{rows} not compacted away yet")));
    }
    for (tag, version) in &table.tags {
        facts.push(("tag", format!("{tag} = version {version}")));
    }
    text += &table::facts(&facts);

    text += &format!("\n{}\n", ui.bold("Columns"));
    let mut rows = table::new(&[("column", false), ("type", false), ("unit", false)]);
    for column in &table.columns {
        let optional = if column.nullable { "" } else { ", not null" };
        rows.add_row([
            column.name.clone(),
            format!("{}{optional}", column.data_type),
            column.unit.clone().unwrap_or_default(),
        ]);
    }
    text += &ui.table(&rows);

    if !table.features.is_empty() {
        text += &format!("\n{}\n", ui.bold("Features"));
        let mut rows = table::new(&[
            ("column", false),
            ("encoder", false),
            ("vector", false),
            ("weights", false),
        ]);
        for feature in &table.features {
            rows.add_row([
                feature.column.clone(),
                feature.encoder.clone(),
                format!("{} × {}", feature.dim, feature.dtype),
                table::shorten(&feature.weights, 13),
            ]);
        }
        text += &ui.table(&rows);
    }
    if !table.indexes.is_empty() {
        text += &format!("\n{}\n", ui.bold("Indexes"));
        let mut rows = table::new(&[
            ("column", false),
            ("type", false),
            ("metric", false),
            ("rows", true),
            ("not yet indexed", true),
        ]);
        for index in &table.indexes {
            rows.add_row([
                index.column.clone(),
                index.kind.clone(),
                index.metric.clone().unwrap_or_else(|| "-".to_owned()),
                table::count(index.indexed_rows),
                table::count(index.unindexed_rows),
            ]);
        }
        text += &ui.table(&rows);
    }
    text
}
