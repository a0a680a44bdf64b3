//! Exact search beside indexed search, on real vectors.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use arrow::array::AsArray;
use penstock::index::IndexKind;
use penstock::types::{Metric, TableName};
use penstock::{Encoders, Engine, EngineOptions, SearchAnswer, SearchInput, SearchRequest, Task};
use penstock_ingest::ReadOptions;
use penstock_server::load;

use crate::corpus::or_corpus;
use crate::machine;

const K: usize = 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// A FASTA file of proteins; the corpus's where none is given
    path: Option<PathBuf>,
    /// Queries
    #[arg(long, default_value_t = 500)]
    queries: usize,
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let path = or_corpus(options.path.as_deref(), "protein/scope40.fasta");
    let folder = tempfile::tempdir()?;
    let engine = Engine::open(&folder.path().to_string_lossy(), EngineOptions::default()).await?;
    let table: TableName = "bench".parse()?;
    let loaded = load::run(
        &engine,
        load::LoadFiles {
            table: table.clone(),
            inputs: load::expand(&[path])?,
            read: ReadOptions::default(),
            encoders: Encoders::Default,
            key: None,
        },
        &Task::default(),
    )
    .await?;
    let rows = loaded.outcome.added;
    let ids = query_ids(&engine, options.queries, rows).await?;

    let (exact, exact_times) = search_all(&engine, &table, &ids, true).await?;
    let mut lines = vec![line("exact scan", 0.0, 1.0, &exact_times)];
    for kind in [IndexKind::IvfHnswSq, IndexKind::IvfPq, IndexKind::IvfFlat] {
        let column = engine
            .describe(&table, &penstock::store::VersionRef::Latest)
            .await?
            .features[0]
            .0
            .clone();
        let built = engine
            .index(
                &table,
                &column,
                penstock::IndexType::Vectors(kind),
                Some(Metric::Cosine),
                &Task::default(),
            )
            .await?;
        let (found, times) = search_all(&engine, &table, &ids, false).await?;
        let hits: usize = exact
            .iter()
            .zip(&found)
            .map(|(truth, found)| truth.intersection(found).count())
            .sum();
        let recall = hits as f64 / exact.iter().map(HashSet::len).sum::<usize>() as f64;
        lines.push(line(&kind.to_string(), built.seconds, recall, &times));
    }
    println!(
        "{rows} rows, {} queries by stored id, k = {K}, one at a time",
        ids.len()
    );
    println!(
        "{}",
        machine::table(
            &[
                "index",
                "build s",
                "recall@10",
                "median ms",
                "99th ms",
                "queries/s"
            ],
            &lines
        )
    );
    Ok(())
}

fn line(name: &str, build: f64, recall: f64, times: &[Duration]) -> Vec<String> {
    let mut sorted = times.to_vec();
    sorted.sort();
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let total: Duration = sorted.iter().sum();
    vec![
        name.to_owned(),
        format!("{build:.1}"),
        format!("{recall:.4}"),
        format!("{:.2}", at(0.5)),
        format!("{:.2}", at(0.99)),
        format!("{:.0}", sorted.len() as f64 / total.as_secs_f64()),
    ]
}

async fn query_ids(engine: &Engine, queries: usize, rows: u64) -> Result<Vec<String>> {
    use futures::TryStreamExt;
    let answer = engine.sql("SELECT id FROM bench ORDER BY id", None).await?;
    let batches: Vec<_> = answer.batches.try_collect().await?;
    let all: Vec<String> = batches
        .iter()
        .flat_map(|batch| {
            batch
                .column(0)
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned)
        })
        .collect();
    let step = (rows as usize / queries.max(1)).max(1);
    Ok(all.into_iter().step_by(step).take(queries).collect())
}

async fn search_all(
    engine: &Engine,
    table: &TableName,
    ids: &[String],
    exact: bool,
) -> Result<(Vec<HashSet<String>>, Vec<Duration>)> {
    let mut found = Vec::new();
    let mut times = Vec::new();
    for id in ids {
        let mut request = SearchRequest::new(table.clone(), SearchInput::Id(id.clone()));
        request.k = K;
        request.exact = exact;
        request.columns = Some(vec!["id".to_owned()]);
        let started = Instant::now();
        let answer = engine.search(request).await?;
        times.push(started.elapsed());
        found.push(hits(&answer).with_context(|| id.clone())?);
    }
    Ok((found, times))
}

fn hits(answer: &SearchAnswer) -> Result<HashSet<String>> {
    let ids = answer.hits.column_by_name("id").context("hits have ids")?;
    Ok(ids
        .as_string::<i32>()
        .iter()
        .flatten()
        .map(str::to_owned)
        .collect())
}
