use std::time::Duration;

use penstock::Task;
use penstock_openapi::{GcOutcomes, GcRequest};
use penstock_types::TableName;

use super::progress::watch;
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, remote, table};
use crate::wire;

/// Remove old versions that no tag or snapshot names
///
/// The latest version stays in any case.
#[derive(Debug, clap::Args)]
#[command(after_help = help::GC)]
pub(super) struct Args {
    /// The table; all tables where left out
    table: Option<TableName>,

    /// Age from which a version goes: a number and s, m, h, d or w
    #[arg(long, value_name = "AGE", default_value = "7d", value_parser = age)]
    older_than: Duration,
}

/// `90s`, `30m`, `12h`, `7d`, `2w`.
fn age(text: &str) -> Result<Duration, String> {
    let explain = || format!("`{text}` is no age: write a number and s, m, h, d or w, such as 7d");
    let unit = text.chars().last().ok_or_else(explain)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(explain()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| explain())?;
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(explain)
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let outcomes: GcOutcomes = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let task = Task::default();
                let work = engine.gc(self.table.as_ref(), self.older_than, &task);
                wire::gc_outcomes(&watch(context.ui, "gc", &task, work).await?)
            }
            Target::Remote(client) => {
                let request = GcRequest {
                    older_than_secs: Some(self.older_than.as_secs()),
                };
                let job = client.gc(self.table.as_ref(), &request).await?;
                remote::finish(context.ui, &client, job, "gc").await?
            }
        };
        context.ui.answer(&outcomes, show)
    }
}

fn show(ui: &Ui, outcomes: &GcOutcomes) -> String {
    if outcomes.tables.is_empty() {
        return "There are no tables.\n".to_owned();
    }
    outcomes.tables.iter().fold(String::new(), |text, outcome| {
        let files = outcome.data_files_removed + outcome.index_files_removed;
        let what = if outcome.versions_removed == 0 && files == 0 {
            "nothing to remove".to_owned()
        } else {
            format!(
                "{} and {} removed, {} freed",
                table::counted(outcome.versions_removed, "version"),
                table::counted(files, "file"),
                table::bytes(outcome.bytes_removed)
            )
        };
        text + &format!("{} {}: {what}\n", ui.good("✓"), ui.bold(&outcome.table))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages() {
        assert_eq!(age("7d"), Ok(Duration::from_secs(7 * 86_400)));
        assert_eq!(age("0s"), Ok(Duration::ZERO));
        for wrong in [
            "",
            "d",
            "7",
            "7 d",
            "-1d",
            "7y",
            "99999999999999999999w",
            "7é",
        ] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
