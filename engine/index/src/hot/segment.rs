//! A part of an index in memory: the rows that some fragments had.

use std::collections::HashMap;
use std::io::Cursor;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float32Type, Schema, UInt64Type};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use futures::TryStreamExt;
use lance::Dataset;
use lance_table::format::Fragment;
use penstock_hnsw::{Control, Hnsw, Options};
use penstock_store::Table;
use penstock_types::columns::ID;
use serde::{Deserialize, Serialize};

use crate::{IndexError, Result};

/// Lance's column of row addresses: the fragment in the upper half, the offset in the lower.
const ADDRESS: &str = "_rowaddr";

/// Rows read at once.
const READ_ROWS: usize = 8192;

/// A fragment as it was indexed. Under another file the column holds other vectors.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Covered {
    pub(super) fragment: u64,
    pub(super) file: String,
}

/// What the index's file says of where its rows came from.
#[derive(Debug, Serialize, Deserialize)]
struct Origin {
    fragments: Vec<Covered>,
}

/// Some fragments' vectors, with a graph over them. Labels are row addresses and ascend.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) graph: Hnsw,
    pub(super) fragments: Vec<Covered>,
    pub(super) ids: StringArray,
}

/// The fragments in which the column has a file, by their number.
pub(super) fn fragments(dataset: &Dataset, column: &str) -> Vec<(Fragment, Covered)> {
    let Some(field) = dataset.schema().field(column) else {
        return Vec::new();
    };
    let mut found: Vec<_> = dataset
        .fragments()
        .iter()
        .filter_map(|fragment| {
            let file = fragment
                .files
                .iter()
                .find(|file| file.fields.contains(&field.id))?;
            let covered = Covered {
                fragment: fragment.id,
                file: file.path.clone(),
            };
            Some((fragment.clone(), covered))
        })
        .collect();
    found.sort_by_key(|(fragment, _)| fragment.id);
    found
}

/// The rows of some fragments, as they are read for a graph.
pub(super) struct Rows {
    vectors: Vec<f32>,
    addresses: Vec<u64>,
    ids: StringArray,
    fragments: Vec<Covered>,
    dim: usize,
}

impl Rows {
    /// Reads the rows that have a vector, in the order of their addresses.
    pub(super) async fn read(
        table: &Table,
        column: &str,
        dim: usize,
        fragments: &[(Fragment, Covered)],
    ) -> Result<Self> {
        let failed = IndexError::read(table);
        let expected: usize = fragments
            .iter()
            .map(|(fragment, _)| fragment.num_rows().unwrap_or_default())
            .sum();
        let mut rows = Self {
            vectors: Vec::with_capacity(expected * dim),
            addresses: Vec::with_capacity(expected),
            ids: StringArray::new_null(0),
            fragments: fragments
                .iter()
                .map(|(_, covered)| covered.clone())
                .collect(),
            dim,
        };
        let mut ids = StringBuilder::new();
        let mut scan = table.dataset().scan();
        scan.project(&[ID, column]).map_err(&failed)?;
        scan.with_fragments(
            fragments
                .iter()
                .map(|(fragment, _)| fragment.clone())
                .collect(),
        )
        .with_row_address()
        .scan_in_order(true)
        .batch_size(READ_ROWS);
        let mut batches = scan.try_into_stream().await.map_err(&failed)?;
        while let Some(batch) = batches.try_next().await.map_err(&failed)? {
            rows.append(&batch, column, &mut ids)?;
        }
        rows.ids = ids.finish();
        rows.ids.shrink_to_fit();
        Ok(rows)
    }

    fn append(&mut self, batch: &RecordBatch, column: &str, ids: &mut StringBuilder) -> Result<()> {
        let missing = IndexError::Invariant {
            what: "a scan left out a column that it was asked for",
        };
        let (Some(names), Some(vectors), Some(addresses)) = (
            batch.column_by_name(ID),
            batch
                .column_by_name(column)
                .and_then(|c| c.as_fixed_size_list_opt()),
            batch
                .column_by_name(ADDRESS)
                .and_then(|c| c.as_primitive_opt::<UInt64Type>()),
        ) else {
            return Err(missing);
        };
        let names = cast(names, &DataType::Utf8)?;
        let names = names.as_string::<i32>();
        let values = cast(vectors.values(), &DataType::Float32)?;
        let values = values.as_primitive::<Float32Type>().values();
        for row in 0..batch.num_rows() {
            if vectors.is_null(row) {
                continue;
            }
            let start = vectors.value_offset(row) as usize;
            self.vectors
                .extend_from_slice(&values[start..start + self.dim]);
            self.addresses.push(addresses.value(row));
            ids.append_value(names.value(row));
        }
        Ok(())
    }

    pub(super) fn count(&self) -> usize {
        self.addresses.len()
    }

    /// Builds the graph. Blocking.
    pub(super) fn index(self, options: &Options, control: &Control<'_>) -> Result<Segment> {
        let mut graph = Hnsw::build(&self.vectors, self.dim, options, control)?;
        graph.set_labels(self.addresses)?;
        Ok(Segment {
            graph,
            fragments: self.fragments,
            ids: self.ids,
        })
    }
}

impl Segment {
    /// What is kept in the graph's file: the length of the JSON, the JSON, the ids as Arrow IPC.
    fn metadata(&self) -> Result<Vec<u8>> {
        let origin = Origin {
            fragments: self.fragments.clone(),
        };
        let json = serde_json::to_vec(&origin).map_err(|_| IndexError::Invariant {
            what: "the origin of an index is no JSON",
        })?;
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend(json);
        let schema = Arc::new(Schema::new(vec![Field::new(ID, DataType::Utf8, false)]));
        let ids: ArrayRef = Arc::new(self.ids.clone());
        let mut writer = StreamWriter::try_new(&mut bytes, &schema)?;
        writer.write(&RecordBatch::try_new(schema, vec![ids])?)?;
        writer.finish()?;
        drop(writer);
        Ok(bytes)
    }

    /// From a graph that was read from its file.
    pub(super) fn of(mut graph: Hnsw) -> Result<Self> {
        let foreign = IndexError::Invariant {
            what: "an index in memory was saved without its ids",
        };
        let bytes = graph.metadata();
        let (Some(length), rest) = (bytes.get(..8), bytes.get(8..).unwrap_or_default()) else {
            return Err(foreign);
        };
        let mut eight = [0; 8];
        eight.copy_from_slice(length);
        let length = usize::try_from(u64::from_le_bytes(eight)).unwrap_or(usize::MAX);
        let (Some(json), Some(ipc)) = (rest.get(..length), rest.get(length..)) else {
            return Err(foreign);
        };
        let Ok(origin) = serde_json::from_slice::<Origin>(json) else {
            return Err(foreign);
        };
        let mut batches = StreamReader::try_new(Cursor::new(ipc), None)?;
        let Some(batch) = batches.next().transpose()? else {
            return Err(foreign);
        };
        let ids = batch.column(0).as_string_opt::<i32>();
        let Some(ids) = ids.filter(|ids| ids.len() == graph.len()).cloned() else {
            return Err(foreign);
        };
        let fragments = origin.fragments;
        graph.set_metadata(Vec::new());
        Ok(Self {
            graph,
            fragments,
            ids,
        })
    }

    /// Writes it whole. Blocking.
    pub(super) fn write(&mut self, to: impl std::io::Write) -> Result<()> {
        self.graph.set_metadata(self.metadata()?);
        let written = self.graph.write_to(to);
        // Not held twice while the index is searched.
        self.graph.set_metadata(Vec::new());
        Ok(written?)
    }

    /// Bytes held.
    pub(super) fn bytes(&self) -> u64 {
        let graph = Hnsw::bytes(self.graph.len(), self.graph.dim(), self.graph.options()).index;
        // As read from a file, text and offsets are parts of one buffer: they are counted by what
        // they hold.
        graph + (self.ids.value_data().len() + 4 * (self.ids.len() + 1)) as u64
    }

    /// The rows of these addresses, which ascend; addresses without a row are left out.
    pub(super) fn rows_of<'s>(
        &'s self,
        addresses: impl Iterator<Item = u64> + 's,
    ) -> impl Iterator<Item = u32> + 's {
        let labels = self.graph.labels();
        let mut at = 0;
        addresses.filter_map(move |address| {
            at += first_not_below(&labels[at..], address);
            (labels.get(at) == Some(&address)).then_some(at as u32)
        })
    }

    /// Which of the fragments a dataset still has as they were indexed.
    pub(super) fn present<'d>(
        &self,
        there: &'d HashMap<Covered, Fragment>,
    ) -> Vec<(&'d Covered, &'d Fragment)> {
        self.fragments
            .iter()
            .filter_map(|covered| there.get_key_value(covered))
            .collect()
    }
}

/// The first label that is not below an address, looked for in growing steps from the front.
fn first_not_below(labels: &[u64], address: u64) -> usize {
    let mut step = 1;
    while step < labels.len() && labels[step] < address {
        step *= 2;
    }
    let (from, to) = (step / 2, labels.len().min(step + 1));
    from + labels[from..to].partition_point(|label| *label < address)
}
