//! FASTQ, with scores as Phred + 33.
//!
//! A record is four lines. Where the sequence is on several lines, so may the scores be: as many
//! lines as it takes to reach the length of the sequence, which is never ambiguous. Scores are
//! always read as Phred + 33: the older Phred + 64 cannot be told for certain, since every letter
//! of it is a letter of Phred + 33; a file in which no score is below 31 gets a warning.
//!
//! Reads have no windows: they are no contigs.

use penstock_types::Kind;

use crate::batch::{Head, Rows, Sink};
use crate::letters::{Alphabet, show, show_text};
use crate::lines::Lines;
use crate::reader::RecordReader;
use crate::{Position, ReadContext, ReadError};

use super::Extras;

/// Bases after which the lowest score of a file says something.
const ENOUGH: u64 = 10_000;

pub(crate) struct Fastq {
    lines: Lines,
    alphabet: Alphabet,
    /// A header that was found while looking for the next record.
    found: bool,
    header: Vec<u8>,
    quality: Vec<u8>,
    header_line: u64,
    lowest: u8,
    bases: u64,
}

impl Fastq {
    pub(crate) fn new(lines: Lines) -> Self {
        Self {
            lines,
            alphabet: Alphabet::new(Kind::Dna),
            found: false,
            header: Vec::new(),
            quality: Vec::new(),
            header_line: 0,
            lowest: u8::MAX,
            bases: 0,
        }
    }

    fn at(&self) -> Position {
        Position::Line(self.lines.number())
    }

    fn header(&mut self, ctx: &ReadContext) -> Result<bool, ReadError> {
        while !self.found {
            let Some(line) = self.lines.next(ctx)? else {
                return Ok(false);
            };
            match line.first() {
                None => continue,
                Some(b'@') => {
                    self.header.clear();
                    self.header.extend_from_slice(line[1..].trim_ascii_end());
                    self.found = true;
                }
                Some(_) if line.trim_ascii().is_empty() => continue,
                Some(_) => {
                    let found = show_text(line);
                    self.header_line = 0;
                    return Err(ctx.malformed(self.at(), "a header that begins with `@`", found));
                }
            }
            self.header_line = self.lines.number();
        }
        self.found = false;
        Ok(true)
    }

    /// The sequence, and the line with `+`. Returns the count of its lines and of `.` in it.
    fn sequence(&mut self, ctx: &ReadContext, out: &mut Vec<u8>) -> Result<(u64, u64), ReadError> {
        let start = out.len();
        let (mut count, mut dots) = (0, 0);
        loop {
            let Some(line) = self.lines.next(ctx)? else {
                let expected = if count == 0 {
                    "a sequence"
                } else {
                    "a line with `+`"
                };
                return Err(ctx.malformed(self.at(), expected, "the end of the file"));
            };
            if let Some(title) = line.strip_prefix(b"+") {
                let title = title.trim_ascii_end();
                let same = title.is_empty() || title == self.header;
                if out.len() == start {
                    return Err(ctx.malformed(self.at(), "a sequence", "none before `+`"));
                }
                if !same {
                    let expected = format!("`+` alone or with {}", show_text(&self.header));
                    let found = show_text(title);
                    return Err(ctx.malformed(self.at(), expected, found));
                }
                return Ok((count, dots));
            }
            count += 1;
            let from = out.len();
            let mut bad = None;
            out.extend(line.iter().map(|byte| match self.alphabet.letter(*byte) {
                Some(letter) => letter,
                None if *byte == b'.' => b'.',
                None => {
                    bad.get_or_insert(*byte);
                    b'.'
                }
            }));
            if let Some(byte) = bad {
                return Err(ctx.malformed(self.at(), self.alphabet.expected(), show(byte)));
            }
            for letter in out[from..].iter_mut().filter(|letter| **letter == b'.') {
                *letter = b'N';
                dots += 1;
            }
            if (out.len() - start) as u64 > ctx.limits.max_record_bytes {
                return Err(ctx.too_large(self.at()));
            }
        }
    }

    fn scores(&mut self, ctx: &ReadContext, bases: usize, lines: u64) -> Result<(), ReadError> {
        self.quality.clear();
        let scores = |n: usize| match n {
            1 => "1 score".to_owned(),
            n => format!("{n} scores"),
        };
        loop {
            let left = bases - self.quality.len();
            let Some(line) = self.lines.next(ctx)? else {
                return Err(ctx.malformed(self.at(), scores(left), "the end of the file"));
            };
            if let Some(byte) = line.iter().find(|byte| !matches!(byte, b'!'..=b'~')) {
                let found = show(*byte);
                return Err(ctx.malformed(self.at(), "scores from `!` to `~`", found));
            }
            let long = line.len() > left;
            // Scores on several lines belong to a sequence on several lines.
            let short = line.len() < left && (lines == 1 || line.is_empty());
            if long || short {
                let found = scores(line.len());
                return Err(ctx.malformed(self.at(), scores(left), found));
            }
            self.quality.extend(line.iter().map(|byte| byte - b'!'));
            if self.quality.len() == bases {
                return Ok(());
            }
        }
    }

    fn record(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<(), ReadError> {
        let Rows::Dna(rows) = &mut sink.rows else {
            return Ok(());
        };
        let text = String::from_utf8_lossy(&self.header).into_owned();
        let (id, rest) = text
            .split_once(|c: char| c.is_ascii_whitespace())
            .unwrap_or((&text, ""));
        if id.is_empty() {
            return Err(ctx.malformed(self.at(), "an identifier after `@`", "none"));
        }
        if id.contains('\0') || rest.contains('\0') {
            return Err(ctx.malformed(self.at(), "text in the header", "byte 0x00"));
        }
        let result = self
            .sequence(ctx, rows.sequence.values())
            .and_then(|(lines, dots)| {
                let bases = rows.sequence.open().len();
                self.scores(ctx, bases, lines).map(|()| dots)
            });
        let dots = match result {
            Ok(dots) => dots,
            Err(error) => {
                rows.sequence.discard();
                return Err(error.in_record(id));
            }
        };
        if dots > 0 {
            ctx.warn(
                Some(id),
                format!("{dots} bases written as `.` were read as N"),
            );
        }
        self.bases += self.quality.len() as u64;
        self.lowest = self.quality.iter().copied().fold(self.lowest, u8::min);
        let head = Head {
            id,
            name: Some(id),
            description: Some(rest.trim_ascii_start()).filter(|rest| !rest.is_empty()),
            event_time: ctx.event_time,
        };
        let extras = Extras {
            quality: Some(&self.quality),
            ..Extras::default()
        };
        rows.push(head, &extras, ctx);
        Ok(())
    }
}

impl RecordReader for Fastq {
    fn read(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<bool, ReadError> {
        if !self.header(ctx)? {
            if self.bases >= ENOUGH && self.lowest >= 31 {
                let message = format!(
                    "no score is below {}: if the file is Phred + 64 (Illumina 1.3 to 1.7), \
                     convert it first",
                    self.lowest
                );
                ctx.warn(None, message);
            }
            return Ok(false);
        }
        self.record(ctx, sink).map(|()| true)
    }

    /// Scores may begin with `@` too; but what follows scores is a header, and what follows a
    /// header is a sequence.
    fn resynchronise(&mut self, ctx: &ReadContext) -> Result<Option<Position>, ReadError> {
        self.lines.finish_line(ctx)?;
        // The line with the error may be the header of the next record.
        if self.header_line > 0 && self.lines.number() > self.header_line {
            self.lines.unread();
        }
        while let Some(title) = self.whole_line(ctx, |line| line.strip_prefix(b"@"))? {
            let Some(title) = title else { continue };
            self.header = title.trim_ascii_end().to_vec();
            self.header_line = self.lines.number();
            let follows = self.whole_line(ctx, |line| is_like_sequence(line).then_some(line))?;
            self.lines.unread();
            if let Some(Some(_)) = follows {
                self.found = true;
                return Ok(Some(Position::Line(self.header_line)));
            }
        }
        Ok(None)
    }
}

impl Fastq {
    /// Part of the next line; an inner `None` too where the line is too long to be held. An outer
    /// `None` at the end.
    fn whole_line(
        &mut self,
        ctx: &ReadContext,
        part: impl Fn(&[u8]) -> Option<&[u8]>,
    ) -> Result<Option<Option<Vec<u8>>>, ReadError> {
        match self.lines.next(ctx) {
            Ok(line) => Ok(line.map(|line| part(line).map(<[u8]>::to_vec))),
            Err(error) if error.is_local() => {
                self.lines.finish_line(ctx)?;
                Ok(Some(None))
            }
            Err(error) => Err(error),
        }
    }
}

/// Letters, with what a damaged sequence may have between them, or the line after a missing one.
fn is_like_sequence(line: &[u8]) -> bool {
    let is_part =
        |b: &u8| b.is_ascii_alphabetic() || matches!(b, b' ' | b'\t' | b'.' | b'-' | b'*');
    line.first() == Some(&b'+') || (!line.is_empty() && line.iter().all(is_part))
}
