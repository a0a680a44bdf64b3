//! From a graph to rows.

use std::sync::Arc;

use arrow::array::builder::{
    FixedSizeBinaryBuilder, FixedSizeListBuilder, Float32Builder, Int32Builder, Int64Builder,
    ListBuilder, StringBuilder, UInt16Builder,
};
use arrow::array::{
    ArrayRef, BooleanBuilder, RecordBatch, TimestampMicrosecondArray, new_null_array,
};
use penstock_pattern::{Columns, Graph, Rows};
use penstock_types::columns::{self, DOMINANCE_WIDTH};
use penstock_types::content::Payload;
use penstock_types::{ContentHash, Kind};

use super::{RECIPE, RowMaker, name_of, number_of, vertex_id};
use crate::{GraphError, Named, Result};

/// What rows say of where they came from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// File, or table and column.
    pub source: String,
    /// Microseconds since 1970, UTC.
    pub event_time: i64,
}

/// Vertices per batch.
const BATCH_VERTICES: usize = 16_384;

/// The rows of a graph in batches: the graph's own first, then its vertices in order.
///
/// # Errors
/// The graph is a union of several, names or positions are not as many as vertices, or there are
/// more vertices than a list can number.
pub fn write(
    named: Named,
    origin: Origin,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + 'static> {
    write_by(named, origin, &RowMaker::default())
}

/// The same, with the rows of the column `dominance` from elsewhere.
///
/// # Errors
/// As for [`write()`]; the rows could not be made, or are not one for each vertex.
pub fn write_by(
    named: Named,
    origin: Origin,
    maker: &RowMaker,
) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + 'static + use<>> {
    let graph = &named.graph;
    let vertices = graph.vertices();
    let wrong = |what| GraphError::TooLarge {
        graph: named.id.clone(),
        what,
    };
    if graph.graphs() > 1 {
        return Err(wrong("it is the union of several"));
    }
    if i32::try_from(vertices).is_err() {
        return Err(wrong("vertices"));
    }
    let fits = |len: usize| len == 0 || len == vertices;
    if !fits(named.names.len()) || !fits(named.positions.len()) {
        return Err(wrong("names or positions"));
    }
    let hashed = graph.relabelled(
        |label| number_of(&name_of(graph.vertex_names(), label)),
        |label| number_of(&name_of(graph.edge_names(), label)),
    );
    let rows = maker.rows(&named.id, &RECIPE, &hashed)?;
    drop(hashed);
    let writer = Writer {
        named,
        origin,
        rows,
    };
    let whole = writer.whole();
    let head = writer.head(&whole);
    let parts = (0..vertices).step_by(BATCH_VERTICES).map(move |first| {
        let last = (first + BATCH_VERTICES).min(vertices);
        writer.vertices(&whole, first as u32..last as u32)
    });
    Ok(std::iter::once(head).chain(parts))
}

struct Writer {
    named: Named,
    origin: Origin,
    rows: Rows,
}

/// The columns that every kind has.
struct Common {
    id: StringBuilder,
    name: StringBuilder,
    description: StringBuilder,
    hash: FixedSizeBinaryBuilder,
}

impl Common {
    fn new() -> Self {
        Self {
            id: StringBuilder::new(),
            name: StringBuilder::new(),
            description: StringBuilder::new(),
            hash: FixedSizeBinaryBuilder::new(32),
        }
    }

    fn finish(mut self, origin: &Origin) -> Vec<ArrayRef> {
        let id = self.id.finish();
        let rows = arrow::array::Array::len(&id);
        let same = |text: &str| -> ArrayRef {
            let mut texts = StringBuilder::new();
            (0..rows).for_each(|_| texts.append_value(text));
            Arc::new(texts.finish())
        };
        let times = vec![origin.event_time; rows];
        vec![
            Arc::new(id),
            same(Kind::Graph.as_str()),
            Arc::new(self.name.finish()),
            Arc::new(self.description.finish()),
            same(&origin.source),
            Arc::new(self.hash.finish()),
            Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
        ]
    }
}

fn texts(names: &Columns) -> ListBuilder<StringBuilder> {
    let mut list = ListBuilder::new(StringBuilder::new());
    for (name, _) in names.iter() {
        list.values().append_value(name);
    }
    list.append(true);
    list
}

/// A batch of these columns; those of the contract that are left out are null.
fn assemble(common: Vec<ArrayRef>, own: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    let schema = columns::schema(Kind::Graph);
    let rows = common.first().map_or(0, |ids| ids.len());
    let mut arrays = common;
    for field in schema.fields().iter().skip(arrays.len()) {
        let given = own.iter().find(|(name, _)| name == field.name());
        arrays.push(match given {
            Some((_, array)) => Arc::clone(array),
            None => new_null_array(field.data_type(), rows),
        });
    }
    Ok(RecordBatch::try_new(schema, arrays)?)
}

impl Writer {
    fn graph(&self) -> &Graph {
        &self.named.graph
    }

    /// The hash of the graph: of all that its vertices hold.
    fn whole(&self) -> ContentHash {
        let graph = self.graph();
        let mut payload = Payload::new(Kind::Graph);
        payload.bytes(columns::DIRECTED, &[u8::from(graph.is_directed())]);
        for columns in [graph.vertex_columns(), graph.edge_columns()] {
            for (name, _) in columns.iter() {
                payload.bytes("attribute", name.as_bytes());
            }
        }
        for vertex in 0..graph.vertices() as u32 {
            payload.bytes(columns::VERTEX, self.vertex(vertex).hash.as_bytes());
        }
        payload.finish()
    }

    /// The row of the graph itself.
    fn head(&self, whole: &ContentHash) -> Result<RecordBatch> {
        let graph = self.graph();
        let mut common = Common::new();
        common.id.append_value(&self.named.id);
        common.name.append_value(&self.named.id);
        common
            .description
            .append_option(self.named.description.as_ref());
        common.hash.append_value(whole.as_bytes())?;
        let mut directed = BooleanBuilder::new();
        directed.append_value(graph.is_directed());
        let count = |count: usize| -> ArrayRef {
            Arc::new(arrow::array::Int64Array::from(vec![count as i64]))
        };
        assemble(
            common.finish(&self.origin),
            vec![
                (columns::DIRECTED, Arc::new(directed.finish())),
                (columns::VERTEX_COUNT, count(graph.vertices())),
                (columns::EDGE_COUNT, count(graph.edges())),
                (
                    columns::ATTRIBUTE_NAMES,
                    Arc::new(texts(graph.vertex_columns()).finish()),
                ),
                (
                    columns::EDGE_ATTRIBUTE_NAMES,
                    Arc::new(texts(graph.edge_columns()).finish()),
                ),
            ],
        )
    }

    /// What one vertex's row holds.
    fn vertex(&self, vertex: u32) -> Vertex {
        let graph = self.graph();
        let at = vertex as usize;
        let label = name_of(graph.vertex_names(), graph.labels()[at]);
        let neighbours: Vec<i32> = graph
            .neighbours(vertex)
            .iter()
            .map(|to| *to as i32)
            .collect();
        let mut edge_labels = Vec::new();
        let mut edge_attributes = Vec::new();
        if graph.has_edge_labels() || !graph.edge_columns().is_empty() {
            for to in graph.neighbours(vertex) {
                let Some(edge) = graph.edge(vertex, *to) else {
                    continue; // a neighbour is joined
                };
                if graph.has_edge_labels() {
                    edge_labels.push(name_of(graph.edge_names(), edge.label));
                }
                let values = graph.edge_columns().iter();
                edge_attributes.extend(values.map(|(_, values)| values[edge.row as usize]));
            }
        }
        let attributes: Vec<f32> = graph
            .vertex_columns()
            .iter()
            .map(|(_, values)| values[at])
            .collect();
        let position = self.named.positions.get(at).copied().flatten();
        let mut payload = Payload::new(Kind::Graph);
        payload
            .bytes(columns::LABEL, label.as_bytes())
            .i32s(columns::NEIGHBOURS, &neighbours);
        for label in &edge_labels {
            payload.bytes(columns::EDGE_LABELS, label.as_bytes());
        }
        payload
            .f32s(columns::ATTRIBUTES, &attributes)
            .f32s(columns::EDGE_ATTRIBUTES, &edge_attributes);
        if let Some(position) = &position {
            payload.f32s(columns::POSITION, position);
        }
        if let Some(name) = self.named.names.get(at) {
            payload.bytes(columns::NAME, name.as_bytes());
        }
        Vertex {
            hash: payload.finish(),
            label,
            neighbours,
            edge_labels,
            attributes,
            edge_attributes,
            position,
        }
    }

    /// The rows of vertices. Their hashes cover the whole graph: what is made of a neighbourhood,
    /// such as `dominance` or a feature, has to go when an edge nearby changes, though the row of
    /// the vertex itself says nothing else than before.
    fn vertices(&self, whole: &ContentHash, range: std::ops::Range<u32>) -> Result<RecordBatch> {
        let graph = self.graph();
        let mut common = Common::new();
        let mut parent = StringBuilder::new();
        let mut number = Int64Builder::new();
        let mut label = StringBuilder::new();
        let mut neighbours = ListBuilder::new(Int32Builder::new());
        let mut edge_labels = ListBuilder::new(StringBuilder::new());
        let mut attributes = ListBuilder::new(Float32Builder::new());
        let mut edge_attributes = ListBuilder::new(Float32Builder::new());
        let mut position = FixedSizeListBuilder::new(Float32Builder::new(), 3);
        let mut dominance = FixedSizeListBuilder::new(UInt16Builder::new(), DOMINANCE_WIDTH);
        for vertex in range {
            let row = self.vertex(vertex);
            common.id.append_value(vertex_id(&self.named.id, vertex));
            common
                .name
                .append_option(self.named.names.get(vertex as usize));
            common.description.append_null();
            let mut hash = Payload::new(Kind::Graph);
            hash.bytes(columns::PARENT, whole.as_bytes())
                .bytes(columns::VERTEX, row.hash.as_bytes());
            common.hash.append_value(hash.finish().as_bytes())?;
            parent.append_value(&self.named.id);
            number.append_value(i64::from(vertex));
            label.append_value(&row.label);
            neighbours.values().append_slice(&row.neighbours);
            neighbours.append(true);
            for label in &row.edge_labels {
                edge_labels.values().append_value(label);
            }
            edge_labels.append(graph.has_edge_labels());
            // No NaN in a column: an unknown attribute is null.
            for (list, values) in [
                (&mut attributes, &row.attributes),
                (&mut edge_attributes, &row.edge_attributes),
            ] {
                for value in values {
                    list.values()
                        .append_option(value.is_finite().then_some(*value));
                }
            }
            attributes.append(!graph.vertex_columns().is_empty());
            edge_attributes.append(!graph.edge_columns().is_empty());
            for axis in 0..3 {
                let value = row.position.map(|position| position[axis]);
                position.values().append_option(value);
            }
            position.append(row.position.is_some());
            dominance.values().append_slice(self.rows.row(vertex));
            dominance.append(true);
        }
        assemble(
            common.finish(&self.origin),
            vec![
                (columns::PARENT, Arc::new(parent.finish())),
                (columns::VERTEX, Arc::new(number.finish())),
                (columns::LABEL, Arc::new(label.finish())),
                (columns::NEIGHBOURS, Arc::new(neighbours.finish())),
                (columns::EDGE_LABELS, Arc::new(edge_labels.finish())),
                (columns::ATTRIBUTES, Arc::new(attributes.finish())),
                (columns::EDGE_ATTRIBUTES, Arc::new(edge_attributes.finish())),
                (columns::POSITION, Arc::new(position.finish())),
                (columns::DOMINANCE, Arc::new(dominance.finish())),
            ],
        )
    }
}

struct Vertex {
    /// Of this alone.
    hash: ContentHash,
    label: String,
    neighbours: Vec<i32>,
    edge_labels: Vec<String>,
    attributes: Vec<f32>,
    edge_attributes: Vec<f32>,
    position: Option<[f32; 3]>,
}
