//! GenBank flat files, and GenPept where the locus line counts `aa`.
//!
//! The features become the JSON of `annotations`: an array of `{type, location, start, end, strand,
//! qualifiers}`, where `location` is the text of the file, `start` (from 0) and `end` (one past the
//! last base) bound it, `strand` is `+`, `-` or null where both occur, and `qualifiers` maps each
//! name to the array of its values (empty for a flag such as `/pseudo`).
//!
//! The parser is our own: gb-io's errors (`SyntaxError(String)`) do not say where.

mod feature;

use penstock_types::Kind;

use crate::batch::{Head, Rows, Sink};
use crate::date;
use crate::fasta::warn;
use crate::letters::{Alphabet, Met, show, show_text};
use crate::lines::Lines;
use crate::reader::RecordReader;
use crate::{Position, ReadContext, ReadError};

use super::Extras;
use feature::Features;

pub(crate) struct GenBank {
    lines: Lines,
    alphabet: Alphabet,
    /// Whether the last line was the one that ends a record.
    ended: bool,
    /// Where the record begins.
    first_line: u64,
    warned_features: bool,
}

/// What stands before the sequence.
#[derive(Default)]
struct Header {
    locus: String,
    version: String,
    definition: String,
    length: Option<u64>,
    event_time: Option<i64>,
    features: Features,
}

impl Header {
    fn id(&self) -> &str {
        if self.version.is_empty() {
            &self.locus
        } else {
            &self.version
        }
    }

    /// `LOCUS NAME LENGTH bp TYPE TOPOLOGY DIVISION DATE`; programs differ in the columns, and
    /// leave out what they do not know.
    fn of_locus(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let unit = words
            .iter()
            .position(|w| matches!(*w, "bp" | "aa" | "rc"))?;
        if unit < 3 {
            return None;
        }
        Some(Self {
            locus: words[1].to_owned(),
            length: Some(words[unit - 1].parse().ok()?),
            event_time: words.last().and_then(|word| date::day_month_year(word)),
            ..Self::default()
        })
    }
}

/// The part of a record that a line belongs to.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Definition,
    Features,
    Other,
    Origin,
}

impl GenBank {
    pub(crate) fn new(lines: Lines, kind: Kind) -> Self {
        Self {
            lines,
            alphabet: Alphabet::new(kind),
            ended: true,
            first_line: 0,
            warned_features: false,
        }
    }

    fn at(&self) -> Position {
        Position::Line(self.lines.number())
    }

    /// Finds the locus line. `None` at the end.
    fn locus(&mut self, ctx: &ReadContext) -> Result<Option<Header>, ReadError> {
        loop {
            let Some(line) = self.lines.next(ctx)? else {
                return Ok(None);
            };
            if line.trim_ascii().is_empty() {
                continue;
            }
            self.ended = false;
            let text = String::from_utf8_lossy(line).into_owned();
            self.first_line = self.lines.number();
            if !text.starts_with("LOCUS ") {
                let found = show_text(text.as_bytes());
                return Err(ctx.malformed(self.at(), "a line that begins with `LOCUS`", found));
            }
            return Header::of_locus(&text).map(Some).ok_or_else(|| {
                let expected = "`LOCUS name length bp` (or `aa`)";
                ctx.malformed(self.at(), expected, show_text(text.as_bytes()))
            });
        }
    }

    fn body(
        &mut self,
        header: &mut Header,
        ctx: &ReadContext,
        out: &mut Vec<u8>,
    ) -> Result<Met, ReadError> {
        let mut met = Met::default();
        let mut part = Part::Other;
        let start = out.len();
        let mut text_bytes = 0u64;
        loop {
            let Some(line) = self.lines.next(ctx)? else {
                return Err(ctx.malformed(self.at(), "`//`", "the end of the file"));
            };
            if line.starts_with(b"//") {
                self.ended = true;
                header.features.finish();
                return Ok(met);
            }
            if part == Part::Origin && line.starts_with(b"LOCUS ") {
                let found = show_text(line);
                return Err(ctx.malformed(self.at(), "`//` before the next record", found));
            } else if part == Part::Origin {
                let letters = line.trim_ascii_start();
                let letters = &letters[letters.iter().take_while(|b| b.is_ascii_digit()).count()..];
                if let Err(byte) = self.alphabet.append(letters, out, &mut met) {
                    return Err(ctx.malformed(self.at(), self.alphabet.expected(), show(byte)));
                }
            } else {
                text_bytes += line.len() as u64;
                let text = String::from_utf8_lossy(line);
                if let Err(expected) = header_line(&text, &mut part, header) {
                    let found = show_text(text.trim().as_bytes());
                    return Err(ctx.malformed(self.at(), expected, found));
                }
            }
            if (out.len() - start) as u64 + text_bytes > ctx.limits.max_record_bytes {
                return Err(ctx.too_large(self.at()));
            }
        }
    }

    fn record(
        &mut self,
        mut header: Header,
        ctx: &mut ReadContext,
        sink: &mut Sink,
    ) -> Result<(), ReadError> {
        let Some(sequences) = sink.sequences() else {
            return Ok(());
        };
        let result = self.body(&mut header, ctx, sequences.values());
        let found = sequences.open().len() as u64;
        let met = result.and_then(|met| match header.length {
            Some(length) if length != found + met.gaps => Err(ctx.malformed(
                self.at(),
                format!("a sequence of {length}, as the locus line says"),
                match found {
                    0 => "none (a record that only refers to others cannot be read)".to_owned(),
                    found => format!("{found}"),
                },
            )),
            _ if found == 0 => Err(ctx.malformed(self.at(), "a sequence", "none")),
            _ => Ok(met),
        });
        let id = header.id();
        let met = match met {
            Ok(met) => met,
            Err(error) => {
                sequences.discard();
                return Err(error.in_record(id));
            }
        };
        warn(&met, id, ctx);
        let definition = header.definition.trim_end_matches('.');
        let head = Head {
            id,
            name: Some(&header.locus),
            description: Some(definition).filter(|text| !text.is_empty()),
            event_time: header.event_time.unwrap_or(ctx.event_time),
        };
        match &mut sink.rows {
            Rows::Dna(rows) => {
                let annotations = header.features.to_json();
                let extras = Extras {
                    annotations: Some(&annotations),
                    is_contig: true,
                    ..Extras::default()
                };
                rows.push(head, &extras, ctx);
            }
            Rows::Protein(rows) => {
                rows.push(head, ctx);
                if !header.features.is_empty()
                    && !std::mem::replace(&mut self.warned_features, true)
                {
                    ctx.warn(
                        None,
                        "features of protein records have no column and were left out",
                    );
                }
            }
            Rows::Whole(_) => {}
        }
        Ok(())
    }
}

/// A line before `ORIGIN`.
fn header_line(text: &str, part: &mut Part, header: &mut Header) -> Result<(), &'static str> {
    if text.starts_with(' ') {
        match part {
            Part::Definition => {
                header.definition.push(' ');
                header.definition.push_str(text.trim());
                Ok(())
            }
            Part::Features => header.features.line(text),
            Part::Other | Part::Origin => Ok(()),
        }
    } else {
        let (keyword, value) = text.split_once(' ').unwrap_or((text, ""));
        let value = value.trim();
        *part = match keyword {
            "DEFINITION" => {
                value.clone_into(&mut header.definition);
                Part::Definition
            }
            "VERSION" => {
                let version = value.split_ascii_whitespace().next().unwrap_or_default();
                version.clone_into(&mut header.version);
                Part::Other
            }
            "FEATURES" => Part::Features,
            "ORIGIN" => Part::Origin,
            "LOCUS" => return Err("`//` before the next record"),
            _ => Part::Other,
        };
        Ok(())
    }
}

impl RecordReader for GenBank {
    fn read(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<bool, ReadError> {
        match self.locus(ctx)? {
            None => Ok(false),
            Some(header) => self.record(header, ctx, sink).map(|()| true),
        }
    }

    fn resynchronise(&mut self, ctx: &ReadContext) -> Result<Option<Position>, ReadError> {
        if self.ended {
            return Ok(Some(self.lines.upcoming()));
        }
        self.ended = true;
        self.lines.finish_line(ctx)?;
        if self.lines.number() > self.first_line {
            // The line with the error may be the end of its record, or the start of the next one.
            self.lines.unread();
        }
        loop {
            match self.lines.next(ctx) {
                Ok(Some(line)) if line.starts_with(b"LOCUS ") => {
                    self.lines.unread();
                    return Ok(Some(self.lines.upcoming()));
                }
                Ok(Some(line)) if line.starts_with(b"//") => {
                    return Ok(Some(self.lines.upcoming()));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(None),
                Err(error) if error.is_local() => self.lines.finish_line(ctx)?,
                Err(error) => return Err(error),
            }
        }
    }
}
