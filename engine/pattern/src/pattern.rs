//! What is looked for.

use std::borrow::Cow;

use crate::error::{PatternError, Result};
use crate::graph::{Graph, Labels};

/// Vertices that a pattern may have: sets of them are the bits of a word.
pub const MAX_VERTICES: usize = 64;

/// The labels that a vertex or edge of a pattern allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Allowed {
    /// All of them: a wildcard.
    #[default]
    Any,
    /// These: ascending, each once, at least one.
    Only(Vec<u32>),
}

impl Allowed {
    /// One label.
    pub fn one(label: u32) -> Self {
        Self::Only(vec![label])
    }

    /// Any of these labels.
    pub fn of(labels: impl IntoIterator<Item = u32>) -> Self {
        let mut labels: Vec<_> = labels.into_iter().collect();
        labels.sort_unstable();
        labels.dedup();
        Self::Only(labels)
    }

    /// Whether a label is allowed.
    #[inline]
    pub fn allows(&self, label: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Only(labels) => labels.binary_search(&label).is_ok(),
        }
    }
}

/// An attribute that has to be near a value: `|a - value| <= tolerance`, computed in `f64`; with
/// a period the difference is the shorter way around the circle.
#[derive(Debug, Clone, PartialEq)]
pub struct Near {
    /// The graph's column.
    pub column: String,
    /// What it should be, in the column's unit.
    pub value: f32,
    /// How far from it it may be, in the column's unit.
    pub tolerance: f32,
    /// What differences are taken modulo: 360 for angles in degrees.
    pub period: Option<f32>,
}

impl Near {
    /// A value within a tolerance.
    pub fn new(column: impl Into<String>, value: f32, tolerance: f32) -> Self {
        Self {
            column: column.into(),
            value,
            tolerance,
            period: None,
        }
    }

    /// Whether an attribute is near enough; NaN never is.
    #[inline]
    pub fn holds(&self, attribute: f32) -> bool {
        let mut difference = (f64::from(attribute) - f64::from(self.value)).abs();
        if let Some(period) = self.period {
            difference %= f64::from(period);
            difference = difference.min(f64::from(period) - difference);
        }
        difference <= f64::from(self.tolerance)
    }

    fn check(&self, what: &'static str, index: usize) -> Result<()> {
        let tolerance = self.tolerance >= 0.0;
        let period = self.period.is_none_or(|p| p > 0.0 && p.is_finite());
        if self.value.is_finite() && tolerance && period {
            return Ok(());
        }
        Err(PatternError::Tolerance {
            what,
            index,
            column: self.column.clone(),
            value: self.value,
            tolerance: self.tolerance,
        })
    }
}

/// A vertex of a pattern.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PatternVertex {
    /// Its labels.
    pub labels: Allowed,
    /// Its attributes.
    pub near: Vec<Near>,
}

/// An edge of a pattern.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PatternEdge {
    /// Where it starts.
    pub from: u32,
    /// Where it ends.
    pub to: u32,
    /// Its labels.
    pub labels: Allowed,
    /// Its attributes.
    pub near: Vec<Near>,
}

/// A small graph with wildcards and tolerances. It need not be connected.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    directed: bool,
    vertices: Vec<PatternVertex>,
    edges: Vec<PatternEdge>,
    vertex_names: Option<Labels>,
    edge_names: Option<Labels>,
}

impl Pattern {
    /// A pattern with numbered labels.
    ///
    /// # Errors
    /// No vertex, or more than [`MAX_VERTICES`]; edges with ends that are not there, loops, two
    /// edges between the same vertices (in the same direction, if directed); an empty set of
    /// labels; tolerances that make no sense.
    pub fn new(
        directed: bool,
        vertices: Vec<PatternVertex>,
        edges: Vec<PatternEdge>,
    ) -> Result<Self> {
        if vertices.is_empty() {
            return Err(PatternError::EmptyPattern);
        }
        if vertices.len() > MAX_VERTICES {
            return Err(PatternError::PatternTooLarge {
                vertices: vertices.len(),
                max: MAX_VERTICES,
            });
        }
        for (index, vertex) in vertices.iter().enumerate() {
            check("vertex", index, &vertex.labels, &vertex.near)?;
        }
        let mut seen = [0_u64; MAX_VERTICES];
        for (index, edge) in edges.iter().enumerate() {
            let (from, to) = (edge.from, edge.to);
            if from.max(to) as usize >= vertices.len() {
                return Err(PatternError::UnknownVertex {
                    edge: index,
                    vertex: u64::from(from.max(to)),
                    vertices: vertices.len(),
                });
            }
            if from == to {
                return Err(PatternError::Loop {
                    edge: index,
                    vertex: from,
                });
            }
            if seen[from as usize] >> to & 1 == 1 {
                return Err(PatternError::Parallel { from, to });
            }
            seen[from as usize] |= 1 << to;
            if !directed {
                seen[to as usize] |= 1 << from;
            }
            check("edge", index, &edge.labels, &edge.near)?;
        }
        Ok(Self {
            directed,
            vertices,
            edges,
            vertex_names: None,
            edge_names: None,
        })
    }

    /// The pattern that a graph is of itself: its labels exactly, its attributes not at all.
    /// Edges of a graph without edge labels match any.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(graph: &Graph) -> Result<Self> {
        let vertices = graph.labels().iter().map(|&label| PatternVertex {
            labels: Allowed::one(label),
            near: Vec::new(),
        });
        let edges = graph.iter_edges().map(|edge| PatternEdge {
            from: edge.from,
            to: edge.to,
            labels: match graph.has_edge_labels() {
                true => Allowed::one(edge.label),
                false => Allowed::Any,
            },
            near: Vec::new(),
        });
        let vertices = vertices.take(MAX_VERTICES + 1).collect();
        let pattern = Self::new(graph.is_directed(), vertices, edges.collect())?;
        Ok(pattern.named(graph.vertex_names().cloned(), graph.edge_names().cloned()))
    }

    /// The pattern that some vertices of a graph are, with the edges among them: as [`of`](Self::of)
    /// that part alone. Vertices of the pattern are in the order given; one that is given again
    /// counts once.
    ///
    /// # Errors
    /// A vertex that is not there; none, or more than [`MAX_VERTICES`].
    pub fn part(graph: &Graph, vertices: &[u32]) -> Result<Self> {
        let mut picked: Vec<u32> = Vec::new();
        for &vertex in vertices {
            if vertex as usize >= graph.vertices() {
                return Err(PatternError::NoVertex {
                    what: "vertex",
                    vertex,
                    vertices: graph.vertices(),
                });
            }
            if !picked.contains(&vertex) {
                picked.push(vertex);
            }
            if picked.len() > MAX_VERTICES {
                break; // refused below
            }
        }
        let mut edges = Vec::new();
        for (from, &a) in picked.iter().enumerate() {
            for (to, &b) in picked.iter().enumerate() {
                let wanted = if graph.is_directed() {
                    a != b
                } else {
                    from < to
                };
                if let Some(edge) = graph.edge(a, b).filter(|_| wanted) {
                    edges.push(PatternEdge {
                        from: from as u32,
                        to: to as u32,
                        labels: match graph.has_edge_labels() {
                            true => Allowed::one(edge.label),
                            false => Allowed::Any,
                        },
                        near: Vec::new(),
                    });
                }
            }
        }
        let vertices = picked.iter().map(|&vertex| PatternVertex {
            labels: Allowed::one(graph.labels()[vertex as usize]),
            near: Vec::new(),
        });
        let pattern = Self::new(graph.is_directed(), vertices.collect(), edges)?;
        Ok(pattern.named(graph.vertex_names().cloned(), graph.edge_names().cloned()))
    }

    /// Gives names to the labels' numbers. A search translates them to the graph's numbers; a
    /// name that the graph does not know matches nothing.
    pub fn named(mut self, vertices: Option<Labels>, edges: Option<Labels>) -> Self {
        self.vertex_names = vertices;
        self.edge_names = edges;
        self
    }

    /// The same pattern with other numbers for its labels, and no names of them.
    #[must_use]
    pub fn relabelled(&self, vertex: impl Fn(u32) -> u32, edge: impl Fn(u32) -> u32) -> Self {
        let other = |allowed: &Allowed, number: &dyn Fn(u32) -> u32| match allowed {
            Allowed::Any => Allowed::Any,
            Allowed::Only(labels) => Allowed::of(labels.iter().map(|label| number(*label))),
        };
        let mut pattern = self.clone();
        for at in &mut pattern.vertices {
            at.labels = other(&at.labels, &vertex);
        }
        for at in &mut pattern.edges {
            at.labels = other(&at.labels, &edge);
        }
        pattern.vertex_names = None;
        pattern.edge_names = None;
        pattern
    }

    /// Whether edges have a direction.
    pub fn is_directed(&self) -> bool {
        self.directed
    }

    /// The vertices.
    pub fn vertices(&self) -> &[PatternVertex] {
        &self.vertices
    }

    /// The edges.
    pub fn edges(&self) -> &[PatternEdge] {
        &self.edges
    }

    /// Names of the vertex labels.
    pub fn vertex_names(&self) -> Option<&Labels> {
        self.vertex_names.as_ref()
    }

    /// Names of the edge labels.
    pub fn edge_names(&self) -> Option<&Labels> {
        self.edge_names.as_ref()
    }

    /// The pattern in the numbers of a graph's labels.
    pub(crate) fn numbered(&self, graph: &Graph) -> Result<Cow<'_, Self>> {
        match (&self.vertex_names, &self.edge_names) {
            (None, None) => Ok(Cow::Borrowed(self)),
            _ => self.translated(graph).map(Cow::Owned),
        }
    }

    /// The same pattern in the numbers of a graph's labels, without names. A name that the graph
    /// does not know is left out of its set, which may become empty: it then matches nothing.
    fn translated(&self, graph: &Graph) -> Result<Self> {
        let mut pattern = self.clone();
        if let Some(names) = pattern.vertex_names.take() {
            let sets = pattern.vertices.iter_mut().map(|v| &mut v.labels);
            translate("vertex", &names, graph.vertex_names(), sets)?;
        }
        if let Some(names) = pattern.edge_names.take() {
            let sets = pattern.edges.iter_mut().map(|e| &mut e.labels);
            translate("edge", &names, graph.edge_names(), sets)?;
        }
        Ok(pattern)
    }
}

fn check(what: &'static str, index: usize, labels: &Allowed, near: &[Near]) -> Result<()> {
    if let Allowed::Only(labels) = labels {
        // `Only` can be filled by hand; a search relies on its order.
        if labels.is_empty() || !labels.is_sorted_by(|a, b| a < b) {
            return Err(PatternError::NoLabel { what, index });
        }
    }
    near.iter().try_for_each(|near| near.check(what, index))
}

fn translate<'a>(
    what: &'static str,
    names: &Labels,
    graph: Option<&Labels>,
    sets: impl Iterator<Item = &'a mut Allowed>,
) -> Result<()> {
    for set in sets {
        if let Allowed::Only(labels) = set {
            let graph = graph.ok_or(PatternError::Unnamed { what })?;
            let number = |&label: &u32| graph.number(names.name(label)?);
            *set = Allowed::of(labels.iter().filter_map(number));
        }
    }
    Ok(())
}
