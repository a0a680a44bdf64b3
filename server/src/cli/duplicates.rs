use penstock::index::Tier;
use penstock::index::duplicates::DuplicateRequest;
use penstock::store::VersionRef;
use penstock::{DuplicatesRequest, Task};
use penstock_openapi::DuplicatesAnswer;
use penstock_types::{Metric, TableName};
use serde_json::Value;

use super::progress::watch;
use super::rows::{self, Row};
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, table};
use crate::wire;

/// Clusters shown; `--json` has all.
const SHOWN: usize = 20;
/// Ids shown of a cluster.
const IDS: usize = 6;

/// Find clusters of near-duplicates
///
/// Rows whose vectors are within a distance of each other, chains included. Up to 50,000 rows are
/// compared with each other; with more, bring the column's index into memory first (`penstock
/// warm`).
#[derive(Debug, clap::Args)]
#[command(after_help = help::DUPLICATES)]
pub(super) struct Args {
    /// The table
    table: TableName,

    /// The largest distance of two rows, in the metric's own terms (squared under l2)
    #[arg(long, value_name = "DISTANCE")]
    within: f32,

    /// Feature column; may be left out where there is one, or the kind's own
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    /// Metric: cosine or l2
    #[arg(long, default_value = "cosine")]
    metric: Metric,

    /// SQL predicate of the rows that are looked at
    #[arg(long = "where", value_name = "SQL")]
    filter: Option<String>,

    /// How pairs are found: hot or exact; by the index in memory where there is one
    #[arg(long)]
    tier: Option<Tier>,

    /// Rows of the answer at the most: the largest clusters, whole, that fit
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    limit: u64,

    /// Version, by number or tag
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    at: VersionRef,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let answer: DuplicatesAnswer = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let mut how = DuplicateRequest::new(String::new(), self.within);
                how.metric = Some(self.metric);
                how.tier = self.tier;
                how.filter = self.filter;
                how.limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
                let request = DuplicatesRequest {
                    table: self.table.clone(),
                    version: self.at,
                    column: self.column,
                    how,
                };
                let task = Task::default();
                let work = engine.duplicates(request, &task);
                let found = watch(context.ui, self.table.as_str(), &task, work).await?;
                wire::duplicates(&self.table, &found)
            }
            Target::Remote(client) => {
                let request = penstock_openapi::DuplicatesRequest {
                    within: self.within,
                    column: self.column,
                    metric: Some(self.metric.to_string()),
                    filter: self.filter,
                    tier: self.tier.map(|tier| tier.to_string()),
                    limit: self.limit,
                    version: (self.at != VersionRef::Latest).then(|| self.at.to_string()),
                };
                client.duplicates(&self.table, &request).await?
            }
        };
        context.ui.answer(&answer, show)
    }
}

fn show(ui: &Ui, answer: &DuplicatesAnswer) -> String {
    let how = if answer.exact {
        "every two rows compared"
    } else {
        "by the index in memory"
    };
    let mut text = format!(
        "{} in {}, version {}, {} by {}: {} looked at, {}, {how}\n",
        ui.bold(&table::counted(answer.cluster_count, "cluster")),
        answer.table,
        answer.version,
        answer.column,
        answer.metric,
        table::counted(answer.rows, "row"),
        table::counted(answer.pairs, "pair"),
    );
    let shown: Vec<Row> = answer
        .clusters
        .iter()
        .take(SHOWN)
        .map(|cluster| {
            let ids: Vec<&str> = cluster
                .members
                .iter()
                .take(IDS)
                .map(|member| member.id.as_str())
                .collect();
            let more = cluster.members.len().saturating_sub(IDS);
            let mut ids = ids.join(" ");
            if more > 0 {
                ids += &format!(" and {more} more");
            }
            Row(vec![
                ("rows".to_owned(), Value::from(cluster.members.len())),
                ("ids".to_owned(), Value::from(ids)),
            ])
        })
        .collect();
    if !shown.is_empty() {
        text += "\n";
        text += &rows::show(ui, &shown, true);
    }
    if answer.clusters.len() > SHOWN || !answer.complete {
        text += "there are more; --json has them up to --limit rows\n";
    }
    text
}
