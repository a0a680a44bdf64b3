//! Places that resemble a pattern: anchors by nearest neighbours of vectors, grown in the graphs.

mod anchors;
mod grow;

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::{Float32Type, Int64Type};
use penstock_embed::Encoder;
use penstock_graph::motif::Selection;
use penstock_index::{DISTANCE, IndexError, ManyRequest, Plan, QUERY, Tier};
use penstock_pattern::{Allowed, MAX_VERTICES, Pattern, PatternError, SimilarOptions, Stopped};
use penstock_store::{Table, VersionRef};
use penstock_types::{Kind, Metric, TableName, columns};

use super::{MAX_KEPT, named};
use crate::search::{column_encoder, feature_column};
use crate::{Engine, Error, MotifPart, Task};

/// What places should resemble.
#[derive(Debug, Clone, PartialEq)]
pub enum SimilarPattern {
    /// A pattern.
    Pattern(Pattern),
    /// A part of a stored graph, with the edges among its vertices and without attributes.
    Part {
        /// The id of the graph.
        graph: String,
        /// Which vertices of it.
        part: MotifPart,
    },
}

/// What to look for, and where.
#[derive(Debug, Clone)]
pub struct SimilarRequest {
    /// A table of graphs whose vertices have vectors.
    pub table: TableName,
    /// The version searched.
    pub version: VersionRef,
    /// What places should resemble.
    pub pattern: SimilarPattern,
    /// The feature column; may be left out where the table has only one, or the default encoder's.
    pub column: Option<String>,
    /// Vertices of the pattern whose neighbours are looked for, from 1. More find more, in
    /// proportionally more time.
    pub anchors: usize,
    /// Nearest rows of each of them, from 1. More find more, in proportionally more time.
    pub neighbours: usize,
    /// Partial mappings that are followed at a time, from each row; see
    /// [`SimilarOptions::beam`].
    pub beam: usize,
    /// Neighbours of one vertex that are looked at in a step; see [`SimilarOptions::scan`].
    pub scan: usize,
    /// What a vertex with a wrong label counts; see [`SimilarOptions::mismatch`].
    pub mismatch: f64,
    /// Places below this score are left out, from 0 to 1.
    pub min_score: f64,
    /// Places in the answer, at most.
    pub limit: usize,
    /// SQL predicate that the rows of anchors must meet.
    pub filter: Option<String>,
    /// Only in these graphs, by id; all where `None`.
    pub graphs: Option<Vec<String>>,
    /// Compare with every row, even where there is an index.
    pub exact: bool,
    /// Where the rows come from; chosen where `None`.
    pub tier: Option<Tier>,
    /// The recall to aim at, from 0 to 1.
    pub min_recall: Option<f64>,
    /// Stop growing after this time.
    pub deadline: Option<Duration>,
}

impl SimilarRequest {
    /// The best 20 places in the latest version, from 200 rows near each of 4 vertices.
    #[must_use]
    pub fn new(table: TableName, pattern: SimilarPattern) -> Self {
        let defaults = SimilarOptions::default();
        Self {
            table,
            version: VersionRef::Latest,
            pattern,
            column: None,
            anchors: 4,
            neighbours: 200,
            beam: defaults.beam,
            scan: defaults.scan,
            mismatch: defaults.mismatch,
            min_score: defaults.min_score,
            limit: 20,
            filter: None,
            graphs: None,
            exact: false,
            tier: None,
            min_recall: None,
            deadline: None,
        }
    }
}

/// A place that resembles the pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarMatch {
    /// The id of the graph.
    pub graph: String,
    /// For each vertex of the pattern, the number of the graph's vertex; `None` where nothing
    /// resembles it.
    pub vertices: Vec<Option<u32>>,
    /// See [`penstock_pattern::Score::score`].
    pub score: f64,
    /// Vertices with an allowed label and attributes near enough.
    pub vertices_matched: u32,
    /// Edges that are there as the pattern wants them.
    pub edges_matched: u32,
    /// The vertex of the pattern that the place grew from.
    pub anchor: u32,
    /// The distance of its vector from its image's, in the answer's metric.
    pub distance: f32,
}

/// What was found, ranked approximately: there may be better places.
#[derive(Debug, Clone, PartialEq)]
pub struct SimilarAnswer {
    /// The table.
    pub table: TableName,
    /// The version searched.
    pub version: u64,
    /// The feature column.
    pub column: String,
    /// The metric of the distances.
    pub metric: Metric,
    /// Which way the search by vectors took, and why.
    pub plan: Plan,
    /// What was looked for.
    pub pattern: Pattern,
    /// The vertices of the pattern whose neighbours were looked for.
    pub anchors: Vec<u32>,
    /// Rows near them.
    pub candidates: u64,
    /// Those from which a place grew that reaches the least score.
    pub grown: u64,
    /// Graphs with such rows.
    pub graphs_searched: u64,
    /// Why not all were grown, if not.
    pub stopped: Option<Stopped>,
    /// Time of the search by vectors.
    pub search_seconds: f64,
    /// Time of reading graphs that were not in memory.
    pub load_seconds: f64,
    /// Time of growing.
    pub grow_seconds: f64,
    /// By falling score, then rising distance of the anchor, then graph and vertices. No two have
    /// the same vertices.
    pub matches: Vec<SimilarMatch>,
}

/// The most rows near a vertex.
const MAX_NEIGHBOURS: u64 = penstock_index::MAX_K as u64;

impl Engine {
    /// Finds places that resemble a pattern, and ranks them.
    ///
    /// Vectors of the pattern's vertices are made by the column's own encoder, from the pattern
    /// alone; the rows nearest to some of them are where places grow from. Graphs that fit the
    /// memory set aside for them stay there for the next search of the same version; where the
    /// table does not fit, those with rows near are read a lot at a time.
    ///
    /// # Errors
    /// No such table, version, graph or column; the table holds no graphs, or no vectors of their
    /// vertices; the encoder is not there; the pattern has neither labels nor edges, or does not
    /// fit the graphs; options out of bounds; a graph alone takes more memory than is set aside.
    pub async fn match_similar(
        &self,
        request: SimilarRequest,
        task: &Task,
    ) -> Result<SimilarAnswer, Error> {
        let started = Instant::now();
        let table = self.table(&request.table, &request.version).await?;
        check(&table, &request)?;
        if table.features().is_empty() {
            return Err(Error::NoVertexVectors {
                table: table.name().clone(),
            });
        }
        let (column, spec) = feature_column(&table, request.column.as_deref())?;
        let encoder = column_encoder(self.registry(), &column, &spec).await?;
        let pattern = named(&pattern(&table, &request.pattern).await?);
        task.progress.set_stage("reading graphs");
        let reading = Instant::now();
        let whole = task.run(self.hosts().whole(&table)).await??;
        let mut load_seconds = reading.elapsed().as_secs_f64();

        task.progress.set_stage("searching");
        let searching = Instant::now();
        let vectors = embed(encoder, &pattern).await?;
        let usable = |u: usize| {
            vectors[u].iter().any(|x| *x != 0.0) && vectors[u].iter().all(|x| x.is_finite())
        };
        let frequencies = match &whole {
            Some(ready) => Some((ready.host.frequencies(&pattern)?, ready.host.vertices())),
            None => None,
        };
        let mut chosen = anchors::choose(&pattern, frequencies.as_ref(), request.anchors, usable);
        chosen.sort_unstable();
        if chosen.is_empty() {
            return Err(Error::NoAnchor);
        }
        self.recall_of(&request.table, &column).await?;
        let many = many(&request, &column, &vectors, &chosen);
        let found = self.searcher().search_many(&table, &many);
        let found = task.run(found).await??;
        let rows = rows(&found.batch, &chosen)?;
        let search_seconds = searching.elapsed().as_secs_f64();

        task.progress.set_stage("growing");
        let asked = Arc::new(grow::Asked {
            deadline: request.deadline.map(|after| started + after),
            pattern,
            request,
        });
        let grown = grow::all(self.hosts(), &table, whole, &asked, &rows, task).await?;
        load_seconds += grown.load_seconds;
        Ok(SimilarAnswer {
            table: table.name().clone(),
            version: table.version(),
            column,
            metric: found.metric,
            plan: found.plan,
            pattern: asked.pattern.clone(),
            anchors: chosen.iter().map(|u| *u as u32).collect(),
            candidates: rows.len() as u64,
            grown: grown.grown,
            graphs_searched: grown.graphs,
            stopped: grown.stopped,
            search_seconds,
            load_seconds,
            grow_seconds: grown.seconds,
            matches: grown.matches,
        })
    }
}

fn check(table: &Table, request: &SimilarRequest) -> Result<(), Error> {
    if table.kind() != Kind::Graph {
        return Err(Error::NoGraphs {
            table: table.name().clone(),
            holds: table.kind(),
        });
    }
    if request.anchors == 0 || request.anchors > MAX_VERTICES {
        return Err(Error::Pattern(PatternError::Option {
            option: "anchors",
            given: request.anchors,
            min: 1,
            max: MAX_VERTICES,
        }));
    }
    for (what, given, max) in [
        ("places in an answer", request.limit, MAX_KEPT as u64),
        ("rows near a vertex", request.neighbours, MAX_NEIGHBOURS),
        ("partial mappings at a time", request.beam, 1 << 16),
    ] {
        if given as u64 > max {
            return Err(Error::TooMuch {
                what,
                given: given as u64,
                max,
            });
        }
    }
    Ok(())
}

/// The pattern to look for, with names for its labels.
async fn pattern(table: &Table, given: &SimilarPattern) -> Result<Pattern, Error> {
    let (graph, part) = match given {
        SimilarPattern::Pattern(pattern) => return Ok(pattern.clone()),
        SimilarPattern::Part { graph, part } => (graph, part),
    };
    let vertices = match part {
        MotifPart::Vertices(vertices) => vertices.clone(),
        MotifPart::Residues(selection) => {
            let residues = Selection::parse(selection)?;
            residues.vertices(&crate::motif::one(table, graph).await?)?
        }
    };
    let stored = super::union(table, Some(std::slice::from_ref(graph))).await?;
    if stored.ids.is_empty() {
        return Err(Error::NoSuchRow {
            table: table.name().clone(),
            id: graph.clone(),
        });
    }
    Ok(Pattern::part(&stored.graph, &vertices)?)
}

/// A vector for each vertex of the pattern, from the pattern alone.
async fn embed(encoder: Arc<dyn Encoder>, pattern: &Pattern) -> Result<Vec<Vec<f32>>, Error> {
    let count = pattern.vertices().len();
    let mut arcs: Vec<(u32, u32)> = Vec::new();
    for edge in pattern.edges() {
        arcs.extend([(edge.from, edge.to), (edge.to, edge.from)]);
    }
    arcs.sort_unstable();
    arcs.dedup();
    let graph = penstock_embed::Graph::from_edges(count, &arcs)
        .map_err(penstock_embed::EmbedError::from)?;
    // One of several labels is not known, and so is none.
    let label = |allowed: &Allowed| match allowed {
        Allowed::Only(labels) => match labels[..] {
            [label] => pattern.vertex_names()?.name(label).map(str::to_owned),
            _ => None,
        },
        Allowed::Any => None,
    };
    let vertices = pattern.vertices().iter();
    let labels: Vec<Option<String>> = vertices.map(|vertex| label(&vertex.labels)).collect();
    let dim = encoder.spec().dim.get();
    let made = tokio::task::spawn_blocking(move || {
        let labels: Vec<Option<&str>> = labels.iter().map(Option::as_deref).collect();
        encoder.vertices(&graph, &labels)
    });
    let rows = made.await.map_err(Error::Worker)??;
    Ok(rows.chunks_exact(dim).map(<[f32]>::to_vec).collect())
}

fn many(
    request: &SimilarRequest,
    column: &str,
    vectors: &[Vec<f32>],
    chosen: &[usize],
) -> ManyRequest {
    let mut shared = penstock_index::SearchRequest::new(column, Vec::new(), request.neighbours);
    shared.columns = vec![columns::PARENT.to_owned(), columns::VERTEX.to_owned()];
    shared.exact = request.exact;
    shared.tier = request.tier;
    shared.min_recall = request.min_recall;
    let own = request.filter.iter().map(|filter| format!("({filter})"));
    let within = request.graphs.iter().map(|graphs| {
        let ids: Vec<String> = graphs
            .iter()
            .map(|id| format!("'{}'", id.replace('\'', "''")))
            .collect();
        match ids.is_empty() {
            true => "false".to_owned(),
            false => format!("{} IN ({})", columns::PARENT, ids.join(", ")),
        }
    });
    let filters: Vec<String> = own.chain(within).collect();
    shared.filter = (!filters.is_empty()).then(|| filters.join(" AND "));
    ManyRequest {
        shared,
        vectors: chosen.iter().flat_map(|&u| vectors[u].clone()).collect(),
    }
}

/// A vertex of a graph that is near one of the pattern.
#[derive(Debug, Clone)]
struct Near {
    graph: String,
    vertex: u32,
    /// The vertex of the pattern.
    of: u32,
    distance: f32,
}

/// The rows found; of rows of graphs, which have no vector, there is none.
fn rows(batch: &arrow::array::RecordBatch, chosen: &[usize]) -> Result<Vec<Near>, Error> {
    let column = |name| batch.column_by_name(name);
    let query = column(QUERY).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let parent = column(columns::PARENT).and_then(|c| c.as_string_opt::<i32>());
    let vertex = column(columns::VERTEX).and_then(|c| c.as_primitive_opt::<Int64Type>());
    let distance = column(DISTANCE).and_then(|c| c.as_primitive_opt::<Float32Type>());
    let (Some(query), Some(parent), Some(vertex), Some(distance)) =
        (query, parent, vertex, distance)
    else {
        return Err(Error::Index(IndexError::Invariant {
            what: "a search answered columns of other types than it was asked for",
        }));
    };
    Ok((0..batch.num_rows())
        .filter_map(|row| {
            let of = chosen.get(usize::try_from(query.value(row)).ok()?)?;
            Some(Near {
                graph: parent.value(row).to_owned(),
                vertex: u32::try_from(vertex.value(row)).ok()?,
                of: *of as u32,
                distance: distance.value(row),
            })
        })
        .collect())
}

#[cfg(test)]
mod tests;
