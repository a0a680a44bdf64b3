//! The search itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float32Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use lance::dataset::ProjectionRequest;
use penstock_store::Table;
use penstock_types::columns::ID;

use crate::nearest::{Found, Hit, Target};
use crate::{
    IndexError, MAX_K, Result, SearchAnswer, SearchOptions, SearchRequest, approximate, column,
    exact,
};

/// The column of an answer that holds the distance: Float32, never null.
pub const DISTANCE: &str = "distance";

/// Finds the `k` rows of the table whose feature is nearest to the query vector.
///
/// # Errors
/// The request does not fit the table (see [`IndexError`]), or reading fails.
pub async fn search(table: &Table, request: &SearchRequest) -> Result<SearchAnswer> {
    let spec = column::feature(table, &request.column)?;
    let metric = request.metric.unwrap_or_default();
    column::check_made(&request.column, &spec, request.made.as_ref())?;
    column::check_vector(&request.column, &spec, &request.vector, metric)?;
    if !(1..=MAX_K).contains(&request.k) {
        return Err(IndexError::K {
            given: request.k,
            max: MAX_K,
        });
    }
    check_options(&request.options)?;
    let (names, schema) = column::projected(table, &request.columns)?;

    let target = Arc::new(Target {
        id_column: ID,
        column: request.column.clone(),
        metric,
        vector: request.vector.clone(),
        k: request.k,
        prefer_id: request.prefer_id.clone(),
    });
    let filter = request.filter.as_deref();
    let index = approximate::usable_index(table, &request.column, metric).await?;
    let unindexed_rows = match &index {
        Some((_, info)) => info.unindexed_rows,
        None => table.count_rows(None).await?,
    };

    let mut approximate_hits = None;
    if let Some((kind, info)) = index.filter(|_| !request.exact) {
        let found =
            approximate::search(table, &target, filter, kind, &info, request.options).await?;
        // Fewer than k means that the rows which satisfy the predicate are few, or hidden from the
        // walk by it. Only a scan can tell, and with few rows it is cheap.
        if found.hits.len() == target.k {
            approximate_hits = Some(found);
        }
    }
    let exact = approximate_hits.is_none();
    let Found { hits, compared } = match approximate_hits {
        Some(found) => found,
        None => exact::scan(table, &target, filter).await?,
    };
    Ok(SearchAnswer {
        version: table.version(),
        column: request.column.clone(),
        metric,
        k: request.k,
        exact,
        unindexed_rows,
        candidates: compared,
        batch: assemble(table, &hits, &names, schema).await?,
    })
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

/// Reads the requested columns of the hits, in their order, and adds the distance.
async fn assemble(
    table: &Table,
    hits: &[Hit],
    names: &[String],
    schema: SchemaRef,
) -> Result<RecordBatch> {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(DISTANCE, DataType::Float32, false)));
    let schema = Arc::new(Schema::new(fields));
    let mut arrays: Vec<ArrayRef> = if hits.is_empty() {
        names
            .iter()
            .zip(schema.fields())
            .map(|(_, field)| arrow::array::new_empty_array(field.data_type()))
            .collect()
    } else {
        let rows = take(table, hits, names).await?;
        names
            .iter()
            .map(|name| {
                rows.column_by_name(name)
                    .cloned()
                    .ok_or(IndexError::Invariant {
                        what: "a read left out a column that it was asked for",
                    })
            })
            .collect::<Result<_>>()?
    };
    arrays.push(Arc::new(Float32Array::from_iter_values(
        hits.iter().map(|hit| hit.distance),
    )));
    let options = RecordBatchOptions::new().with_row_count(Some(hits.len()));
    Ok(RecordBatch::try_new_with_options(schema, arrays, &options)?)
}

async fn take(table: &Table, hits: &[Hit], names: &[String]) -> Result<RecordBatch> {
    let failed = IndexError::read(table);
    let mut columns: Vec<&str> = names.iter().map(String::as_str).collect();
    if !columns.contains(&ID) {
        columns.push(ID);
    }
    let dataset = table.dataset();
    let projection = dataset.schema().project(&columns).map_err(&failed)?;
    let rows: Vec<u64> = hits.iter().map(|hit| hit.row).collect();
    let batch = dataset
        .take_rows(&rows, ProjectionRequest::from_schema(projection))
        .await
        .map_err(&failed)?;
    // The rows must be the ones that were compared, whatever happens below us.
    let ids = batch.column_by_name(ID).map(|ids| ids.as_string::<i32>());
    let same = ids.is_some_and(|ids| {
        ids.len() == hits.len() && hits.iter().zip(ids).all(|(hit, id)| id == Some(&hit.id))
    });
    if !same {
        return Err(IndexError::Invariant {
            what: "the rows read are not the rows found",
        });
    }
    Ok(batch)
}
