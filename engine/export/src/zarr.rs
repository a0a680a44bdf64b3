//! The Zarr v3 tree of a snapshot: metadata documents and keys.
//!
//! Source: the Zarr core specification v3 (<https://zarr-specs.readthedocs.io/en/latest/v3/core/>),
//! with the codecs `bytes` (little-endian) and `crc32c`, and consolidated metadata as zarr-python
//! writes it. Columns of one array are arrays below the root, other columns are groups.

use std::collections::BTreeMap;

use penstock_types::FeatureSpec;
use penstock_types::columns::KEY_UNIT;
use serde_json::{Map, Value, json};

use crate::arrow_type::{ArrowType, Unit};
use crate::canonical;
use crate::error::Result;
use crate::manifest::{Array, Column, Manifest, Role};

/// What a key of the tree names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// The metadata of the node at this path; empty for the root.
    Metadata(&'a str),
    /// A chunk of an array of the snapshot.
    Chunk {
        /// The array.
        array: &'a Array,
        /// The chunk's number along the first dimension.
        index: u64,
    },
    /// A chunk that lies outside of its array's grid.
    OutsideGrid,
    /// No key of this tree.
    Missing,
}

/// Reads a key, such as `ca_xyz/values/c/0/0`.
#[must_use]
pub fn parse<'a>(manifest: &'a Manifest, key: &'a str) -> Key<'a> {
    if key == "zarr.json" {
        return Key::Metadata("");
    }
    if let Some(path) = key.strip_suffix("/zarr.json") {
        let known = manifest
            .columns
            .iter()
            .any(|column| column.name == path || column.arrays.iter().any(|name| name == path));
        return if known {
            Key::Metadata(path)
        } else {
            Key::Missing
        };
    }
    let Some((path, indices)) = key.rsplit_once("/c/") else {
        return Key::Missing;
    };
    let Some(array) = manifest.array(path) else {
        return Key::Missing;
    };
    let number = |text: &str| -> Option<u64> {
        let canonical = text == "0" || !text.starts_with(['0', '+']);
        text.parse().ok().filter(|_| canonical)
    };
    let numbers: Option<Vec<u64>> = indices.split('/').map(number).collect();
    match numbers.as_deref() {
        Some([index, inner @ ..]) if inner.len() + 1 == array.shape.len() => {
            if *index < array.chunks.len() as u64 && inner.iter().all(|i| *i == 0) {
                Key::Chunk {
                    array,
                    index: *index,
                }
            } else {
                Key::OutsideGrid
            }
        }
        _ => Key::Missing,
    }
}

/// The metadata documents of a tree by path; the root's path is empty.
///
/// `root` are attributes of the root group, `array` are more attributes of each array.
///
/// # Errors
/// A document does not serialise.
pub fn documents(
    manifest: &Manifest,
    root: &Value,
    array: impl Fn(&Array) -> Map<String, Value>,
) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut nodes = BTreeMap::new();
    for column in &manifest.columns {
        let attributes = column_attributes(column);
        if !column.arrays.contains(&column.name) {
            nodes.insert(column.name.clone(), group(&Value::Object(attributes)));
        }
    }
    for entry in &manifest.arrays {
        let mut attributes = array(entry);
        if let Some(column) = manifest.column(&entry.column) {
            if entry.name == column.name {
                attributes.extend(column_attributes(column));
            }
            let inner = entry.role == Role::Values && entry.name != column.name;
            if let Some(unit) = column.metadata.get(KEY_UNIT).filter(|_| inner) {
                attributes.insert("unit".into(), unit.clone().into());
            }
        }
        attributes.insert("column".into(), entry.column.clone().into());
        attributes.insert("role".into(), json!(entry.role));
        nodes.insert(entry.name.clone(), array_document(entry, attributes));
    }
    let mut documents = BTreeMap::new();
    for (path, node) in &nodes {
        documents.insert(path.clone(), canonical::to_vec(node)?);
    }
    let mut root = group(root);
    root["consolidated_metadata"] =
        json!({"kind": "inline", "must_understand": false, "metadata": nodes});
    documents.insert(String::new(), canonical::to_vec(&root)?);
    Ok(documents)
}

/// The key of the document of a node.
#[must_use]
pub fn document_key(path: &str) -> String {
    if path.is_empty() {
        "zarr.json".to_owned()
    } else {
        format!("{path}/zarr.json")
    }
}

fn group(attributes: &Value) -> Value {
    json!({"zarr_format": 3, "node_type": "group", "attributes": attributes})
}

fn array_document(array: &Array, attributes: Map<String, Value>) -> Value {
    let mut first = match array.depth {
        0 => "row".to_owned(),
        depth => format!("{}item", "item_".repeat(depth as usize - 1)),
    };
    if array.role == Role::Offsets {
        first.push_str("_bound");
    }
    let mut names = vec![first];
    if array.shape.len() > 1 {
        names.push(format!("{}_component", array.column));
    }
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": array.shape,
        "data_type": array.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": array.chunk_shape}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": array.fill_value,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        "dimension_names": names,
        "attributes": attributes,
    })
}

/// What is said of a column: type, unit, and who made it.
fn column_attributes(column: &Column) -> Map<String, Value> {
    let mut attributes = Map::new();
    attributes.insert("arrow".into(), json!(column.arrow));
    let unit = match &column.arrow {
        ArrowType::Timestamp { unit, zone } => {
            let unit = match unit {
                Unit::Second => "s",
                Unit::Millisecond => "ms",
                Unit::Microsecond => "us",
                Unit::Nanosecond => "ns",
            };
            let zone = zone.as_deref().map(|zone| format!(" {zone}"));
            Some(format!(
                "{unit} since 1970-01-01T00:00:00{}",
                zone.unwrap_or_default()
            ))
        }
        ArrowType::Date32 => Some("days since 1970-01-01".to_owned()),
        _ => column.metadata.get(KEY_UNIT).cloned(),
    };
    if let Some(unit) = unit {
        attributes.insert("unit".into(), unit.into());
    }
    if let Ok(Some(spec)) = FeatureSpec::of(&column.field()) {
        attributes.insert(
            "feature".into(),
            json!({
                "encoder": spec.encoder,
                "weights": spec.weights,
                "pooling": spec.pooling.as_str(),
                "dtype": spec.dtype.as_str(),
                "dim": spec.dim.get(),
            }),
        );
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::ChunkBuffer;
    use crate::dtype::DType;

    fn manifest() -> Manifest {
        let array = |name: &str, column: &str, rows: u64, width| {
            let mut buffer = ChunkBuffer::new(DType::Float64, width);
            buffer.fill(rows);
            let (finished, _) = buffer.finish();
            Array {
                name: name.into(),
                column: column.into(),
                role: Role::Values,
                depth: u32::from(name != column),
                dtype: DType::Float64,
                shape: finished.shape,
                chunk_shape: finished.chunk_shape,
                fill_value: DType::Float64.fill_value(),
                chunks: finished.chunks,
            }
        };
        let column = |name: &str, arrow, array: &str| Column {
            name: name.into(),
            arrow,
            nullable: true,
            metadata: [(KEY_UNIT.to_owned(), "angstrom".to_owned())].into(),
            arrays: vec![array.into()],
        };
        Manifest {
            format: 1,
            table: "t".into(),
            version: 3,
            metadata: BTreeMap::new(),
            filter: None,
            rows: 2,
            columns: vec![
                column("c", ArrowType::Float64, "c"),
                column("r", ArrowType::Utf8, "r/values"),
            ],
            arrays: vec![
                array("c", "c", 600_000, None),
                array("r/values", "r", 4, Some(3)),
            ],
        }
    }

    #[test]
    fn keys() {
        let manifest = manifest();
        let is = |key: &str| match parse(&manifest, key) {
            Key::Metadata(path) => format!("metadata {path}"),
            Key::Chunk { array, index } => format!("chunk {} {index}", array.name),
            Key::OutsideGrid => "outside".into(),
            Key::Missing => "missing".into(),
        };
        for (key, expected) in [
            ("zarr.json", "metadata "),
            ("c/zarr.json", "metadata c"),
            ("r/zarr.json", "metadata r"),
            ("r/values/zarr.json", "metadata r/values"),
            ("c/c/1", "chunk c 1"),
            ("c/c/2", "outside"),
            ("c/c/01", "missing"),
            ("c/c/+1", "missing"),
            ("c/c/0/0", "missing"),
            ("r/values/c/0/0", "chunk r/values 0"),
            ("r/values/c/0/1", "outside"),
            ("r/values/c/0", "missing"),
            ("r/c/0", "missing"),
            (".zarray", "missing"),
            ("c/.zattrs", "missing"),
            (".zmetadata", "missing"),
            ("x/zarr.json", "missing"),
            ("../zarr.json", "missing"),
            ("", "missing"),
        ] {
            assert_eq!(is(key), expected, "{key}");
        }
    }

    #[test]
    fn the_root_holds_every_document() {
        let documents = documents(&manifest(), &json!({"a": 1}), |_| Map::new()).unwrap();
        let root: Value = serde_json::from_slice(&documents[""]).unwrap();
        let metadata = root["consolidated_metadata"]["metadata"]
            .as_object()
            .unwrap();
        assert_eq!(metadata.len() + 1, documents.len());
        for (path, document) in metadata {
            let alone: Value = serde_json::from_slice(&documents[path]).unwrap();
            assert_eq!(alone, *document);
        }
        assert_eq!(metadata["c"]["fill_value"], "NaN");
        assert_eq!(metadata["c"]["attributes"]["unit"], "angstrom");
        assert_eq!(
            metadata["r/values"]["dimension_names"],
            json!(["item", "r_component"])
        );
    }
}
