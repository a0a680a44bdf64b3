//! Full-text search: BM25 (Robertson et al. 1994, TREC-3) over text columns, by Lance's inverted
//! index.
//!
//! Words are runs of letters and digits, lower-cased, without accents, English stop words left out
//! and stemmed; so `kinases` finds `kinase`, and `P53_HUMAN` is two words. Several columns are
//! scored each by itself, and a row's score is its best column's. Rows that an index does not cover
//! are read and scored all the same. A column must have an index, though: it says how words are
//! made, and without one Lance would compare them letter by letter.

use std::sync::Arc;

use arrow::array::{AsArray, Float32Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Float32Type, Schema, UInt64Type};
use lance_index::IndexType;
use lance_index::scalar::inverted::query::{FtsQuery, MultiMatchQuery};
use lance_index::scalar::{FullTextSearchQuery, InvertedIndexParams};
use penstock_store::{IndexInfo, IndexRequest, Store, Table};
use penstock_types::TableName;
use penstock_types::columns::{DESCRIPTION, ID, NAME};

use crate::exact::set_filter;
use crate::nearest::ROW;
use crate::rows::{self, Row};
use crate::{IndexError, MAX_K, Result, column};

/// The column of an answer that holds the score: Float32, never null; higher is better.
pub const SCORE: &str = "score";
/// The longest query, in bytes.
const MAX_QUERY: usize = 4_096;
/// Rows that are asked for, at most, to know all that tie with the last wanted one.
const MAX_TIES: usize = 4 * MAX_K;
/// Lance's name for the score.
const LANCE_SCORE: &str = "_score";

/// One full-text search.
#[derive(Debug, Clone, PartialEq)]
pub struct TextRequest {
    /// Words; a row with any of them is found, one with more and rarer ones comes first.
    pub query: String,
    /// The columns that are searched.
    pub search: Vec<String>,
    /// How many hits, from 1 to [`MAX_K`].
    pub k: usize,
    /// SQL predicate that every hit satisfies.
    pub filter: Option<String>,
    /// Columns of the answer, in this order; `score` is added.
    pub columns: Vec<String>,
}

impl TextRequest {
    /// A search with the defaults: columns `description` and `name`, no predicate, the column `id`.
    #[must_use]
    pub fn new(query: impl Into<String>, k: usize) -> Self {
        Self {
            query: query.into(),
            search: vec![DESCRIPTION.to_owned(), NAME.to_owned()],
            k,
            filter: None,
            columns: vec![ID.to_owned()],
        }
    }
}

/// The hits, and how they were found.
#[derive(Debug, Clone)]
pub struct TextAnswer {
    /// Version of the table that was searched.
    pub version: u64,
    /// How many hits were asked for.
    pub k: usize,
    /// Rows that the index of some searched column does not cover yet; they were read one by one.
    pub unindexed_rows: u64,
    /// One row per hit, best first, equals by id: the requested columns and `score` (Float32, not
    /// null).
    pub batch: RecordBatch,
}

/// Builds the full-text index of a text column, under the table's maintenance lease, or builds it
/// anew.
///
/// # Errors
/// The column holds no text; somebody else holds the lease; the store fails.
pub async fn build_text_index(store: &Store, name: &TableName, column: &str) -> Result<IndexInfo> {
    let table = store.table(name).await?;
    check_columns(&table, &[column.to_owned()])?;
    let params = InvertedIndexParams::default();
    let request = IndexRequest {
        column,
        kind: IndexType::Inverted,
        name: Some(format!("{column}_text")),
        params: &params,
        replace: true,
    };
    let info = store.build_index(name, request).await?;
    tracing::info!(
        table = %name, column, rows = info.indexed_rows, version = info.version,
        "text index built"
    );
    Ok(info)
}

/// Finds the `k` rows that fit the words best.
///
/// Equals are ordered by id. Where more than some 40,000 rows tie for the last places, which of
/// them are answered is left to Lance.
///
/// # Errors
/// The request does not fit the table, a searched column has no text index, or reading fails.
pub async fn text_search(table: &Table, request: &TextRequest) -> Result<TextAnswer> {
    let query = request.query.trim();
    if query.is_empty() || query.len() > MAX_QUERY {
        return Err(IndexError::TextQuery {
            given: query.len(),
            max: MAX_QUERY,
        });
    }
    if !(1..=MAX_K).contains(&request.k) {
        return Err(IndexError::K {
            given: request.k,
            max: MAX_K,
        });
    }
    check_columns(table, &request.search)?;
    let (names, _) = column::projected(table, &request.columns)?;
    let unindexed_rows = unindexed(table, &request.search).await?;
    let mut wanted = request.k + 1;
    let mut found = loop {
        let found = best(table, request, query, wanted).await?;
        // Done, unless rows beyond those asked for may tie with the last wanted one.
        let tie = found.len() == wanted && found[wanted - 1].0 == found[request.k - 1].0;
        if !tie || wanted >= MAX_TIES {
            break found;
        }
        wanted = (2 * wanted).min(MAX_TIES);
    };
    found.truncate(request.k);

    let (scores, rows): (Vec<f32>, Vec<Row>) = found.into_iter().unzip();
    let batch = rows::read(table, &rows, &names).await?;
    let mut fields = batch.schema().fields().to_vec();
    fields.push(Arc::new(Field::new(SCORE, DataType::Float32, false)));
    let mut arrays = batch.columns().to_vec();
    arrays.push(Arc::new(Float32Array::from(scores)));
    Ok(TextAnswer {
        version: table.version(),
        k: request.k,
        unindexed_rows,
        batch: RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?,
    })
}

/// The best rows by score and then id.
async fn best(
    table: &Table,
    request: &TextRequest,
    query: &str,
    wanted: usize,
) -> Result<Vec<(f32, Row)>> {
    let failed = IndexError::read(table);
    let columns = request.search.clone();
    let query = MultiMatchQuery::try_new(query.to_owned(), columns).map_err(&failed)?;
    // No more than MAX_TIES.
    let wanted = wanted as i64;
    let mut scan = table.dataset().scan();
    scan.project(&[ID, LANCE_SCORE]).map_err(&failed)?;
    scan.with_row_id()
        .prefilter(true)
        .disable_scoring_autoprojection();
    set_filter(&mut scan, table, request.filter.as_deref())?;
    let query = FullTextSearchQuery::new_query(FtsQuery::MultiMatch(query)).limit(Some(wanted));
    scan.full_text_search(query).map_err(&failed)?;
    scan.limit(Some(wanted), None).map_err(&failed)?;
    let batch = scan.try_into_batch().await.map_err(&failed)?;
    let column = |name: &str| {
        batch.column_by_name(name).ok_or(IndexError::Invariant {
            what: "a text search left out a column that it was asked for",
        })
    };
    let places = column(ROW)?.as_primitive::<UInt64Type>();
    let ids = column(ID)?.as_string::<i32>();
    let scores = column(LANCE_SCORE)?.as_primitive::<Float32Type>();
    let mut found: Vec<(f32, Row)> = (0..batch.num_rows())
        .map(|i| {
            let row = Row {
                row: places.value(i),
                id: ids.value(i).to_owned(),
            };
            (scores.value(i), row)
        })
        .collect();
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    Ok(found)
}

fn check_columns(table: &Table, columns: &[String]) -> Result<()> {
    if columns.is_empty() {
        return Err(IndexError::Option {
            option: "search",
            given: 0,
            min: 1,
            max: table.schema().fields().len(),
        });
    }
    let (_, schema) = column::projected(table, columns)?;
    for field in schema.fields() {
        if !matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8) {
            return Err(IndexError::ColumnType {
                table: table.name().to_string(),
                column: field.name().clone(),
                wanted: "text",
                found: field.data_type().to_string(),
            });
        }
    }
    Ok(())
}

/// Rows that the index of the column with the least covered does not cover.
async fn unindexed(table: &Table, columns: &[String]) -> Result<u64> {
    let indexes = table.indexes().await?;
    let mut most = 0;
    for column in columns {
        let index = indexes
            .iter()
            .find(|info| info.column == *column && info.kind.eq_ignore_ascii_case("inverted"))
            .ok_or_else(|| IndexError::NoTextIndex {
                table: table.name().to_string(),
                column: column.clone(),
            })?;
        most = most.max(index.unindexed_rows);
    }
    Ok(most)
}
