//! Vectors and words in one search.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array, RecordBatch, UInt32Array};
use arrow::datatypes::{DataType, Field, Float32Type, Schema};
use penstock_store::Table;
use penstock_types::columns::ID;

use crate::fuse::{FUSION_CONSTANT, Fused, Ranked, reciprocal_rank_fusion};
use crate::rows::select;
use crate::{
    DISTANCE, IndexError, MAX_K, Result, SCORE, SearchAnswer, SearchRequest, Searcher, TextRequest,
    column, text_search,
};

/// A search by vector and one by words, fused by rank.
#[derive(Debug, Clone, PartialEq)]
pub struct HybridRequest {
    /// The search by vector. Its `k` is how deep its ranking goes; its columns are not read.
    pub vector: SearchRequest,
    /// The search by words. Its `k` is how deep its ranking goes; its columns are not read.
    pub text: TextRequest,
    /// How many hits, from 1 to [`MAX_K`].
    pub k: usize,
    /// What a place counts: by vector, by words.
    pub weights: [f64; 2],
    /// The constant of the fusion.
    pub constant: f64,
    /// Columns of the answer, in this order; see [`HybridAnswer::batch`] for what is added.
    pub columns: Vec<String>,
}

impl HybridRequest {
    /// Fuses two searches with the defaults: equal weights, [`FUSION_CONSTANT`], the column `id`.
    #[must_use]
    pub fn new(vector: SearchRequest, text: TextRequest, k: usize) -> Self {
        Self {
            vector,
            text,
            k,
            weights: [1.0; 2],
            constant: FUSION_CONSTANT,
            columns: vec![ID.to_owned()],
        }
    }
}

/// The hits, and how they were found.
#[derive(Debug, Clone)]
pub struct HybridAnswer {
    /// Version of the table that was searched.
    pub version: u64,
    /// How many hits were asked for.
    pub k: usize,
    /// Whether every vector was compared.
    pub exact: bool,
    /// The search by vector: how it was made, and its ranking by id and distance.
    pub vector: SearchAnswer,
    /// One row per hit, best first: the requested columns, then `score` (Float64, not null),
    /// `vector_rank` and `text_rank` (UInt32, from 1), `distance` and `text_score` (Float32); the
    /// last four are null where that search did not find the row.
    pub batch: RecordBatch,
}

/// Searches by vector and by words, and fuses the rankings ([`reciprocal_rank_fusion`]).
///
/// # Errors
/// One of the searches cannot be made, weights or constant are negative or not finite, `k` is out
/// of bounds, or reading fails.
pub async fn hybrid(table: &Table, request: &HybridRequest) -> Result<HybridAnswer> {
    Searcher::default().hybrid(table, request).await
}

impl Searcher {
    /// As [`hybrid`], with the indexes in memory.
    ///
    /// # Errors
    /// Those of [`hybrid`].
    pub async fn hybrid(&self, table: &Table, request: &HybridRequest) -> Result<HybridAnswer> {
        fused(self, table, request).await
    }
}

async fn fused(
    searcher: &Searcher,
    table: &Table,
    request: &HybridRequest,
) -> Result<HybridAnswer> {
    if !(1..=MAX_K).contains(&request.k) {
        return Err(IndexError::K {
            given: request.k,
            max: MAX_K,
        });
    }
    for (option, value) in [
        ("weights[0]", request.weights[0]),
        ("weights[1]", request.weights[1]),
        ("constant", request.constant),
    ] {
        if !(value.is_finite() && value >= 0.0) {
            return Err(IndexError::Number {
                option,
                given: value,
                expected: "finite and not negative",
            });
        }
    }
    let (names, schema) = column::projected(table, &request.columns)?;
    let mut vector = request.vector.clone();
    vector.columns = vec![ID.to_owned()];
    let mut text = request.text.clone();
    text.columns = vec![ID.to_owned()];
    let (near, told) =
        futures::try_join!(searcher.search(table, &vector), text_search(table, &text))?;

    let ids = |batch: &RecordBatch| -> Vec<String> {
        let ids = batch.column(0).as_string::<i32>();
        ids.iter().flatten().map(str::to_owned).collect()
    };
    let rankings = [near.batch.clone(), told.batch.clone()].map(|batch| ids(&batch));
    let mut weights = request.weights.into_iter();
    let rankings = rankings.map(|items| Ranked {
        items,
        weight: weights.next().unwrap_or(1.0),
    });
    let mut fused = reciprocal_rank_fusion(&rankings, request.constant);
    fused.truncate(request.k);

    let wanted: Vec<&str> = fused.iter().map(|one| one.item.as_str()).collect();
    let read: Vec<&str> = names.iter().map(String::as_str).collect();
    let rows = table.rows_by_id(&wanted, Some(&read)).await?;
    if rows.num_rows() != fused.len() {
        return Err(IndexError::Invariant {
            what: "a row that was found cannot be read",
        });
    }
    let rows = select(&rows, &names, &schema)?;
    Ok(HybridAnswer {
        version: table.version(),
        k: request.k,
        exact: near.exact,
        batch: with_ranks(&rows, &fused, &near.batch, &told.batch)?,
        vector: near,
    })
}

fn with_ranks(
    rows: &RecordBatch,
    fused: &[Fused<String>],
    near: &RecordBatch,
    told: &RecordBatch,
) -> Result<RecordBatch> {
    let ranks = |which: usize| -> ArrayRef {
        let ranks = fused.iter().map(|one| one.ranks[which]);
        // Ranks are at most MAX_K.
        Arc::new(
            ranks
                .map(|rank| rank.map(|rank| rank as u32))
                .collect::<UInt32Array>(),
        )
    };
    let values = |which: usize, batch: &RecordBatch, name: &str| -> Result<ArrayRef> {
        let values = batch.column_by_name(name).ok_or(IndexError::Invariant {
            what: "a search left out its distance or score",
        })?;
        let values = values.as_primitive::<Float32Type>();
        let of = |one: &Fused<String>| one.ranks[which].map(|rank| values.value(rank - 1));
        Ok(Arc::new(fused.iter().map(of).collect::<Float32Array>()))
    };
    let scores = Float64Array::from_iter_values(fused.iter().map(|one| one.score));
    let added: [(&str, DataType, ArrayRef); 5] = [
        (SCORE, DataType::Float64, Arc::new(scores)),
        ("vector_rank", DataType::UInt32, ranks(0)),
        ("text_rank", DataType::UInt32, ranks(1)),
        (DISTANCE, DataType::Float32, values(0, near, DISTANCE)?),
        ("text_score", DataType::Float32, values(1, told, SCORE)?),
    ];
    let mut fields = rows.schema().fields().to_vec();
    let mut arrays = rows.columns().to_vec();
    for (name, data_type, array) in added {
        fields.push(Arc::new(Field::new(name, data_type, name != SCORE)));
        arrays.push(array);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}
