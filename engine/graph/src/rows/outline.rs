//! Rows to outlines: which vertices a graph joins and how they are labelled, one graph after the
//! other, however many there are.
//!
//! Rows of a graph mostly follow one another, so a graph is whole, and can be let go, soon after
//! its first row. Where they do not, as many graphs are gathered at a time as there is room for;
//! the others wait for another pass over the rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, FixedSizeBinaryArray, Int64Array, ListArray, RecordBatch};
use arrow::array::{Int32Array, StringArray};
use arrow::datatypes::{Int32Type, Int64Type};
use penstock_types::columns;

use super::vertex_id;
use crate::{GraphError, Result};

/// Columns that batches must have.
const NEEDED: [&str; 5] = [
    columns::PARENT,
    columns::VERTEX,
    columns::LABEL,
    columns::NEIGHBOURS,
    columns::CONTENT_HASH,
];

/// Bytes that a vertex takes while its graph is gathered and handed over.
const VERTEX_BYTES: u64 = 96;

/// The same of an edge.
const EDGE_BYTES: u64 = 40;

/// What a graph's own row says of its outline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its id.
    pub id: Arc<str>,
    /// Whether edges have a direction: then they stand with their starts alone.
    pub directed: bool,
    /// Vertices.
    pub vertices: u32,
    /// Edges; an undirected one counts once.
    pub edges: u64,
}

impl Head {
    /// Bytes that the outline takes while it is made, labels apart.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        VERTEX_BYTES * u64::from(self.vertices) + EDGE_BYTES * self.edges
    }
}

/// One graph, without directions, edge labels or attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Its id.
    pub id: Arc<str>,
    /// Where the neighbours of each vertex begin, and the end: `[vertices + 1]`.
    pub offsets: Vec<u64>,
    /// Neighbours, ascending, whichever way the edge goes and each once: `[both ways]`.
    pub neighbours: Vec<u32>,
    /// The label of each vertex, as a place in [`Self::names`]: `[vertices]`.
    pub labels: Vec<u32>,
    /// The labels that occur. A vertex without a label has the empty one.
    pub names: Vec<String>,
    /// The first bytes of each row's content hash, which covers its graph: `[vertices]`.
    pub hashes: Vec<[u8; 8]>,
}

/// How far a graph is.
#[derive(Debug)]
enum State {
    Waiting,
    /// Some of its rows came when there was no room for it.
    Skipped,
    Open(Box<Partial>),
    Done,
}

/// A graph of which some rows came.
#[derive(Debug)]
struct Partial {
    /// Vertices of the rows, in the order of coming.
    order: Vec<u32>,
    seen: Vec<bool>,
    labels: Vec<u32>,
    names: HashMap<String, u32>,
    ends: Vec<u64>,
    neighbours: Vec<u32>,
    hashes: Vec<[u8; 8]>,
}

/// Gathers graphs from rows.
#[derive(Debug)]
pub struct Outlines {
    heads: Vec<Head>,
    states: Vec<State>,
    by_id: HashMap<Arc<str>, u32>,
    /// Bytes that open graphs may take.
    most: u64,
    /// Bytes that are left of these.
    room: u64,
    /// Graphs of which some rows came.
    open: usize,
    left: usize,
}

/// The columns of a batch.
struct Rows<'b> {
    parents: &'b StringArray,
    numbers: &'b Int64Array,
    labels: &'b StringArray,
    neighbours: &'b ListArray,
    to: &'b Int32Array,
    hashes: &'b FixedSizeBinaryArray,
}

impl<'b> Rows<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self> {
        let lists = super::read::column(batch, columns::NEIGHBOURS)?.as_list_opt::<i32>();
        let lists = lists.ok_or(GraphError::Column {
            column: columns::NEIGHBOURS,
        })?;
        let wrong = |column| move || GraphError::Column { column };
        Ok(Self {
            parents: super::read::text(batch, columns::PARENT)?,
            numbers: super::read::column(batch, columns::VERTEX)?
                .as_primitive_opt::<Int64Type>()
                .ok_or_else(wrong(columns::VERTEX))?,
            labels: super::read::text(batch, columns::LABEL)?,
            neighbours: lists,
            to: lists
                .values()
                .as_primitive_opt::<Int32Type>()
                .ok_or_else(wrong(columns::NEIGHBOURS))?,
            hashes: super::read::column(batch, columns::CONTENT_HASH)?
                .as_fixed_size_binary_opt()
                .filter(|hashes| hashes.value_length() >= 8)
                .ok_or_else(wrong(columns::CONTENT_HASH))?,
        })
    }
}

/// The first bytes of a row's content hash, as [`Outline::hashes`] has them.
#[must_use]
pub fn short_hash(hash: &[u8]) -> [u8; 8] {
    let mut short = [0; 8];
    short
        .iter_mut()
        .zip(hash)
        .for_each(|(to, from)| *to = *from);
    short
}

impl Outlines {
    /// Gathers these graphs, in at most so many bytes ([`Head::bytes`]) at a time; a graph that
    /// takes more is gathered alone.
    #[must_use]
    pub fn new(heads: Vec<Head>, room: u64) -> Self {
        let ids = heads.iter().map(|head| Arc::clone(&head.id));
        Self {
            by_id: ids.zip(0..).collect(),
            states: heads.iter().map(|_| State::Waiting).collect(),
            left: heads.len(),
            heads,
            most: room,
            room,
            open: 0,
        }
    }

    /// The columns that batches must have.
    #[must_use]
    pub const fn columns() -> &'static [&'static str] {
        &NEEDED
    }

    /// Graphs that are not whole yet.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.left
    }

    /// The graphs that are not whole yet.
    pub fn waiting(&self) -> impl Iterator<Item = &Head> {
        let each = self.heads.iter().zip(&self.states);
        each.filter(|(_, state)| !matches!(state, State::Done))
            .map(|(head, _)| head)
    }

    /// Takes rows of vertices, of any graphs; hands over those that are whole by now. Bytes of
    /// what it handed over are free again.
    ///
    /// # Errors
    /// A column is missing or of another type; a row contradicts itself or its graph.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<Vec<Outline>> {
        let rows = Rows::of(batch)?;
        let mut whole = Vec::new();
        let mut last: Option<(&str, Option<u32>)> = None;
        for row in 0..batch.num_rows() {
            if rows.parents.is_null(row) {
                continue;
            }
            let parent = rows.parents.value(row);
            // Rows of one graph follow one another.
            let graph = match last {
                Some((id, graph)) if id == parent => graph,
                _ => self.by_id.get(parent).copied(),
            };
            last = Some((parent, graph));
            if let Some(graph) = graph {
                whole.extend(self.row(graph as usize, &rows, row)?);
            }
        }
        Ok(whole)
    }

    fn row(&mut self, graph: usize, rows: &Rows<'_>, row: usize) -> Result<Option<Outline>> {
        let head = &self.heads[graph];
        let state = &mut self.states[graph];
        if let State::Waiting = state {
            if self.open == 0 || self.room >= head.bytes() {
                *state = State::Open(Box::new(Partial::new(head)));
                self.open += 1;
                self.room = self.room.saturating_sub(head.bytes());
            } else {
                *state = State::Skipped;
            }
        }
        let State::Open(partial) = state else {
            return Ok(None); // it has no room, or this is a row too many
        };
        partial.take(head, rows, row)?;
        if partial.order.len() < head.vertices as usize {
            return Ok(None);
        }
        self.open -= 1;
        self.left -= 1;
        self.room = match self.open {
            0 => self.most,
            _ => (self.room + head.bytes()).min(self.most),
        };
        match std::mem::replace(state, State::Done) {
            State::Open(partial) => Ok(Some(partial.outline(head))),
            _ => Ok(None),
        }
    }

    /// The end of the rows. Those that are left, if any, come in the next pass over them.
    ///
    /// # Errors
    /// A graph has rows, but not one for each vertex, or none though it has vertices.
    pub fn end_of_rows(&mut self) -> Result<()> {
        let missing = |head: &Head, vertex| GraphError::Row {
            id: vertex_id(&head.id, vertex),
            problem: "this vertex is missing",
        };
        for (head, state) in self.heads.iter().zip(&mut self.states) {
            match state {
                State::Open(partial) => {
                    let vertex = partial.seen.iter().position(|seen| !seen);
                    return Err(missing(head, vertex.unwrap_or(0) as u32));
                }
                State::Waiting if head.vertices > 0 => return Err(missing(head, 0)),
                State::Waiting => {
                    *state = State::Done;
                    self.left -= 1;
                }
                State::Skipped => *state = State::Waiting,
                State::Done => {}
            }
        }
        Ok(())
    }
}

impl Partial {
    fn new(head: &Head) -> Self {
        let vertices = head.vertices as usize;
        Self {
            order: Vec::with_capacity(vertices),
            seen: vec![false; vertices],
            labels: Vec::with_capacity(vertices),
            names: HashMap::new(),
            ends: Vec::with_capacity(vertices),
            neighbours: Vec::new(),
            hashes: Vec::with_capacity(vertices),
        }
    }

    fn take(&mut self, head: &Head, rows: &Rows<'_>, row: usize) -> Result<()> {
        let number = match rows.numbers.is_valid(row) {
            true => u32::try_from(rows.numbers.value(row)).ok(),
            false => None,
        };
        let Some(number) = number.filter(|number| *number < head.vertices) else {
            return Err(GraphError::Row {
                id: head.id.to_string(),
                problem: "it has a vertex whose number is not below the count of its vertices",
            });
        };
        let bad = |problem| GraphError::Row {
            id: vertex_id(&head.id, number),
            problem,
        };
        if std::mem::replace(&mut self.seen[number as usize], true) {
            return Err(bad("this vertex stands twice"));
        }
        self.order.push(number);
        let label = match rows.labels.is_valid(row) {
            true => rows.labels.value(row),
            false => "",
        };
        let label = match self.names.get(label) {
            Some(&label) => label,
            None => {
                let place = self.names.len() as u32;
                self.names.insert(label.to_owned(), place);
                place
            }
        };
        self.labels.push(label);
        if rows.neighbours.is_valid(row) {
            let ends = rows.neighbours.value_offsets();
            for to in &rows.to.values()[ends[row] as usize..ends[row + 1] as usize] {
                let to = u32::try_from(*to).ok().filter(|to| *to < head.vertices);
                let to = to.ok_or_else(|| bad("an edge leads to no vertex"))?;
                self.neighbours.push(to);
            }
        }
        self.ends.push(self.neighbours.len() as u64);
        self.hashes.push(short_hash(rows.hashes.value(row)));
        Ok(())
    }

    /// Puts the rows in the order of their vertices. Each vertex has one.
    fn outline(self, head: &Head) -> Outline {
        let vertices = head.vertices as usize;
        let lists = |at: usize| {
            let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.neighbours[begin as usize..self.ends[at] as usize]
        };
        let mut offsets = vec![0_u64; vertices + 1];
        for (at, vertex) in self.order.iter().enumerate() {
            offsets[*vertex as usize + 1] += lists(at).len() as u64;
            if head.directed {
                for to in lists(at) {
                    offsets[*to as usize + 1] += 1;
                }
            }
        }
        for vertex in 0..vertices {
            offsets[vertex + 1] += offsets[vertex];
        }
        let mut neighbours = vec![0_u32; offsets[vertices] as usize];
        let mut next = offsets.clone();
        let mut put = |from: u32, to: u32| {
            let at = &mut next[from as usize];
            neighbours[*at as usize] = to;
            *at += 1;
        };
        for (at, vertex) in self.order.iter().enumerate() {
            for to in lists(at) {
                put(*vertex, *to);
                if head.directed {
                    put(*to, *vertex);
                }
            }
        }
        if head.directed {
            // Two edges between the same vertices are one neighbour.
            let mut kept = 0;
            let mut begin = 0;
            for vertex in 0..vertices {
                let end = offsets[vertex + 1] as usize;
                neighbours[begin..end].sort_unstable();
                let first = kept;
                for at in begin..end {
                    if kept == first || neighbours[kept - 1] != neighbours[at] {
                        neighbours[kept] = neighbours[at];
                        kept += 1;
                    }
                }
                offsets[vertex + 1] = kept as u64;
                begin = end;
            }
            neighbours.truncate(kept);
        }
        let mut labels = vec![0; vertices];
        let mut hashes = vec![[0; 8]; vertices];
        for (at, vertex) in self.order.iter().enumerate() {
            labels[*vertex as usize] = self.labels[at];
            hashes[*vertex as usize] = self.hashes[at];
        }
        let mut names = vec![String::new(); self.names.len()];
        for (name, place) in self.names {
            names[place as usize] = name;
        }
        Outline {
            id: Arc::clone(&head.id),
            offsets,
            neighbours,
            labels,
            names,
            hashes,
        }
    }
}

#[cfg(test)]
mod tests;
