//! Reading rows that were found.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use lance::dataset::ProjectionRequest;
use penstock_store::Table;
use penstock_types::columns::ID;

use crate::{IndexError, Result, column};

/// A row: where Lance says it is, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) row: u64,
    pub(crate) id: String,
}

/// As [`Row`], of one that belongs to others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'r> {
    pub(crate) row: u64,
    pub(crate) id: &'r str,
}

/// The columns of these rows, in the order of both. They must be the rows that were found,
/// whatever happens below us: their ids are compared.
pub(crate) async fn read(table: &Table, rows: &[Row], columns: &[String]) -> Result<RecordBatch> {
    let places: Vec<Place<'_>> = rows
        .iter()
        .map(|Row { row, id }| Place { row: *row, id })
        .collect();
    take(table, &places, columns).await
}

/// As [`read`].
pub(crate) async fn take(
    table: &Table,
    rows: &[Place<'_>],
    columns: &[String],
) -> Result<RecordBatch> {
    let (names, schema) = column::projected(table, columns)?;
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(schema));
    }
    let failed = IndexError::read(table);
    let dataset = table.dataset();
    let projection = dataset
        .schema()
        .project(&with_id(names.clone()))
        .map_err(&failed)?;
    let places: Vec<u64> = rows.iter().map(|row| row.row).collect();
    let batch = dataset
        .take_rows(&places, ProjectionRequest::from_schema(projection))
        .await
        .map_err(&failed)?;
    checked(&batch, rows, &names, &schema)
}

/// With the column of ids, by which rows are checked.
pub(crate) fn with_id(mut names: Vec<String>) -> Vec<String> {
    if !names.iter().any(|name| name == ID) {
        names.push(ID.to_owned());
    }
    names
}

/// These columns of what was read, if it is these rows.
pub(crate) fn checked(
    batch: &RecordBatch,
    rows: &[Place<'_>],
    names: &[String],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let ids = batch.column_by_name(ID).map(|ids| ids.as_string::<i32>());
    let same = ids.is_some_and(|ids| {
        batch.num_rows() == rows.len() && rows.iter().zip(ids).all(|(row, id)| id == Some(row.id))
    });
    if !same {
        return Err(IndexError::Invariant {
            what: "the rows read are not the rows found",
        });
    }
    select(batch, names, schema)
}

/// These columns of a batch, with the table's own fields.
pub(crate) fn select(
    batch: &RecordBatch,
    names: &[String],
    schema: &SchemaRef,
) -> Result<RecordBatch> {
    let arrays = names
        .iter()
        .map(|name| {
            batch
                .column_by_name(name)
                .cloned()
                .ok_or(IndexError::Invariant {
                    what: "a read left out a column that it was asked for",
                })
        })
        .collect::<Result<_>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        arrays,
        &options,
    )?)
}
