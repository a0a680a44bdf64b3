//! Lines of a stream: whole where they are short, in pieces where they may be a chromosome.
//!
//! A line ends with LF, CR LF or CR, in any mixture.

use std::io::{self, Read};

use crate::{Position, ReadContext, ReadError};

/// A line that is read whole may have this many bytes.
pub(crate) const MAX_LINE: usize = 1 << 20;

const BUFFER: usize = 256 << 10;

pub(crate) struct Lines {
    input: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    number: u64,
    within: bool,
    after_cr: bool,
    /// Where the line begins that [`Lines::next`] returned, as long as it is in the buffer.
    last: Option<usize>,
}

impl Lines {
    pub(crate) fn new(input: Box<dyn Read + Send>) -> Self {
        Self {
            input,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            number: 0,
            within: false,
            after_cr: false,
            last: None,
        }
    }

    /// The number, from 1, of the line that was read last.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Reads more. False at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        self.last = None;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.buffer.len() {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            } else {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
        }
        let n = self.input.read(&mut self.buffer[self.end..])?;
        self.end += n;
        Ok(n > 0)
    }

    /// The first byte of the next line, at the start of a line; `None` at the end of the stream.
    /// For an empty line that is its LF or CR.
    pub(crate) fn peek(&mut self, ctx: &ReadContext) -> Result<Option<u8>, ReadError> {
        loop {
            if self.start == self.end && !self.fill().map_err(|error| ctx.io(error))? {
                return Ok(None);
            }
            if self.after_cr {
                self.after_cr = false;
                if self.buffer[self.start] == b'\n' {
                    self.start += 1;
                    continue;
                }
            }
            return Ok(Some(self.buffer[self.start]));
        }
    }

    /// A piece of the current line, or of the next one, and whether the line ends with it.
    pub(crate) fn piece(&mut self, ctx: &ReadContext) -> Result<Option<(&[u8], bool)>, ReadError> {
        if self.peek(ctx)?.is_none() {
            // The stream ended within a line that has no end of its own.
            return Ok(std::mem::take(&mut self.within).then_some((&[], true)));
        }
        if !self.within {
            self.number += 1;
        }
        self.last = None;
        let bytes = &self.buffer[self.start..self.end];
        Ok(Some(match memchr::memchr2(b'\n', b'\r', bytes) {
            Some(at) => {
                self.after_cr = bytes[at] == b'\r';
                self.start += at + 1;
                self.within = false;
                (&bytes[..at], true)
            }
            None => {
                self.start = self.end;
                self.within = true;
                (bytes, false)
            }
        }))
    }

    /// The next line, whole, without its end.
    pub(crate) fn next(&mut self, ctx: &ReadContext) -> Result<Option<&[u8]>, ReadError> {
        if self.peek(ctx)?.is_none() {
            return Ok(None);
        }
        self.number += 1;
        let mut seen = 0;
        loop {
            let bytes = &self.buffer[self.start..self.end];
            if let Some(at) = memchr::memchr2(b'\n', b'\r', &bytes[seen..]) {
                let (from, to) = (self.start, self.start + seen + at);
                self.after_cr = self.buffer[to] == b'\r';
                self.start = to + 1;
                self.last = Some(from);
                return Ok(Some(&self.buffer[from..to]));
            }
            seen = bytes.len();
            if seen > MAX_LINE {
                // What follows is still this line, so that the next record can be looked for.
                self.within = true;
                return Err(ctx.long_line(self.number, MAX_LINE as u64));
            }
            if !self.fill().map_err(|error| ctx.io(error))? {
                let from = self.start;
                self.start = self.end;
                self.last = Some(from);
                return Ok(Some(&self.buffer[from..self.end]));
            }
        }
    }

    /// Takes back the line that [`Lines::next`] returned just now; nothing where something else was
    /// read since.
    pub(crate) fn unread(&mut self) {
        if let Some(last) = self.last.take() {
            self.start = last;
            self.number -= 1;
            self.after_cr = false;
        }
    }

    /// Leaves out the rest of the current line.
    pub(crate) fn finish_line(&mut self, ctx: &ReadContext) -> Result<(), ReadError> {
        while self.within {
            self.piece(ctx)?;
        }
        Ok(())
    }

    /// Leaves out the rest of the current line, and the lines after it, until one begins with
    /// `first`. Tells which line that is.
    pub(crate) fn skip_to(
        &mut self,
        first: u8,
        ctx: &ReadContext,
    ) -> Result<Option<Position>, ReadError> {
        self.finish_line(ctx)?;
        while let Some(byte) = self.peek(ctx)? {
            if byte == first {
                return Ok(Some(self.upcoming()));
            }
            while let Some((_, false)) = self.piece(ctx)? {}
        }
        Ok(None)
    }

    /// The line that will be read next.
    pub(crate) fn upcoming(&self) -> Position {
        Position::Line(self.number + 1)
    }
}
