//! The side of the worker.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use super::{KEY_ABOUT, KEY_CODE, KEY_COLUMNS, KEY_KIND, KEY_PROBLEM, KEY_PROTOCOL, PROTOCOL};
use crate::{EmbedError, Encoder};

/// Answers requests until the input ends; see the module [`worker`](crate::worker).
///
/// # Errors
/// What is sent is no Arrow; nobody reads the answers.
pub fn serve(
    encoder: &dyn Encoder,
    mut input: impl BufRead,
    mut output: impl Write,
) -> Result<(), EmbedError> {
    let metadata = HashMap::from([
        (KEY_PROTOCOL.to_owned(), PROTOCOL.to_owned()),
        (KEY_KIND.to_owned(), encoder.kind().to_string()),
        (KEY_ABOUT.to_owned(), encoder.describe().to_owned()),
        (KEY_COLUMNS.to_owned(), encoder.columns().join(",")),
    ]);
    let schema = Arc::new(Schema::new(vec![encoder.spec().field()]));
    let head = Arc::new(schema.as_ref().clone().with_metadata(metadata));
    write(&mut output, &head, None)?;
    loop {
        let buffer = input.fill_buf().map_err(arrow::error::ArrowError::from)?;
        if buffer.is_empty() {
            return Ok(());
        }
        let Some(batch) = read(&mut input)?.1 else {
            continue;
        };
        match encoder.encode(&batch) {
            Ok(vectors) => {
                let answer = RecordBatch::try_new(Arc::clone(&schema), vec![vectors])?;
                write(&mut output, &schema, Some(&answer))?;
            }
            Err(error) => {
                let metadata = HashMap::from([
                    (KEY_PROBLEM.to_owned(), with_sources(&error)),
                    (KEY_CODE.to_owned(), error.code().as_str().to_owned()),
                ]);
                let refusal = Schema::empty().with_metadata(metadata);
                write(&mut output, &Arc::new(refusal), None)?;
            }
        }
    }
}

/// An error with what caused it.
#[must_use]
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

/// One stream with at most one batch.
pub(super) fn write(
    output: &mut impl Write,
    schema: &SchemaRef,
    batch: Option<&RecordBatch>,
) -> Result<(), EmbedError> {
    let mut writer = StreamWriter::try_new(&mut *output, schema)?;
    if let Some(batch) = batch {
        writer.write(batch)?;
    }
    writer.finish()?;
    drop(writer);
    output.flush().map_err(arrow::error::ArrowError::from)?;
    Ok(())
}

/// The next stream; it is read to its end, and no further.
pub(super) fn read(
    input: &mut impl BufRead,
) -> Result<(SchemaRef, Option<RecordBatch>), EmbedError> {
    let mut reader = StreamReader::try_new(&mut *input, None)?;
    let schema = reader.schema();
    let batch = reader.next().transpose()?;
    if batch.is_some() {
        // The mark of the end is part of the stream.
        let _ = reader.next().transpose()?;
    }
    Ok((schema, batch))
}
