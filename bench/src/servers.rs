//! Searches over loopback: `penstock serve` beside Chroma and PostgreSQL with pgvector, each a
//! process of its own with the very same vectors, under one load generator.

mod chroma;
mod flight;
mod http;
mod load;
mod penstock;
mod postgres;
mod process;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::machine;
use crate::nearest::{K, QUERIES, truth};
use crate::vectors::{Shape, clustered};

use load::{Ask, Load, measure};

/// Recalls at which rates are compared.
const RECALLS: [f64; 2] = [0.95, 0.99];
/// Pools tried, ever larger, of each server.
const POOLS: [usize; 15] = [
    10, 12, 14, 16, 20, 24, 28, 32, 40, 50, 64, 80, 100, 150, 200,
];
/// Connections at once.
const CONNECTIONS: [usize; 3] = [1, 8, 16];
/// How long a point is measured.
const POINT: Duration = Duration::from_secs(4);
/// Links of a vertex, and candidates of an insertion, of all graphs.
const EDGES: usize = 16;
const EF_CONSTRUCTION: usize = 200;
/// Until a server must answer, or have built its index.
const READY: Duration = Duration::from_secs(900);

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    shape: Shape,
    /// The program `penstock`; the one beside this program where left out
    #[arg(long)]
    penstock: Option<PathBuf>,
    /// The program `chroma`, to run beside it
    #[arg(long)]
    chroma: Option<PathBuf>,
    /// The folder of PostgreSQL's programs, to run beside it; pgvector must be installed
    #[arg(long)]
    postgres: Option<PathBuf>,
}

/// What every server gets.
struct Data {
    rows: Vec<f32>,
    queries: Vec<Vec<f32>>,
    truth: Vec<HashSet<u32>>,
    dim: usize,
    /// Where servers keep what is theirs.
    folder: PathBuf,
}

/// A server at work, with its rows.
trait Server {
    /// A connection whose searches keep a pool of `ef` candidates. `form` is one of `forms`.
    fn connect(&mut self, form: usize, ef: usize) -> Result<Connect>;

    /// How it can be asked. The first chooses the pool.
    fn forms(&self) -> Vec<Form>;
}

/// Opens a connection.
type Connect = Box<dyn Fn() -> Result<Box<dyn Ask>> + Send + Sync>;

/// A way to ask a server.
struct Form {
    name: &'static str,
    /// Queries of a request.
    together: usize,
    connections: Vec<usize>,
}

impl Form {
    fn single(name: &'static str) -> Self {
        Self {
            name,
            together: 1,
            connections: CONNECTIONS.to_vec(),
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let program = options.penstock.clone().map_or_else(beside, Ok)?;
    let folder = tempfile::tempdir()?;
    let shape = &options.shape;
    let made = clustered(shape.rows, QUERIES, shape.dim, shape.seed);
    let found = truth(&made.rows, shape.dim, &made.queries)?;
    let data = Data {
        queries: made
            .queries
            .chunks_exact(shape.dim)
            .map(<[f32]>::to_vec)
            .collect(),
        rows: made.rows,
        truth: found
            .iter()
            .map(|hits| hits.iter().map(|hit| hit.row).collect())
            .collect(),
        dim: shape.dim,
        folder: folder.path().to_owned(),
    };
    println!(
        "{} x {}, L2, M = {EDGES}, ef_construction = {EF_CONSTRUCTION}, seed {}, k = {K}",
        shape.rows, shape.dim, shape.seed
    );
    {
        let mut ours = penstock::Penstock::start(&program, &data)?;
        points("Penstock", &mut ours, &data)?;
    }
    if let Some(program) = &options.chroma {
        let (mut theirs, name) = chroma::Chroma::start(program, &data)?;
        points(&name, &mut theirs, &data)?;
    }
    if let Some(programs) = &options.postgres {
        let (mut theirs, name) = postgres::Postgres::start(programs, &data)?;
        points(&name, &mut theirs, &data)?;
    }
    Ok(())
}

/// Measures one server, and prints what came of it.
fn points(name: &str, server: &mut dyn Server, data: &Data) -> Result<()> {
    let mut lines = Vec::new();
    let mut wanted = RECALLS.into_iter().peekable();
    for ef in POOLS {
        let Some(goal) = wanted.peek().copied() else {
            break;
        };
        let found = recall(server, 0, ef, data)?;
        if found < goal {
            continue;
        }
        while wanted.next_if(|goal| found >= *goal).is_some() {}
        for (at, form) in server.forms().into_iter().enumerate() {
            let found = if at == 0 {
                found
            } else {
                recall(server, at, ef, data)?
            };
            let connect = server.connect(at, ef)?;
            for connections in &form.connections {
                let load = Load {
                    connections: *connections,
                    requests: data.queries.len() / form.together,
                    time: POINT,
                };
                let times = measure(&load, &*connect)?;
                lines.push(vec![
                    name.to_owned(),
                    form.name.to_owned(),
                    ef.to_string(),
                    format!("{found:.4}"),
                    connections.to_string(),
                    format!("{:.0}", times.per_second * form.together as f64),
                    format!("{:.2}", times.median_ms),
                    format!("{:.2}", times.late_ms),
                ]);
            }
        }
    }
    for goal in wanted {
        println!("{name} does not reach {goal}");
    }
    let header = [
        "server",
        "asked by",
        "ef",
        "recall@10",
        "connections",
        "queries/s",
        "median ms",
        "99th ms",
    ];
    println!("{}", machine::table(&header, &lines));
    Ok(())
}

/// Recall of all queries over one connection, which also fills caches.
fn recall(server: &mut dyn Server, form: usize, ef: usize, data: &Data) -> Result<f64> {
    let mut connection = server.connect(form, ef)?()?;
    let mut found = Vec::with_capacity(data.queries.len());
    while found.len() < data.queries.len() {
        let together = server.forms()[form].together;
        let answers = connection.answers(found.len() / together)?;
        anyhow::ensure!(answers.len() == together, "every query is answered");
        found.extend(answers);
    }
    let mut hits = 0;
    for (rows, truth) in found.iter().zip(&data.truth) {
        let unique: HashSet<&u32> = rows.iter().collect();
        hits += unique.iter().filter(|row| truth.contains(**row)).count();
    }
    Ok(hits as f64 / (data.truth.len() * K) as f64)
}

/// The program `penstock` beside this one, as cargo builds both.
fn beside() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let at = this.parent().unwrap_or(Path::new(".")).join("penstock");
    anyhow::ensure!(
        at.exists(),
        "{} is not there: build it (cargo build --release -p penstock-server), or name one by \
         --penstock",
        at.display()
    );
    Ok(at)
}
