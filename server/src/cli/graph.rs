use penstock::store::VersionRef;
use penstock::{GraphRequest, Task};
use penstock_openapi::GraphOutcome;
use penstock_types::TableName;

use super::progress::watch;
use super::target::{Absent, Target};
use super::{CliError, Context, help, remote, table};
use crate::wire;

/// Make a table of graphs from structures, sequences or meshes
///
/// Of proteins with coordinates: residues, bonds of the chain and contacts of C-alpha atoms. Of
/// DNA: unitigs of the compacted de Bruijn graph. Of meshes: faces that share a side. Each record
/// gives a graph under its own id; records that lack what a graph needs give none.
#[derive(Debug, clap::Args)]
#[command(after_help = help::GRAPH)]
pub(super) struct Args {
    /// The table of graphs; made when there is none of its name
    table: TableName,

    /// The table of records
    #[arg(long, value_name = "TABLE")]
    from: TableName,

    /// Version of the table of records, by number or tag
    #[arg(long, value_name = "VERSION", default_value = "latest")]
    at: VersionRef,

    /// SQL predicate of the records
    #[arg(long = "where", value_name = "SQL")]
    filter: Option<String>,

    /// Residues whose C-alpha atoms are closer are in contact
    #[arg(long, value_name = "ANGSTROM", default_value_t = 8.0)]
    cutoff: f32,

    /// Bases of a k-mer, an odd number
    #[arg(short, value_name = "N", default_value_t = 21)]
    k: u32,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        let outcome: GraphOutcome = match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let request = GraphRequest {
                    into: self.table.clone(),
                    from: self.from.clone(),
                    version: self.at,
                    filter: self.filter,
                    options: wire::graph_options(Some(self.cutoff), Some(self.k)),
                    key: None,
                };
                let task = Task::default();
                let work = engine.make_graphs(request, &task);
                let made = watch(context.ui, self.table.as_str(), &task, work).await?;
                wire::graph_outcome(&self.table, &self.from, &made)
            }
            Target::Remote(client) => {
                let request = penstock_openapi::GraphRequest {
                    from: self.from.to_string(),
                    version: (self.at != VersionRef::Latest).then(|| self.at.to_string()),
                    filter: self.filter,
                    cutoff_angstrom: Some(self.cutoff),
                    k: Some(self.k),
                };
                let job = client.make_graphs(&self.table, &request).await?;
                remote::finish(context.ui, &client, job, self.table.as_str()).await?
            }
        };
        context.ui.answer(&outcome, |ui, outcome| {
            format!(
                "{} {} is at version {}: {} added, {} updated, {} unchanged from {} version {}; {} of \
                 vertices in {}\n",
                ui.good("✓"),
                ui.bold(&outcome.table),
                outcome.version,
                table::counted(outcome.graphs_added, "graph"),
                table::count(outcome.graphs_updated),
                table::count(outcome.graphs_unchanged),
                outcome.from,
                outcome.from_version,
                table::counted(outcome.vertices_written, "row"),
                table::seconds(outcome.seconds),
            )
        })
    }
}
