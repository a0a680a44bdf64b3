//! Nearest neighbours: from an id, a text, a record or a vector to rows.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeListArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type};
use arrow::record_batch::RecordBatch;
use penstock_embed::{Encoder, Registry};
use penstock_index::{ManyAnswer, ManyRequest, Plan, SearchOptions, Searcher, Tier};
use penstock_store::{Table, VersionRef};
use penstock_types::{FeatureSpec, Kind, Metric, Pooling, TableName, columns};

use crate::{Engine, Error, Task};

/// What to search with.
#[derive(Debug, Clone)]
pub enum SearchInput {
    /// The vector of the row with this id.
    Id(String),
    /// A vector of the column's dimension.
    Vector(Vec<f32>),
    /// A sequence, encoded by the column's own encoder.
    Text(String),
    /// Records as read from a file, of which the first is encoded by the column's own encoder.
    Records(RecordBatch),
}

/// A search.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// The table.
    pub table: TableName,
    /// The version searched.
    pub version: VersionRef,
    /// The feature column; may be left out where the table has only one, or the default
    /// encoder's.
    pub column: Option<String>,
    /// What to search with.
    pub input: SearchInput,
    /// Neighbours wanted.
    pub k: usize,
    /// The metric; the index's, or cosine, where left out.
    pub metric: Option<Metric>,
    /// SQL predicate that rows must meet; applied before the search.
    pub filter: Option<String>,
    /// Compare with every row, even where there is an index.
    pub exact: bool,
    /// Columns of the answer; `None`: id, name, description and size.
    pub columns: Option<Vec<String>>,
    /// Where candidates come from; chosen where `None`.
    pub tier: Option<Tier>,
    /// The recall to aim at, from 0 to 1.
    pub min_recall: Option<f64>,
    /// Only rows at most so far away.
    pub radius: Option<f32>,
    /// How hard to look; `min_recall` chooses what is left open.
    pub options: SearchOptions,
    /// Whether somebody wants to read the plan.
    pub explain: bool,
}

impl SearchRequest {
    /// The ten nearest rows of the latest version.
    #[must_use]
    pub fn new(table: TableName, input: SearchInput) -> Self {
        Self {
            table,
            version: VersionRef::Latest,
            column: None,
            input,
            k: 10,
            metric: None,
            filter: None,
            exact: false,
            columns: None,
            tier: None,
            min_recall: None,
            radius: None,
            options: SearchOptions::default(),
            explain: false,
        }
    }
}

/// The rows found, nearest first.
#[derive(Debug, Clone)]
pub struct SearchAnswer {
    /// The table.
    pub table: TableName,
    /// The version searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// The metric of the distances.
    pub metric: Metric,
    /// Neighbours asked for.
    pub k: usize,
    /// Whether every row was compared.
    pub exact: bool,
    /// Rows that no index covers yet; they were searched one by one.
    pub unindexed_rows: u64,
    /// Distances computed to find the hits.
    pub candidates: u64,
    /// Which way was taken, and why.
    pub plan: Plan,
    /// Whether a radius was asked for and more than `k` rows may lie within it.
    pub truncated: bool,
    /// The columns asked for, and `distance` (Float32) last.
    pub hits: RecordBatch,
}

impl Engine {
    /// The nearest rows.
    ///
    /// # Errors
    /// No such table, version, column or id; a vector of another length or with values that are
    /// not finite; a query that cannot be encoded; a predicate that cannot be read.
    pub async fn search(&self, request: SearchRequest) -> Result<SearchAnswer, Error> {
        let table = self
            .store()
            .table_at(&request.table, &request.version)
            .await?;
        let (column, _) = feature_column(&table, request.column.as_deref())?;
        self.recall_of(&request.table, &column).await?;
        search_in(self.registry(), self.searcher(), &table, request).await
    }

    /// Brings the saved indexes of the column that a search is for into memory.
    ///
    /// # Errors
    /// As [`Engine::search`] and [`Engine::warm`].
    pub async fn load_for(&self, request: &SearchRequest) -> Result<usize, Error> {
        let table = self.table(&request.table, &request.version).await?;
        let (column, _) = feature_column(&table, request.column.as_deref())?;
        self.load_saved(&request.table, &column, &Task::default())
            .await
    }

    /// Reads what was measured of a column's indexes, for the choice of the effort.
    async fn recall_of(&self, table: &TableName, column: &str) -> Result<(), Error> {
        let recalls = self.searcher().recalls();
        for tier in [Tier::Hot, Tier::Cold] {
            recalls
                .load(self.store().objects(), table, column, tier)
                .await?;
        }
        Ok(())
    }

    /// The nearest rows of many vectors, which share all else; `request.input` is not looked at.
    /// `vectors` is `f32[queries, dim]`, row after row; `dim` must be the column's.
    ///
    /// # Errors
    /// As [`Engine::search`]; an error of a vector says which.
    pub async fn search_many(
        &self,
        request: SearchRequest,
        dim: usize,
        vectors: Vec<f32>,
    ) -> Result<ManyAnswer, Error> {
        let table = self.table(&request.table, &request.version).await?;
        let (column, spec) = feature_column(&table, request.column.as_deref())?;
        if dim != spec.dim.get() {
            return Err(Error::Dimension {
                column,
                given: dim,
                dim: spec.dim,
            });
        }
        self.recall_of(&request.table, &column).await?;
        let many = ManyRequest {
            shared: index_request(&table, column, Vec::new(), &request),
            vectors,
        };
        Ok(self.searcher().search_many(&table, &many).await?)
    }
}

/// A search of a table that is open already.
pub(crate) async fn search_in(
    registry: &Arc<Registry>,
    searcher: &Searcher,
    table: &Table,
    ask: SearchRequest,
) -> Result<SearchAnswer, Error> {
    let (column, spec) = feature_column(table, ask.column.as_deref())?;
    let mut prefer_id = None;
    let vector = match &ask.input {
        SearchInput::Vector(vector) => vector.clone(),
        SearchInput::Text(text) => {
            encode_text(
                column_encoder(registry, &column, &spec).await?,
                text.clone(),
            )
            .await?
        }
        SearchInput::Records(records) => {
            let encoder = column_encoder(registry, &column, &spec).await?;
            let given = columns::kind_of(&records.schema()).unwrap_or(encoder.kind());
            if given != encoder.kind() {
                return Err(Error::KindMismatch {
                    table: table.name().clone(),
                    holds: encoder.kind(),
                    given,
                });
            }
            encode_first(encoder, records).await?
        }
        SearchInput::Id(id) => {
            let vector = stored_vector(table, &column, id).await?;
            prefer_id = Some(id.clone());
            vector
        }
    };
    if vector.len() != spec.dim.get() {
        return Err(Error::Dimension {
            column,
            given: vector.len(),
            dim: spec.dim,
        });
    }
    let mut search = index_request(table, column, vector, &ask);
    search.prefer_id = prefer_id;
    let found = searcher.search(table, &search).await?;
    Ok(SearchAnswer {
        table: table.name().clone(),
        version: found.version,
        column: found.column,
        metric: found.metric,
        k: found.k,
        exact: found.exact,
        unindexed_rows: found.unindexed_rows,
        candidates: found.candidates,
        plan: found.plan,
        truncated: found.truncated,
        hits: found.batch,
    })
}

/// The request as the index takes it.
fn index_request(
    table: &Table,
    column: String,
    vector: Vec<f32>,
    ask: &SearchRequest,
) -> penstock_index::SearchRequest {
    let mut search = penstock_index::SearchRequest::new(column, vector, ask.k);
    search.metric = ask.metric;
    search.filter.clone_from(&ask.filter);
    search.exact = ask.exact;
    search.tier = ask.tier;
    search.min_recall = ask.min_recall;
    search.radius = ask.radius;
    search.options = ask.options;
    search.explain = ask.explain;
    search.columns = ask
        .columns
        .clone()
        .unwrap_or_else(|| default_columns(table.kind()));
    search
}

/// The column asked for; else the only one; else the default encoder's.
fn feature_column(table: &Table, wanted: Option<&str>) -> Result<(String, FeatureSpec), Error> {
    let mut features: Vec<_> = table
        .features()
        .into_iter()
        .filter(|(_, spec)| spec.pooling != Pooling::None)
        .collect();
    let names = |features: &[(String, FeatureSpec)]| -> Vec<String> {
        features.iter().map(|(name, _)| name.clone()).collect()
    };
    let default = penstock_embed::default_for(table.kind()).map(|default| default.spec().column());
    let position = match wanted {
        Some(wanted) => {
            let found = features.iter().position(|(name, _)| name == wanted);
            if found.is_none() && !features.is_empty() {
                return Err(Error::NoSuchColumn {
                    table: table.name().clone(),
                    column: wanted.to_owned(),
                    columns: names(&features),
                });
            }
            found
        }
        None if features.len() == 1 => Some(0),
        None => features
            .iter()
            .position(|(name, _)| Some(name) == default.as_ref()),
    };
    match position {
        Some(position) => Ok(features.swap_remove(position)),
        None if features.is_empty() => Err(Error::NoFeatures {
            table: table.name().clone(),
        }),
        None => Err(Error::AmbiguousColumn {
            table: table.name().clone(),
            columns: names(&features),
        }),
    }
}

/// The encoder that made the column, refused when its constants or weights are others by now.
async fn column_encoder(
    registry: &Arc<Registry>,
    column: &str,
    spec: &FeatureSpec,
) -> Result<Arc<dyn Encoder>, Error> {
    let encoder = crate::encode::find(registry, &spec.encoder).await?;
    if encoder.spec().makes_the_same(spec) {
        return Ok(encoder);
    }
    Err(Error::EncoderMismatch {
        column: column.to_owned(),
        encoder: spec.encoder.clone(),
        weights: spec.weights.clone(),
    })
}

async fn encode_text(encoder: Arc<dyn Encoder>, text: String) -> Result<Vec<f32>, Error> {
    let name = encoder.spec().encoder.clone();
    tokio::task::spawn_blocking(move || penstock_embed::encode_sequence(encoder.as_ref(), &text))
        .await
        .map_err(Error::Worker)??
        .ok_or(Error::EmptyQuery { encoder: name })
}

async fn encode_first(encoder: Arc<dyn Encoder>, records: &RecordBatch) -> Result<Vec<f32>, Error> {
    let name = encoder.spec().encoder.clone();
    let first = records.slice(0, records.num_rows().min(1));
    let vectors = tokio::task::spawn_blocking(move || encoder.encode(&first))
        .await
        .map_err(Error::Worker)??;
    if vectors.is_empty() || vectors.is_null(0) {
        return Err(Error::EmptyQuery { encoder: name });
    }
    // A column that is searched holds one vector per row, and its encoder gives the same.
    Ok(vectors
        .as_fixed_size_list_opt()
        .map(first_vector)
        .unwrap_or_default())
}

async fn stored_vector(table: &Table, column: &str, id: &str) -> Result<Vec<f32>, Error> {
    let rows = table
        .rows_by_id(&[id], Some(&[columns::ID, column]))
        .await?;
    if rows.num_rows() == 0 {
        return Err(Error::NoSuchRow {
            table: table.name().clone(),
            id: id.to_owned(),
        });
    }
    let vectors = rows
        .column_by_name(column)
        .and_then(|c| c.as_fixed_size_list_opt());
    match vectors {
        Some(vectors) if vectors.is_valid(0) => Ok(first_vector(vectors)),
        _ => Err(Error::NoVector {
            id: id.to_owned(),
            column: column.to_owned(),
        }),
    }
}

fn first_vector(vectors: &FixedSizeListArray) -> Vec<f32> {
    let values: ArrayRef = vectors.value(0);
    match cast(&values, &DataType::Float32) {
        Ok(values) => values.as_primitive::<Float32Type>().values().to_vec(),
        Err(_) => Vec::new(), // not numbers: the length check that follows refuses it
    }
}

fn default_columns(kind: Kind) -> Vec<String> {
    let size: &[&str] = match kind {
        Kind::Protein => &[columns::LENGTH],
        Kind::Dna => &[
            columns::LENGTH,
            columns::GC,
            columns::PARENT,
            columns::START,
            columns::END,
        ],
        Kind::Mesh => &[columns::VERTEX_COUNT, columns::FACE_COUNT, columns::AREA],
        Kind::Graph => &[columns::PARENT, columns::VERTEX, columns::LABEL],
    };
    [columns::ID, columns::NAME, columns::DESCRIPTION]
        .iter()
        .chain(size)
        .map(|name| (*name).to_owned())
        .collect()
}
