//! What a snapshot is: the manifest, whose SHA-256 names it.
//!
//! The manifest holds no clock time and no place: the same rows and columns of the same table
//! version make the same bytes, wherever and whenever. It is canonical JSON ([`crate::canonical`]).
//! It grows with the number of chunks, by about 40 bytes for each 4 MiB of data.

use std::collections::BTreeMap;

use arrow::datatypes::{Field, Schema, SchemaRef};
use penstock_types::Sha256Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::arrow_type::ArrowType;
use crate::canonical;
use crate::dtype::DType;
use crate::error::{Damage, ExportError, Result};
use crate::plan::Node;

/// The version of the manifest's form.
pub const FORMAT: u32 = 1;

/// The manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The table.
    pub table: String,
    /// The version of the table.
    pub version: u64,
    /// The table's schema metadata (its kind, the version of the column contract).
    pub metadata: BTreeMap<String, String>,
    /// The SQL predicate that chose the rows.
    pub filter: Option<String>,
    /// Rows.
    pub rows: u64,
    /// The columns, in the table's order.
    pub columns: Vec<Column>,
    /// The arrays, in the order of the columns.
    pub arrays: Vec<Array>,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    pub arrow: ArrowType,
    /// Whether its type allows nulls (not: whether there are any).
    pub nullable: bool,
    /// The field's metadata: the unit, and for a feature column who made it.
    pub metadata: BTreeMap<String, String>,
    /// Its arrays.
    pub arrays: Vec<String>,
}

/// What the numbers of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The column's data.
    Values,
    /// Where each row's items begin.
    Offsets,
    /// 1 where there is a value, 0 where there is a null.
    Valid,
}

/// One array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    /// Its path within the tree.
    pub name: String,
    /// The column that it belongs to.
    pub column: String,
    /// What its numbers are.
    pub role: Role,
    /// How many lists it lies within: 0 if its entries go with rows, 1 if with items of rows.
    pub depth: u32,
    /// Element type.
    pub dtype: DType,
    /// Entries, and elements of an entry where it is a vector.
    pub shape: Vec<u64>,
    /// The shape of a chunk. The last chunk is filled up where it is not the only one.
    pub chunk_shape: Vec<u64>,
    /// What stands where there is no value: a number, or `"NaN"`.
    pub fill_value: Value,
    /// The chunks, in order.
    pub chunks: Vec<Chunk>,
}

/// One stored chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Bytes of the object: the elements and four bytes of checksum.
    pub length: u64,
    /// CRC-32C of the elements; the object ends with it, little-endian.
    pub crc32c: u32,
}

/// The key of a chunk of an array of numbers, or of vectors.
pub(crate) fn chunk_key(array: &str, vectors: bool, index: u64) -> String {
    let inner = if vectors { "/0" } else { "" };
    format!("{array}/c/{index}{inner}")
}

impl Array {
    /// Entries: the first dimension.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Entries of a chunk.
    #[must_use]
    pub fn chunk_rows(&self) -> u64 {
        self.chunk_shape.first().copied().unwrap_or(1)
    }

    /// Elements of an entry.
    #[must_use]
    pub fn width(&self) -> u64 {
        self.shape.get(1).copied().unwrap_or(1)
    }

    /// Bytes of an entry.
    #[must_use]
    pub fn row_bytes(&self) -> u64 {
        self.width() * self.dtype.size() as u64
    }

    /// Bytes of all entries.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.rows() * self.row_bytes()
    }

    /// The key of a chunk below the array, such as `c/7/0`.
    #[must_use]
    pub fn chunk_key(&self, index: u64) -> String {
        chunk_key(&self.name, self.shape.len() > 1, index)
    }

    /// Whether the numbers of the array agree with each other, so that they can be computed with.
    fn is_sound(&self) -> bool {
        let sizes = || {
            let row_bytes = self.width().checked_mul(self.dtype.size() as u64)?;
            self.rows().checked_mul(row_bytes)?;
            let chunk = self.chunk_rows().checked_mul(row_bytes)?.checked_add(4)?;
            Some((row_bytes, chunk))
        };
        matches!(self.shape.len(), 1 | 2)
            && self.chunk_shape.len() == self.shape.len()
            && self.chunk_shape.get(1) == self.shape.get(1)
            && self.chunk_rows() > 0
            && self.chunks.len() as u64 == self.rows().div_ceil(self.chunk_rows())
            && sizes().is_some_and(|(row, chunk)| {
                row > 0 && self.chunks.iter().all(|c| c.length == chunk)
            })
    }
}

impl Column {
    /// The column's field.
    #[must_use]
    pub fn field(&self) -> Field {
        let metadata = self.metadata.clone().into_iter().collect();
        Field::new(&self.name, self.arrow.to_arrow(), self.nullable).with_metadata(metadata)
    }

    /// The column's arrays as a tree.
    ///
    /// # Errors
    /// The column cannot be one of a snapshot.
    pub fn node(&self) -> Result<Node> {
        Node::of(&self.field())
    }
}

impl Manifest {
    /// The canonical bytes and their digest.
    ///
    /// # Errors
    /// The manifest does not serialise.
    pub fn encode(&self) -> Result<(Vec<u8>, Sha256Digest)> {
        let bytes = canonical::to_vec(self)?;
        let digest = Sha256Digest::of(&bytes);
        Ok((bytes, digest))
    }

    /// Reads a manifest and checks it against the digest by which it was asked for.
    ///
    /// # Errors
    /// The bytes are others, are no manifest, or come from a newer program.
    pub fn decode(bytes: &[u8], digest: Sha256Digest) -> Result<Self> {
        let corrupt = |problem| ExportError::Corrupt {
            object: format!("sha256-{digest}/manifest.json"),
            problem,
        };
        let found = Sha256Digest::of(bytes);
        if found != digest {
            return Err(corrupt(Damage::Digest { found }));
        }
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let form = |error: serde_json::Error| corrupt(Damage::Form(error.to_string()));
        let head: Head = serde_json::from_slice(bytes).map_err(form)?;
        if head.format > FORMAT {
            return Err(ExportError::Format {
                found: head.format,
                known: FORMAT,
            });
        }
        let manifest: Self = serde_json::from_slice(bytes).map_err(form)?;
        if let Some(array) = manifest.arrays.iter().find(|array| !array.is_sound()) {
            return Err(corrupt(Damage::Form(format!(
                "shape and chunks of `{}` disagree",
                array.name
            ))));
        }
        Ok(manifest)
    }

    /// The array of this name.
    #[must_use]
    pub fn array(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|array| array.name == name)
    }

    /// The column of this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The Arrow schema of all columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self.columns.iter().map(Column::field).collect();
        let metadata = self.metadata.clone().into_iter().collect();
        Schema::new_with_metadata(fields, metadata).into()
    }
}
