//! A graph with what its rows say beside it.

use penstock_pattern::Graph;

/// One graph of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    /// Its id: in a table made from records, the id of the record.
    pub id: String,
    /// Free text.
    pub description: Option<String>,
    /// The graph: one, not a union. Labels have names.
    pub graph: Graph,
    /// Names of the vertices, such as `A:GLY45`: `[vertices]`, or empty.
    pub names: Vec<String>,
    /// Where the vertices lie, in the unit of the source: `[vertices]`, or empty. `None` where a
    /// vertex lies nowhere.
    pub positions: Vec<Option<[f32; 3]>>,
}
