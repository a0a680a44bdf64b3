//! Patterns in tables of graphs: exact here, similar places in their own file.

mod hosts;
mod sieve;
mod similar;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::builder::{Int32Builder, ListBuilder};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use penstock_graph::rows::{Reader, Union};
use penstock_pattern::{Allowed, Host, Labels, MatchOptions, Pattern, Stopped};
use penstock_store::{Scan, Table, VersionRef};
use penstock_types::{Kind, TableName, columns};

use crate::{Engine, Error, Task};

pub(crate) use hosts::Hosts;
use hosts::Ready;
pub use similar::{SimilarAnswer, SimilarMatch, SimilarPattern, SimilarRequest};

/// What to look for, and where.
#[derive(Debug, Clone)]
pub struct MatchRequest {
    /// A table of graphs.
    pub table: TableName,
    /// The version searched.
    pub version: VersionRef,
    /// What to look for.
    pub pattern: Pattern,
    /// Whether vertices that the pattern does not join must not be joined in the graph either.
    pub induced: bool,
    /// Stop when so many matches were found.
    pub limit: Option<u64>,
    /// Stop after this time.
    pub deadline: Option<Duration>,
    /// Matches that the answer holds; the others are counted.
    pub keep: usize,
    /// Only in these graphs, by id; all where `None`.
    pub graphs: Option<Vec<String>>,
}

impl MatchRequest {
    /// All matches in the latest version, the first 1,000 of them named.
    #[must_use]
    pub fn new(table: TableName, pattern: Pattern) -> Self {
        Self {
            table,
            version: VersionRef::Latest,
            pattern,
            induced: false,
            limit: None,
            deadline: None,
            keep: 1_000,
            graphs: None,
        }
    }
}

/// One occurrence of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// The id of the graph.
    pub graph: String,
    /// For each vertex of the pattern, the number of the graph's vertex.
    pub vertices: Vec<u32>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchAnswer {
    /// The table.
    pub table: TableName,
    /// The version searched.
    pub version: u64,
    /// Matches: injective mappings of the pattern's vertices. Two mappings of the same vertices
    /// are two matches.
    pub count: u64,
    /// Whether there are no others.
    pub complete: bool,
    /// Why not, if not.
    pub stopped: Option<Stopped>,
    /// Graphs of the table.
    pub graphs: u64,
    /// Graphs that were searched: the others lack a vertex of the pattern.
    pub graphs_searched: u64,
    /// Vertices left after filtering, over all vertices of the pattern.
    pub candidates: u64,
    /// Time of reading, where the graphs were not in memory.
    pub load_seconds: f64,
    /// Time of the search.
    pub seconds: f64,
    /// The matches that were kept, in the order of graphs.
    pub matches: Vec<Occurrence>,
}

impl MatchAnswer {
    /// The columns of [`Self::batch`], those of the SQL table `match_pattern`: `match` (Int64),
    /// which match, from 0; `graph` (Utf8); `vertices` (List of Int32), for each vertex of the
    /// pattern the number of the graph's vertex.
    #[must_use]
    pub fn schema() -> SchemaRef {
        penstock_query::match_schema()
    }

    /// Some of the kept matches as rows.
    ///
    /// # Errors
    /// Never, but for a fault of this program.
    pub fn batch(&self, range: Range<usize>) -> Result<RecordBatch, ArrowError> {
        let first = range.start as i64;
        let matches = self.matches.get(range).unwrap_or_default();
        let mut vertices = ListBuilder::new(Int32Builder::new());
        for found in matches {
            for vertex in &found.vertices {
                vertices.values().append_value(*vertex as i32);
            }
            vertices.append(true);
        }
        let numbers = first..first + matches.len() as i64;
        let graphs = matches.iter().map(|found| found.graph.as_str());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(numbers)),
            Arc::new(StringArray::from_iter_values(graphs)),
            Arc::new(vertices.finish()),
        ];
        RecordBatch::try_new(Self::schema(), columns)
    }
}

/// The most matches that an answer may hold.
pub const MAX_KEPT: usize = 1_000_000;

impl Engine {
    /// Finds a pattern, exactly, in all graphs of a table. Graphs that fit the memory set aside for
    /// them stay there for the next search of the same version.
    ///
    /// # Errors
    /// No such table or version; the table holds no graphs; the pattern does not fit them; a graph
    /// alone takes more memory than is set aside.
    pub async fn match_pattern(
        &self,
        request: MatchRequest,
        task: &Task,
    ) -> Result<MatchAnswer, Error> {
        let table = self.table(&request.table, &request.version).await?;
        find_in(self.hosts(), &table, request, task).await
    }
}

/// Finds a pattern in a table that is open already.
pub(crate) async fn find_in(
    hosts: &Hosts,
    table: &Table,
    request: MatchRequest,
    task: &Task,
) -> Result<MatchAnswer, Error> {
    if table.kind() != Kind::Graph {
        return Err(Error::NoGraphs {
            table: table.name().clone(),
            holds: table.kind(),
        });
    }
    if request.keep > MAX_KEPT {
        return Err(Error::TooMuch {
            what: "matches in an answer",
            given: request.keep as u64,
            max: MAX_KEPT as u64,
        });
    }
    let started = Instant::now();
    let deadline = request.deadline.map(|after| started + after);
    let mut answer = MatchAnswer {
        table: table.name().clone(),
        version: table.version(),
        count: 0,
        complete: true,
        stopped: None,
        graphs: 0,
        graphs_searched: 0,
        candidates: 0,
        load_seconds: 0.0,
        seconds: 0.0,
        matches: Vec::new(),
    };
    task.progress.set_stage("reading graphs");
    let plan = hosts
        .plan(table, request.graphs.as_deref(), &request.pattern)
        .await?;
    answer.graphs = plan.graphs;
    answer.graphs_searched = plan.searched;
    let request = Arc::new(MatchRequest {
        pattern: named(&request.pattern),
        ..request
    });
    for (done, shard) in plan.shards.iter().enumerate() {
        task.progress
            .set_rows(done as u64, plan.shards.len() as u64);
        let reading = Instant::now();
        let ready = task.run(hosts.ready(table, shard)).await??;
        answer.load_seconds += reading.elapsed().as_secs_f64();
        task.progress.set_stage("matching");
        let (asked, cancel) = (Arc::clone(&request), task.cancel.clone());
        let left = asked.limit.map(|limit| limit - answer.count.min(limit));
        let keep = asked.keep - answer.matches.len().min(asked.keep);
        let found = tokio::task::spawn_blocking(move || {
            let cancelled = || cancel.is_cancelled();
            let options = MatchOptions {
                induced: asked.induced,
                limit: left,
                deadline,
                cancelled: Some(&cancelled),
                threads: threads(&ready.host),
                keep,
                ..MatchOptions::default()
            };
            let found = match keep {
                0 => ready.host.count(&asked.pattern, &options)?,
                _ => ready.host.find(&asked.pattern, &options)?,
            };
            let matches: Vec<Occurrence> = found
                .matches
                .iter()
                .map(|vertices| ready.occurrence(vertices))
                .collect();
            Ok::<_, penstock_pattern::PatternError>((found, matches))
        });
        let (found, matches) = found.await.map_err(Error::Worker)??;
        answer.count += found.count;
        answer.candidates += found.candidates;
        answer.matches.extend(matches);
        if found.stopped == Some(Stopped::Cancelled) {
            return Err(Error::Cancelled);
        }
        if !found.complete {
            answer.complete = false;
            answer.stopped = found.stopped;
            break;
        }
    }
    answer.seconds = started.elapsed().as_secs_f64() - answer.load_seconds;
    Ok(answer)
}

/// The pattern with a name for every label, as the rows of a table have them: a label without a
/// name is called by its number.
fn named(pattern: &Pattern) -> Pattern {
    let mut names = Labels::default();
    let mut edge_names = Labels::default();
    let intern = |names: &mut Labels, known: Option<&Labels>, label: u32| {
        let name = known
            .and_then(|known| known.name(label))
            .map_or_else(|| label.to_string(), str::to_owned);
        names.intern(&name)
    };
    let mut vertices = HashMap::new();
    for label in pattern
        .vertices()
        .iter()
        .flat_map(|vertex| only(&vertex.labels))
    {
        vertices.insert(*label, intern(&mut names, pattern.vertex_names(), *label));
    }
    let mut edges = HashMap::new();
    for label in pattern.edges().iter().flat_map(|edge| only(&edge.labels)) {
        edges.insert(
            *label,
            intern(&mut edge_names, pattern.edge_names(), *label),
        );
    }
    let number = |numbers: &HashMap<u32, u32>, label| numbers.get(&label).copied().unwrap_or(label);
    pattern
        .relabelled(
            |label| number(&vertices, label),
            |label| number(&edges, label),
        )
        .named(
            (!names.is_empty()).then_some(names),
            (!edge_names.is_empty()).then_some(edge_names),
        )
}

fn only(allowed: &Allowed) -> &[u32] {
    match allowed {
        Allowed::Any => &[],
        Allowed::Only(labels) => labels,
    }
}

/// A small graph is searched before other threads have started.
fn threads(host: &Host) -> usize {
    const WORTH: usize = 200_000;
    if host.edges() < WORTH {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl Ready {
    /// The graph that a vertex is in, from 0, and its number there.
    fn place(&self, vertex: u32) -> (usize, u32) {
        let after = self.starts.partition_point(|start| *start <= vertex);
        let graph = after.saturating_sub(1);
        (graph, vertex - self.starts.get(graph).copied().unwrap_or(0))
    }

    fn occurrence(&self, vertices: &[u32]) -> Occurrence {
        let graph = vertices.first().map_or(0, |vertex| self.place(*vertex).0);
        Occurrence {
            graph: self.ids.get(graph).cloned().unwrap_or_default(),
            vertices: vertices
                .iter()
                .map(|vertex| self.place(*vertex).1)
                .collect(),
        }
    }
}

/// Reads graphs and makes them ready, by id; all where `None`.
async fn read(table: &Table, ids: Option<&[String]>) -> Result<Ready, Error> {
    let union = union(table, ids).await?;
    let made = tokio::task::spawn_blocking(move || {
        let starts = union.graph.starts().to_vec();
        Ok::<_, Error>(Ready {
            host: Host::new(union.graph)?,
            starts,
            ids: union.ids,
        })
    });
    made.await.map_err(Error::Worker)?
}

/// Reads graphs, by id; all where `None`.
async fn union(table: &Table, ids: Option<&[String]>) -> Result<Union, Error> {
    use futures::TryStreamExt;

    let mut reader = Reader::default();
    // Predicates have a size; so has a list in one.
    const AT_ONCE: usize = 500;
    let parts: Vec<Option<&[String]>> = match ids {
        None => vec![None],
        Some(ids) => ids.chunks(AT_ONCE).map(Some).collect(),
    };
    for ids in parts {
        let filter = ids.map(|ids| {
            let list: Vec<String> = ids
                .iter()
                .map(|id| format!("'{}'", id.replace('\'', "''")))
                .collect();
            let list = list.join(", ");
            format!(
                "{} IN ({list}) OR ({} IS NULL AND {} IN ({list}))",
                columns::PARENT,
                columns::PARENT,
                columns::ID
            )
        });
        let scan = Scan {
            filter,
            ..Scan::columns(Reader::columns().iter().copied())
        };
        let mut batches = table.scan(scan).await?;
        while let Some(batch) = batches.try_next().await? {
            reader.push(&batch)?;
        }
    }
    let made = tokio::task::spawn_blocking(move || Ok::<_, Error>(reader.finish()?));
    made.await.map_err(Error::Worker)?
}
