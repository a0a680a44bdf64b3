//! FASTA, of proteins or DNA.
//!
//! The first word after `>` is the id and the name, the rest the description. Sequences may be on
//! any number of lines; blank lines and lines that begin with `;` are no sequence. What becomes of
//! gaps and stops is in [`crate::letters`]; both are reported as warnings where letters change.
//!
//! The parser is our own: see the crate's README for the comparison with needletail.

use penstock_types::Kind;

use crate::batch::{Head, Rows, Sink};
use crate::dna::Extras;
use crate::letters::{Alphabet, Met, show, show_text};
use crate::lines::Lines;
use crate::reader::RecordReader;
use crate::{Position, ReadContext, ReadError};

pub(crate) struct Fasta {
    lines: Lines,
    alphabet: Alphabet,
    kind: Kind,
    header: String,
    id_length: usize,
}

impl Fasta {
    pub(crate) fn new(lines: Lines, kind: Kind) -> Self {
        Self {
            lines,
            alphabet: Alphabet::new(kind),
            kind,
            header: String::new(),
            id_length: 0,
        }
    }

    /// Finds and keeps the next header. False at the end.
    fn header(&mut self, ctx: &mut ReadContext) -> Result<bool, ReadError> {
        loop {
            let Some(line) = self.lines.next(ctx)? else {
                return Ok(false);
            };
            let text = line.trim_ascii();
            match text.first() {
                None | Some(b';') => {}
                Some(b'>') => {
                    let text = text[1..].trim_ascii();
                    let control = text.iter().find(|b| **b == 0).copied();
                    let lossy = std::str::from_utf8(text).is_err();
                    self.header.clear();
                    self.header.push_str(&String::from_utf8_lossy(text));
                    self.id_length = self
                        .header
                        .find(|c: char| c.is_ascii_whitespace())
                        .unwrap_or(self.header.len());
                    let at = Position::Line(self.lines.number());
                    if self.header.is_empty() {
                        return Err(ctx.malformed(
                            at,
                            "an identifier after `>`",
                            "an empty header",
                        ));
                    }
                    if control.is_some() {
                        return Err(ctx.malformed(at, "text in the header", "byte 0x00"));
                    }
                    if lossy {
                        ctx.warn(
                            Some(&self.header[..self.id_length]),
                            "the header is not UTF-8; what is not was replaced",
                        );
                    }
                    return Ok(true);
                }
                Some(_) => {
                    let found = show_text(text);
                    let at = Position::Line(self.lines.number());
                    return Err(ctx.malformed(at, "a header that begins with `>`", found));
                }
            }
        }
    }

    /// Appends the lines up to the next header.
    fn sequence(
        &mut self,
        ctx: &ReadContext,
        out: &mut Vec<u8>,
        start: usize,
    ) -> Result<Met, ReadError> {
        let mut met = Met::default();
        loop {
            match self.lines.peek(ctx)? {
                None | Some(b'>') => return Ok(met),
                Some(b';') => while let Some((_, false)) = self.lines.piece(ctx)? {},
                Some(_) => loop {
                    let Some((piece, ends)) = self.lines.piece(ctx)? else {
                        return Ok(met);
                    };
                    if let Err(byte) = self.alphabet.append(piece, out, &mut met) {
                        let at = Position::Line(self.lines.number());
                        let expected = self.alphabet.expected();
                        return Err(ctx.malformed(at, expected, show(byte)));
                    }
                    if (out.len() - start) as u64 > ctx.limits.max_record_bytes {
                        return Err(ctx.too_large(Position::Line(self.lines.number())));
                    }
                    if ends {
                        break;
                    }
                },
            }
        }
    }

    fn record(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<(), ReadError> {
        let line = self.lines.number();
        let Some(sequences) = sink.sequences() else {
            return Ok(());
        };
        let start = sequences.start();
        let result = self.sequence(ctx, sequences.values(), start);
        let empty = sequences.open().is_empty();
        let id = &self.header[..self.id_length];
        let result = result.and_then(|met| {
            if empty {
                let at = Position::Line(line);
                return Err(ctx.malformed(at, "a sequence after the header", "none"));
            }
            Ok(met)
        });
        let met = match result {
            Ok(met) => met,
            Err(error) => {
                sequences.discard();
                return Err(error.in_record(id));
            }
        };
        warn(&met, id, ctx);
        let rest = self.header[self.id_length..].trim_ascii_start();
        let head = Head {
            id,
            name: Some(id),
            description: Some(rest).filter(|rest| !rest.is_empty()),
            event_time: ctx.event_time,
        };
        match &mut sink.rows {
            Rows::Protein(rows) => rows.push(head, ctx),
            Rows::Dna(rows) => {
                let extras = Extras {
                    is_contig: true,
                    ..Extras::default()
                };
                rows.push(head, &extras, ctx);
            }
            Rows::Whole(_) => {}
        }
        Ok(())
    }
}

/// Tells what was left out of a sequence.
pub(crate) fn warn(met: &Met, id: &str, ctx: &mut ReadContext) {
    if met.gaps > 0 {
        let message = format!("{} gaps of an alignment were left out", met.gaps);
        ctx.warn(Some(id), message);
    }
    if met.inner_stops > 0 {
        let message = format!(
            "{} stops inside the sequence were read as X",
            met.inner_stops
        );
        ctx.warn(Some(id), message);
    }
}

impl RecordReader for Fasta {
    fn read(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<bool, ReadError> {
        if !self.header(ctx)? {
            return Ok(false);
        }
        self.record(ctx, sink)
            .map(|()| true)
            .map_err(|error| match error {
                ReadError::Malformed { .. } if self.kind == Kind::Dna => dna_hint(error),
                other => other,
            })
    }

    fn resynchronise(&mut self, ctx: &ReadContext) -> Result<Option<Position>, ReadError> {
        self.lines.skip_to(b'>', ctx)
    }
}

/// The kind was told from the first records; a letter that contradicts it may mean another kind.
fn dna_hint(mut error: ReadError) -> ReadError {
    if let ReadError::Malformed { expected, .. } = &mut error
        && expected.starts_with("nucleotide")
    {
        expected.push_str("; or `--kind protein` if these are proteins");
    }
    error
}
