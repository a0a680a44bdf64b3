use std::process::ExitCode;

use penstock::Task;
use penstock::store::VerifyScope;
use penstock_openapi::{VerifyProblemKind, VerifyReports, VerifyRequest};
use penstock_types::{ErrorCode, TableName};

use super::progress::watch;
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, remote, table};
use crate::{problem, wire};

/// Compare every data file with its recorded digest
///
/// Reads every byte. A file that differs, or is missing, is listed, and the exit code is 10.
#[derive(Debug, clap::Args)]
#[command(after_help = help::VERIFY)]
pub(super) struct Args {
    /// The table; all tables where left out
    table: Option<TableName>,

    /// Read the files of all versions, and not only of the latest
    #[arg(long)]
    all_versions: bool,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<ExitCode, CliError> {
        let reports: VerifyReports = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let scope = if self.all_versions {
                    VerifyScope::AllVersions
                } else {
                    VerifyScope::Latest
                };
                let task = Task::default();
                let work = engine.verify(self.table.as_ref(), scope, &task);
                wire::verify_reports(&watch(context.ui, "verify", &task, work).await?)
            }
            Target::Remote(client) => {
                let request = VerifyRequest {
                    all_versions: self.all_versions,
                };
                let job = client.verify(self.table.as_ref(), &request).await?;
                remote::finish(context.ui, &client, job, "verify").await?
            }
        };
        context.ui.answer(&reports, show)?;
        Ok(if reports.ok {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(problem::exit_code(ErrorCode::Corrupt))
        })
    }
}

fn show(ui: &Ui, reports: &VerifyReports) -> String {
    let mut text = String::new();
    for report in &reports.tables {
        let mark = if report.ok {
            ui.good("✓")
        } else {
            ui.bad("✗")
        };
        text += &format!(
            "{mark} {}: {}, {}, {}\n",
            ui.bold(&report.table),
            table::counted(report.versions.len() as u64, "version"),
            table::counted(report.files, "file"),
            table::bytes(report.bytes),
        );
        for problem in &report.problems {
            let what = match problem.kind {
                VerifyProblemKind::Missing => "missing",
                VerifyProblemKind::Changed => "changed",
                VerifyProblemKind::Unrecorded => "without a recorded digest",
                VerifyProblemKind::Unreadable => "cannot be read",
            };
            let detail = problem
                .detail
                .as_deref()
                .map(|d| format!(" ({d})"))
                .unwrap_or_default();
            text += &format!("    {}: {what}{detail}\n", problem.file);
        }
    }
    if reports.tables.is_empty() {
        text += "There are no tables.\n";
    }
    text
}
