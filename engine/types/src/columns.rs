//! The column contract: the raw columns of every table, by kind.
//!
//! | column | Arrow type | shape, unit, meaning |
//! | --- | --- | --- |
//! | **all kinds** | | |
//! | `id` | Utf8, not null | unique within the table; the primary key |
//! | `kind` | Utf8, not null | `protein`, `dna`, `mesh` or `graph` |
//! | `name` | Utf8 | the record's own name (accession, solid, object) |
//! | `description` | Utf8 | the free text that the file gives |
//! | `source` | Utf8, not null | file name, and the member of an archive: `a.zip/b.stl` |
//! | `content_hash` | FixedSizeBinary(32), not null | BLAKE3 of the canonical payload, see [`crate::content`] |
//! | `event_time` | Timestamp(us, UTC), not null | when the record came to be: the date in the file, else the file's modification time |
//! | **protein** | | |
//! | `sequence` | LargeUtf8, not null | residues, one letter each, upper case; `X` where unknown |
//! | `length` | Int64, not null | residues |
//! | `structure` | Utf8 | entry of the structure that the chain belongs to; null for a plain sequence |
//! | `model` | Int32 | model number, from 1 |
//! | `chain` | Utf8 | author's chain identifier |
//! | `residue_chain` | List\<Utf8\> | `[length]`, author's chain identifier of each residue |
//! | `residue_number` | List\<Int32\> | `[length]`, author's residue number |
//! | `residue_insertion` | List\<Utf8\> | `[length]`, insertion code, empty where there is none |
//! | `residue_name` | List\<Utf8\> | `[length]`, three-letter component name |
//! | `ca_xyz` | List\<FixedSizeList\<Float32, 3\>\> | `[length, 3]` angstrom; C-alpha; zero where `ca_present` is false |
//! | `ca_present` | List\<Boolean\> | `[length]`, whether the file gives the residue's C-alpha |
//! | **dna** | | |
//! | `sequence` | LargeUtf8, not null | bases as in the file, upper case (IUPAC codes allowed) |
//! | `length` | Int64, not null | bases |
//! | `gc` | Float64 | (G + C) / (A + C + G + T), a fraction; null where there is none of the four |
//! | `quality` | List\<UInt8\> | `[length]`, Phred score of each base (offset removed); null without qualities |
//! | `parent` | Utf8 | for a window: the `id` of its contig; null for a record of the file |
//! | `start` | Int64 | for a window: first base in the contig, from 0 |
//! | `end` | Int64 | for a window: one past the last base |
//! | `strand` | Utf8 | for a window: `+` (`sequence` reads as in the contig) or `-` (reverse complement) |
//! | `annotations` | LargeUtf8 | JSON array of the features of a GenBank record |
//! | **mesh** | | |
//! | `vertices` | List\<FixedSizeList\<Float64, 3\>\>, not null | `[vertex_count, 3]`, in `unit` |
//! | `faces` | List\<FixedSizeList\<Int32, 3\>\>, not null | `[face_count, 3]`, triangles, vertex indices from 0 |
//! | `polygon_sizes` | List\<Int32\>, not null | corners of each polygon of the file, in the order of `faces`: a polygon of n corners is n - 2 consecutive triangles |
//! | `group_names` | List\<Utf8\>, not null | groups, patches or solids |
//! | `face_group` | List\<Int32\>, not null | `[face_count]`, index in `group_names`; -1 for none |
//! | `cell_types` | List\<UInt8\> | `[cells]`, VTK cell type, where the file holds cells that are no polygons |
//! | `cell_offsets` | List\<Int64\> | `[cells + 1]`, into `cell_connectivity` |
//! | `cell_connectivity` | List\<Int64\> | vertex indices of the cells |
//! | `unit` | Utf8 | unit of length where the file says it, else null |
//! | `bounds_min`, `bounds_max` | FixedSizeList\<Float64, 3\> | corners of the bounding box, in `unit`; null without vertices |
//! | `area` | Float64, not null | of all triangles, in `unit` squared |
//! | `volume` | Float64 | signed volume enclosed, in `unit` cubed; null unless watertight |
//! | `vertex_count`, `face_count` | Int64, not null | vertices, triangles |
//! | `watertight` | Boolean, not null | every edge is shared by exactly two triangles, in opposite directions |
//! | `components` | Int64, not null | connected components over shared vertices that faces use |
//! | `euler` | Int64, not null | V - E + F over the vertices that faces use |
//! | `defects` | List\<Utf8\>, not null | what is wrong with the mesh, in words; empty for a clean one |
//! | **graph** | | |
//! | `parent` | Utf8 | for a vertex: the `id` of its graph; null for the graph itself |
//! | `vertex` | Int64 | for a vertex: its position in the graph, from 0 |
//! | `directed` | Boolean | for a graph: whether edges have a direction |
//! | `vertex_count` | Int64 | for a graph: vertices |
//! | `edge_count` | Int64 | for a graph: edges; an undirected one counts once |
//! | `attribute_names` | List\<Utf8\> | for a graph: what `attributes` holds, such as `area` |
//! | `edge_attribute_names` | List\<Utf8\> | for a graph: what `edge_attributes` holds, such as `distance` |
//! | `label` | Utf8 | for a vertex: its label |
//! | `neighbours` | List\<Int32\> | for a vertex: the positions of those that it has an edge to, ascending; in an undirected graph each edge stands with both its ends |
//! | `edge_labels` | List\<Utf8\> | `[neighbours]`, label of each edge; null where edges have none |
//! | `attributes` | List\<Float32\> | `[attribute_names]`, numbers of the vertex |
//! | `edge_attributes` | List\<Float32\> | `[neighbours, edge_attribute_names]`, numbers of each edge, edge by edge |
//! | `position` | FixedSizeList\<Float32, 3\> | where the vertex lies in space, in the unit of its source (angstrom for residues); null where it lies nowhere |
//! | `dominance` | FixedSizeList\<UInt16, 16\> | for a vertex: embedding of its neighbourhood, never above that of a vertex whose neighbourhood contains it |
//!
//! Feature columns follow, one per encoder; see [`crate::feature`]. Floating-point columns hold
//! no NaN and no infinity: what a file says that is not finite is refused at the door.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::Kind;

/// The primary key.
pub const ID: &str = "id";
/// The kind of data.
pub const KIND: &str = "kind";
/// The record's own name.
pub const NAME: &str = "name";
/// Free text.
pub const DESCRIPTION: &str = "description";
/// Where the record came from.
pub const SOURCE: &str = "source";
/// BLAKE3 of the canonical payload.
pub const CONTENT_HASH: &str = "content_hash";
/// When the record came to be.
pub const EVENT_TIME: &str = "event_time";

/// Residues or bases.
pub const SEQUENCE: &str = "sequence";
/// Count of residues or bases.
pub const LENGTH: &str = "length";

/// Structure entry.
pub const STRUCTURE: &str = "structure";
/// Model number.
pub const MODEL: &str = "model";
/// Chain of the row.
pub const CHAIN: &str = "chain";
/// Chain of each residue.
pub const RESIDUE_CHAIN: &str = "residue_chain";
/// Number of each residue.
pub const RESIDUE_NUMBER: &str = "residue_number";
/// Insertion code of each residue.
pub const RESIDUE_INSERTION: &str = "residue_insertion";
/// Component name of each residue.
pub const RESIDUE_NAME: &str = "residue_name";
/// C-alpha coordinates.
pub const CA_XYZ: &str = "ca_xyz";
/// Whether a residue has a C-alpha.
pub const CA_PRESENT: &str = "ca_present";

/// GC fraction.
pub const GC: &str = "gc";
/// Phred scores.
pub const QUALITY: &str = "quality";
/// Contig of a window.
pub const PARENT: &str = "parent";
/// First base of a window.
pub const START: &str = "start";
/// One past the last base of a window.
pub const END: &str = "end";
/// Strand of a window.
pub const STRAND: &str = "strand";
/// GenBank features.
pub const ANNOTATIONS: &str = "annotations";

/// Vertex coordinates.
pub const VERTICES: &str = "vertices";
/// Triangles.
pub const FACES: &str = "faces";
/// Corners of the original polygons.
pub const POLYGON_SIZES: &str = "polygon_sizes";
/// Groups or patches.
pub const GROUP_NAMES: &str = "group_names";
/// Group of each triangle.
pub const FACE_GROUP: &str = "face_group";
/// VTK type of each cell.
pub const CELL_TYPES: &str = "cell_types";
/// Where each cell begins.
pub const CELL_OFFSETS: &str = "cell_offsets";
/// Vertices of the cells.
pub const CELL_CONNECTIVITY: &str = "cell_connectivity";
/// Unit of length.
pub const UNIT: &str = "unit";
/// Low corner of the bounding box.
pub const BOUNDS_MIN: &str = "bounds_min";
/// High corner of the bounding box.
pub const BOUNDS_MAX: &str = "bounds_max";
/// Area.
pub const AREA: &str = "area";
/// Volume.
pub const VOLUME: &str = "volume";
/// Count of vertices.
pub const VERTEX_COUNT: &str = "vertex_count";
/// Count of triangles.
pub const FACE_COUNT: &str = "face_count";
/// Whether the surface is closed.
pub const WATERTIGHT: &str = "watertight";
/// Count of connected components.
pub const COMPONENTS: &str = "components";
/// Euler characteristic.
pub const EULER: &str = "euler";
/// Defects, in words.
pub const DEFECTS: &str = "defects";

/// Position of a vertex in its graph.
pub const VERTEX: &str = "vertex";
/// Whether the edges of a graph have a direction.
pub const DIRECTED: &str = "directed";
/// Count of edges.
pub const EDGE_COUNT: &str = "edge_count";
/// What the attributes of vertices are.
pub const ATTRIBUTE_NAMES: &str = "attribute_names";
/// What the attributes of edges are.
pub const EDGE_ATTRIBUTE_NAMES: &str = "edge_attribute_names";
/// Label of a vertex.
pub const LABEL: &str = "label";
/// Where the edges of a vertex lead.
pub const NEIGHBOURS: &str = "neighbours";
/// Label of each edge of a vertex.
pub const EDGE_LABELS: &str = "edge_labels";
/// Numbers of a vertex.
pub const ATTRIBUTES: &str = "attributes";
/// Numbers of each edge of a vertex.
pub const EDGE_ATTRIBUTES: &str = "edge_attributes";
/// Where a vertex lies in space.
pub const POSITION: &str = "position";
/// Embedding of a vertex's neighbourhood that keeps the order of containment.
pub const DOMINANCE: &str = "dominance";
/// Numbers of a row of [`DOMINANCE`].
pub const DOMINANCE_WIDTH: i32 = 16;

/// Field metadata key: the unit of the numbers.
pub const KEY_UNIT: &str = "penstock:unit";
/// Schema metadata key: the table's kind.
pub const KEY_KIND: &str = "penstock:kind";
/// Schema metadata key: the version of this contract.
pub const KEY_CONTRACT: &str = "penstock:contract";
/// The version of this contract.
pub const CONTRACT: &str = "1";

fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

/// A list of values, as every ragged column is.
#[must_use]
pub fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// Three numbers, as every position and triangle is.
#[must_use]
pub fn triple(item: DataType) -> DataType {
    DataType::FixedSizeList(Arc::new(Field::new("item", item, true)), 3)
}

fn in_unit(field: Field, unit: &str) -> Field {
    field.with_metadata([(KEY_UNIT.to_owned(), unit.to_owned())].into())
}

fn common() -> Vec<Field> {
    use DataType::{FixedSizeBinary, Timestamp, Utf8};
    vec![
        required(ID, Utf8),
        required(KIND, Utf8),
        optional(NAME, Utf8),
        optional(DESCRIPTION, Utf8),
        required(SOURCE, Utf8),
        required(CONTENT_HASH, FixedSizeBinary(32)),
        required(
            EVENT_TIME,
            Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        ),
    ]
}

fn protein() -> Vec<Field> {
    use DataType::{Boolean, Float32, Int32, Int64, LargeUtf8, Utf8};
    vec![
        required(SEQUENCE, LargeUtf8),
        in_unit(required(LENGTH, Int64), "residues"),
        optional(STRUCTURE, Utf8),
        optional(MODEL, Int32),
        optional(CHAIN, Utf8),
        optional(RESIDUE_CHAIN, list(Utf8)),
        optional(RESIDUE_NUMBER, list(Int32)),
        optional(RESIDUE_INSERTION, list(Utf8)),
        optional(RESIDUE_NAME, list(Utf8)),
        in_unit(optional(CA_XYZ, list(triple(Float32))), "angstrom"),
        optional(CA_PRESENT, list(Boolean)),
    ]
}

fn dna() -> Vec<Field> {
    use DataType::{Float64, Int64, LargeUtf8, UInt8, Utf8};
    vec![
        required(SEQUENCE, LargeUtf8),
        in_unit(required(LENGTH, Int64), "bases"),
        in_unit(optional(GC, Float64), "fraction"),
        in_unit(optional(QUALITY, list(UInt8)), "phred"),
        optional(PARENT, Utf8),
        in_unit(optional(START, Int64), "bases"),
        in_unit(optional(END, Int64), "bases"),
        optional(STRAND, Utf8),
        optional(ANNOTATIONS, LargeUtf8),
    ]
}

fn mesh() -> Vec<Field> {
    use DataType::{Boolean, Float64, Int32, Int64, UInt8, Utf8};
    vec![
        in_unit(required(VERTICES, list(triple(Float64))), "column unit"),
        required(FACES, list(triple(Int32))),
        required(POLYGON_SIZES, list(Int32)),
        required(GROUP_NAMES, list(Utf8)),
        required(FACE_GROUP, list(Int32)),
        optional(CELL_TYPES, list(UInt8)),
        optional(CELL_OFFSETS, list(Int64)),
        optional(CELL_CONNECTIVITY, list(Int64)),
        optional(UNIT, Utf8),
        in_unit(optional(BOUNDS_MIN, triple(Float64)), "column unit"),
        in_unit(optional(BOUNDS_MAX, triple(Float64)), "column unit"),
        in_unit(required(AREA, Float64), "column unit^2"),
        in_unit(optional(VOLUME, Float64), "column unit^3"),
        required(VERTEX_COUNT, Int64),
        required(FACE_COUNT, Int64),
        required(WATERTIGHT, Boolean),
        required(COMPONENTS, Int64),
        required(EULER, Int64),
        required(DEFECTS, list(Utf8)),
    ]
}

fn graph() -> Vec<Field> {
    use DataType::{Boolean, FixedSizeList, Float32, Int32, Int64, UInt16, Utf8};
    let dominance = Arc::new(Field::new("item", UInt16, true));
    vec![
        optional(PARENT, Utf8),
        optional(VERTEX, Int64),
        optional(DIRECTED, Boolean),
        optional(VERTEX_COUNT, Int64),
        optional(EDGE_COUNT, Int64),
        optional(ATTRIBUTE_NAMES, list(Utf8)),
        optional(EDGE_ATTRIBUTE_NAMES, list(Utf8)),
        optional(LABEL, Utf8),
        optional(NEIGHBOURS, list(Int32)),
        optional(EDGE_LABELS, list(Utf8)),
        optional(ATTRIBUTES, list(Float32)),
        optional(EDGE_ATTRIBUTES, list(Float32)),
        optional(POSITION, triple(Float32)),
        optional(DOMINANCE, FixedSizeList(dominance, DOMINANCE_WIDTH)),
    ]
}

/// The raw columns of a kind, with the schema metadata that names kind and contract.
#[must_use]
pub fn schema(kind: Kind) -> SchemaRef {
    let mut fields = common();
    fields.extend(match kind {
        Kind::Protein => protein(),
        Kind::Dna => dna(),
        Kind::Mesh => mesh(),
        Kind::Graph => graph(),
    });
    let metadata = [
        (KEY_KIND.to_owned(), kind.as_str().to_owned()),
        (KEY_CONTRACT.to_owned(), CONTRACT.to_owned()),
    ];
    Arc::new(Schema::new_with_metadata(fields, metadata.into()))
}

/// The kind that a schema's metadata names.
#[must_use]
pub fn kind_of(schema: &Schema) -> Option<Kind> {
    schema.metadata().get(KEY_KIND)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_columns_are_the_columns() {
        let docs: Vec<&str> = include_str!("columns.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! | `"))
            .flat_map(|line| line.split(" | ").next().unwrap_or_default().split(", "))
            .map(|name| name.trim_matches('`'))
            .collect();
        let mut columns = Vec::new();
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            let schema = schema(kind);
            assert_eq!(kind_of(&schema), Some(kind));
            let skip = if i == 0 { 0 } else { common().len() };
            columns.extend(schema.fields().iter().skip(skip).map(|f| f.name().clone()));
        }
        assert_eq!(docs, columns);
    }
}
