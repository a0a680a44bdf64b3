//! From rows to points in space: vertices with labels, names and positions, without edges.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float32Type, Int64Type};
use penstock_pattern::{Columns, GraphBuilder, Labels};
use penstock_types::columns;

use crate::make::faces::AREA;
use crate::{GraphError, Named, Result};

const NEEDED: [&str; 9] = [
    columns::ID,
    columns::NAME,
    columns::PARENT,
    columns::VERTEX,
    columns::VERTEX_COUNT,
    columns::ATTRIBUTE_NAMES,
    columns::LABEL,
    columns::ATTRIBUTES,
    columns::POSITION,
];

/// A graph of which not all rows have come.
#[derive(Debug, Default)]
struct Partial {
    /// As its own row says.
    vertices: Option<usize>,
    area: Option<usize>,
    rows: Vec<Point>,
}

#[derive(Debug)]
struct Point {
    vertex: u32,
    label: String,
    name: String,
    position: Option<[f32; 3]>,
    attributes: Vec<f32>,
}

/// Takes rows in any order and gives each graph as soon as it is whole. Rows of one graph lie
/// together as a rule, so few graphs are held.
#[derive(Debug, Default)]
pub struct Points {
    open: HashMap<String, Partial>,
}

impl Points {
    /// The columns that batches must have.
    #[must_use]
    pub const fn columns() -> &'static [&'static str] {
        &NEEDED
    }

    /// Takes rows; answers the graphs that became whole.
    ///
    /// # Errors
    /// A column is missing or of another type; a row contradicts itself.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<Vec<Named>> {
        macro_rules! typed {
            ($name:expr, $method:ident $(::<$type:ty>)?) => {
                batch
                    .column_by_name($name)
                    .and_then(|column| column.$method$(::<$type>)?())
                    .ok_or(GraphError::Column { column: $name })?
            };
        }
        let ids = typed!(columns::ID, as_string_opt::<i32>);
        let names = typed!(columns::NAME, as_string_opt::<i32>);
        let parents = typed!(columns::PARENT, as_string_opt::<i32>);
        let numbers = typed!(columns::VERTEX, as_primitive_opt::<Int64Type>);
        let counts = typed!(columns::VERTEX_COUNT, as_primitive_opt::<Int64Type>);
        let attribute_names = typed!(columns::ATTRIBUTE_NAMES, as_list_opt::<i32>);
        let labels = typed!(columns::LABEL, as_string_opt::<i32>);
        let attributes = typed!(columns::ATTRIBUTES, as_list_opt::<i32>);
        let positions = typed!(columns::POSITION, as_fixed_size_list_opt);
        let places =
            positions
                .values()
                .as_primitive_opt::<Float32Type>()
                .ok_or(GraphError::Column {
                    column: columns::POSITION,
                })?;
        let mut whole = Vec::new();
        for row in 0..batch.num_rows() {
            let bad = |problem| GraphError::Row {
                id: ids.value(row).to_owned(),
                problem,
            };
            let id = if parents.is_null(row) {
                ids.value(row)
            } else {
                parents.value(row)
            };
            let graph = match self.open.get_mut(id) {
                Some(graph) => graph,
                None => self.open.entry(id.to_owned()).or_default(),
            };
            if parents.is_null(row) {
                let count = usize::try_from(counts.value(row))
                    .ok()
                    .filter(|_| counts.is_valid(row));
                graph.vertices =
                    Some(count.ok_or_else(|| bad("a graph says how many vertices it has"))?);
                if attribute_names.is_valid(row) {
                    let list = attribute_names.value(row);
                    let list = list.as_string_opt::<i32>();
                    graph.area =
                        list.and_then(|list| list.iter().position(|name| name == Some(AREA)));
                }
            } else {
                let vertex = u32::try_from(numbers.value(row))
                    .ok()
                    .filter(|_| numbers.is_valid(row));
                let text = |of: &arrow::array::StringArray| match of.is_valid(row) {
                    true => of.value(row).to_owned(),
                    false => String::new(),
                };
                let start = positions.value_offset(row) as usize;
                graph.rows.push(Point {
                    vertex: vertex.ok_or_else(|| bad("a vertex has a number in its graph"))?,
                    label: text(labels),
                    name: text(names),
                    position: positions.is_valid(row).then(|| {
                        [
                            places.value(start),
                            places.value(start + 1),
                            places.value(start + 2),
                        ]
                    }),
                    attributes: match attributes.is_valid(row) {
                        false => Vec::new(),
                        true => {
                            let list = attributes.value(row);
                            let list = list.as_primitive_opt::<Float32Type>();
                            list.map(|list| list.iter().map(|x| x.unwrap_or(f32::NAN)).collect())
                                .unwrap_or_default()
                        }
                    },
                });
            }
            if graph.vertices == Some(graph.rows.len())
                && let Some((id, graph)) = self.open.remove_entry(id)
            {
                whole.push(graph.named(id)?);
            }
        }
        Ok(whole)
    }

    /// At the end of the rows: no graph may have rows missing.
    ///
    /// # Errors
    /// One has.
    pub fn finish(self) -> Result<()> {
        match self.open.into_keys().min() {
            None => Ok(()),
            Some(id) => Err(GraphError::Row {
                id,
                problem: "the table has not all rows of this graph",
            }),
        }
    }
}

impl Partial {
    fn named(mut self, id: String) -> Result<Named> {
        self.rows.sort_by_key(|row| row.vertex);
        if self
            .rows
            .iter()
            .enumerate()
            .any(|(at, row)| row.vertex as usize != at)
        {
            return Err(GraphError::Row {
                id,
                problem: "its vertices are not numbered from 0 on",
            });
        }
        let mut names = Labels::default();
        let mut builder = GraphBuilder {
            labels: self
                .rows
                .iter()
                .map(|row| names.intern(&row.label))
                .collect(),
            ..GraphBuilder::default()
        };
        builder.vertex_names = Some(names);
        if let Some(area) = self.area {
            let mut columns = Columns::default();
            let value = |row: &Point| row.attributes.get(area).copied().unwrap_or(f32::NAN);
            columns.insert(AREA, self.rows.iter().map(value).collect());
            builder.vertex_columns = columns;
        }
        let graph = builder.build().map_err(|source| GraphError::Graph {
            graph: id.clone(),
            source,
        })?;
        Ok(Named {
            id,
            description: None,
            graph,
            positions: self.rows.iter().map(|row| row.position).collect(),
            names: self.rows.into_iter().map(|row| row.name).collect(),
        })
    }
}
