use std::path::{Path, PathBuf};
use std::time::Instant;

use penstock::export::{CreateRequest, Format};
use penstock::index::HotOptions;
use penstock::store::VersionRef;
use penstock::{Encoders, Engine, SearchInput, SearchRequest, Task};
use penstock_ingest::ReadOptions;
use penstock_openapi::Snapshot;
use penstock_types::{ErrorCode, Kind, SnapshotName, TableName};
use serde::Serialize;
use serde_json::Value;

use super::progress::watch;
use super::rows::{self, Row};
use super::target::Names;
use super::ui::Ui;
use super::{CliError, Context, export, help, ingest, search, snapshot, table};
use crate::demo;
use crate::load::{self, LoadFiles};
use crate::wire;

const SNAPSHOT: &str = "demo";
const SOLIDS: &str = "SELECT id, vertex_count, face_count, watertight, euler, area, volume \
                      FROM meshes ORDER BY volume";

/// Run the whole path on a small built-in sample
///
/// Writes real protein and DNA sequences and computed meshes as files, loads them, searches,
/// queries, pins a snapshot and exports it; shows for each step the command that does it. Running
/// it again changes nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = help::DEMO)]
pub(super) struct Args {
    /// Folder for the sample's files, its export, and its store unless --store names one
    #[arg(long, value_name = "DIR", default_value = "./penstock-demo")]
    dir: PathBuf,
}

/// What `--json` prints.
#[derive(Debug, Default, Serialize)]
struct Report {
    store: String,
    files: String,
    steps: Vec<Step>,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Step {
    command: String,
    result: Value,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        context.refuse_server("demo")?;
        let started = Instant::now();
        let folder = self.dir.join("files");
        let files = demo::write(&folder)
            .map_err(|error| CliError::file(folder.display().to_string(), error))?;
        let store = match context.store_given {
            true => context.global.store.clone(),
            false => self.dir.join("store").display().to_string(),
        };
        let engine = context
            .open(&store, Names::Paths, HotOptions::default())
            .await?;
        let mut tour = Tour {
            context,
            engine: &engine,
            program: format!("{} --store {store}", context.program),
            report: Report {
                store,
                files: folder.display().to_string(),
                ..Report::default()
            },
        };
        tour.say(&format!(
            "{} takes raw protein, DNA and mesh files to a solver. The sample lies in {};\n\
             the store is {}.\n",
            context.ui.bold("Penstock"),
            tour.report.files,
            tour.report.store
        ))?;
        tour.load(&files).await?;
        tour.search(&files).await?;
        tour.sql().await?;
        tour.pin().await?;
        tour.export(&self.dir.join("export.zarr")).await?;
        tour.report.seconds = started.elapsed().as_secs_f64();
        let closing = tour.closing();
        context.ui.answer(&tour.report, |_, _| closing)
    }
}

/// The steps, each printed as it is done.
struct Tour<'a> {
    context: &'a Context<'a>,
    engine: &'a Engine,
    /// How the program is called with this store.
    program: String,
    report: Report,
}

impl Tour<'_> {
    fn ui(&self) -> &Ui {
        self.context.ui
    }

    fn say(&self, text: &str) -> Result<(), CliError> {
        if self.ui().wants_json() {
            Ok(())
        } else {
            self.ui().print(text)
        }
    }

    fn title(&self, text: &str) -> Result<(), CliError> {
        self.say(&format!("\n{}\n", self.ui().bold(text)))
    }

    /// Shows a command and what it answered.
    fn step(
        &mut self,
        arguments: &str,
        result: &impl Serialize,
        shown: &str,
    ) -> Result<(), CliError> {
        let command = format!("{} {arguments}", self.program);
        self.say(&format!(
            "{} {}\n{shown}",
            self.ui().accent("$"),
            self.ui().accent(&command)
        ))?;
        let result = serde_json::to_value(result).map_err(CliError::Document)?;
        self.report.steps.push(Step { command, result });
        Ok(())
    }

    async fn load(&mut self, files: &demo::Files) -> Result<(), CliError> {
        self.title("1. Load: files become tables, and each record a feature vector")?;
        for (name, path) in [
            ("proteins", &files.proteins),
            ("genomes", &files.genomes),
            ("meshes", &files.meshes),
        ] {
            let request = LoadFiles {
                table: table_name(name)?,
                inputs: load::expand(std::slice::from_ref(path))?,
                read: ReadOptions::default(),
                encoders: Encoders::Default,
                key: None,
            };
            let task = Task::default();
            let loaded = watch(
                self.ui(),
                name,
                &task,
                load::run(self.engine, request, &task),
            )
            .await?;
            let result = wire::ingest_result(&loaded);
            let shown = ingest::show(self.ui(), &result);
            self.step(
                &format!("ingest {name} {}", path.display()),
                &result,
                &shown,
            )?;
        }
        Ok(())
    }

    async fn search(&mut self, files: &demo::Files) -> Result<(), CliError> {
        self.title("2. Search: what is near human myoglobin?")?;
        let input = SearchInput::Id("MYG_HUMAN".to_owned());
        self.find("proteins", input, "--id MYG_HUMAN", 5).await?;

        self.title("   The other strand of a genome is the same genome")?;
        let file = load::Input::Path(files.reverse.clone());
        let record = load::first_record(file, Some(Kind::Dna))?;
        let arguments = format!("--file {}", files.reverse.display());
        self.find("genomes", SearchInput::Records(record), &arguments, 3)
            .await?;

        self.title("   A turned torus is the same torus, and one wing is near another")?;
        for id in ["torus.stl", "wing-naca2412.obj"] {
            let input = SearchInput::Id(id.to_owned());
            self.find("meshes", input, &format!("--id {id}"), 3).await?;
        }
        Ok(())
    }

    async fn find(
        &mut self,
        name: &str,
        input: SearchInput,
        arguments: &str,
        k: usize,
    ) -> Result<(), CliError> {
        let mut request = SearchRequest::new(table_name(name)?, input);
        request.k = k;
        let answer = self.engine.search(request).await?;
        let answer = wire::search_answer(&answer, false).map_err(CliError::Arrow)?;
        let shown = search::hits(self.ui(), &answer.hits);
        self.step(
            &format!("search {name} {arguments} -k {k}"),
            &answer,
            &shown,
        )
    }

    async fn sql(&mut self) -> Result<(), CliError> {
        self.title("3. Query: what the meshes are")?;
        let rows: Vec<Row> = super::sql::rows(self.engine, SOLIDS).await?;
        let shown = rows::show(self.ui(), &rows, false);
        self.step(&format!("sql \"{SOLIDS}\""), &rows, &shown)
    }

    async fn pin(&mut self) -> Result<(), CliError> {
        self.title("4. Pin: rows and columns under a name and a digest, for good")?;
        let columns = ["id", "length", "protein_kmer_v1"];
        let request = CreateRequest {
            name: snapshot_name()?,
            table: table_name("proteins")?,
            version: VersionRef::Latest,
            columns: Some(columns.map(str::to_owned).to_vec()),
            filter: None,
        };
        let task = Task::default();
        let work = self.engine.snapshot_create(&request, &task);
        let snapshot: Snapshot = match watch(self.ui(), SNAPSHOT, &task, work).await {
            Ok(created) => wire::snapshot(Some(SNAPSHOT), &created.snapshot),
            // The table has changed since the first run: its snapshot has not.
            Err(error) if error.code() == ErrorCode::AlreadyExists => {
                wire::snapshot(Some(SNAPSHOT), &self.engine.snapshot(SNAPSHOT).await?)
            }
            Err(error) => return Err(error.into()),
        };
        let shown = snapshot::show(self.ui(), &snapshot);
        let arguments = format!(
            "snapshot create {SNAPSHOT} --table proteins --columns {}",
            columns.join(",")
        );
        self.step(&arguments, &snapshot, &shown)
    }

    async fn export(&mut self, out: &Path) -> Result<(), CliError> {
        self.title("5. Pull: chunked arrays for another program")?;
        let snapshot = self.engine.snapshot(SNAPSHOT).await?;
        let out_folder = out.to_owned();
        let written = export::write(
            self.context,
            &snapshot,
            SNAPSHOT,
            Format::Zarr,
            out_folder,
            None,
        )
        .await?;
        let shown = export::show(self.ui(), &written);
        let arguments = format!("export {SNAPSHOT} --format zarr --out {}", out.display());
        self.step(&arguments, &written, &shown)?;
        self.say(&format!(
            "  in Python:  zarr.open(\"{}\")[\"protein_kmer_v1\"][:]\n",
            out.display()
        ))
    }

    fn closing(&self) -> String {
        let ui = self.ui();
        let command = |arguments: &str| ui.accent(&format!("{} {arguments}", self.program));
        format!(
            "\n{} in {}.\n\nServe it over HTTP and Arrow Flight, with every request to try out at \
             http://127.0.0.1:7370/docs:\n  {}\n\nLoad your own files into a store of your own \
             (`--help` names the formats):\n  {}\n  {}\n",
            ui.good("Done"),
            table::seconds(self.report.seconds),
            command("serve"),
            ui.accent(&format!("{} ingest mytable PATH...", self.context.program)),
            ui.accent(&format!("{} search mytable --id ID", self.context.program)),
        )
    }
}

fn table_name(name: &str) -> Result<TableName, CliError> {
    TableName::new(name).map_err(|error| CliError::usage(error.to_string()))
}

fn snapshot_name() -> Result<SnapshotName, CliError> {
    SnapshotName::new(SNAPSHOT).map_err(|error| CliError::usage(error.to_string()))
}
