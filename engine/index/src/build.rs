//! Making indexes and bringing them up to date.

use lance::index::vector::VectorIndexParams;
use lance_index::IndexType;
use lance_index::vector::bq::RQBuildParams;
use lance_index::vector::hnsw::builder::HnswBuildParams;
use lance_index::vector::ivf::IvfBuildParams;
use lance_index::vector::pq::PQBuildParams;
use lance_index::vector::sq::builder::SQBuildParams;
use penstock_store::{IndexInfo, IndexRequest, Store, Table};
use penstock_types::{Metric, TableName};

use crate::approximate::{distance_type, usable_index};
use crate::column;
use crate::kind::IndexKind;
use crate::policy::{Reason, default_partitions, is_stale, needs_index};
use crate::{IndexError, Result};

/// Numbers of a vector that one entry of a product quantiser stands for: 8 to 1 against `f32`
/// times 4, and with re-ranking still accurate.
const PQ_NUMBERS_PER_CODE: usize = 4;

/// How to build an index. Every `None` is chosen from the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildOptions {
    /// The metric of the searches that the index shall answer.
    pub metric: Metric,
    /// Partitions; chosen from the number of rows where `None`.
    pub partitions: Option<usize>,
    /// Neighbours of a vector in a graph.
    pub edges: usize,
    /// Candidates that the insertion into a graph considers.
    pub ef_construction: usize,
    /// Replace the column's index where there is one; else it is an error that there is.
    pub replace: bool,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            metric: Metric::Cosine,
            partitions: None,
            edges: 20,
            ef_construction: 150,
            replace: true,
        }
    }
}

/// Builds the index of a feature column, under the table's maintenance lease. A column has one
/// index; a search by another metric than the index's is exact.
///
/// # Errors
/// The column holds no features, too few of them for the type, or another length than it needs; an
/// option is out of bounds; somebody else holds the lease; the store fails.
pub async fn build(
    store: &Store,
    name: &TableName,
    column: &str,
    kind: IndexKind,
    options: BuildOptions,
) -> Result<IndexInfo> {
    let table = store.table(name).await?;
    let spec = column::feature(&table, column)?;
    check_bounds(&options)?;
    if !options.replace
        && let Some((metric, info)) = existing(&table, column).await?
    {
        return Err(IndexError::Exists {
            column: column.to_owned(),
            kind: info.kind,
            metric,
        });
    }
    let quoted = format!("`{column}` IS NOT NULL");
    let found = table.count_rows(Some(&quoted)).await?;
    if found < kind.min_rows() as u64 {
        return Err(IndexError::TooFewRows {
            kind: kind.as_str(),
            column: column.to_owned(),
            needed: kind.min_rows(),
            found,
        });
    }
    let divisor = match kind {
        IndexKind::IvfPq | IndexKind::IvfHnswPq => PQ_NUMBERS_PER_CODE,
        IndexKind::IvfRq => 8,
        IndexKind::IvfFlat | IndexKind::IvfHnswSq => 1,
    };
    if !spec.dim.get().is_multiple_of(divisor) {
        return Err(IndexError::Divisor {
            kind: kind.as_str(),
            column: column.to_owned(),
            dim: spec.dim.get(),
            divisor,
        });
    }
    let partitions = options
        .partitions
        .unwrap_or_else(|| default_partitions(kind, found))
        .min(usize::try_from(found).unwrap_or(usize::MAX));
    let params = params(kind, &options, partitions, spec.dim.get());
    let request = IndexRequest {
        column,
        kind: IndexType::Vector,
        name: Some(index_name(column)),
        params: &params,
        replace: options.replace,
    };
    let info = store.build_index(name, request).await?;
    tracing::info!(
        table = %name, column, %kind, metric = %options.metric, partitions, rows = found,
        version = info.version, "index built"
    );
    Ok(info)
}

/// The name of a column's index in the table: one per column, whatever its type.
fn index_name(column: &str) -> String {
    format!("{column}_vector")
}

async fn existing(table: &Table, column: &str) -> Result<Option<(Metric, IndexInfo)>> {
    for metric in Metric::ALL {
        if let Some((_, info)) = usable_index(table, column, metric).await? {
            return Ok(Some((metric, info)));
        }
    }
    Ok(None)
}

fn check_bounds(options: &BuildOptions) -> Result<()> {
    for (option, given, min, max) in [
        ("partitions", options.partitions.unwrap_or(1), 1, 65_536),
        ("edges", options.edges, 4, 512),
        ("ef_construction", options.ef_construction, 4, 10_000),
    ] {
        if !(min..=max).contains(&given) {
            return Err(IndexError::Option {
                option,
                given,
                min,
                max,
            });
        }
    }
    Ok(())
}

fn params(
    kind: IndexKind,
    options: &BuildOptions,
    partitions: usize,
    dim: usize,
) -> VectorIndexParams {
    let metric = distance_type(options.metric);
    let ivf = IvfBuildParams::new(partitions);
    let graph = HnswBuildParams::default()
        .num_edges(options.edges)
        .ef_construction(options.ef_construction);
    let product = PQBuildParams {
        num_sub_vectors: dim / PQ_NUMBERS_PER_CODE,
        ..PQBuildParams::default()
    };
    match kind {
        IndexKind::IvfFlat => VectorIndexParams::with_ivf_flat_params(metric, ivf),
        IndexKind::IvfPq => VectorIndexParams::with_ivf_pq_params(metric, ivf, product),
        IndexKind::IvfHnswPq => {
            VectorIndexParams::with_ivf_hnsw_pq_params(metric, ivf, graph, product)
        }
        IndexKind::IvfHnswSq => {
            VectorIndexParams::with_ivf_hnsw_sq_params(metric, ivf, graph, SQBuildParams::default())
        }
        IndexKind::IvfRq => {
            VectorIndexParams::with_ivf_rq_params(metric, ivf, RQBuildParams::new(1))
        }
    }
}

/// What [`refresh`] did.
#[derive(Debug, Clone, Default)]
pub struct RefreshOutcome {
    /// Columns whose index was built, being missing and worth it.
    pub built: Vec<IndexInfo>,
    /// Whether the indexes there were were brought up to date.
    pub updated: bool,
}

/// Builds the vector indexes that are missing and worth it, and brings stale ones of any kind up to
/// date. Does nothing where nothing is due, so that a background task may call it after every commit.
///
/// # Errors
/// Somebody else holds the maintenance lease (try again later), or the store fails.
pub async fn refresh(store: &Store, name: &TableName) -> Result<RefreshOutcome> {
    let mut outcome = RefreshOutcome::default();
    let table = store.table(name).await?;
    let mut stale = false;
    for (column, spec) in table.features() {
        if spec.pooling == penstock_types::Pooling::None {
            continue;
        }
        match needs_index(&table, &column).await? {
            None => {}
            Some(Reason::Stale { .. }) => stale = true,
            Some(Reason::Missing { .. }) => {
                let options = BuildOptions::default();
                outcome
                    .built
                    .push(build(store, name, &column, IndexKind::default(), options).await?);
            }
        }
    }
    // Those of words, of motifs and of ids too.
    if stale || table.indexes().await?.iter().any(is_stale) {
        store.optimize(name).await?;
        outcome.updated = true;
    }
    Ok(outcome)
}
