//! Tokens of CIF 1.1 (S. R. Hall et al., the formal grammar of the IUCr).

use crate::letters::show_text;
use crate::lines::Lines;
use crate::{Position, ReadContext, ReadError};

/// What a token is; its text is in [`Tokens::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// `data_NAME`; the text is the name.
    Data,
    /// `loop_`.
    Loop,
    /// `_category.item`, in lower case.
    Name,
    /// A value.
    Value,
    /// A value between quotes or semicolons: never `.` or `?` in their special meaning.
    Quoted,
    /// `save_`, `global_` or `stop_`: not in mmCIF files.
    Reserved,
}

pub(super) struct Tokens {
    lines: Lines,
    line: Vec<u8>,
    at: usize,
    number: u64,
    text: Vec<u8>,
    bytes: u64,
    /// The token that was put back.
    again: Option<Token>,
}

impl Tokens {
    pub(super) fn new(lines: Lines) -> Self {
        Self {
            lines,
            line: Vec::new(),
            at: 0,
            number: 0,
            text: Vec::new(),
            bytes: 0,
            again: None,
        }
    }

    /// Where the last token begins, or the end of the file.
    pub(super) fn position(&self) -> Position {
        Position::Line(self.number)
    }

    /// The last token's text.
    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    /// The last token's text, as text.
    pub(super) fn string(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// Puts the last token back.
    pub(super) fn put_back(&mut self, token: Token) {
        self.again = Some(token);
    }

    /// A new record begins.
    pub(super) fn reset_size(&mut self) {
        self.bytes = 0;
    }

    fn next_line(&mut self, ctx: &ReadContext) -> Result<bool, ReadError> {
        let Some(line) = self.lines.next(ctx)? else {
            return Ok(false);
        };
        self.line.clear();
        self.line.extend_from_slice(line);
        self.at = 0;
        self.number = self.lines.number();
        self.bytes += self.line.len() as u64 + 1;
        if self.bytes > ctx.limits.max_record_bytes {
            return Err(ctx.too_large(self.position()));
        }
        Ok(true)
    }

    /// The lines up to one that begins with `;`, without the two semicolons.
    fn text_field(&mut self, ctx: &ReadContext) -> Result<Token, ReadError> {
        let start = self.number;
        self.text.clear();
        self.text.extend_from_slice(&self.line[1..]);
        loop {
            if !self.next_line(ctx)? {
                return Err(ctx.malformed(
                    Position::Line(start),
                    "a text field that a line with `;` ends",
                    "the end of the file",
                ));
            }
            if self.line.first() == Some(&b';') {
                self.at = 1;
                return Ok(Token::Quoted);
            }
            self.text.push(b'\n');
            self.text.extend_from_slice(&self.line);
        }
    }

    /// The next token; `None` at the end of the file.
    pub(super) fn next(&mut self, ctx: &ReadContext) -> Result<Option<Token>, ReadError> {
        if let Some(token) = self.again.take() {
            return Ok(Some(token));
        }
        loop {
            let rest = &self.line[self.at..];
            let blanks = rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
            self.at += blanks;
            let rest = &self.line[self.at..];
            match rest.first() {
                None | Some(b'#') => {
                    if !self.next_line(ctx)? {
                        return Ok(None);
                    }
                    if self.line.first() == Some(&b';') {
                        return self.text_field(ctx).map(Some);
                    }
                }
                Some(quote @ (b'\'' | b'"')) => return self.quoted(*quote, ctx).map(Some),
                Some(_) => return Ok(Some(self.word())),
            }
        }
    }

    /// A quote ends a value only before white space.
    fn quoted(&mut self, quote: u8, ctx: &ReadContext) -> Result<Token, ReadError> {
        let rest = &self.line[self.at + 1..];
        let end = rest.iter().enumerate().position(|(i, byte)| {
            *byte == quote && rest.get(i + 1).is_none_or(u8::is_ascii_whitespace)
        });
        let Some(end) = end else {
            let expected = "a closing quote on the same line";
            let found = show_text(&self.line[self.at..]);
            return Err(ctx.malformed(self.position(), expected, found));
        };
        self.text.clear();
        self.text.extend_from_slice(&rest[..end]);
        self.at += end + 2;
        Ok(Token::Quoted)
    }

    fn word(&mut self) -> Token {
        let rest = &self.line[self.at..];
        let length = rest
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(rest.len());
        let word = &rest[..length];
        self.at += length;
        self.text.clear();
        let is = |prefix: &[u8]| {
            word.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if word[0] == b'_' {
            self.text.extend(word.iter().map(u8::to_ascii_lowercase));
            return Token::Name;
        }
        if is(b"data_") {
            self.text.extend_from_slice(&word[5..]);
            return Token::Data;
        }
        self.text.extend_from_slice(word);
        if is(b"loop_") && length == 5 {
            Token::Loop
        } else if is(b"save_") || (is(b"global_") && length == 7) || (is(b"stop_") && length == 5) {
            Token::Reserved
        } else {
            Token::Value
        }
    }

    /// After an error: goes to the next data block.
    pub(super) fn skip_to_data(
        &mut self,
        ctx: &ReadContext,
    ) -> Result<Option<Position>, ReadError> {
        self.again = None;
        loop {
            self.bytes = 0;
            self.line.clear();
            self.at = 0;
            self.lines.finish_line(ctx)?;
            let is_data = match self.next_line(ctx) {
                Ok(true) => {
                    let start = self.line.get(..5).unwrap_or_default();
                    start.eq_ignore_ascii_case(b"data_")
                }
                Ok(false) => return Ok(None),
                Err(error) if error.is_local() => false,
                Err(error) => return Err(error),
            };
            if is_data {
                return Ok(Some(self.position()));
            }
        }
    }
}
