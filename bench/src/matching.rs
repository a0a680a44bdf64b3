//! Exact pattern matching: published queries beside other matchers, and growth.

pub(crate) mod growth;
mod peers;

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use penstock_pattern::format::{ReadOptions, tve};
use penstock_pattern::{DominanceRecipe, Host, HostOptions, MatchOptions, Pattern};

use crate::corpus::or_corpus;
use crate::machine::table;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A folder with `HPRD.graph`, `query/` and `expected_output.res`; the corpus's where none
    /// is given
    path: Option<PathBuf>,
    /// rustworkx on the same queries, in an environment that is set up for it, and
    /// SubgraphMatching, if its binary is named
    #[arg(long)]
    peer: bool,
    /// The binary of RapidsAtHKUST/SubgraphMatching
    #[arg(long, env = "PENSTOCK_SUBGRAPH_MATCHING")]
    subgraph_matching: Option<PathBuf>,
    /// Times that the published queries are run; the fastest run counts
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// Edges of the synthetic graphs
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000,10000000")]
    edges: Vec<usize>,
    /// Patterns of each size
    #[arg(long, default_value_t = 20)]
    patterns: usize,
    /// Threads of a search in a synthetic graph
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    published(options)?;
    growth::run(&options.edges, options.patterns, options.threads)
}

/// A published query: its name, file and number of matches.
struct Query {
    name: String,
    file: PathBuf,
    count: u64,
}

fn queries(folder: &Path) -> Result<Vec<Query>> {
    let expected = folder.join("expected_output.res");
    let text =
        std::fs::read_to_string(&expected).with_context(|| expected.display().to_string())?;
    let lines = text.lines().filter_map(|line| line.trim().split_once(':'));
    lines
        .map(|(name, count)| {
            Ok(Query {
                name: name.to_owned(),
                file: folder.join(format!("query/{name}.graph")),
                count: count.trim().parse()?,
            })
        })
        .collect()
}

/// A matcher's row: its name, how many queries it answered, total, mean and worst milliseconds.
fn row(name: &str, seconds: &[f64], note: &str) -> Vec<String> {
    let total: f64 = seconds.iter().sum();
    let worst = seconds.iter().copied().fold(0.0, f64::max);
    vec![
        name.to_owned(),
        seconds.len().to_string(),
        format!("{:.2}", total * 1e3),
        format!("{:.3}", total * 1e3 / seconds.len().max(1) as f64),
        format!("{:.3}", worst * 1e3),
        note.to_owned(),
    ]
}

fn published(options: &Options) -> Result<()> {
    let folder = or_corpus(options.path.as_deref(), "graph");
    let queries = queries(&folder)?;
    let open = |path: &Path| -> Result<BufReader<File>> {
        Ok(BufReader::new(
            File::open(path).with_context(|| path.display().to_string())?,
        ))
    };
    let host_file = folder.join("HPRD.graph");
    let graph = tve::read_graph(open(&host_file)?, &ReadOptions::default())?;
    let patterns: Vec<Pattern> = queries
        .iter()
        .map(|query| {
            let pattern = tve::read_pattern(open(&query.file)?, &ReadOptions::default());
            pattern.with_context(|| query.file.display().to_string())
        })
        .collect::<Result<_>>()?;
    let mut lines = Vec::new();
    for (name, dominance) in [
        ("penstock", None),
        ("penstock with rows", Some(DominanceRecipe::default())),
    ] {
        let clock = Instant::now();
        let host = Host::with(graph.clone(), &HostOptions { dominance })?;
        let build = clock.elapsed().as_secs_f64();
        let mut best: Option<Vec<f64>> = None;
        for _ in 0..options.repeat.max(1) {
            let mut seconds = Vec::new();
            for (query, pattern) in queries.iter().zip(&patterns) {
                let clock = Instant::now();
                let outcome = host.count(pattern, &MatchOptions::default())?;
                seconds.push(clock.elapsed().as_secs_f64());
                ensure!(outcome.count == query.count, "{} is wrong", query.name);
            }
            let total = |seconds: &[f64]| -> f64 { seconds.iter().sum() };
            if best
                .as_ref()
                .is_none_or(|best| total(&seconds) < total(best))
            {
                best = Some(seconds);
            }
        }
        let note = format!("host made in {:.2} ms", build * 1e3);
        lines.push(row(name, &best.unwrap_or_default(), &note));
    }
    if let Some(binary) = &options.subgraph_matching {
        lines.push(peers::subgraph_matching(binary, &host_file, &queries)?);
    }
    if options.peer {
        lines.push(peers::rustworkx(&host_file, &queries)?);
    }
    println!("All matches of the published queries, one thread, without loading:");
    println!(
        "{}",
        table(
            &["by", "queries", "total ms", "mean ms", "worst ms", ""],
            &lines
        )
    );
    Ok(())
}
