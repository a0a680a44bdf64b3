use clap::Subcommand;
use penstock::Task;
use penstock::export::CreateRequest;
use penstock::store::VersionRef;
use penstock_openapi::{CreateSnapshot, Snapshot, Snapshots};
use penstock_types::{SnapshotName, TableName};

use super::progress::watch;
use super::target::{Absent, Target};
use super::ui::Ui;
use super::{CliError, Context, help, remote, table};
use crate::wire;

/// Pin rows and columns under a name and a digest
///
/// A snapshot never changes: its digest is the SHA-256 of its manifest, which lists a checksum of
/// every chunk. `gc` keeps what a snapshot holds.
#[derive(Debug, clap::Args)]
#[command(after_help = help::SNAPSHOT, disable_help_subcommand = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a snapshot of a table
    #[command(after_help = help::SNAPSHOT_CREATE)]
    Create(Create),
    /// List the snapshots
    #[command(after_help = help::SNAPSHOT_LIST)]
    List,
    /// Show a snapshot and its arrays
    #[command(after_help = help::SNAPSHOT_SHOW)]
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Create {
    /// The name
    name: SnapshotName,

    /// The table
    #[arg(long)]
    table: TableName,

    /// Columns, separated by commas; all where left out
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,

    /// SQL predicate of the rows; all where left out
    #[arg(long = "where", value_name = "SQL")]
    filter: Option<String>,

    /// Version, by number or tag
    #[arg(long, default_value = "latest")]
    version: VersionRef,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// The name, or the digest
    name: String,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        match self.command {
            Command::Create(create) => {
                let snapshot = create.run(context).await?;
                context.ui.answer(&snapshot, show)
            }
            Command::List => {
                let snapshots = match context.target(Absent::Fail).await? {
                    Target::Local(engine) => wire::snapshots(&engine).await?,
                    Target::Remote(client) => client.snapshots().await?,
                };
                context.ui.answer(&snapshots, list)
            }
            Command::Show(Show { name }) => {
                let snapshot = match context.target(Absent::Fail).await? {
                    Target::Local(engine) => {
                        wire::snapshot(Some(&name), &engine.snapshot(&name).await?)
                    }
                    Target::Remote(client) => client.snapshot(&name).await?,
                };
                context.ui.answer(&snapshot, show)
            }
        }
    }
}

impl Create {
    async fn run(self, context: &Context<'_>) -> Result<Snapshot, CliError> {
        let title = self.name.to_string();
        match context.target(Absent::Fail).await? {
            Target::Local(engine) => {
                let request = CreateRequest {
                    name: self.name,
                    table: self.table,
                    version: self.version,
                    columns: self.columns,
                    filter: self.filter,
                };
                let task = Task::default();
                let work = engine.snapshot_create(&request, &task);
                let created = watch(context.ui, &title, &task, work).await?;
                Ok(wire::snapshot(Some(&title), &created.snapshot))
            }
            Target::Remote(client) => {
                let request = CreateSnapshot {
                    name: title.clone(),
                    table: self.table.to_string(),
                    version: (self.version != VersionRef::Latest).then(|| self.version.to_string()),
                    columns: self.columns,
                    filter: self.filter,
                };
                let job = client.create_snapshot(&request).await?;
                remote::finish(context.ui, &client, job, &title).await
            }
        }
    }
}

pub(super) fn show(ui: &Ui, snapshot: &Snapshot) -> String {
    let name = snapshot.name.as_deref().unwrap_or("snapshot");
    let mut facts = vec![
        ("digest", snapshot.digest.clone()),
        (
            "table",
            format!("{}, version {}", snapshot.table, snapshot.version),
        ),
    ];
    if let Some(filter) = &snapshot.filter {
        facts.push(("where", filter.clone()));
    }
    facts.push(("rows", table::count(snapshot.rows)));
    facts.push(("size", table::bytes(snapshot.bytes)));
    let mut rows = table::new(&[
        ("array", false),
        ("type", false),
        ("shape", true),
        ("chunks", true),
        ("size", true),
    ]);
    for array in &snapshot.arrays {
        let shape: Vec<String> = array.shape.iter().map(|n| table::count(*n)).collect();
        rows.add_row([
            array.name.clone(),
            array.dtype.clone(),
            shape.join(" × "),
            table::count(array.chunks),
            table::bytes(array.bytes),
        ]);
    }
    format!(
        "{}\n{}\n{}",
        ui.bold(name),
        table::facts(&facts),
        ui.table(&rows)
    )
}

fn list(ui: &Ui, snapshots: &Snapshots) -> String {
    if snapshots.snapshots.is_empty() {
        return "There are no snapshots yet. Make one: penstock snapshot create NAME --table TABLE\n"
            .to_owned();
    }
    let mut rows = table::new(&[
        ("snapshot", false),
        ("table", false),
        ("version", true),
        ("rows", true),
        ("created", false),
        ("digest", false),
    ]);
    for snapshot in &snapshots.snapshots {
        rows.add_row([
            snapshot.name.clone(),
            snapshot.table.clone(),
            snapshot.version.to_string(),
            table::count(snapshot.rows),
            snapshot.created.clone(),
            table::shorten(&snapshot.digest, 13),
        ]);
    }
    ui.table(&rows)
}
