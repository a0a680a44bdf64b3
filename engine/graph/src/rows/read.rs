//! From rows to one graph in memory.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Float32Type, Int32Type, Int64Type};
use penstock_pattern::{Graph, GraphBuilder, Labels};
use penstock_types::columns;

use crate::{GraphError, Result};

/// Columns that a reader needs.
const NEEDED: [&str; 11] = [
    columns::ID,
    columns::PARENT,
    columns::VERTEX,
    columns::DIRECTED,
    columns::ATTRIBUTE_NAMES,
    columns::EDGE_ATTRIBUTE_NAMES,
    columns::LABEL,
    columns::NEIGHBOURS,
    columns::EDGE_LABELS,
    columns::ATTRIBUTES,
    columns::EDGE_ATTRIBUTES,
];

/// The graphs of some rows, as one.
#[derive(Debug)]
pub struct Union {
    /// The graphs, one after the other. Labels have names.
    pub graph: Graph,
    /// The id of each graph: `[graphs]`.
    pub ids: Vec<String>,
}

impl Union {
    /// The id of the graph that a vertex belongs to, and the vertex's number there.
    #[must_use]
    pub fn place(&self, vertex: u32) -> (&str, u32) {
        let graph = self.graph.graph_of(vertex);
        let first = self.graph.starts().get(graph).copied().unwrap_or(0);
        (
            self.ids.get(graph).map_or("", String::as_str),
            vertex - first,
        )
    }
}

/// What a graph's own row says.
#[derive(Debug, Default, Clone)]
struct Head {
    id: String,
    seen: bool,
    attributes: Vec<String>,
    edge_attributes: Vec<String>,
    vertices: u32,
}

/// Takes rows in any order.
#[derive(Debug, Default)]
pub struct Reader {
    heads: Vec<Head>,
    by_id: HashMap<String, u32>,
    directed: Option<(bool, String)>,
    vertex_names: Labels,
    edge_names: Labels,
    /// Graph and number of each row, in the order of coming.
    places: Vec<(u32, u32)>,
    labels: Vec<u32>,
    /// Where each row's neighbours end.
    ends: Vec<usize>,
    neighbours: Vec<u32>,
    edge_labels: Vec<u32>,
    has_edge_labels: bool,
    attributes: Vec<Vec<f32>>,
    edge_attributes: Vec<Vec<f32>>,
}

pub(super) fn column<'b>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b dyn Array> {
    let found = batch.column_by_name(name).map(|array| &**array);
    found.ok_or(GraphError::Column { column: name })
}

pub(super) fn text<'b>(batch: &'b RecordBatch, name: &'static str) -> Result<&'b StringArray> {
    column(batch, name)?
        .as_string_opt::<i32>()
        .ok_or(GraphError::Column { column: name })
}

impl Reader {
    /// The columns that batches must have.
    #[must_use]
    pub const fn columns() -> &'static [&'static str] {
        &NEEDED
    }

    fn graph(&mut self, id: &str) -> u32 {
        if let Some(&graph) = self.by_id.get(id) {
            return graph;
        }
        let graph = self.heads.len() as u32;
        self.heads.push(Head {
            id: id.to_owned(),
            ..Head::default()
        });
        self.by_id.insert(id.to_owned(), graph);
        graph
    }

    /// Takes rows: of graphs and of vertices, in any order.
    ///
    /// # Errors
    /// A column is missing or of another type; a row contradicts itself; directed and undirected
    /// graphs are mixed.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<()> {
        let ids = text(batch, columns::ID)?;
        let parents = text(batch, columns::PARENT)?;
        for row in 0..batch.num_rows() {
            if parents.is_null(row) {
                self.head(batch, row, ids.value(row))?;
            }
        }
        self.vertices(batch, ids, parents)
    }

    fn head(&mut self, batch: &RecordBatch, row: usize, id: &str) -> Result<()> {
        let bad = |problem| GraphError::Row {
            id: id.to_owned(),
            problem,
        };
        let directed =
            column(batch, columns::DIRECTED)?
                .as_boolean_opt()
                .ok_or(GraphError::Column {
                    column: columns::DIRECTED,
                })?;
        if directed.is_null(row) {
            return Err(bad("a graph says whether its edges have a direction"));
        }
        let directed = directed.value(row);
        match &self.directed {
            Some((known, _)) if *known != directed => {
                return Err(bad(
                    "directed and undirected graphs cannot be searched together",
                ));
            }
            Some(_) => {}
            None => self.directed = Some((directed, id.to_owned())),
        }
        let names = |name: &'static str| -> Result<Vec<String>> {
            let lists = column(batch, name)?
                .as_list_opt::<i32>()
                .ok_or(GraphError::Column { column: name })?;
            if lists.is_null(row) {
                return Ok(Vec::new());
            }
            let list = lists.value(row);
            let list = list
                .as_string_opt::<i32>()
                .ok_or(GraphError::Column { column: name })?;
            Ok(list.iter().flatten().map(str::to_owned).collect())
        };
        let attributes = names(columns::ATTRIBUTE_NAMES)?;
        let edge_attributes = names(columns::EDGE_ATTRIBUTE_NAMES)?;
        let graph = self.graph(id);
        let head = &mut self.heads[graph as usize];
        head.seen = true;
        head.attributes = attributes;
        head.edge_attributes = edge_attributes;
        Ok(())
    }

    fn vertices(
        &mut self,
        batch: &RecordBatch,
        ids: &StringArray,
        parents: &StringArray,
    ) -> Result<()> {
        macro_rules! typed {
            ($name:expr, $method:ident $(::<$type:ty>)?) => {
                column(batch, $name)?
                    .$method$(::<$type>)?()
                    .ok_or(GraphError::Column { column: $name })?
            };
        }
        let numbers = typed!(columns::VERTEX, as_primitive_opt::<Int64Type>);
        let labels = text(batch, columns::LABEL)?;
        let neighbours = typed!(columns::NEIGHBOURS, as_list_opt::<i32>);
        let edge_labels = typed!(columns::EDGE_LABELS, as_list_opt::<i32>);
        let attributes = typed!(columns::ATTRIBUTES, as_list_opt::<i32>);
        let edge_attributes = typed!(columns::EDGE_ATTRIBUTES, as_list_opt::<i32>);
        let to = neighbours.values().as_primitive_opt::<Int32Type>();
        let to = to.ok_or(GraphError::Column {
            column: columns::NEIGHBOURS,
        })?;
        let edge_names = edge_labels.values().as_string_opt::<i32>();
        let edge_names = edge_names.ok_or(GraphError::Column {
            column: columns::EDGE_LABELS,
        })?;
        let (mut last, mut last_id) = (0, None);
        for row in (0..batch.num_rows()).filter(|row| parents.is_valid(*row)) {
            let bad = |problem| GraphError::Row {
                id: ids.value(row).to_owned(),
                problem,
            };
            let parent = parents.value(row);
            // Rows of one graph follow one another.
            if last_id != Some(parent) {
                last = self.graph(parent);
                last_id = Some(parent);
            }
            let number = numbers.is_valid(row).then(|| numbers.value(row));
            let number = number.and_then(|number| u32::try_from(number).ok());
            let number = number.filter(|number| *number < i32::MAX as u32);
            let number = number.ok_or_else(|| bad("a vertex has a number in its graph"))?;
            let label = if labels.is_null(row) {
                ""
            } else {
                labels.value(row)
            };
            let range = neighbours.value_offsets()[row] as usize
                ..neighbours.value_offsets()[row + 1] as usize;
            let degree = range.len();
            for at in range {
                let to = u32::try_from(to.value(at))
                    .map_err(|_| bad("a neighbour has a number in its graph"))?;
                self.neighbours.push(to);
            }
            self.ends.push(self.neighbours.len());
            self.places.push((last, number));
            self.labels.push(self.vertex_names.intern(label));
            let head = &mut self.heads[last as usize];
            head.vertices = head.vertices.max(number + 1);
            let range = edge_labels.value_offsets()[row] as usize
                ..edge_labels.value_offsets()[row + 1] as usize;
            if edge_labels.is_valid(row) {
                if range.len() != degree {
                    return Err(bad("each edge has one label"));
                }
                self.has_edge_labels = true;
                for at in range {
                    self.edge_labels
                        .push(1 + self.edge_names.intern(edge_names.value(at)));
                }
            } else {
                self.edge_labels.resize(self.neighbours.len(), 0);
            }
            let numbers = |lists: &arrow::array::ListArray| -> Vec<f32> {
                if lists.is_null(row) {
                    return Vec::new();
                }
                let list = lists.value(row);
                let list = list.as_primitive_opt::<Float32Type>();
                list.map(|list| list.iter().map(|value| value.unwrap_or(f32::NAN)).collect())
                    .unwrap_or_default()
            };
            self.attributes.push(numbers(attributes));
            self.edge_attributes.push(numbers(edge_attributes));
        }
        Ok(())
    }

    /// The graph of all rows.
    ///
    /// # Errors
    /// A vertex stands twice or not at all, its graph has no row, an edge leads nowhere or stands
    /// with one of its ends only, or attributes are not as many as their names.
    pub fn finish(self) -> Result<Union> {
        let mut starts = Vec::with_capacity(self.heads.len());
        let mut total = 0_u32;
        for head in &self.heads {
            let bad = |problem| GraphError::Row {
                id: head.id.clone(),
                problem,
            };
            if !head.seen {
                return Err(bad(
                    "the table has vertices of this graph, but no row of the graph itself",
                ));
            }
            starts.push(total);
            total = total
                .checked_add(head.vertices)
                .ok_or_else(|| bad("there are too many vertices"))?;
        }
        let directed = self
            .directed
            .as_ref()
            .is_some_and(|(directed, _)| *directed);
        let mut builder = GraphBuilder {
            directed,
            labels: vec![u32::MAX; total as usize],
            ..GraphBuilder::default()
        };
        let mut vertex_columns = Attributes::new(total as usize);
        let mut edge_columns = Attributes::default();
        let mut begin = 0;
        for (row, &(graph, number)) in self.places.iter().enumerate() {
            let (head, first) = (&self.heads[graph as usize], starts[graph as usize]);
            let vertex = first + number;
            let bad = |problem| GraphError::Row {
                id: super::vertex_id(&head.id, number),
                problem,
            };
            if builder.labels[vertex as usize] != u32::MAX {
                return Err(bad("this vertex stands twice"));
            }
            builder.labels[vertex as usize] = self.labels[row];
            vertex_columns
                .set(&head.attributes, vertex as usize, &self.attributes[row])
                .ok_or_else(|| bad("it has not as many attributes as its graph names"))?;
            let end = self.ends[row];
            let width = head.edge_attributes.len();
            if self.edge_attributes[row].len() != (end - begin) * width {
                return Err(bad("it has not as many edge attributes as its graph names"));
            }
            for (i, at) in (begin..end).enumerate() {
                let to = self.neighbours[at];
                if to >= head.vertices {
                    return Err(bad("an edge leads to no vertex"));
                }
                // An undirected edge stands with both ends; one of them brings it.
                if !directed && to < number {
                    continue;
                }
                let edge = builder.edges.len();
                builder.edges.push((vertex, first + to));
                if self.has_edge_labels {
                    builder.edge_labels.push(self.edge_labels[at]);
                }
                let values = &self.edge_attributes[row][i * width..(i + 1) * width];
                edge_columns.set(&head.edge_attributes, edge, values);
            }
            begin = end;
        }
        if let Some(missing) = builder.labels.iter().position(|label| *label == u32::MAX) {
            let graph = starts.partition_point(|start| *start as usize <= missing) - 1;
            return Err(GraphError::Row {
                id: super::vertex_id(&self.heads[graph].id, missing as u32 - starts[graph]),
                problem: "this vertex is missing",
            });
        }
        vertex_columns.fill(total as usize, &mut builder.vertex_columns);
        edge_columns.fill(builder.edges.len(), &mut builder.edge_columns);
        builder.vertex_names = Some(self.vertex_names);
        if self.has_edge_labels {
            // Number 0 is the label of edges without one.
            let names =
                (0..self.edge_names.len() as u32).filter_map(|label| self.edge_names.name(label));
            builder.edge_names = Some(std::iter::once("").chain(names).collect());
        }
        builder.starts = starts;
        let ids: Vec<String> = self.heads.into_iter().map(|head| head.id).collect();
        let graph = builder.build().map_err(|source| GraphError::Graph {
            graph: ids.first().cloned().unwrap_or_default(),
            source,
        })?;
        Ok(Union { graph, ids })
    }
}

/// Attributes of several graphs, which may have different ones; NaN where a graph has none.
#[derive(Debug, Default)]
struct Attributes {
    names: HashMap<String, usize>,
    order: Vec<String>,
    values: Vec<Vec<f32>>,
    expected: usize,
}

impl Attributes {
    fn new(expected: usize) -> Self {
        Self {
            expected,
            ..Self::default()
        }
    }

    /// `None` where there are not as many values as names.
    fn set(&mut self, names: &[String], at: usize, values: &[f32]) -> Option<()> {
        if names.len() != values.len() {
            return None;
        }
        for (name, value) in names.iter().zip(values) {
            let column = match self.names.get(name) {
                Some(&column) => column,
                None => {
                    self.names.insert(name.clone(), self.order.len());
                    self.order.push(name.clone());
                    self.values.push(Vec::with_capacity(self.expected));
                    self.order.len() - 1
                }
            };
            let column = &mut self.values[column];
            if column.len() <= at {
                column.resize(at + 1, f32::NAN);
            }
            column[at] = *value;
        }
        Some(())
    }

    fn fill(self, count: usize, columns: &mut penstock_pattern::Columns) {
        for (name, mut values) in self.order.into_iter().zip(self.values) {
            values.resize(count, f32::NAN);
            columns.insert(name, values);
        }
    }
}
