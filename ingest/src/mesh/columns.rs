//! A mesh as a batch of one row.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, Float64Array, Int32Array,
    Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray, UInt8Array,
    new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use penstock_types::columns;
use penstock_types::content::Payload;
use penstock_types::{ContentHash, Kind};

use super::geometry::Geometry;
use super::model::{Cells, Mesh};

/// What the row says beside the mesh.
pub(super) struct Origin<'a> {
    pub(super) id: &'a str,
    pub(super) source: &'a str,
    pub(super) event_time: i64,
}

/// The row. Takes the mesh apart, so that nothing large is copied.
pub(super) fn row(
    mesh: Mesh,
    geometry: Geometry,
    origin: &Origin<'_>,
) -> Result<RecordBatch, ArrowError> {
    let hash = content_hash(&mesh);
    let (vertices, faces) = (mesh.vertices.len(), mesh.faces.len());
    let [low, high] = geometry.bounds.unwrap_or_default();
    let corner = |xyz: [f64; 3]| -> Result<ArrayRef, ArrowError> {
        if geometry.bounds.is_none() {
            return Ok(new_null_array(&columns::triple(DataType::Float64), 1));
        }
        triples(Arc::new(Float64Array::from(xyz.to_vec())))
    };
    let text = |value: Option<String>| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let number = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    let (types, offsets, connectivity) = match mesh.cells {
        Some(cells) => (
            list(Arc::new(UInt8Array::from(cells.types)))?,
            list(Arc::new(Int64Array::from(cells.offsets)))?,
            list(Arc::new(Int64Array::from(cells.connectivity)))?,
        ),
        None => (
            new_null_array(&columns::list(DataType::UInt8), 1),
            new_null_array(&columns::list(DataType::Int64), 1),
            new_null_array(&columns::list(DataType::Int64), 1),
        ),
    };
    let time = TimestampMicrosecondArray::from(vec![origin.event_time]).with_timezone("UTC");
    let hash = FixedSizeBinaryArray::try_from_iter(std::iter::once(hash.as_bytes()))?;
    let arrays: Vec<ArrayRef> = vec![
        text(Some(origin.id.to_owned())),
        text(Some(Kind::Mesh.as_str().to_owned())),
        text(mesh.name),
        text(mesh.description),
        text(Some(origin.source.to_owned())),
        Arc::new(hash),
        Arc::new(time),
        list(triples(Arc::new(Float64Array::from(
            mesh.vertices.into_flattened(),
        )))?)?,
        list(triples(Arc::new(Int32Array::from(
            mesh.faces.into_flattened(),
        )))?)?,
        list(Arc::new(Int32Array::from(mesh.polygon_sizes)))?,
        list(Arc::new(StringArray::from(mesh.group_names)))?,
        list(Arc::new(Int32Array::from(mesh.face_group)))?,
        types,
        offsets,
        connectivity,
        // None of the formats says its unit.
        text(None),
        corner(low)?,
        corner(high)?,
        Arc::new(Float64Array::from(vec![geometry.area])),
        Arc::new(Float64Array::from(vec![geometry.volume])),
        number(vertices as i64),
        number(faces as i64),
        Arc::new(BooleanArray::from(vec![geometry.watertight])),
        number(geometry.components),
        number(geometry.euler),
        list(Arc::new(StringArray::from(geometry.defects)))?,
    ];
    RecordBatch::try_new(columns::schema(Kind::Mesh), arrays)
}

/// One row that holds all of the values.
fn list(values: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths([values.len()]);
    Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
}

fn triples(values: ArrayRef) -> Result<ArrayRef, ArrowError> {
    let field = Arc::new(Field::new("item", values.data_type().clone(), true));
    Ok(Arc::new(FixedSizeListArray::try_new(
        field, 3, values, None,
    )?))
}

/// The canonical payload: the columns that carry the mesh, in the order of the contract. A list
/// of names is each name with its length before it.
fn content_hash(mesh: &Mesh) -> ContentHash {
    let mut names = Vec::new();
    for name in &mesh.group_names {
        names.extend((name.len() as u64).to_le_bytes());
        names.extend(name.as_bytes());
    }
    let mut payload = Payload::new(Kind::Mesh);
    payload
        .f64s(columns::VERTICES, mesh.vertices.as_flattened())
        .i32s(columns::FACES, mesh.faces.as_flattened())
        .i32s(columns::POLYGON_SIZES, &mesh.polygon_sizes)
        .bytes(columns::GROUP_NAMES, &names)
        .i32s(columns::FACE_GROUP, &mesh.face_group);
    if let Some(Cells {
        types,
        offsets,
        connectivity,
    }) = &mesh.cells
    {
        payload
            .bytes(columns::CELL_TYPES, types)
            .i64s(columns::CELL_OFFSETS, offsets)
            .i64s(columns::CELL_CONNECTIVITY, connectivity);
    }
    payload.finish()
}
