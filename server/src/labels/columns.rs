//! Labels in columns: Parquet, and text with tabs or commas.

use std::fs::File;
use std::io::BufRead;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::spool::{Part, Spool};
use super::{LONGEST, LabelError, LabelOptions};

/// The column of ids.
const ID: &str = "id";
/// The column of labels where no other is named.
const LABELS: &str = "labels";
/// Rows of a Parquet file that are in memory at once.
const ROWS: usize = 1024;

/// Which columns to read, and what they are for.
struct Wanted {
    id: usize,
    parts: Vec<(usize, Part)>,
    has_groups: bool,
}

impl Wanted {
    fn of(names: &[String], options: &LabelOptions, spool: &Spool) -> Result<Self, LabelError> {
        let find = |column: &str| {
            names
                .iter()
                .position(|name| name == column)
                .ok_or_else(|| LabelError::NoColumn {
                    file: spool.name(),
                    column: column.to_owned(),
                    has: names.join(", "),
                })
        };
        let labels = options.labels.as_deref().unwrap_or(LABELS);
        let mut parts = vec![(find(labels)?, Part::Labels)];
        if let Some(mask) = &options.mask {
            parts.push((find(mask)?, Part::Mask));
        }
        // A group that the file does not know may be a column of the table.
        let group = options.group.as_deref().and_then(|group| find(group).ok());
        parts.extend(group.map(|at| (at, Part::Group)));
        Ok(Self {
            id: find(ID)?,
            parts,
            has_groups: group.is_some(),
        })
    }
}

/// Reads Parquet; answers whether it has groups.
pub(super) fn parquet(
    file: File,
    options: &LabelOptions,
    spool: &mut Spool,
) -> Result<bool, LabelError> {
    let shown = spool.name();
    let failed = |error| LabelError::Parquet {
        file: shown.clone(),
        error,
    };
    let arrow = |error| LabelError::Arrow {
        file: shown.clone(),
        error,
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    let fields = builder.schema().fields();
    let names: Vec<String> = fields.iter().map(|field| field.name().clone()).collect();
    let wanted = Wanted::of(&names, options, spool)?;
    let read = [wanted.id].into_iter();
    let read = read.chain(wanted.parts.iter().map(|(at, _)| *at));
    let mask = ProjectionMask::roots(builder.parquet_schema(), read);
    let batches = builder.with_projection(mask).with_batch_size(ROWS).build();
    for batch in batches.map_err(failed)? {
        let batch = batch.map_err(arrow)?;
        let text = |at: usize| -> Result<ArrayRef, LabelError> {
            // Every column that is wanted was projected.
            let array = batch.column_by_name(&names[at]).map(Arc::clone);
            let array = array.unwrap_or_else(|| arrow::array::new_null_array(&DataType::Utf8, 0));
            cast(&array, &DataType::LargeUtf8).map_err(arrow)
        };
        let ids = text(wanted.id)?;
        let ids = ids.as_string::<i64>();
        for (at, part) in &wanted.parts {
            let texts = text(*at)?;
            let texts = texts.as_string::<i64>();
            for row in (0..texts.len()).filter(|row| ids.is_valid(*row) && texts.is_valid(*row)) {
                spool.add(ids.value(row), *part, texts.value(row))?;
            }
        }
    }
    Ok(wanted.has_groups)
}

/// Reads text with tabs, when the first line has one, or commas; answers whether it has groups.
pub(super) fn text(
    mut file: impl BufRead,
    options: &LabelOptions,
    spool: &mut Spool,
) -> Result<bool, LabelError> {
    let shown = spool.name();
    let failed = |error| LabelError::Text {
        file: shown.clone(),
        error,
    };
    let first = file.fill_buf().map_err(spool.io())?;
    let header = first.split(|byte| *byte == b'\n').next().unwrap_or(first);
    let delimiter = if header.contains(&b'\t') { b'\t' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_reader(file);
    let header = reader.headers().map_err(failed)?;
    let names: Vec<String> = header.iter().map(str::to_owned).collect();
    let wanted = Wanted::of(&names, options, spool)?;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(failed)? {
        let field = |at: usize| record.get(at).unwrap_or_default();
        for (at, part) in &wanted.parts {
            let text = field(*at);
            if text.len() > LONGEST {
                return Err(LabelError::TooMuch {
                    file: shown.clone(),
                    what: "a field of more than 64 MiB",
                });
            }
            if !text.is_empty() {
                spool.add(field(wanted.id), *part, text)?;
            }
        }
    }
    Ok(wanted.has_groups)
}
