//! The search itself.

use std::sync::Arc;

use arrow::array::{Float32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use penstock_store::Table;
use penstock_types::Metric;
use penstock_types::columns::ID;

use crate::nearest::{Found, Hit, Target};
use crate::plan::Plan;
use crate::rows::Place;
use crate::searcher::{Searcher, Way};
use crate::{
    IndexError, MAX_K, Result, SearchAnswer, SearchOptions, SearchRequest, approximate, column,
    exact,
};

/// The column of an answer that holds the distance: Float32, never null.
pub const DISTANCE: &str = "distance";

/// Finds the `k` rows of the table whose feature is nearest to the query vector, with no index in
/// memory. See [`Searcher::search`].
///
/// # Errors
/// The request does not fit the table (see [`IndexError`]), or reading fails.
pub async fn search(table: &Table, request: &SearchRequest) -> Result<SearchAnswer> {
    Searcher::default().search(table, request).await
}

/// What a search came to.
struct Reached {
    metric: Metric,
    plan: Plan,
    found: Found,
    exact: bool,
}

impl Searcher {
    /// Finds the `k` rows of the table whose feature is nearest to the query vector.
    ///
    /// # Errors
    /// The request does not fit the table (see [`IndexError`]), or reading fails.
    pub async fn search(&self, table: &Table, request: &SearchRequest) -> Result<SearchAnswer> {
        let (names, _) = column::projected(table, &request.columns)?;
        let Reached {
            metric,
            plan,
            found,
            exact,
        } = self.reach(table, request).await?;
        self.count(plan.tier, 1);
        Ok(SearchAnswer {
            version: table.version(),
            column: request.column.clone(),
            metric,
            k: request.k,
            exact,
            unindexed_rows: plan.unindexed_rows,
            candidates: found.compared,
            truncated: request.radius.is_some() && found.hits.len() == request.k,
            plan,
            batch: self.assemble(table, &found.hits, &names).await?,
        })
    }

    /// As [`Searcher::search`], without reading anything of the hits.
    pub(crate) async fn hits(&self, table: &Table, request: &SearchRequest) -> Result<Found> {
        Ok(self.reach(table, request).await?.found)
    }

    /// The hits alone, and which way was taken.
    pub(crate) async fn search_hits(
        &self,
        table: &Table,
        request: &SearchRequest,
    ) -> Result<(Vec<Hit>, Plan)> {
        let reached = self.reach(table, request).await?;
        Ok((reached.found.hits, reached.plan))
    }

    async fn reach(&self, table: &Table, request: &SearchRequest) -> Result<Reached> {
        let spec = column::feature(table, &request.column)?;
        let metric = request.metric.unwrap_or_default();
        column::check_made(&request.column, &spec, request.made.as_ref())?;
        column::check_vector(&request.column, &spec, &request.vector, metric)?;
        check(request)?;
        let target = Arc::new(Target {
            id_column: ID,
            column: request.column.clone(),
            metric,
            vector: request.vector.clone(),
            k: request.k,
            radius: request.radius.unwrap_or(f32::INFINITY),
            prefer_id: request.prefer_id.clone(),
        });
        if request.tier.is_none() && !request.exact {
            self.recalls()
                .remember(table.name(), &request.column, &request.vector);
        }
        let (way, mut plan) = self.choose(table, &spec, metric, request).await?;
        let (found, exact) = self.follow(way, &mut plan, table, &target, request).await?;
        Ok(Reached {
            metric,
            plan,
            found,
            exact,
        })
    }

    /// Goes the chosen way; where that leaves hits out, compares every row after all.
    async fn follow(
        &self,
        way: Way,
        plan: &mut Plan,
        table: &Table,
        target: &Arc<Target>,
        request: &SearchRequest,
    ) -> Result<(Found, bool)> {
        let filter = request.filter.as_deref();
        let found = match way {
            Way::Exact => return Ok((exact::scan(table, target, filter).await?, true)),
            Way::Hot(index, hot) => {
                let found = index.search(table, target, filter, *hot).await?;
                if found.exact {
                    return Ok((found.found, true));
                }
                found.found
            }
            Way::Cold(kind, setting, opened) => {
                let how = (kind, setting);
                approximate::search(table, target, filter, how, opened.as_ref()).await?
            }
        };
        // Fewer than k means that the rows which satisfy the predicate are few, or hidden from the
        // walk by it. Only a scan can tell, and with few rows it is cheap.
        let too_few = found.hits.len() < target.k && target.radius == f32::INFINITY;
        // So does the row that the query was taken from, hidden by others at the same distance.
        let hidden = target.prefer_id.is_some()
            && filter.is_none()
            && !found.hits.iter().any(|hit| hit.preferred)
            && found.hits.last().is_some_and(|last| last.distance == 0.0);
        if too_few || hidden {
            plan.reason += "; it left rows out, so every row was compared after all";
            plan.recall = Some(1.0);
            return Ok((exact::scan(table, target, filter).await?, true));
        }
        Ok((found, false))
    }
}

/// Checks what does not depend on the table.
pub(crate) fn check(request: &SearchRequest) -> Result<()> {
    if !(1..=MAX_K).contains(&request.k) {
        return Err(IndexError::K {
            given: request.k,
            max: MAX_K,
        });
    }
    check_options(&request.options)?;
    if let Some(recall) = request.min_recall
        && !(0.0..=1.0).contains(&recall)
    {
        return Err(IndexError::Number {
            option: "min_recall",
            given: recall,
            expected: "from 0 to 1",
        });
    }
    if let Some(radius) = request.radius
        && !radius.is_finite()
    {
        return Err(IndexError::Number {
            option: "radius",
            given: f64::from(radius),
            expected: "a finite distance",
        });
    }
    Ok(())
}

fn check_options(options: &SearchOptions) -> Result<()> {
    let bounded = |option, given: Option<usize>, max| match given {
        Some(given) if !(1..=max).contains(&given) => Err(IndexError::Option {
            option,
            given,
            min: 1,
            max,
        }),
        _ => Ok(()),
    };
    bounded("nprobes", options.nprobes, 65_536)?;
    bounded("ef", options.ef, approximate::MAX_CANDIDATES)?;
    bounded("refine", options.refine, 1_000)
}

impl Searcher {
    /// Reads the requested columns of the hits, in their order, and adds the distance.
    pub(crate) async fn assemble(
        &self,
        table: &Table,
        hits: &[Hit],
        names: &[String],
    ) -> Result<RecordBatch> {
        let places: Vec<Place<'_>> = hits
            .iter()
            .map(|hit| Place {
                row: hit.row,
                id: &hit.id,
            })
            .collect();
        let rows = self.fetch().read(self.hot(), table, &places, names).await?;
        let mut fields = rows.schema().fields().to_vec();
        fields.push(Arc::new(Field::new(DISTANCE, DataType::Float32, false)));
        let mut arrays = rows.columns().to_vec();
        arrays.push(Arc::new(Float32Array::from_iter_values(
            hits.iter().map(|hit| hit.distance),
        )));
        Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
    }
}
