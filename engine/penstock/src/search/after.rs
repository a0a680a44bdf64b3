//! What follows the search for candidates: words, re-ranking, groups, diversity; in this order.
//!
//! Each needs more candidates than rows are wanted: ten times as many, 100 at least, for words,
//! re-ranking (where the request does not say how many) and groups, and five times as many, 50 at
//! least, for diversity; the most of these, and no more than [`MAX_K`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::{cast, take_record_batch};
use arrow::datatypes::{DataType, Float32Type, Schema};
use penstock_index::{
    DiverseOptions, GroupOptions, HybridRequest, IndexError, MAX_K, Searcher, TextRequest,
    best_per_group, diversify,
};
use penstock_store::Table;
use penstock_types::{Probe, columns};

use super::read::{self, ids};
use super::score::{RerankBy, Shape, rank};
use super::{SearchAnswer, SearchInput, SearchRequest, answer};
use crate::Error;

/// Ranks candidates again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rerank {
    /// By which score.
    pub by: RerankBy,
    /// How many, from the rows wanted to [`MAX_K`]; chosen where `None`.
    pub candidates: Option<usize>,
}

/// Keeps only the best rows of each value of a column. Null is a value like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupBy {
    /// The column.
    pub column: String,
    /// Rows that are kept of each value.
    pub size: usize,
}

/// The stages that a request asks for.
pub(super) struct After {
    rerank: Option<(RerankBy, Shape)>,
    diversity: Option<f32>,
    group_by: Option<GroupBy>,
    words: Option<TextRequest>,
    pool: usize,
    k: usize,
}

impl After {
    /// The stages, checked against the table before anything is searched; `None` where there are
    /// none.
    pub(super) async fn new(table: &Table, ask: &SearchRequest) -> Result<Option<Self>, Error> {
        let some = ask.rerank.is_some()
            || ask.diversity.is_some()
            || ask.group_by.is_some()
            || ask.words.is_some();
        if !some {
            return Ok(None);
        }
        if !(1..=MAX_K).contains(&ask.k) {
            return Err(IndexError::K {
                given: ask.k,
                max: MAX_K,
            }
            .into());
        }
        if let Some(lambda) = ask.diversity
            && !(0.0..=1.0).contains(&lambda)
        {
            return Err(IndexError::Number {
                option: "diversity",
                given: f64::from(lambda),
                expected: "from 0 to 1",
            }
            .into());
        }
        if let Some(group) = &ask.group_by {
            check_group(table, group)?;
        }
        let pool = pool(ask)?;
        let rerank = match &ask.rerank {
            None => None,
            Some(rerank) => Some((rerank.by, query_shape(table, rerank.by, &ask.input).await?)),
        };
        let words = match &ask.words {
            None => None,
            Some(words) => {
                let mut request = TextRequest::new(words.clone(), pool);
                request.search = searchable(table, request.search).await?;
                request.filter.clone_from(&ask.filter);
                Some(request)
            }
        };
        Ok(Some(Self {
            rerank,
            diversity: ask.diversity,
            group_by: ask.group_by.clone(),
            words,
            pool,
            k: ask.k,
        }))
    }

    /// Searches for candidates and goes through the stages.
    pub(super) async fn run(
        self,
        searcher: &Searcher,
        table: &Table,
        mut search: penstock_index::SearchRequest,
    ) -> Result<SearchAnswer, Error> {
        let wanted = search.columns.clone();
        for name in [
            Some(columns::ID),
            self.group_by.as_ref().map(|g| g.column.as_str()),
        ] {
            if let Some(name) = name
                && !search.columns.iter().any(|column| column == name)
            {
                search.columns.push(name.to_owned());
            }
        }
        let read = search.columns.clone();
        search.k = self.pool;
        let (vector, column) = (search.vector.clone(), search.column.clone());
        let mut found = match &self.words {
            None => answer(table, searcher.search(table, &search).await?),
            Some(words) => {
                let mut request = HybridRequest::new(search, words.clone(), self.pool);
                request.columns.clone_from(&read);
                let fused = searcher.hybrid(table, &request).await?;
                let mut found = answer(table, fused.vector);
                found.hits = fused.batch;
                found
            }
        };
        let mut hits = found.hits;
        found.considered = Some(hits.num_rows());
        if let Some((by, query)) = self.rerank {
            hits = reranked(table, hits, (by, query), found.plan.rows).await?;
        }
        if let Some(group) = &self.group_by {
            let options = GroupOptions {
                best: group.size,
                groups: None,
            };
            hits = best_per_group(&hits, &group.column, options)?;
        }
        if let Some(lambda) = self.diversity {
            let options = DiverseOptions {
                k: self.k,
                lambda,
                metric: found.metric,
            };
            let by_rank = self.words.is_some() || by_score(&hits);
            hits = diverse(table, hits, (&column, &vector), options, by_rank).await?;
        }
        let hits = hits.slice(0, self.k.min(hits.num_rows()));
        found.hits = without(&hits, &read, &wanted)?;
        found.k = self.k;
        Ok(found)
    }
}

/// Whether the rows come by a score, and not by distance.
fn by_score(hits: &RecordBatch) -> bool {
    ["evalue", "tm_score", "chamfer"]
        .iter()
        .any(|name| hits.column_by_name(name).is_some())
}

/// Rows that the stages choose from.
fn pool(ask: &SearchRequest) -> Result<usize, Error> {
    let k = ask.k;
    let times = |factor: usize| k.saturating_mul(factor).max(10 * factor);
    let mut pool = k;
    if let Some(rerank) = &ask.rerank {
        pool = match rerank.candidates {
            Some(given) if !(k..=MAX_K).contains(&given) => {
                return Err(Error::RerankCandidates {
                    given,
                    k,
                    max: MAX_K,
                });
            }
            Some(given) => return Ok(given),
            None => pool.max(times(10)),
        };
    }
    if ask.group_by.is_some() || ask.words.is_some() {
        pool = pool.max(times(10));
    }
    if ask.diversity.is_some() {
        pool = pool.max(times(5));
    }
    Ok(pool.min(MAX_K))
}

fn check_group(table: &Table, group: &GroupBy) -> Result<(), Error> {
    if !(1..=MAX_K).contains(&group.size) {
        return Err(Error::GroupSize {
            given: group.size,
            max: MAX_K,
        });
    }
    if table.schema().field_with_name(&group.column).is_err() {
        return Err(Error::NoGroupColumn {
            table: table.name().clone(),
            column: group.column.clone(),
        });
    }
    Ok(())
}

/// The columns that words can be looked for in: those with an index of words. Where none has, the
/// search says so.
async fn searchable(table: &Table, mut search: Vec<String>) -> Result<Vec<String>, Error> {
    let indexes = table.indexes().await?;
    let has = |column: &String| {
        indexes
            .iter()
            .any(|index| index.column == *column && index.kind.eq_ignore_ascii_case("inverted"))
    };
    if search.iter().any(has) {
        search.retain(has);
    }
    Ok(search)
}

/// What the query is compared by.
async fn query_shape(table: &Table, by: RerankBy, input: &SearchInput) -> Result<Shape, Error> {
    if !by.is_for(table.kind()) {
        return Err(Error::RerankKind {
            table: table.name().clone(),
            holds: table.kind(),
            by,
            wants: match by {
                RerankBy::Alignment => "proteins and DNA",
                RerankBy::Tm => "proteins with coordinates",
                RerankBy::Chamfer => "meshes",
            },
        });
    }
    let lacking = Error::RerankQuery {
        by,
        wants: by.wants(),
    };
    let shape = match input {
        SearchInput::Vector(_) => None,
        SearchInput::Text(text) if by == RerankBy::Alignment => {
            let letters = text.bytes().filter(|b| !b.is_ascii_whitespace());
            Some(Shape::Sequence(letters.collect()))
        }
        SearchInput::Text(_) => None,
        SearchInput::Records(records) if records.num_rows() > 0 => Shape::of(by, records, 0),
        SearchInput::Records(_) => None,
        SearchInput::Id(id) => {
            let rows = table.rows_by_id(&[id], Some(by.columns())).await?;
            if rows.num_rows() == 0 {
                return Err(Error::NoSuchRow {
                    table: table.name().clone(),
                    id: id.clone(),
                });
            }
            Shape::of(by, &rows, 0)
        }
    };
    shape.ok_or(lacking)
}

/// Stops the scoring when nobody waits for it any more.
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn reranked(
    table: &Table,
    hits: RecordBatch,
    (by, query): (RerankBy, Shape),
    rows: u64,
) -> Result<RecordBatch, Error> {
    let data = read::rows(table, &ids(&hits), by.columns()).await?;
    let stop = Stop(Arc::default());
    let (kind, flag) = (table.kind(), Arc::clone(&stop.0));
    let ranked = tokio::task::spawn_blocking(move || {
        let shapes: Vec<Option<Shape>> = (0..data.num_rows())
            .map(|row| Shape::of(by, &data, row))
            .collect();
        drop(data);
        rank(kind, &query, &shapes, rows, &flag)
    });
    let ranked = ranked.await.map_err(Error::Worker)??;
    let order = ranked.order.iter().map(|at| *at as u64);
    let hits = taken(&hits, order)?;
    let mut fields = hits.schema().fields().to_vec();
    let mut arrays = hits.columns().to_vec();
    for (field, array) in ranked.scores {
        fields.push(Arc::new(field));
        arrays.push(array);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(IndexError::from)?)
}

fn taken(hits: &RecordBatch, order: impl Iterator<Item = u64>) -> Result<RecordBatch, Error> {
    let order = UInt64Array::from_iter_values(order);
    Ok(take_record_batch(hits, &order).map_err(IndexError::from)?)
}

/// Chooses hits that differ. Where they do not come by distance, the best of them is taken to be as
/// near as the nearest, the next as the next nearest, and so on, so that places count as much
/// against the distances between hits as distances would. Hits without a vector come last.
async fn diverse(
    table: &Table,
    hits: RecordBatch,
    (column, query): (&str, &[f32]),
    options: DiverseOptions,
    by_rank: bool,
) -> Result<RecordBatch, Error> {
    let rows = read::rows(table, &ids(&hits), &[column]).await?;
    let Some(values) = rows.column_by_name(column).and_then(floats) else {
        return Ok(hits);
    };
    let probe = Probe::new(options.metric, query);
    let (mut places, mut distances, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = Vec::new();
    for (place, vector) in values.iter().enumerate() {
        let vector = vector.as_deref();
        match vector.and_then(|vector| Some((vector, probe.distance(vector)?))) {
            Some((vector, distance)) => {
                places.push(place);
                distances.push(distance);
                vectors.push(vector);
            }
            None => rest.push(place),
        }
    }
    if by_rank {
        distances.sort_by(f32::total_cmp);
    }
    let chosen = diversify(&distances, &vectors, options)?;
    let chosen = chosen.into_iter().map(|at| places[at]);
    taken(&hits, chosen.chain(rest).map(|place| place as u64))
}

/// The vectors of a column as 32-bit numbers.
fn floats(column: &ArrayRef) -> Option<Vec<Option<Vec<f32>>>> {
    let lists = column.as_fixed_size_list_opt()?;
    let each = (0..lists.len()).map(|row| {
        if lists.is_null(row) {
            return Some(None);
        }
        let values = cast(&lists.value(row), &DataType::Float32).ok()?;
        Some(Some(values.as_primitive::<Float32Type>().values().to_vec()))
    });
    each.collect()
}

/// Leaves out the columns that were read for the stages alone.
fn without(hits: &RecordBatch, read: &[String], wanted: &[String]) -> Result<RecordBatch, Error> {
    let schema = hits.schema();
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|at| {
            let name = schema.field(*at).name();
            !read.contains(name) || wanted.contains(name)
        })
        .collect();
    Ok(hits.project(&kept).map_err(IndexError::from)?)
}
