//! Batches of `id`, `sequence` and perhaps `description`, read as FASTA text.
//!
//! Rows that arrive over Flight must become what the same records in a file become: letters
//! checked, hashes, GC content, windows. So they take the same road, as text.

use std::io::{self, Read};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema};
use penstock::types::columns;

/// Whether these columns can be read as FASTA.
pub(super) fn accepts(schema: &Schema) -> bool {
    let has = |name| schema.field_with_name(name).is_ok();
    has(columns::ID)
        && has(columns::SEQUENCE)
        && schema.fields().iter().all(|field| {
            [columns::ID, columns::SEQUENCE, columns::DESCRIPTION].contains(&field.name().as_str())
        })
}

/// FASTA text of a sequence of batches, made as it is read.
pub(super) struct FastaText<I> {
    batches: I,
    text: Vec<u8>,
    at: usize,
}

impl<I> FastaText<I> {
    pub(super) fn new(batches: I) -> Self {
        Self {
            batches,
            text: Vec::new(),
            at: 0,
        }
    }
}

impl<I: Iterator<Item = io::Result<RecordBatch>>> Read for FastaText<I> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() {
            let Some(batch) = self.batches.next() else {
                return Ok(0);
            };
            self.text.clear();
            self.at = 0;
            write(&batch?, &mut self.text)?;
        }
        let count = out.len().min(self.text.len() - self.at);
        out[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn text_column(batch: &RecordBatch, name: &str) -> io::Result<Option<ArrayRef>> {
    let Some(column) = batch.column_by_name(name) else {
        return Ok(None);
    };
    cast(column, &DataType::LargeUtf8).map(Some).map_err(|_| {
        invalid(format!(
            "column `{name}` is {}, not text",
            column.data_type()
        ))
    })
}

fn write(batch: &RecordBatch, text: &mut Vec<u8>) -> io::Result<()> {
    let missing = |name: &str| invalid(format!("column `{name}` is missing"));
    let ids = text_column(batch, columns::ID)?.ok_or_else(|| missing(columns::ID))?;
    let sequences =
        text_column(batch, columns::SEQUENCE)?.ok_or_else(|| missing(columns::SEQUENCE))?;
    let descriptions = text_column(batch, columns::DESCRIPTION)?;
    let (ids, sequences) = (ids.as_string::<i64>(), sequences.as_string::<i64>());
    for row in 0..batch.num_rows() {
        if ids.is_null(row) || sequences.is_null(row) {
            return Err(invalid(format!("row {row} has a null id or sequence")));
        }
        let (id, sequence) = (ids.value(row), sequences.value(row));
        if id.is_empty() || id.contains(char::is_whitespace) {
            return Err(invalid(format!(
                "`{id}` is no id: it is empty or holds white space"
            )));
        }
        if sequence.contains(['\n', '\r', '>']) {
            return Err(invalid(format!(
                "the sequence of `{id}` holds a line end or `>`"
            )));
        }
        text.push(b'>');
        text.extend_from_slice(id.as_bytes());
        if let Some(descriptions) = &descriptions {
            let descriptions = descriptions.as_string::<i64>();
            if descriptions.is_valid(row) {
                text.push(b' ');
                // A header is one line.
                text.extend(
                    descriptions
                        .value(row)
                        .bytes()
                        .map(|b| if b < b' ' { b' ' } else { b }),
                );
            }
        }
        text.push(b'\n');
        text.extend_from_slice(sequence.as_bytes());
        text.push(b'\n');
    }
    Ok(())
}
