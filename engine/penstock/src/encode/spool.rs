//! Vectors of vertices on a disk, between the pass that makes them, a graph at a time, and the
//! one that writes their column, in the order of the table's rows.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, FixedSizeListArray, Float32Array, RecordBatch,
};
use arrow::buffer::NullBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type};
use penstock_embed::EmbedError;
use penstock_graph::GraphError;
use penstock_graph::rows::{Outline, short_hash};
use penstock_types::{DType, FeatureSpec, columns};

use crate::Error;

/// Bytes of a row's hash before its vector.
const HASH: usize = 8;

/// The largest number of half precision.
const LARGEST_HALF: f32 = 65504.0;

/// Columns that vectors are looked up by.
pub(super) const COLUMNS: [&str; 3] = [columns::PARENT, columns::VERTEX, columns::CONTENT_HASH];

/// Where the vectors of a graph lie.
#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    vertices: u32,
}

/// A file without a name: 8 + 4 * dim bytes for a vertex; in memory an id and 12 bytes for a graph.
#[derive(Debug)]
pub(super) struct Spool {
    file: BufWriter<File>,
    places: HashMap<Arc<str>, Place>,
    dim: usize,
    end: u64,
}

fn failed(source: std::io::Error) -> Error {
    Error::Spool { source }
}

impl Spool {
    /// Makes an empty file in a folder.
    pub(super) fn new(folder: &Path, dim: usize) -> Result<Self, Error> {
        let file = tempfile::tempfile_in(folder).map_err(failed)?;
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, file),
            places: HashMap::new(),
            dim,
            end: 0,
        })
    }

    /// Adds the vectors of a graph, `[vertices, dim]`.
    pub(super) fn append(&mut self, outline: &Outline, vectors: &[f32]) -> Result<(), Error> {
        let mut record = Vec::with_capacity(HASH + 4 * self.dim);
        for (hash, vector) in outline.hashes.iter().zip(vectors.chunks_exact(self.dim)) {
            record.clear();
            record.extend_from_slice(hash);
            record.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
            self.file.write_all(&record).map_err(failed)?;
        }
        let vertices = outline.hashes.len() as u32;
        let place = Place {
            offset: self.end,
            vertices,
        };
        self.places.insert(Arc::clone(&outline.id), place);
        self.end += u64::from(vertices) * (HASH + 4 * self.dim) as u64;
        Ok(())
    }

    /// Ends the writing.
    pub(super) fn finish(self) -> Result<Kept, Error> {
        let file = self.file.into_inner().map_err(|e| failed(e.into_error()))?;
        Ok(Kept {
            file: Mutex::new(file),
            places: self.places,
            dim: self.dim,
        })
    }
}

/// A spool that is read.
#[derive(Debug)]
pub(super) struct Kept {
    file: Mutex<File>,
    places: HashMap<Arc<str>, Place>,
    dim: usize,
}

/// Rows of a batch whose vectors lie side by side.
struct Run {
    row: usize,
    rows: usize,
    offset: u64,
}

impl Kept {
    /// The vectors of a batch of rows ([`COLUMNS`]), as the encoder's column has them. Null for
    /// graphs, for vertices that the spool has not, or whose graph has changed since, and for
    /// vectors that are not finite.
    pub(super) fn vectors(
        &self,
        spec: &FeatureSpec,
        batch: &RecordBatch,
    ) -> Result<ArrayRef, Error> {
        let wrong = |column| GraphError::Column { column };
        let column = |name: &'static str| batch.column_by_name(name).ok_or_else(|| wrong(name));
        let parents = column(columns::PARENT)?
            .as_string_opt::<i32>()
            .ok_or_else(|| wrong(columns::PARENT))?;
        let numbers = column(columns::VERTEX)?
            .as_primitive_opt::<Int64Type>()
            .ok_or_else(|| wrong(columns::VERTEX))?;
        let hashes = column(columns::CONTENT_HASH)?
            .as_fixed_size_binary_opt()
            .ok_or_else(|| wrong(columns::CONTENT_HASH))?;

        let size = (HASH + 4 * self.dim) as u64;
        let mut runs: Vec<Run> = Vec::new();
        for row in 0..batch.num_rows() {
            if parents.is_null(row) || numbers.is_null(row) {
                continue;
            }
            let place = self.places.get(parents.value(row));
            let number = u32::try_from(numbers.value(row)).ok();
            let (Some(place), Some(number)) = (place, number) else {
                continue;
            };
            if number >= place.vertices {
                continue;
            }
            let offset = place.offset + u64::from(number) * size;
            match runs.last_mut() {
                Some(run)
                    if run.row + run.rows == row
                        && run.offset + run.rows as u64 * size == offset =>
                {
                    run.rows += 1;
                }
                _ => runs.push(Run {
                    row,
                    rows: 1,
                    offset,
                }),
            }
        }
        let mut values = vec![0.0_f32; batch.num_rows() * self.dim];
        let mut valid = vec![false; batch.num_rows()];
        let largest = match spec.dtype {
            DType::F32 => f32::MAX,
            DType::F16 => LARGEST_HALF,
        };
        let mut bytes = Vec::new();
        for run in runs {
            bytes.resize(run.rows * size as usize, 0);
            self.read(run.offset, &mut bytes)?;
            for (record, row) in bytes.chunks_exact(size as usize).zip(run.row..) {
                let (hash, numbers) = record.split_at(HASH);
                if hash != short_hash(hashes.value(row)) {
                    continue;
                }
                let vector = &mut values[row * self.dim..(row + 1) * self.dim];
                for (to, from) in vector.iter_mut().zip(numbers.chunks_exact(4)) {
                    *to = f32::from_le_bytes([from[0], from[1], from[2], from[3]]);
                }
                valid[row] = vector.iter().all(|x| x.abs() <= largest);
                if !valid[row] {
                    vector.fill(0.0);
                }
            }
        }
        self.column(spec, values, valid).map_err(Error::from)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), Error> {
        // A read that failed leaves nothing that the next does not set.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.read_exact(bytes).map_err(failed)
    }

    fn column(
        &self,
        spec: &FeatureSpec,
        values: Vec<f32>,
        valid: Vec<bool>,
    ) -> Result<ArrayRef, EmbedError> {
        let values: ArrayRef = Arc::new(Float32Array::from(values));
        let values = match spec.dtype {
            DType::F32 => values,
            DType::F16 => cast(&values, &DataType::Float16)?,
        };
        let item = Arc::new(Field::new("item", values.data_type().clone(), true));
        let nulls = NullBuffer::from(valid);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        let dim = spec.dim.as_i32();
        Ok(Arc::new(FixedSizeListArray::try_new(
            item, dim, values, nulls,
        )?))
    }
}

#[cfg(test)]
mod tests;
