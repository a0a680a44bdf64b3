//! Late interaction: searches by several vectors per row.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};
use penstock_embed::Encoder;
use penstock_index::{Candidates, LateAnswer, Made};
use penstock_store::{Table, VersionRef};
use penstock_types::{FeatureSpec, Pooling, TableName};

use crate::search::{column_encoder, default_columns, no_vector, stored};
use crate::{Engine, Error};

/// What to search with.
#[derive(Debug, Clone, PartialEq)]
pub enum LateInput {
    /// The vectors of the row with this id.
    Id(String),
    /// A sequence, whose items are encoded by the column's own encoder.
    Text(String),
    /// Vectors that the caller has.
    Vectors {
        /// Length of each.
        dim: usize,
        /// `f32[m, dim]`, vector after vector.
        values: Vec<f32>,
        /// Who made them, where that is known; compared with the column's encoder.
        made: Option<Made>,
    },
}

/// The rows that are scored, where not all are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateCandidates {
    /// A column with one vector per row of the same encoder and weights; may be left out where the
    /// table has only one, or only one that holds means.
    pub column: Option<String>,
    /// How many rows, from `k` to [`penstock_index::MAX_K`].
    pub n: usize,
}

/// A search by several vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct LateRequest {
    /// The table.
    pub table: TableName,
    /// The version searched.
    pub version: VersionRef,
    /// A column with a vector for each item (pooling `none`); may be left out where the table has
    /// only one.
    pub column: Option<String>,
    /// What to search with.
    pub input: LateInput,
    /// Rows wanted.
    pub k: usize,
    /// SQL predicate that rows must meet; applied before the search.
    pub filter: Option<String>,
    /// Columns of the answer; `None`: id, name, description and size.
    pub columns: Option<Vec<String>>,
    /// Score these rows only; all where `None`.
    pub candidates: Option<LateCandidates>,
}

impl LateRequest {
    /// The ten nearest of all rows of the latest version.
    #[must_use]
    pub fn new(table: TableName, input: LateInput) -> Self {
        Self {
            table,
            version: VersionRef::Latest,
            column: None,
            input,
            k: 10,
            filter: None,
            columns: None,
            candidates: None,
        }
    }
}

impl Engine {
    /// The rows whose vectors answer the query's best: the score of a row is the sum, over the
    /// query's vectors, of the largest cosine with one of the row's (Khattab and Zaharia 2020,
    /// arXiv:2004.12832). Every row is scored, or those that a column of one vector per row leads
    /// to. Of a stored row and of a text, vectors without a direction (all zero) are left out.
    ///
    /// # Errors
    /// No such table, version, column or id; a text that the column's encoder cannot encode, or
    /// encodes no longer as it did; vectors of another length, of another encoder, without a
    /// direction or with values that are not finite; too many of them; `k` or the number of
    /// candidates out of bounds; a predicate that cannot be read.
    pub async fn late(&self, request: LateRequest) -> Result<LateAnswer, Error> {
        let table = self.table(&request.table, &request.version).await?;
        let (column, spec) = item_column(&table, request.column.as_deref())?;
        let candidates = match request.candidates {
            None => None,
            Some(wanted) => {
                let pooled = match wanted.column {
                    Some(column) => column,
                    None => pooled_column(&table, &spec)?,
                };
                self.recall_of(&request.table, &pooled).await?;
                Some(Candidates {
                    column: pooled,
                    n: wanted.n,
                })
            }
        };
        let (vectors, made) = match request.input {
            LateInput::Vectors { dim, values, made } => {
                if dim != spec.dim.get() {
                    return Err(Error::Dimension {
                        column,
                        given: dim,
                        dim: spec.dim,
                    });
                }
                (values, made)
            }
            LateInput::Id(id) => {
                let vectors = first_items(&stored(&table, &column, &id).await?);
                (vectors.ok_or_else(|| no_vector(&column, &id))?, None)
            }
            LateInput::Text(text) => {
                let encoder = column_encoder(self.registry(), &column, &spec).await?;
                let made = Made::from(encoder.spec());
                (encoded(encoder, text).await?, Some(made))
            }
        };
        let search = penstock_index::LateRequest {
            column,
            vectors,
            k: request.k,
            filter: request.filter,
            columns: request
                .columns
                .unwrap_or_else(|| default_columns(table.kind())),
            candidates,
            made,
        };
        Ok(self.searcher().late(&table, &search).await?)
    }
}

/// The column asked for; else the only one with a vector for each item.
fn item_column(table: &Table, wanted: Option<&str>) -> Result<(String, FeatureSpec), Error> {
    let all = table.features().into_iter();
    let mut found: Vec<_> = all
        .filter(|(_, spec)| spec.pooling == Pooling::None)
        .collect();
    if found.is_empty() {
        return Err(Error::NoItemVectors {
            table: table.name().clone(),
        });
    }
    let names = || found.iter().map(|(name, _)| name.clone()).collect();
    let at = match wanted {
        Some(wanted) => found
            .iter()
            .position(|(name, _)| name == wanted)
            .ok_or_else(|| Error::NoSuchColumn {
                table: table.name().clone(),
                column: wanted.to_owned(),
                columns: names(),
            })?,
        None if found.len() == 1 => 0,
        None => {
            return Err(Error::AmbiguousColumn {
                table: table.name().clone(),
                columns: names(),
            });
        }
    };
    Ok(found.swap_remove(at))
}

/// The column with one vector per row that candidates come from: of the same encoder and weights,
/// the only one, or the only one that holds means.
fn pooled_column(table: &Table, items: &FeatureSpec) -> Result<String, Error> {
    // What stands after the colon says how vectors are stored and pooled.
    let alone = |spec: &FeatureSpec| spec.encoder.split(':').next().map(str::to_owned);
    let all = table.features().into_iter();
    let found: Vec<_> = all
        .filter(|(_, spec)| {
            let pooled = spec.pooling != Pooling::None;
            pooled && alone(spec) == alone(items) && spec.weights == items.weights
        })
        .collect();
    let names = |found: &[(String, FeatureSpec)]| -> Vec<String> {
        found.iter().map(|(name, _)| name.clone()).collect()
    };
    let means: Vec<_> = found
        .iter()
        .filter(|(_, spec)| spec.pooling == Pooling::Mean)
        .collect();
    match (found.as_slice(), means.as_slice()) {
        ([(only, _)], _) | (_, [(only, _)]) => Ok(only.clone()),
        ([], _) => Err(Error::NoPooledVectors {
            table: table.name().clone(),
            encoder: items.encoder.clone(),
        }),
        _ => Err(Error::AmbiguousColumn {
            table: table.name().clone(),
            columns: names(&found),
        }),
    }
}

async fn encoded(encoder: Arc<dyn Encoder>, text: String) -> Result<Vec<f32>, Error> {
    let name = encoder.spec().encoder.clone();
    let vectors =
        tokio::task::spawn_blocking(move || penstock_embed::encode_items(encoder.as_ref(), &text))
            .await
            .map_err(Error::Worker)??;
    vectors
        .as_ref()
        .and_then(first_items)
        .ok_or(Error::EmptyQuery { encoder: name })
}

/// The vectors of the first row that have a direction; `None` where there is none.
fn first_items(lists: &ArrayRef) -> Option<Vec<f32>> {
    let lists = lists.as_list_opt::<i32>()?;
    if lists.is_empty() || lists.is_null(0) {
        return None;
    }
    let items = lists.value(0);
    let items = items.as_fixed_size_list_opt()?;
    let mut vectors = Vec::with_capacity(items.len() * items.value_length() as usize);
    for item in 0..items.len() {
        if items.is_null(item) {
            continue;
        }
        let numbers = cast(&items.value(item), &DataType::Float32).ok()?;
        let numbers = numbers.as_primitive_opt::<Float32Type>()?.values();
        if numbers.iter().any(|number| *number != 0.0) {
            vectors.extend_from_slice(numbers);
        }
    }
    (!vectors.is_empty()).then_some(vectors)
}
