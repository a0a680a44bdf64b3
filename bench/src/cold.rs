//! Indexes on the disk, beside LanceDB's Python package on the very same vectors and settings.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use penstock::index::{
    BuildOptions, IndexKind, ManyRequest, QUERY, SearchOptions, SearchRequest, Searcher, Tier,
    build,
};
use penstock::store::{Store, StoreOptions, Table};
use penstock_hnsw::Hit;
use penstock_types::{Metric, TableName};
use serde_json::{Value, json};

use crate::machine;
use crate::nearest::{K, truth};
use crate::peer::{self, Files};
use crate::stored::{append, load, row_of, spec};
use crate::vectors::{Shape, clustered};

/// Recalls at which rates are compared.
const RECALLS: [f64; 2] = [0.95, 0.99];
/// Queries with which a setting is chosen, and those that are timed with it.
const TRIED: usize = 200;
const TIMED: usize = 500;
/// Queries of a batch.
const BATCH: usize = 100;
/// Runs of which the best counts, of each side.
const RUNS: usize = 3;
const METRIC: Metric = Metric::L2;
/// Rows that come after the index was built: one for so many.
const NEW: usize = 20;
/// Holds for a tenth of the rows, from all over the table.
const PREDICATE: &str = "length = 3";

/// What else a search has to do.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Task {
    Plain,
    Predicate,
    NewRows,
}

impl Task {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Predicate => "predicate, 10 %",
            Self::NewRows => "5 % new rows",
        }
    }
}

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    shape: Shape,
    /// Types of index
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "ivf_hnsw_sq,ivf_pq,ivf_rq"
    )]
    kinds: Vec<IndexKind>,
    /// The interpreter of an environment with lancedb, to run on the same vectors
    #[arg(long)]
    peer: Option<PathBuf>,
}

/// How hard both sides look: partitions, candidates of a walk, candidates per hit read again.
#[derive(Debug, Clone, Copy)]
struct Effort {
    nprobes: usize,
    ef: usize,
    refine: usize,
}

/// The settings that both sides try. Those with a graph have few partitions.
fn efforts(kind: IndexKind) -> Vec<Effort> {
    let (probes, efs, refines): (&[usize], &[usize], &[usize]) = match kind {
        IndexKind::IvfHnswSq | IndexKind::IvfHnswPq => (&[1, 2, 4], &[16, 32, 64], &[1, 2]),
        IndexKind::IvfPq => (&[4, 8, 16, 32, 64], &[0], &[2, 4, 8]),
        IndexKind::IvfRq => (&[4, 8, 16, 32, 64], &[0], &[5, 10, 20]),
        IndexKind::IvfFlat => (&[4, 8, 16, 32, 64], &[0], &[1]),
    };
    let mut all = Vec::new();
    for nprobes in probes {
        for ef in efs {
            for refine in refines
                .iter()
                .filter(|refine| *ef == 0 || *refine * K <= *ef)
            {
                all.push(Effort {
                    nprobes: *nprobes,
                    ef: *ef,
                    refine: *refine,
                });
            }
        }
    }
    all
}

/// Partitions of 200,000 vectors by the default of both sides, and as many of others.
fn partitions(kind: IndexKind, rows: usize) -> usize {
    match kind {
        IndexKind::IvfHnswSq | IndexKind::IvfHnswPq => rows.div_ceil(65_536),
        _ => rows.isqrt(),
    }
}

struct Ours<'a> {
    searcher: &'a Searcher,
    table: &'a Table,
    column: &'a str,
    queries: &'a [f32],
    truth: &'a [HashSet<u32>],
    dim: usize,
    task: Task,
}

impl Ours<'_> {
    fn request(&self, effort: Effort) -> SearchRequest {
        let mut request = SearchRequest::new(self.column, Vec::new(), K);
        request.metric = Some(METRIC);
        request.tier = Some(Tier::Cold);
        request.filter = (self.task == Task::Predicate).then(|| PREDICATE.to_owned());
        request.options = SearchOptions {
            nprobes: Some(effort.nprobes),
            ef: (effort.ef > 0).then_some(effort.ef),
            refine: Some(effort.refine),
        };
        request
    }

    /// Queries per second one after the other, and recall.
    async fn one(&self, effort: Effort, count: usize) -> Result<(f64, f64)> {
        let shared = self.request(effort);
        let mut found = Vec::with_capacity(count);
        let clock = Instant::now();
        for vector in self.queries.chunks_exact(self.dim).take(count) {
            let mut request = shared.clone();
            request.vector = vector.to_vec();
            found.push(self.searcher.search(self.table, &request).await?.batch);
        }
        let seconds = clock.elapsed().as_secs_f64();
        let mut hits = 0;
        for (batch, truth) in found.iter().zip(self.truth) {
            hits += rows(batch)?.filter(|row| truth.contains(row)).count();
        }
        let recall = hits as f64 / (found.len() * K) as f64;
        Ok((found.len() as f64 / seconds, recall))
    }

    /// Queries per second in batches, and recall.
    async fn many(&self, effort: Effort) -> Result<(f64, f64)> {
        let mut found = Vec::new();
        let clock = Instant::now();
        for vectors in self.queries.chunks(BATCH * self.dim) {
            let request = ManyRequest {
                shared: self.request(effort),
                vectors: vectors.to_vec(),
            };
            found.push(self.searcher.search_many(self.table, &request).await?.batch);
        }
        let seconds = clock.elapsed().as_secs_f64();
        let mut hits = 0;
        for (part, batch) in found.iter().enumerate() {
            let of = batch.column_by_name(QUERY).context("hits have queries")?;
            let of = of.as_primitive::<Int64Type>().values();
            let is_true =
                |(row, of): &(u32, &i64)| self.truth[part * BATCH + **of as usize].contains(row);
            hits += rows(batch)?.zip(of).filter(is_true).count();
        }
        let count = self.truth.len();
        Ok((count as f64 / seconds, hits as f64 / (count * K) as f64))
    }
}

fn rows(batch: &RecordBatch) -> Result<impl Iterator<Item = u32>> {
    let ids = batch.column_by_name("id").context("hits have ids")?;
    Ok(ids.as_string::<i32>().iter().flatten().filter_map(row_of))
}

/// The true rows of each query.
fn sets(found: &[Vec<Hit>]) -> Vec<HashSet<u32>> {
    let rows = |hits: &Vec<Hit>| hits.iter().map(|hit| hit.row).collect();
    found.iter().map(rows).collect()
}

/// The vectors, and the true rows of each task.
struct Data {
    rows: Vec<f32>,
    new: Vec<f32>,
    queries: Vec<f32>,
    truth: Vec<Vec<Hit>>,
    under_predicate: Vec<Vec<Hit>>,
    with_new: Vec<Vec<Hit>>,
}

impl Data {
    fn of(shape: &Shape) -> Result<Self> {
        let dim = shape.dim;
        let new = shape.rows / NEW;
        let made = clustered(shape.rows, TIMED + new, dim, shape.seed);
        let (mut queries, rows) = (made.queries, made.rows);
        let new = queries.split_off(TIMED * dim);
        let chosen = rows.chunks_exact(dim).skip(3).step_by(10);
        let chosen: Vec<f32> = chosen.flatten().copied().collect();
        let mut under_predicate = truth(&chosen, dim, &queries)?;
        for hit in under_predicate.iter_mut().flatten() {
            hit.row = 10 * hit.row + 3;
        }
        let with_new = truth(&[rows.as_slice(), &new].concat(), dim, &queries)?;
        Ok(Self {
            truth: truth(&rows, dim, &queries)?,
            under_predicate,
            with_new,
            rows,
            new,
            queries,
        })
    }
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let (shape, python) = (&options.shape, options.peer.as_deref());
    let data = Data::of(shape)?;
    let folder = tempfile::tempdir()?;
    let files = Files::write(folder.path(), &data.rows, &data.queries, &data.truth)?;
    let more = folder.path().join("more");
    std::fs::create_dir(&more)?;
    let predicate = Files::write(&more, &data.new, &[], &data.under_predicate)?;
    let more = folder.path().join("new");
    std::fs::create_dir(&more)?;
    let with_new = Files::write(&more, &[], &[], &data.with_new)?;
    let others = [&predicate.rows, &predicate.truth, &with_new.truth];
    let others = others.map(|path| path.to_string_lossy().into_owned());
    let spec = spec(shape.dim)?;
    let name = TableName::new("vectors")?;
    let column = spec.column();
    println!(
        "{} x {}, L2, seed {}, {TIMED} queries, {TRIED} of which choose the setting; k = {K}",
        shape.rows, shape.dim, shape.seed
    );
    let (plain, under_predicate) = (sets(&data.truth), sets(&data.under_predicate));
    let with_new = sets(&data.with_new);
    let mut lines = Vec::new();
    for kind in &options.kinds {
        let root = folder.path().join(kind.as_str());
        let store = Store::open(&root.to_string_lossy(), StoreOptions::default()).await?;
        load(&store, &name, &spec, &data.rows).await?;
        let build_options = BuildOptions {
            metric: METRIC,
            partitions: Some(partitions(*kind, shape.rows)),
            ..BuildOptions::default()
        };
        let clock = Instant::now();
        build(&store, &name, &column, *kind, build_options).await?;
        let built = clock.elapsed().as_secs_f64();
        let table = store.table(&name).await?;
        let mut ours = Ours {
            searcher: &Searcher::default(),
            table: &table,
            column: &column,
            queries: &data.queries,
            truth: &plain,
            dim: shape.dim,
            task: Task::Plain,
        };
        let chosen = choose(*kind, &ours).await?;
        lines.extend(measure(*kind, &ours, &chosen, built).await?);
        (ours.truth, ours.task) = (&under_predicate, Task::Predicate);
        lines.extend(measure(*kind, &ours, &chosen, built).await?);
        append(&store, &name, &spec, shape.rows, &data.new).await?;
        let table = store.table(&name).await?;
        (ours.truth, ours.task, ours.table) = (&with_new, Task::NewRows, &table);
        lines.extend(measure(*kind, &ours, &chosen, built).await?);
        if let Some(python) = python {
            lines.extend(lancedb(
                python,
                *kind,
                shape,
                &files,
                &others,
                &build_options,
            )?);
        }
    }
    let header = [
        "index",
        "by",
        "build s",
        "task",
        "goal",
        "nprobes",
        "ef",
        "refine",
        "recall@10",
        "queries/s, one by one",
        "in batches",
    ];
    println!("{}", machine::table(&header, &lines));
    Ok(())
}

/// The fastest setting for each recall.
async fn choose(kind: IndexKind, ours: &Ours<'_>) -> Result<Vec<(f64, Effort)>> {
    // Caches are filled first, as they are on the other side.
    let tried = efforts(kind);
    if let Some(most) = tried.last() {
        ours.one(*most, TRIED).await?;
    }
    let mut points = Vec::new();
    for effort in &tried {
        points.push((*effort, ours.one(*effort, TRIED).await?));
    }
    let mut chosen = Vec::new();
    for goal in RECALLS {
        let reached = points.iter().filter(|(_, (_, recall))| *recall >= goal);
        match reached.max_by(|a, b| a.1.0.total_cmp(&b.1.0)) {
            Some((effort, _)) => chosen.push((goal, *effort)),
            None => println!("{kind} by Penstock does not reach {goal}"),
        }
    }
    Ok(chosen)
}

async fn measure(
    kind: IndexKind,
    ours: &Ours<'_>,
    chosen: &[(f64, Effort)],
    built: f64,
) -> Result<Vec<Vec<String>>> {
    let mut lines = Vec::new();
    for (goal, effort) in chosen {
        // What a version or a predicate needs is read once.
        ours.one(*effort, 1).await?;
        let (mut one, mut many, mut recall) = (0.0_f64, 0.0_f64, 0.0);
        for _ in 0..RUNS {
            let (rate, found) = ours.one(*effort, TIMED).await?;
            one = one.max(rate);
            recall = found;
            let (rate, together) = ours.many(*effort).await?;
            many = many.max(rate);
            anyhow::ensure!(
                (together - found).abs() < 0.02,
                "batches find what single searches find: {together} and {found}"
            );
        }
        let rates = (recall, one, many);
        lines.push(line(
            kind, "Penstock", built, ours.task, *goal, *effort, rates,
        ));
    }
    Ok(lines)
}

fn line(
    kind: IndexKind,
    by: &str,
    built: f64,
    task: Task,
    goal: f64,
    effort: Effort,
    (recall, one, many): (f64, f64, f64),
) -> Vec<String> {
    vec![
        kind.to_string(),
        by.to_owned(),
        format!("{built:.1}"),
        task.name().to_owned(),
        goal.to_string(),
        effort.nprobes.to_string(),
        if effort.ef > 0 {
            effort.ef.to_string()
        } else {
            String::new()
        },
        effort.refine.to_string(),
        format!("{recall:.4}"),
        format!("{one:.0}"),
        format!("{many:.0}"),
    ]
}

fn lancedb(
    python: &Path,
    kind: IndexKind,
    shape: &Shape,
    files: &Files,
    others: &[String],
    options: &BuildOptions,
) -> Result<Vec<Vec<String>>> {
    let efforts: Vec<_> = efforts(kind)
        .iter()
        .map(|effort| json!([effort.nprobes, effort.ef, effort.refine]))
        .collect();
    let wanted = json!({
        "kind": kind.as_str(),
        "partitions": options.partitions,
        "edges": options.edges,
        "ef_construction": options.ef_construction,
        "sub_vectors": shape.dim / 4,
        "efforts": efforts,
        "goals": RECALLS,
        "tried": TRIED,
        "batch": BATCH,
        "runs": RUNS,
        "predicate": PREDICATE,
        "others": others,
    });
    let answers = peer::ask(
        peer::script(python, "cold.py"),
        files,
        shape.dim,
        &[wanted.to_string()],
    )?;
    let mut lines = Vec::new();
    for found in answers {
        let number = |key: &str| found[key].as_f64().unwrap_or(f64::NAN);
        let part = |at: usize| found["effort"][at].as_u64().unwrap_or_default() as usize;
        if found["effort"] == Value::Null {
            println!("{kind} by LanceDB does not reach {}", number("goal"));
            continue;
        }
        let effort = Effort {
            nprobes: part(0),
            ef: part(1),
            refine: part(2),
        };
        let by = format!("LanceDB {}", found["version"].as_str().unwrap_or_default());
        let rates = (number("recall"), number("one"), number("many"));
        let task = match found["task"].as_str() {
            Some("predicate") => Task::Predicate,
            Some("new") => Task::NewRows,
            _ => Task::Plain,
        };
        lines.push(line(
            kind,
            &by,
            number("build"),
            task,
            number("goal"),
            effort,
            rates,
        ));
    }
    Ok(lines)
}
