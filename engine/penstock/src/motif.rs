//! Structural motifs: a few residues of a structure or faces of a mesh, and where they recur.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures::TryStreamExt;
use penstock_graph::Named;
use penstock_graph::motif::{FindOptions, LabelMatch, Motif, find};
use penstock_graph::rows::Points;
use penstock_store::{Scan, Table, VersionRef};
use penstock_types::{Kind, TableName, columns};

use crate::{Engine, Error, Task};

/// Which part of a stored graph is the motif.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MotifPart {
    /// Residues, such as `A:45,48,52`.
    Residues(String),
    /// Vertices, by number: the faces of a patch.
    Vertices(Vec<u32>),
}

/// What to look for, and where.
#[derive(Debug, Clone)]
pub struct StructureRequest {
    /// A table of graphs whose vertices have positions.
    pub table: TableName,
    /// The version searched.
    pub version: VersionRef,
    /// The graph that has the motif.
    pub graph: String,
    /// Its part that is the motif.
    pub part: MotifPart,
    /// Whether labels (residue names) count.
    pub labels: LabelMatch,
    /// How far each distance may be from the motif's, in the unit of the positions (angstrom).
    pub tolerance: f64,
    /// The largest deviation after superposition, in the same unit.
    pub max_rmsd: f64,
    /// How far areas may be from the motif's, as a share of it; of meshes only.
    pub area_tolerance: f64,
    /// Occurrences in the answer, those of least deviation.
    pub limit: usize,
}

impl StructureRequest {
    /// With a tolerance of 1 angstrom, and the hundred best occurrences.
    #[must_use]
    pub fn new(table: TableName, graph: String, part: MotifPart) -> Self {
        let defaults = FindOptions::default();
        Self {
            table,
            version: VersionRef::Latest,
            graph,
            part,
            labels: LabelMatch::Exact,
            tolerance: defaults.tolerance,
            max_rmsd: defaults.max_rmsd,
            area_tolerance: defaults.area_tolerance,
            limit: 100,
        }
    }
}

/// Where the motif occurs.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureMatch {
    /// The id of the graph.
    pub graph: String,
    /// For each point of the motif, the graph's vertex.
    pub vertices: Vec<u32>,
    /// The names of those vertices, such as `A:GLY45`.
    pub names: Vec<String>,
    /// Root mean square deviation after superposition.
    pub rmsd: f64,
    /// Rows of the rotation that moves the motif onto the graph.
    pub rotation: [[f64; 3]; 3],
    /// Added after the rotation.
    pub translation: [f64; 3],
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureAnswer {
    /// The table.
    pub table: TableName,
    /// The version searched.
    pub version: u64,
    /// Occurrences, those that the limit leaves out included.
    pub count: u64,
    /// Whether there are no others.
    pub complete: bool,
    /// Graphs searched.
    pub graphs: u64,
    /// Time taken.
    pub seconds: f64,
    /// By ascending deviation.
    pub matches: Vec<StructureMatch>,
}

/// Occurrences in one graph that are counted at the most.
const PER_GRAPH: usize = 10_000;

struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Engine {
    /// Finds where a part of one stored graph recurs in space in all of the table, the part itself
    /// included: every injective map that keeps labels, all distances and the deviation.
    ///
    /// # Errors
    /// No such table, version or graph; the part has no positions; the table holds no graphs; the
    /// task was cancelled.
    pub async fn match_structure(
        &self,
        request: StructureRequest,
        task: &Task,
    ) -> Result<StructureAnswer, Error> {
        let started = Instant::now();
        let table = self.table(&request.table, &request.version).await?;
        if table.kind() != Kind::Graph {
            return Err(Error::NoGraphs {
                table: table.name().clone(),
                holds: table.kind(),
            });
        }
        let own = one(&table, &request.graph).await?;
        let motif = Arc::new(match &request.part {
            MotifPart::Residues(selection) => Motif::of_residues(&own, selection, request.labels)?,
            MotifPart::Vertices(vertices) => Motif::of_vertices(&own, vertices, request.labels)?,
        });
        drop(own);
        let stop = Stop(Arc::default());
        let request = Arc::new(request);
        let mut answer = StructureAnswer {
            table: table.name().clone(),
            version: table.version(),
            count: 0,
            complete: true,
            graphs: 0,
            seconds: 0.0,
            matches: Vec::new(),
        };
        task.progress.set_stage("matching");
        let mut rows = table
            .scan(Scan::columns(Points::columns().iter().copied()))
            .await?;
        let mut points = Points::default();
        while let Some(batch) = task.run(rows.try_next()).await?? {
            let graphs = points.push(&batch)?;
            answer.graphs += graphs.len() as u64;
            task.progress.add_rows(graphs.len() as u64);
            let (motif, asked, cancel) = (
                Arc::clone(&motif),
                Arc::clone(&request),
                Arc::clone(&stop.0),
            );
            let searched = tokio::task::spawn_blocking(move || {
                graphs
                    .iter()
                    .map(|graph| search(&motif, graph, &asked, &cancel))
                    .collect::<Result<Vec<_>, Error>>()
            });
            for (matches, complete) in task.run(searched).await?.map_err(Error::Worker)?? {
                answer.count += matches.len() as u64;
                answer.complete &= complete;
                answer.matches.extend(matches);
            }
            answer.matches.sort_by(|a, b| {
                let by_graph = || (&a.graph, &a.vertices).cmp(&(&b.graph, &b.vertices));
                a.rmsd.total_cmp(&b.rmsd).then_with(by_graph)
            });
            answer.matches.truncate(request.limit);
        }
        points.finish()?;
        answer.seconds = started.elapsed().as_secs_f64();
        Ok(answer)
    }
}

fn search(
    motif: &Motif,
    graph: &Named,
    request: &StructureRequest,
    cancel: &AtomicBool,
) -> Result<(Vec<StructureMatch>, bool), Error> {
    let options = FindOptions {
        tolerance: request.tolerance,
        max_rmsd: request.max_rmsd,
        area_tolerance: request.area_tolerance,
        limit: PER_GRAPH,
        cancelled: Some(cancel),
    };
    let found = find(motif, graph, &options)?;
    let matches = found
        .occurrences
        .into_iter()
        .map(|occurrence| StructureMatch {
            graph: graph.id.clone(),
            names: occurrence
                .vertices
                .iter()
                .map(|vertex| {
                    graph
                        .names
                        .get(*vertex as usize)
                        .cloned()
                        .unwrap_or_default()
                })
                .collect(),
            vertices: occurrence.vertices,
            rmsd: occurrence.rmsd,
            rotation: occurrence.superposition.rotation,
            translation: occurrence.superposition.translation,
        });
    Ok((matches.collect(), found.complete))
}

/// One graph of a table, with positions.
pub(crate) async fn one(table: &Table, id: &str) -> Result<Named, Error> {
    let quoted = id.replace('\'', "''");
    let scan = Scan {
        filter: Some(format!(
            "{} = '{quoted}' OR {} = '{quoted}'",
            columns::ID,
            columns::PARENT
        )),
        ..Scan::columns(Points::columns().iter().copied())
    };
    let mut rows = table.scan(scan).await?;
    let mut points = Points::default();
    while let Some(batch) = rows.try_next().await? {
        if let Some(graph) = points
            .push(&batch)?
            .into_iter()
            .find(|graph| graph.id == id)
        {
            return Ok(graph);
        }
    }
    Err(Error::NoSuchRow {
        table: table.name().clone(),
        id: id.to_owned(),
    })
}
