//! Structural motifs: a few residues of a structure, or a patch of faces, and where they recur.
//!
//! A graph has edges up to a cutoff only, and a motif is known by all its distances. So there are
//! two ways to look for one:
//!
//! - [`of_residues`] makes a [`Pattern`] of contact graphs, for searches of `penstock-pattern`:
//!   residues further apart than the graphs' cutoff are never found by it.
//! - [`find`] looks at positions alone: all maps of the motif's points onto vertices whose labels
//!   fit, whose distances all agree, and which one proper rotation brings onto each other. No
//!   occurrence is missed.
//!
//! [`Signature`] tells from 512 bytes per structure that a motif cannot occur there.

mod find;
mod selection;
mod signature;
#[cfg(test)]
mod tests;

use penstock_pattern::{Allowed, Labels, MAX_VERTICES, Near, Pattern, PatternEdge, PatternVertex};

pub use self::find::{FindOptions, Found, Occurrence, find};
pub use self::selection::{Residue, Selection, Span};
pub use self::signature::{Signature, SignatureOptions};
use crate::error::{GraphError, Result};
use crate::make::contacts::DISTANCE;
use crate::make::faces::AREA;
use crate::named::Named;
use crate::space::squared;

/// Which labels a point of a motif may fall on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LabelMatch {
    /// The one that it has itself.
    #[default]
    Exact,
    /// All of them.
    Any,
}

/// How a motif is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotifOptions {
    /// Which labels its points may fall on.
    pub labels: LabelMatch,
    /// How far a distance of a [`Pattern`] may be from the motif's. [`find`] has its own.
    pub tolerance_angstrom: f32,
}

impl Default for MotifOptions {
    fn default() -> Self {
        Self {
            labels: LabelMatch::Exact,
            tolerance_angstrom: 1.0,
        }
    }
}

/// A point of a motif.
#[derive(Debug, Clone, PartialEq)]
pub struct MotifPoint {
    /// Where it lies, in the unit of its source.
    pub position: [f32; 3],
    /// Names of the labels that it may fall on; `None` for all.
    pub labels: Option<Vec<String>>,
    /// Area of the face, in the unit of its source squared; `None` where areas do not count.
    pub area: Option<f32>,
}

/// A few points with their distances: from 1 to 64, all finite.
#[derive(Debug, Clone, PartialEq)]
pub struct Motif {
    points: Vec<MotifPoint>,
}

impl Motif {
    /// A motif of these points.
    ///
    /// # Errors
    /// No point or more than 64; positions or areas that are not finite.
    pub fn new(points: Vec<MotifPoint>) -> Result<Self> {
        let finite = |p: &MotifPoint| {
            p.position.iter().all(|x| x.is_finite()) && p.area.is_none_or(f32::is_finite)
        };
        if !(1..=MAX_VERTICES).contains(&points.len()) || !points.iter().all(finite) {
            return Err(GraphError::Option {
                option: "points of the motif",
                wanted: "from 1 to 64, and finite",
            });
        }
        Ok(Self { points })
    }

    /// The residues of a structure that a selection such as `A:45,48,52;B:12-14` names; its
    /// points in that order. See [`Selection`].
    ///
    /// # Errors
    /// A selection that cannot be read or names residues that are not there; residues without a
    /// position, or selected twice; more than 64.
    pub fn of_residues(graph: &Named, selection: &str, labels: LabelMatch) -> Result<Self> {
        let vertices = Selection::parse(selection)?.vertices(graph)?;
        Self::of_vertices(graph, &vertices, labels)
    }

    /// A patch of faces of a graph of [`faces`](crate::make::faces::faces): their centroids, areas
    /// and labels.
    ///
    /// # Errors
    /// As [`of_vertices`](Self::of_vertices).
    pub fn of_patch(graph: &Named, faces: &[u32], labels: LabelMatch) -> Result<Self> {
        Self::of_vertices(graph, faces, labels)
    }

    /// Vertices of any graph with positions; areas count where the graph has the attribute
    /// `area`.
    ///
    /// # Errors
    /// Vertices that are not there, lie nowhere, have no named label or come twice; none, or more
    /// than 64.
    pub fn of_vertices(graph: &Named, vertices: &[u32], labels: LabelMatch) -> Result<Self> {
        let wrong = |vertex, problem| GraphError::Motif {
            graph: graph.id.clone(),
            vertex,
            problem,
        };
        let areas = graph.graph.vertex_columns().get(AREA);
        let point = |(at, &vertex): (usize, &u32)| {
            let Some(&label) = graph.graph.labels().get(vertex as usize) else {
                return Err(wrong(vertex, "is not there"));
            };
            if vertices[..at].contains(&vertex) {
                return Err(wrong(vertex, "is selected twice"));
            }
            let position = graph.positions.get(vertex as usize).copied().flatten();
            let position = position.ok_or_else(|| wrong(vertex, "has no position"))?;
            let name = graph.graph.vertex_names().and_then(|n| n.name(label));
            let labels = match (labels, name) {
                (LabelMatch::Any, _) => None,
                (LabelMatch::Exact, Some(name)) => Some(vec![name.to_owned()]),
                (LabelMatch::Exact, None) => {
                    return Err(wrong(vertex, "has a label without a name"));
                }
            };
            Ok(MotifPoint {
                position,
                labels,
                area: areas.map(|areas| areas[vertex as usize]),
            })
        };
        let some = vertices.iter().take(MAX_VERTICES + 1).enumerate();
        Self::new(some.map(point).collect::<Result<_>>()?)
    }

    /// The points.
    #[must_use]
    pub fn points(&self) -> &[MotifPoint] {
        &self.points
    }

    /// The pattern of a contact graph that the motif is: an edge with any label between every two
    /// points, whose attribute `distance` is within the tolerance.
    ///
    /// # Errors
    /// A tolerance that is negative or not a number.
    pub fn pattern(&self, tolerance_angstrom: f32) -> Result<Pattern> {
        let mut names = Labels::default();
        let vertices = self.points.iter().map(|point| PatternVertex {
            labels: match &point.labels {
                None => Allowed::Any,
                Some(labels) => Allowed::of(labels.iter().map(|name| names.intern(name))),
            },
            near: Vec::new(),
        });
        let vertices: Vec<_> = vertices.collect();
        let mut edges = Vec::new();
        for to in 1..self.points.len() {
            for from in 0..to {
                let distance = self.distance(from, to) as f32;
                edges.push(PatternEdge {
                    from: from as u32,
                    to: to as u32,
                    labels: Allowed::Any,
                    near: vec![Near::new(DISTANCE, distance, tolerance_angstrom)],
                });
            }
        }
        Ok(Pattern::new(false, vertices, edges)?.named(Some(names), None))
    }

    /// The distance of two points, in the unit of their source.
    fn distance(&self, a: usize, b: usize) -> f64 {
        let place = |i: usize| self.points[i].position.map(f64::from);
        squared(place(a), place(b)).sqrt()
    }
}

/// The pattern that residues of a stored structure make: see [`Motif::of_residues`] and
/// [`Motif::pattern`].
///
/// # Errors
/// Those of both.
pub fn of_residues(graph: &Named, selection: &str, options: &MotifOptions) -> Result<Pattern> {
    Motif::of_residues(graph, selection, options.labels)?.pattern(options.tolerance_angstrom)
}
