//! Labels under header lines.

use std::io::{self, BufRead, Read as _};

use super::spool::{Part, Spool};
use super::{LONGEST, LabelError};

/// What a record under a header is.
struct Record {
    id: String,
    /// `None`: a sequence, of which nothing is kept.
    part: Option<Part>,
    text: String,
    has_lines: bool,
}

impl Record {
    fn of(header: &str) -> Self {
        let word = header.split_whitespace().next().unwrap_or_default();
        let (id, part) = match word.rsplit_once(':') {
            Some((id, "secstr")) => (id, Some(Part::Labels)),
            Some((id, "disorder")) => (id, Some(Part::Mask)),
            Some((id, "sequence")) => (id, None),
            _ => (word, Some(Part::Labels)),
        };
        Self {
            id: id.to_owned(),
            part,
            text: String::new(),
            has_lines: false,
        }
    }
}

pub(super) fn read(mut file: impl BufRead, spool: &mut Spool) -> Result<(), LabelError> {
    let mut record: Option<Record> = None;
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let limit = LONGEST as u64;
        let read = file.by_ref().take(limit).read_until(b'\n', &mut bytes);
        if read.map_err(spool.io())? == 0 {
            break;
        }
        // Blanks are letters: only what ends the line is taken off.
        let ended = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let line = ended.strip_suffix(b"\r").unwrap_or(ended);
        let line = std::str::from_utf8(line).map_err(|error| {
            let text = format!("line {number}: {error}");
            spool.io()(io::Error::new(io::ErrorKind::InvalidData, text))
        })?;
        if let Some(header) = line.strip_prefix('>') {
            keep(spool, record.take())?;
            record = Some(Record::of(header));
            continue;
        }
        let Some(record) = &mut record else {
            return Err(LabelError::NoHeader {
                file: spool.name(),
                line: number,
            });
        };
        if record.part.is_none() || line.is_empty() {
            continue;
        }
        if record.text.len() + line.len() > LONGEST {
            return Err(LabelError::TooMuch {
                file: spool.name(),
                what: "a record of more than 64 MiB",
            });
        }
        if record.has_lines {
            record.text.push('\n');
        }
        record.has_lines = true;
        record.text.push_str(line);
    }
    keep(spool, record)
}

fn keep(spool: &mut Spool, record: Option<Record>) -> Result<(), LabelError> {
    match record {
        Some(Record {
            id,
            part: Some(part),
            text,
            ..
        }) => spool.add(&id, part, &text),
        _ => Ok(()),
    }
}
