use penstock::store::VersionRef;
use penstock_openapi::Tag;
use penstock_types::{TableName, TagName};

use super::target::{Absent, Target};
use super::{CliError, Context, help};

/// Name a version
///
/// `gc` never removes a version that has a name. A name stays with its version.
#[derive(Debug, clap::Args)]
#[command(after_help = help::TAG)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// The name
    name: TagName,

    /// Version, by number or by another tag
    #[arg(default_value = "latest")]
    version: VersionRef,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let tag = match context.target(Absent::Fail).await? {
            Target::Local(engine) => Tag {
                version: engine.tag(&self.table, &self.name, &self.version).await?,
                table: self.table.to_string(),
                tag: self.name.to_string(),
            },
            Target::Remote(client) => {
                client
                    .tag(&self.table, &self.name, &self.version.to_string())
                    .await?
            }
        };
        context.ui.answer(&tag, |ui, tag| {
            format!(
                "{} {} is version {} of {}\n",
                ui.good("✓"),
                ui.bold(&tag.tag),
                tag.version,
                tag.table
            )
        })
    }
}
