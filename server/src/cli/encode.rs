use std::time::Instant;

use penstock::Task;
use penstock_openapi::{EncodeOutcome, EncodeRequest};
use penstock_types::TableName;

use super::progress::watch;
use super::target::{Absent, Target};
use super::{CliError, Context, help, remote, table};
use crate::wire;

/// Fill a feature column of a table
///
/// Only rows without a vector are encoded; no other column is rewritten.
#[derive(Debug, clap::Args)]
#[command(after_help = help::ENCODE)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// The encoder; `penstock encoders` lists them. Left out, it is the default one of what the
    /// table holds
    #[arg(long, value_name = "NAME")]
    encoder: Option<String>,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let started = Instant::now();
        let outcome: EncodeOutcome = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let name = match self.encoder {
                    Some(name) => name,
                    None => engine.default_encoder(&self.table).await?,
                };
                let encoder = engine.encoder(&name).await?;
                context.note_weights(engine.registry(), &name, &*encoder);
                let task = Task::default();
                let work = engine.encode(&self.table, &name, &task);
                let outcome = watch(context.ui, self.table.as_str(), &task, work).await?;
                wire::encode_outcome(&self.table, &name, &outcome, started.elapsed())
            }
            Target::Remote(client) => {
                let request = EncodeRequest {
                    encoder: self.encoder,
                };
                let job = client.encode(&self.table, &request).await?;
                remote::finish(context.ui, &client, job, self.table.as_str()).await?
            }
        };
        context.ui.answer(&outcome, |ui, outcome| {
            let mut text = format!(
                "{} {} of {} encoded as {} in {}; version {}\n",
                ui.good("✓"),
                table::counted(outcome.rows_encoded, "row"),
                outcome.table,
                ui.bold(&outcome.column),
                table::seconds(outcome.seconds),
                outcome.version
            );
            if outcome.rows_empty > 0 {
                let rows = table::counted(outcome.rows_empty, "row");
                text += &format!("  {rows} without anything that can be encoded\n");
            }
            text
        })
    }
}
