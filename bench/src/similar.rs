//! Places that resemble a pattern: planted patterns, changed, looked for in tables of graphs.

mod plant;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use penstock::pattern::format::{ReadOptions as GraphOptions, tve};
use penstock::pattern::{Anchor, Graph, Host, Place, SimilarOptions};
use penstock::store::VersionRef;
use penstock::types::{Metric, TableName};
use penstock::{
    Encoders, Engine, EngineOptions, SimilarAnswer, SimilarPattern, SimilarRequest, Task,
};
use penstock_ingest::ReadOptions;
use penstock_server::load;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::corpus::or_corpus;
use crate::machine::table;
use crate::matching::growth::synthetic;
use plant::Planted;

const ENCODER: &str = "graph-sage-v1";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// HPRD in t/v/e; the corpus's where none is given
    path: Option<PathBuf>,
    /// Vertices of the synthetic graphs
    #[arg(long, default_value_t = 1_000_000)]
    vertices: usize,
    /// Edges of the synthetic graphs
    #[arg(long, default_value_t = 5_000_000)]
    edges: usize,
    /// Labels of the synthetic graphs, one graph for each number
    #[arg(long, value_delimiter = ',', default_value = "32,1000")]
    labels: Vec<u32>,
    /// Patterns of each number of changes
    #[arg(long, default_value_t = 100)]
    patterns: usize,
    /// Vertices of a pattern whose neighbours are looked for
    #[arg(long, default_value_t = 4)]
    anchors: usize,
    /// Rows near each of them
    #[arg(long, default_value_t = 200)]
    neighbours: usize,
    /// Mappings that are followed at a time
    #[arg(long, default_value_t = 8)]
    beam: usize,
    /// Make an index in memory and search by it
    #[arg(long)]
    hot: bool,
    /// Where tables are made, and found again by the next run; a temporary folder where left out
    #[arg(long)]
    store: Option<PathBuf>,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = options.store.as_deref().unwrap_or(folder.path());
    let engine = Engine::open(&root.to_string_lossy(), EngineOptions::default()).await?;
    let mut lines = Vec::new();
    let published = or_corpus(options.path.as_deref(), "graph/HPRD.graph");
    let open = std::fs::File::open(&published).with_context(|| published.display().to_string())?;
    let graph = tve::read_graph(std::io::BufReader::new(open), &GraphOptions::default())?;
    graph_of("hprd", graph, &engine, options, &mut lines).await?;
    for &labels in &options.labels {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let (vertices, edges) = (options.vertices, options.edges);
        let graph = synthetic(&mut random, vertices, edges, labels as usize)?;
        let name = format!("synthetic-{labels}");
        graph_of(&name, graph, &engine, options, &mut lines).await?;
    }
    println!(
        "Planted patterns of 6 to 12 vertices, {} of each, with edges that the place lacks or \
         labels that it has not: {} anchors, {} rows near each, beam {}",
        options.patterns, options.anchors, options.neighbours, options.beam
    );
    println!(
        "{}",
        table(
            &[
                "graph",
                "rows by",
                "changes",
                "as good first",
                "place first",
                "place in 10",
                "median ms",
                "99 % ms",
                "search ms",
                "grow ms",
            ],
            &lines
        )
    );
    Ok(())
}

async fn graph_of(
    name: &str,
    graph: Graph,
    engine: &Engine,
    options: &Options,
    lines: &mut Vec<Vec<String>>,
) -> Result<()> {
    let name: TableName = name.parse()?;
    load(&name, &graph, engine).await?;
    if options.hot {
        let description = engine.describe(&name, &VersionRef::Latest).await?;
        let column = description.features[0].0.clone();
        let clock = Instant::now();
        engine
            .warm(&name, &column, Metric::Cosine, &Task::default())
            .await?;
        println!("{name}: index in {:.1} s", clock.elapsed().as_secs_f64());
    }
    let host = Host::new(graph.clone())?;
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for changes in 0..=2 {
        let mut planted = Vec::new();
        for _ in 0..options.patterns {
            planted.push(plant::plant(&mut random, &graph, &host, changes)?);
        }
        let ask = |planted: &Planted| {
            let pattern = SimilarPattern::Pattern(planted.pattern.clone());
            let mut request = SimilarRequest::new(name.clone(), pattern);
            request.anchors = options.anchors;
            request.neighbours = options.neighbours;
            request.beam = options.beam;
            request
        };
        // The graph is read once.
        engine
            .match_similar(ask(&planted[0]), &Task::default())
            .await?;
        let mut ours = Tally::default();
        let mut blind = Tally::default();
        let mut tier = String::new();
        for planted in &planted {
            let clock = Instant::now();
            let answer = engine.match_similar(ask(planted), &Task::default()).await?;
            let total = clock.elapsed().as_secs_f64();
            tier = format!("vectors, {}", answer.plan.tier);
            ours.search += answer.search_seconds;
            ours.grow += answer.grow_seconds;
            let found = answer.matches.iter();
            let found = found.map(|found| (found.score, found.vertices.as_slice()));
            ours.add(planted, found, total);

            let clock = Instant::now();
            let places = unguided(&mut random, &host, &graph, planted, &answer, options)?;
            let total = clock.elapsed().as_secs_f64();
            blind.grow += total;
            let found = places.iter();
            let found = found.map(|place| (place.score.score, place.vertices.as_slice()));
            blind.add(planted, found, total);
        }
        lines.push(ours.line(name.as_str(), &tier, changes));
        lines.push(blind.line(name.as_str(), "label alone", changes));
    }
    Ok(())
}

/// Loads a graph and fills its vectors, unless the store has it.
async fn load(name: &TableName, graph: &Graph, engine: &Engine) -> Result<()> {
    if engine.table(name, &VersionRef::Latest).await.is_ok() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("one.graph");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path)?);
    tve::write_graph(graph, &mut file)?;
    std::io::Write::flush(&mut file)?;
    let clock = Instant::now();
    load::run(
        engine,
        load::LoadFiles {
            table: name.clone(),
            inputs: load::expand(&[path])?,
            read: ReadOptions::default(),
            encoders: Encoders::None,
            key: None,
        },
        &Task::default(),
    )
    .await?;
    let loaded = clock.elapsed().as_secs_f64();
    let clock = Instant::now();
    engine.encode(name, ENCODER, &Task::default()).await?;
    println!(
        "{name}: {} vertices, {} edges; loaded in {loaded:.1} s, vectors in {:.1} s",
        graph.vertices(),
        graph.edges(),
        clock.elapsed().as_secs_f64()
    );
    Ok(())
}

/// What the same beam search finds from as many vertices with the anchors' labels, drawn blindly.
fn unguided(
    random: &mut ChaCha8Rng,
    host: &Host,
    graph: &Graph,
    planted: &Planted,
    answer: &SimilarAnswer,
    options: &Options,
) -> Result<Vec<Place>> {
    let mut anchors = Vec::new();
    for &pattern in &answer.anchors {
        let label = planted.labels[pattern as usize];
        let all = (0..graph.vertices() as u32).filter(|&v| graph.labels()[v as usize] == label);
        let mut all: Vec<u32> = all.collect();
        for at in 0..all.len().min(options.neighbours) {
            let other = random.random_range(at..all.len());
            all.swap(at, other);
            anchors.push(Anchor {
                pattern,
                vertex: all[at],
                similarity: 0.0,
            });
        }
    }
    let found = host.similar(
        &planted.pattern,
        &anchors,
        &SimilarOptions {
            beam: options.beam,
            limit: 20,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            ..SimilarOptions::default()
        },
    )?;
    Ok(found.places)
}

/// How often planted places were found.
#[derive(Default)]
struct Tally {
    as_good: usize,
    first: usize,
    ten: usize,
    seconds: Vec<f64>,
    search: f64,
    grow: f64,
}

impl Tally {
    fn add<'a>(
        &mut self,
        planted: &Planted,
        found: impl Iterator<Item = (f64, &'a [Option<u32>])>,
        seconds: f64,
    ) {
        for (rank, (score, vertices)) in found.take(10).enumerate() {
            if rank == 0 {
                self.as_good += usize::from(score >= planted.score - 1e-9);
            }
            if planted.is_at(vertices) {
                self.first += usize::from(rank == 0);
                self.ten += 1;
                break;
            }
        }
        self.seconds.push(seconds);
    }

    fn line(mut self, graph: &str, by: &str, changes: usize) -> Vec<String> {
        self.seconds.sort_by(f64::total_cmp);
        let count = self.seconds.len();
        let at = |share: f64| {
            let at = ((count as f64 * share) as usize).min(count.saturating_sub(1));
            self.seconds.get(at).copied().unwrap_or(0.0) * 1e3
        };
        let share = |of: usize| format!("{:.3}", of as f64 / count.max(1) as f64);
        let mean = |total: f64| format!("{:.1}", total * 1e3 / count.max(1) as f64);
        vec![
            graph.to_owned(),
            by.to_owned(),
            changes.to_string(),
            share(self.as_good),
            share(self.first),
            share(self.ten),
            format!("{:.1}", at(0.5)),
            format!("{:.1}", at(0.99)),
            mean(self.search),
            mean(self.grow),
        ]
    }
}
