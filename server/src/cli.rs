//! The command line: arguments in, one engine or one server asked, one screen or one JSON document
//! out.
//!
//! Each command has its file with its arguments, what it does, and how it shows the answer. What a
//! command asks goes through `target::Target`, so that every command runs on a store that this
//! process opens and, with `--server`, on a server.

mod compact;
mod delete;
mod demo;
mod describe;
mod download;
mod duplicates;
mod embed;
mod encode;
mod encoders;
mod environment;
mod error;
mod export;
mod gc;
mod graph;
mod heads;
mod help;
mod index;
mod ingest;
mod late;
mod matching;
mod measure;
mod motif;
mod openapi;
mod predict;
mod progress;
mod remote;
mod rows;
mod search;
mod serve;
mod size;
mod snapshot;
mod sql;
mod table;
mod tables;
mod tag;
mod target;
mod train_head;
mod ui;
mod verify;
mod versions;
mod warm;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

pub use environment::Environment;
pub use error::CliError;

use penstock::DominanceBy;

use ui::Ui;

/// The store used when neither `--store` nor `PENSTOCK_STORE` names one.
pub const DEFAULT_STORE: &str = "./penstock-data";

/// Protein, DNA, mesh and graph files in; search, SQL and chunked arrays for solvers out.
#[derive(Debug, Parser)]
#[command(
    name = "penstock",
    version,
    help_template = help::ROOT,
    after_help = help::ROOT_AFTER,
    after_long_help = help::ROOT_AFTER_LONG,
    max_term_width = 100,
    disable_help_subcommand = true,
    infer_long_args = false,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    global: Global,

    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Where the tables are: a folder, or s3://bucket/prefix
    #[arg(long, global = true, value_name = "URI", env = "PENSTOCK_STORE", default_value = DEFAULT_STORE, hide_env_values = true)]
    store: String,

    /// Ask this server instead of opening a store, such as http://127.0.0.1:7370
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "PENSTOCK_SERVER",
        hide_env_values = true
    )]
    server: Option<String>,

    /// Print one JSON document on standard output; errors as JSON on standard error
    #[arg(long, global = true)]
    json: bool,

    /// Folder with trained models, each a folder as the Hugging Face hub lays it out
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "PENSTOCK_CHECKPOINTS",
        hide_short_help = true,
        hide_env_values = true
    )]
    checkpoints: Option<PathBuf>,

    /// Download nothing: a model that is not on this machine is an error [env: HF_HUB_OFFLINE=1]
    #[arg(long, global = true)]
    offline: bool,

    /// Run trained models in worker processes, one for each GPU named here, such as 0,1
    ///
    /// Starts `penstock-worker`, which lies beside this program or in PATH; built with CUDA it
    /// runs on the GPU, else on the CPU.
    #[arg(
        long,
        global = true,
        value_name = "DEVICES",
        env = "PENSTOCK_WORKERS",
        value_delimiter = ',',
        hide_short_help = true,
        hide_env_values = true
    )]
    workers: Vec<String>,

    /// Who computes the dominance rows of graphs that are loaded or made: integers (on the CPU),
    /// tensors (on the device that tensors live on), or auto
    ///
    /// The rows are the same. Auto takes tensors for graphs of 100,000 vertices and more where they
    /// live on a GPU; on a CPU they take as long as integers and more memory.
    #[arg(
        long,
        global = true,
        value_name = "HOW",
        default_value = "auto",
        hide_short_help = true
    )]
    dominance: DominanceBy,

    /// Endpoint of an S3-compatible service, such as http://127.0.0.1:9000
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "AWS_ENDPOINT_URL",
        hide_short_help = true,
        hide_env_values = true
    )]
    s3_endpoint: Option<String>,

    /// Region of the bucket [env: AWS_REGION, AWS_DEFAULT_REGION]
    #[arg(long, global = true, value_name = "REGION", hide_short_help = true)]
    s3_region: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Args),
    Serve(serve::Args),
    Ingest(ingest::Args),
    Encode(encode::Args),
    Embed(embed::Args),
    TrainHead(train_head::Args),
    Predict(predict::Args),
    Heads(heads::Args),
    Graph(graph::Args),
    Index(index::Args),
    Warm(warm::Args),
    Search(search::Args),
    Late(late::Args),
    Match(matching::Args),
    Duplicates(duplicates::Args),
    Motif(motif::Args),
    Sql(sql::Args),
    Tables(tables::Args),
    Describe(describe::Args),
    Versions(versions::Args),
    Tag(tag::Args),
    Delete(delete::Args),
    Verify(verify::Args),
    Compact(compact::Args),
    Gc(gc::Args),
    Snapshot(snapshot::Args),
    Export(export::Args),
    Encoders(encoders::Args),
    Openapi(openapi::Args),
}

/// Reads the arguments, runs the command, prints, and answers the exit code.
///
/// `arguments` begin with the program's name. Variables that clap reads for an option
/// (`PENSTOCK_STORE`, `PENSTOCK_SERVER`, `PENSTOCK_CHECKPOINTS`, `AWS_ENDPOINT_URL`) are read here, all others come in
/// `environment`.
pub async fn main(arguments: Vec<OsString>, environment: Environment) -> ExitCode {
    let program = program(&arguments);
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let matches = match Cli::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return usage(&error, wants_json),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wants_json),
    };
    let ui = Ui::new(cli.global.json, &environment);
    match run(cli, &matches, environment, program, &ui).await {
        Ok(code) => code,
        Err(error) => ui.fail(&error),
    }
}

fn program(arguments: &[OsString]) -> String {
    match arguments.first().and_then(|first| first.to_str()) {
        Some(first) if !first.is_empty() => first.to_owned(),
        _ => "penstock".to_owned(),
    }
}

/// Prints clap's own message. Help and version are no errors.
fn usage(error: &clap::Error, wants_json: bool) -> ExitCode {
    if wants_json && error.use_stderr() {
        let text = error.render().to_string();
        let text = text.trim_start_matches("error: ").trim_end();
        return Ui::json().fail(&CliError::usage(text));
    }
    // A closed pipe is the reader's choice.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { error::USAGE } else { 0 })
}

async fn run(
    mut cli: Cli,
    matches: &ArgMatches,
    environment: Environment,
    program: String,
    ui: &Ui,
) -> Result<ExitCode, CliError> {
    let given = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    match (given("store"), given("server")) {
        (true, true) => {
            return Err(CliError::usage(
                "--store and --server exclude each other: a server has its own store",
            ));
        }
        // What is written on the command line is meant, whatever PENSTOCK_SERVER says.
        (true, false) => cli.global.server = None,
        _ => {}
    }
    let store_given = matches.value_source("store") != Some(ValueSource::DefaultValue);
    let context = Context {
        global: cli.global,
        environment,
        program,
        ui,
        store_given,
    };
    match cli.command {
        Command::Demo(args) => args.run(&context).await?,
        Command::Serve(args) => args.run(&context).await?,
        Command::Ingest(args) => args.run(&context).await?,
        Command::Encode(args) => args.run(&context).await?,
        Command::Embed(args) => args.run(&context).await?,
        Command::TrainHead(args) => args.run(&context).await?,
        Command::Predict(args) => args.run(&context).await?,
        Command::Heads(args) => args.run(&context).await?,
        Command::Graph(args) => args.run(&context).await?,
        Command::Index(args) => args.run(&context).await?,
        Command::Warm(args) => args.run(&context).await?,
        Command::Search(args) => args.run(&context).await?,
        Command::Late(args) => args.run(&context).await?,
        Command::Match(args) => args.run(&context).await?,
        Command::Duplicates(args) => args.run(&context).await?,
        Command::Motif(args) => args.run(&context).await?,
        Command::Sql(args) => args.run(&context).await?,
        Command::Tables(args) => args.run(&context).await?,
        Command::Describe(args) => args.run(&context).await?,
        Command::Versions(args) => args.run(&context).await?,
        Command::Tag(args) => args.run(&context).await?,
        Command::Delete(args) => args.run(&context).await?,
        Command::Verify(args) => return args.run(&context).await,
        Command::Compact(args) => args.run(&context).await?,
        Command::Gc(args) => args.run(&context).await?,
        Command::Snapshot(args) => args.run(&context).await?,
        Command::Export(args) => args.run(&context).await?,
        Command::Encoders(args) => args.run(&context).await?,
        Command::Openapi(args) => args.run(&context)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What every command has beside its own arguments.
struct Context<'a> {
    global: Global,
    environment: Environment,
    /// How the program was called: commands shown to the user begin with it.
    program: String,
    ui: &'a Ui,
    /// Whether `--store` or `PENSTOCK_STORE` names the store.
    store_given: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_hold_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_overview_names_every_command() {
        for command in Cli::command().get_subcommands() {
            let line = format!("\n  {} ", command.get_name());
            assert!(help::ROOT.contains(&line), "{}", command.get_name());
        }
    }
}
