//! Measuring an index against the exact answer.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use lance::dataset::ProjectionRequest;
use penstock_store::{Store, Table};
use penstock_types::columns::ID;
use penstock_types::{Metric, TableName};

use crate::many::{Queries, scan};
use crate::nearest::floats;
use crate::plan::Tier;
use crate::recall::{Measured, Point, Setting};
use crate::searcher::Searcher;
use crate::{IndexError, Result, SearchOptions, SearchRequest, approximate, column};

/// How an index is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct MeasureOptions {
    /// Queries to compare with their exact answers.
    pub queries: usize,
    /// Hits per query.
    pub k: usize,
    /// No setting is tried after this time; those that were are kept.
    pub budget: Duration,
}

impl Default for MeasureOptions {
    fn default() -> Self {
        Self {
            queries: 64,
            k: 10,
            budget: Duration::from_secs(60),
        }
    }
}

/// Queries, and the row that each was taken from.
struct Sample {
    vectors: Vec<f32>,
    own: Vec<Option<String>>,
    from_users: bool,
}

impl Searcher {
    /// Compares the index of a tier with the exact answer, at settings from the least effort to
    /// the most, keeps the outcome beside the table and chooses by it from then on. The queries are
    /// those that users asked lately, or stored rows, which then do not count as hits of
    /// themselves.
    ///
    /// # Errors
    /// The tier has no index of the column; the table holds no vectors; the store fails.
    pub async fn measure(
        &self,
        store: &Store,
        name: &TableName,
        column: &str,
        (tier, metric): (Tier, Metric),
        options: &MeasureOptions,
    ) -> Result<Measured> {
        let table = store.table(name).await?;
        let spec = column::feature(&table, column)?;
        let ladder = match tier {
            Tier::Exact => return Err(IndexError::Measure),
            Tier::Hot => Setting::hot_ladder(options.k),
            Tier::Cold => {
                let usable = approximate::usable_index(&table, column, metric).await?;
                let (kind, info) = usable.ok_or_else(|| IndexError::NoIndex {
                    table: name.to_string(),
                    column: column.to_owned(),
                    metric,
                })?;
                Setting::cold_ladder(kind, info.indexed_rows, options.k)
            }
        };
        let dim = spec.dim.get();
        let sample = self.sample(&table, column, dim, options.queries).await?;
        let started = Instant::now();
        // One more, of which the query's own row is left out.
        let queries = Arc::new(Queries {
            column: column.to_owned(),
            metric,
            dim,
            k: options.k + 1,
            vectors: sample.vectors.clone(),
        });
        let truth: Vec<HashSet<String>> = scan(&table, &queries, None, None)
            .await?
            .into_iter()
            .zip(&sample.own)
            .map(|(found, own)| {
                others(found.hits.into_iter().map(|hit| hit.id), own, options.k).collect()
            })
            .collect();
        let mut points = Vec::new();
        for setting in ladder {
            let point = self
                .point(
                    &table,
                    column,
                    (tier, metric),
                    setting,
                    &sample,
                    &truth,
                    options.k,
                )
                .await?;
            points.push(point);
            // More effort finds no more.
            if point.recall >= 0.9995 || started.elapsed() > options.budget {
                break;
            }
        }
        let measured = Measured {
            version: table.version(),
            queries: truth.len(),
            from_users: sample.from_users,
            k: options.k,
            points,
            min_recall: None,
        };
        self.recalls()
            .keep(store, name, column, tier, measured.clone())
            .await?;
        Ok(measured)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one caller, which has them all at hand"
    )]
    async fn point(
        &self,
        table: &Table,
        column: &str,
        (tier, metric): (Tier, Metric),
        setting: Setting,
        sample: &Sample,
        truth: &[HashSet<String>],
        k: usize,
    ) -> Result<Point> {
        let (mut found, mut wanted) = (0, 0);
        let mut taken = Duration::ZERO;
        let dim = sample.vectors.len() / truth.len().max(1);
        for ((vector, own), truth) in sample.vectors.chunks_exact(dim).zip(&sample.own).zip(truth) {
            let mut request = SearchRequest::new(column, vector.to_vec(), k + 1);
            request.metric = Some(metric);
            request.tier = Some(tier);
            request.options = SearchOptions {
                ef: Some(setting.ef),
                nprobes: (tier == Tier::Cold).then_some(setting.nprobes),
                refine: (tier == Tier::Cold).then_some(setting.refine),
            };
            let started = Instant::now();
            let hits = self.hits(table, &request).await?.hits;
            taken += started.elapsed();
            wanted += truth.len();
            let near = others(hits.into_iter().map(|hit| hit.id), own, k);
            found += near.filter(|id| truth.contains(id)).count();
        }
        Ok(Point {
            setting,
            recall: found as f64 / wanted.max(1) as f64,
            queries_per_second: truth.len() as f64 / taken.as_secs_f64().max(1e-9),
        })
    }

    /// Queries of users where there are enough of them, else rows from all over the table.
    async fn sample(
        &self,
        table: &Table,
        column: &str,
        dim: usize,
        count: usize,
    ) -> Result<Sample> {
        let mut users = self.recalls().remembered(table.name(), column);
        users.retain(|vector| vector.len() == dim);
        if users.len() * 2 >= count {
            users.truncate(count);
            return Ok(Sample {
                own: vec![None; users.len()],
                vectors: users.concat(),
                from_users: true,
            });
        }
        let failed = IndexError::read(table);
        let rows = table.count_rows(None).await?;
        let step = (rows / count.max(1) as u64).max(1);
        let places: Vec<u64> = (0..rows).step_by(step as usize).take(count).collect();
        let dataset = table.dataset();
        let projection = dataset.schema().project(&[ID, column]).map_err(&failed)?;
        let batch = dataset
            .take(&places, ProjectionRequest::from_schema(projection))
            .await
            .map_err(&failed)?;
        let missing = || IndexError::Invariant {
            what: "a read left out a column that it was asked for",
        };
        let ids = batch.column_by_name(ID).ok_or_else(missing)?;
        let ids = arrow::compute::cast(ids, &DataType::Utf8)?;
        let ids = ids.as_string::<i32>();
        let vectors = batch
            .column_by_name(column)
            .and_then(|v| v.as_fixed_size_list_opt())
            .ok_or_else(missing)?;
        let values = floats(vectors)?;
        let mut sample = Sample {
            vectors: Vec::new(),
            own: Vec::new(),
            from_users: false,
        };
        for row in (0..batch.num_rows()).filter(|row| vectors.is_valid(*row)) {
            let start = vectors.value_offset(row) as usize;
            let vector = &values.values()[start..start + dim];
            // A vector without a direction is near nothing.
            if vector.iter().any(|number| *number != 0.0) {
                sample.vectors.extend_from_slice(vector);
                sample.own.push(Some(ids.value(row).to_owned()));
            }
        }
        if sample.own.is_empty() {
            return Err(IndexError::NothingToMeasure {
                table: table.name().to_string(),
                column: column.to_owned(),
            });
        }
        Ok(sample)
    }
}

/// The first `k` ids that are not the query's own.
fn others<'a>(
    ids: impl Iterator<Item = String> + 'a,
    own: &'a Option<String>,
    k: usize,
) -> impl Iterator<Item = String> + 'a {
    ids.filter(move |id| own.as_ref() != Some(id)).take(k)
}
