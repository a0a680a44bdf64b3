//! Nearest neighbours: from an id, a text, a record or a vector to rows, perhaps ranked again.

mod after;
mod input;
mod read;
mod score;

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use penstock_embed::Registry;
use penstock_index::{
    ManyAnswer, ManyRequest, MotifAnswer, MotifRequest, Plan, SearchOptions, Searcher, Tier,
};
use penstock_store::{Table, VersionRef};
use penstock_types::{FeatureSpec, Kind, Metric, TableName, columns};

use crate::{Engine, Error, Task};
pub use after::{GroupBy, Rerank};
pub(crate) use input::{column_encoder, feature_column, no_vector, stored};
pub use score::{RerankBy, UnknownRerank};

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
    /// Ranks candidates again by an exact score of their domain.
    pub rerank: Option<Rerank>,
    /// Chooses rows that differ from one another: from 1, the best only, to 0, only the farthest
    /// from one another.
    pub diversity: Option<f32>,
    /// Keeps only the best rows of each value of a column.
    pub group_by: Option<GroupBy>,
    /// Words that names and descriptions should hold: rows are ranked by both searches.
    pub words: Option<String>,
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
            rerank: None,
            diversity: None,
            group_by: None,
            words: None,
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
    /// Rows that re-ranking, words, groups and diversity chose from, where one was asked for.
    pub considered: Option<usize>,
    /// The columns asked for, and `distance` (Float32); behind it what words and re-ranking add.
    ///
    /// - words: `score` (Float64; higher is better), `vector_rank` and `text_rank` (UInt32, from 1,
    ///   null where that search did not find the row), `text_score` (Float32); `distance` is null
    ///   where only words found the row.
    /// - [`RerankBy::Alignment`]: `alignment_score` (UInt32), `alignment_bits`, `evalue` (Float64),
    ///   and for DNA `alignment_strand` (`+`, `-`).
    /// - [`RerankBy::Tm`]: `tm_score` (by the query's length), `tm_score_target` (by the row's),
    ///   `rmsd` (angstrom; Float64), `aligned` (UInt32; pairs of residues).
    /// - [`RerankBy::Chamfer`]: `chamfer`, `hausdorff` (Float64; in radii of the smallest sphere
    ///   about the centre).
    ///
    /// A row without what is compared, such as atoms, has nulls there and comes last.
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
        let column = feature_column(&table, request.column.as_deref())?;
        self.recall_of(&request.table, &column.0).await?;
        search_in(self.registry(), self.searcher(), &table, column, request).await
    }

    /// The occurrences of a pattern in a column of sequences.
    ///
    /// # Errors
    /// No such table, version or column; a pattern or predicate that cannot be read.
    pub async fn motif(
        &self,
        name: &TableName,
        at: &VersionRef,
        request: &MotifRequest,
    ) -> Result<MotifAnswer, Error> {
        let table = self.table(name, at).await?;
        Ok(penstock_index::motif(&table, request).await?)
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
    pub(crate) async fn recall_of(&self, table: &TableName, column: &str) -> Result<(), Error> {
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

/// A search of a column of a table that is open already.
pub(crate) async fn search_in(
    registry: &Arc<Registry>,
    searcher: &Searcher,
    table: &Table,
    (column, spec): (String, FeatureSpec),
    ask: SearchRequest,
) -> Result<SearchAnswer, Error> {
    let after = after::After::new(table, &ask).await?;
    let vector = input::vector(registry, table, (&column, &spec), &ask.input).await?;
    let mut search = index_request(table, column, vector, &ask);
    if let SearchInput::Id(id) = &ask.input {
        search.prefer_id = Some(id.clone());
    }
    let Some(after) = after else {
        return Ok(answer(table, searcher.search(table, &search).await?));
    };
    after.run(searcher, table, search).await
}

fn answer(table: &Table, found: penstock_index::SearchAnswer) -> SearchAnswer {
    SearchAnswer {
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
        considered: None,
        hits: found.batch,
    }
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

pub(crate) fn default_columns(kind: Kind) -> Vec<String> {
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
