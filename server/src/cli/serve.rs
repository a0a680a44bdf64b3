use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;

use penstock::index::HotOptions;
use penstock::store::VersionRef;
use penstock::{CancellationToken, Engine, Task};
use penstock_types::{Metric, TableName};
use serde::Serialize;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use super::size::Bytes;
use super::target::Names;
use super::{CliError, Context, help, table};
use crate::flight;
use crate::http::{self, Config, State};

/// What is logged when `PENSTOCK_LOG` does not say: jobs and upkeep, and what goes wrong. Every
/// request would drown that.
const LOG: &str = "warn,penstock=info,penstock_server=info,penstock_server::http::observe=warn";

/// Serve the store over HTTP (OpenAPI) and Arrow Flight
///
/// Ctrl-C or SIGTERM ends it: requests under way are finished, long jobs go on at the next start.
/// There is no authentication yet, so only addresses of this machine are listened on, unless
/// --insecure is given.
#[derive(Debug, clap::Args)]
#[command(after_help = help::SERVE)]
pub(super) struct Args {
    /// Address of the HTTP interface; port 0 takes any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7370")]
    listen: SocketAddr,

    /// Address of Arrow Flight; port 0 takes any that is free
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7371")]
    flight: SocketAddr,

    /// Listen on addresses that other machines reach, though nobody is asked who they are
    #[arg(long)]
    insecure: bool,

    /// Download models of the Hugging Face hub that requests name and that are not here yet
    ///
    /// Without it a request that names one is refused, so that whoever reaches the server can
    /// neither fill its disk nor make it ask another host.
    #[arg(long)]
    download: bool,

    /// Bring the index of a column into memory, such as proteins.protein_kmer_v1; with :l2 or :dot
    /// behind it for another metric than cosine. May be given several times
    ///
    /// It is read from where it was saved, or built, while the server answers already.
    #[arg(long, value_name = "TABLE.COLUMN")]
    warm: Vec<WarmColumn>,

    /// Memory that such indexes may take together, such as 8G
    ///
    /// Columns of their hits take an eighth as much beside them.
    #[arg(long, value_name = "BYTES", default_value = "4G")]
    memory: Bytes,
}

/// A column whose index is brought into memory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WarmColumn {
    table: TableName,
    column: String,
    metric: Metric,
}

impl FromStr for WarmColumn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (place, metric) = match text.rsplit_once(':') {
            Some((place, metric)) => (place, metric.parse().map_err(|e| format!("{e}"))?),
            None => (text, Metric::default()),
        };
        // A table's name may hold a point, a column's cannot.
        let (table, column) = place
            .rsplit_once('.')
            .filter(|(_, column)| !column.is_empty())
            .ok_or_else(|| format!("`{text}` is not of the form TABLE.COLUMN"))?;
        Ok(Self {
            table: table.parse().map_err(|e| format!("{e}"))?,
            column: column.to_owned(),
            metric,
        })
    }
}

/// Brings indexes into memory, one after the other. What fails is logged: the server answers
/// without it.
async fn warm_all(engine: Engine, columns: Vec<WarmColumn>, shutdown: CancellationToken) {
    for wanted in columns {
        let task = Task {
            cancel: shutdown.child_token(),
            ..Task::default()
        };
        let WarmColumn {
            table,
            column,
            metric,
        } = wanted;
        match engine.warm(&table, &column, metric, &task).await {
            Ok(warmed) => {
                let (rows, bytes) = (warmed.index.rows, warmed.index.bytes);
                tracing::info!(%table, column, %metric, rows, bytes, seconds = warmed.seconds, "an index is in memory");
            }
            Err(_) if shutdown.is_cancelled() => return,
            Err(error) => {
                tracing::warn!(%error, %table, column, %metric, "an index was not brought into memory");
            }
        }
    }
}

/// The line that `--json` prints once both addresses answer.
#[derive(Debug, Serialize)]
struct Ready {
    http: String,
    flight: String,
}

impl Args {
    pub(super) async fn run(self, context: &Context<'_>) -> Result<(), CliError> {
        context.refuse_server("serve")?;
        for address in [self.listen, self.flight] {
            if !address.ip().is_loopback() && !self.insecure {
                return Err(CliError::OpenToAll { address });
            }
        }
        if self.download && context.is_offline() {
            return Err(CliError::usage(
                "--download and --offline (or HF_HUB_OFFLINE) exclude each other",
            ));
        }
        log(context)?;
        let names = Names::Plain {
            download: self.download,
        };
        let hot = HotOptions {
            budget_bytes: self.memory.0,
            ..HotOptions::default()
        };
        let engine = context.open(&context.global.store, names, hot).await?;
        // A column that is not there is told before anything is served.
        for wanted in &self.warm {
            let table = engine.table(&wanted.table, &VersionRef::Latest).await?;
            table
                .feature(&wanted.column)
                .map_err(penstock::Error::from)?;
        }
        let (http_listener, http_address) = bind(self.listen).await?;
        let (flight_listener, flight_address) = bind(self.flight).await?;
        let shutdown = CancellationToken::new();
        let ready = Ready {
            http: format!("http://{http_address}"),
            flight: format!("grpc://{flight_address}"),
        };
        announce(context, &ready)?;

        let warming = warm_all(engine.clone(), self.warm, shutdown.clone());
        let warming = tokio::spawn(warming);
        let http = tokio::spawn(until_end(
            http::serve(
                http_listener,
                State::new(engine.clone(), Config::default()),
                shutdown.clone(),
            ),
            shutdown.clone(),
        ));
        let flight = tokio::spawn(until_end(
            flight::serve(flight_listener, engine, shutdown.clone()),
            shutdown.clone(),
        ));
        // Either service ending, by a signal or by itself, ends both.
        let stop = shutdown.clone();
        tokio::spawn(async move {
            interrupted().await;
            stop.cancel();
            interrupted().await; // the second one does not wait
            std::process::exit(i32::from(super::error::CANCELLED));
        });
        let (http, flight) = tokio::join!(http, flight);
        warming.abort();
        for ended in [http, flight] {
            ended
                .unwrap_or_else(|error| Err(io::Error::other(error)))
                .map_err(|error| CliError::file("the listener", error))?;
        }
        if !context.ui.wants_json() {
            context.ui.note("stopped");
        }
        Ok(())
    }
}

/// A service that ends takes the others with it.
async fn until_end(
    service: impl Future<Output = io::Result<()>>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let ended = service.await;
    shutdown.cancel();
    ended
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), CliError> {
    let listen = |error| CliError::Listen { address, error };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    Ok((listener, bound))
}

fn announce(context: &Context<'_>, ready: &Ready) -> Result<(), CliError> {
    let ui = context.ui;
    if ui.wants_json() {
        let line = serde_json::to_string(ready).map_err(CliError::Document)?;
        return ui.print(&format!("{line}\n"));
    }
    let facts = [
        ("store", context.global.store.clone()),
        ("HTTP", ui.accent(&ready.http)),
        ("docs", ui.accent(&format!("{}/docs", ready.http))),
        ("Flight", ui.accent(&ready.flight)),
    ];
    ui.print(&format!(
        "{} is ready; Ctrl-C stops it\n{}",
        ui.bold("penstock"),
        table::facts(&facts)
    ))
}

/// Logs go to standard error.
fn log(context: &Context<'_>) -> Result<(), CliError> {
    let words = context.environment.log.as_deref().unwrap_or(LOG);
    let filter = EnvFilter::try_new(words)
        .map_err(|error| CliError::usage(format!("PENSTOCK_LOG=`{words}`: {error}")))?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(context.ui.err_has_color());
    // Fails only where a subscriber is set already: then that one is meant.
    let _ = subscriber.try_init();
    Ok(())
}

#[cfg(unix)]
fn interrupted() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            },
            Err(_) => drop(tokio::signal::ctrl_c().await),
        }
    }
}

#[cfg(not(unix))]
fn interrupted() -> impl Future<Output = ()> {
    async { drop(tokio::signal::ctrl_c().await) }
}
