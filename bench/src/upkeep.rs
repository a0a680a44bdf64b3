//! How long searches take while an index is built beside them.

use std::time::{Duration, Instant};

use anyhow::Result;
use penstock::index::{
    BuildOptions, HotOptions, HotTier, IndexKind, SearchRequest, Searcher, Tier, Watch, build,
};
use penstock::store::{Store, StoreOptions};
use penstock_types::{Metric, TableName};

use crate::machine;
use crate::stored::{load, spec};
use crate::vectors::clustered;

const K: usize = 10;
const QUERIES: usize = 2_000;
/// Searches of the idle case, of each tier.
const IDLE: Duration = Duration::from_secs(8);
const METRIC: Metric = Metric::L2;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Vectors of the table that is searched
    #[arg(long, default_value_t = 50_000)]
    rows: usize,
    /// Vectors of the table whose index is built
    #[arg(long, default_value_t = 50_000)]
    building: usize,
    /// Numbers per vector
    #[arg(long, default_value_t = 128)]
    dim: usize,
    /// Threads of the build; 0: half of the cores
    #[arg(long, default_value_t = 0)]
    threads: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(crate) async fn run(shape: &Options) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().to_string_lossy();
    let store = Store::open(&root, StoreOptions::default()).await?;
    let spec = spec(shape.dim)?;
    let searched = clustered(shape.rows, QUERIES, shape.dim, shape.seed);
    let name = TableName::new("searched")?;
    load(&store, &name, &spec, &searched.rows).await?;
    let other = TableName::new("building")?;
    let rows = clustered(shape.building, 0, shape.dim, shape.seed + 1).rows;
    load(&store, &other, &spec, &rows).await?;
    drop(rows);

    let column = spec.column();
    let kind = IndexKind::IvfHnswSq;
    let options = BuildOptions {
        metric: METRIC,
        ..BuildOptions::default()
    };
    build(&store, &name, &column, kind, options).await?;
    let searcher = Searcher::new(HotTier::new(HotOptions {
        build_threads: shape.threads,
        ..HotOptions::default()
    }));
    let watch = Watch::default();
    let hot = searcher.hot();
    hot.warm(&store, &name, &column, METRIC, &watch).await?;
    let table = store.table(&name).await?;

    println!(
        "{} x {} searched, one search at a time, while the index of {} others is built",
        shape.rows, shape.dim, shape.building
    );
    let mut lines = Vec::new();
    for tier in [Tier::Hot, Tier::Cold] {
        let searches = Searches {
            searcher: &searcher,
            table: &table,
            column: &column,
            queries: &searched.queries,
            tier,
        };
        // Caches are filled first.
        searches.until(Instant::now() + IDLE / 4, || false).await?;
        let idle = searches.until(Instant::now() + IDLE, || false).await?;
        // What the last round built is not to be kept or read again.
        hot.forget(&store, &other, &column, METRIC).await?;
        let (tier_of, store_of) = (hot.clone(), store.clone());
        let (name_of, column_of) = (other.clone(), column.clone());
        let started = Instant::now();
        let building = tokio::spawn(async move {
            let watch = Watch::default();
            let warmed = tier_of.warm(&store_of, &name_of, &column_of, METRIC, &watch);
            warmed.await.map(|_| started.elapsed())
        });
        let never = Instant::now() + Duration::from_secs(3_600);
        let busy = searches.until(never, || building.is_finished()).await?;
        let built = building.await??;
        let (idle, busy) = (Times::of(idle), Times::of(busy));
        lines.push(vec![
            tier.to_string(),
            format!("{:.1}", built.as_secs_f64()),
            format!("{}", busy.count),
            format!("{:.3}", idle.median),
            format!("{:.3}", busy.median),
            format!("{:.2}", busy.median / idle.median),
            format!("{:.3}", idle.late),
            format!("{:.3}", busy.late),
            format!("{:.2}", busy.late / idle.late),
        ]);
    }
    let header = [
        "tier",
        "build s",
        "searches in it",
        "median ms, idle",
        "building",
        "ratio",
        "99th ms, idle",
        "building",
        "ratio",
    ];
    println!("{}", machine::table(&header, &lines));
    Ok(())
}

struct Searches<'a> {
    searcher: &'a Searcher,
    table: &'a penstock::store::Table,
    column: &'a str,
    queries: &'a [f32],
    tier: Tier,
}

impl Searches<'_> {
    /// Searches one after the other until then, or until it is enough; how long each took.
    async fn until(&self, end: Instant, enough: impl Fn() -> bool) -> Result<Vec<Duration>> {
        let dim = self.queries.len() / QUERIES;
        let mut times = Vec::new();
        for query in self.queries.chunks_exact(dim).cycle() {
            if Instant::now() >= end || enough() {
                break;
            }
            let mut request = SearchRequest::new(self.column, query.to_vec(), K);
            request.metric = Some(METRIC);
            request.tier = Some(self.tier);
            let started = Instant::now();
            self.searcher.search(self.table, &request).await?;
            times.push(started.elapsed());
        }
        Ok(times)
    }
}

/// Milliseconds.
struct Times {
    count: usize,
    median: f64,
    late: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let at = |share: f64| {
            let last = times.len().saturating_sub(1);
            let time = times.get((last as f64 * share) as usize);
            time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
        };
        Self {
            count: times.len(),
            median: at(0.5),
            late: at(0.99),
        }
    }
}
