//! How long searches take while an index is built beside them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use arrow::array::{
    ArrayRef, FixedSizeBinaryBuilder, FixedSizeListArray, Float32Array, Int64Array,
    LargeStringArray, RecordBatch, StringArray, TimestampMicrosecondArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema};
use penstock::index::{
    BuildOptions, HotOptions, HotTier, IndexKind, SearchRequest, Searcher, Tier, Watch, build,
};
use penstock::store::{LoadOptions, Store, StoreOptions};
use penstock_types::content::Payload;
use penstock_types::{DType, Dim, FeatureSpec, Kind, Metric, Pooling, TableName, columns};

use crate::machine;
use crate::vectors::clustered;

const K: usize = 10;
const QUERIES: usize = 2_000;
/// Searches of the idle case, of each tier.
const IDLE: Duration = Duration::from_secs(8);
/// Rows of a batch of the load.
const BATCH: usize = 8_192;
const METRIC: Metric = Metric::L2;

pub(crate) struct Shape {
    /// Rows of the table that is searched.
    pub(crate) rows: usize,
    /// Rows of the table whose index is built.
    pub(crate) building: usize,
    pub(crate) dim: usize,
    /// Threads of the build; 0: the default.
    pub(crate) threads: usize,
    pub(crate) seed: u64,
}

pub(crate) async fn run(shape: &Shape) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().to_string_lossy();
    let store = Store::open(&root, StoreOptions::default()).await?;
    let spec = FeatureSpec {
        encoder: "bench-v1".into(),
        weights: "00".repeat(32),
        pooling: Pooling::Whole,
        dtype: DType::F32,
        licence: None,
        dim: Dim::new(shape.dim).context("vectors have numbers")?,
    };
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

async fn load(store: &Store, name: &TableName, spec: &FeatureSpec, rows: &[f32]) -> Result<()> {
    let base = columns::schema(Kind::Protein);
    let mut fields: Vec<_> = base.fields().iter().cloned().collect();
    fields.push(Arc::new(spec.field()));
    let schema = Arc::new(Schema::new_with_metadata(fields, base.metadata().clone()));
    let dim = spec.dim.get();
    let options = LoadOptions::default();
    let mut load = store
        .load(name, Kind::Protein, Arc::clone(&schema), options)
        .await?;
    for (part, vectors) in rows.chunks(BATCH * dim).enumerate() {
        let count = vectors.len() / dim;
        let ids: Vec<String> = (0..count)
            .map(|row| format!("r{:08}", part * BATCH + row))
            .collect();
        let arrays = schema
            .fields()
            .iter()
            .map(|field| {
                let array: ArrayRef = match field.name().as_str() {
                    columns::ID => Arc::new(StringArray::from(ids.clone())),
                    columns::KIND => Arc::new(StringArray::from(vec!["protein"; count])),
                    columns::SOURCE => Arc::new(StringArray::from(vec!["bench"; count])),
                    columns::CONTENT_HASH => {
                        let mut hashes = FixedSizeBinaryBuilder::new(32);
                        for id in &ids {
                            let mut payload = Payload::new(Kind::Protein);
                            payload.bytes("sequence", id.as_bytes());
                            hashes.append_value(payload.finish().as_bytes())?;
                        }
                        Arc::new(hashes.finish())
                    }
                    columns::EVENT_TIME => Arc::new(
                        TimestampMicrosecondArray::from(vec![0; count]).with_timezone("UTC"),
                    ),
                    columns::SEQUENCE => Arc::new(LargeStringArray::from(ids.clone())),
                    columns::LENGTH => Arc::new(Int64Array::from(vec![9; count])),
                    column if *column == spec.column() => {
                        let item = Arc::new(Field::new("item", DataType::Float32, true));
                        let values = Arc::new(Float32Array::from(vectors.to_vec()));
                        let size = spec.dim.as_i32();
                        Arc::new(FixedSizeListArray::try_new(item, size, values, None)?)
                    }
                    _ => new_null_array(field.data_type(), count),
                };
                Ok(array)
            })
            .collect::<Result<_>>()?;
        load.push(RecordBatch::try_new(Arc::clone(&schema), arrays)?)
            .await?;
    }
    load.commit().await?;
    Ok(())
}
