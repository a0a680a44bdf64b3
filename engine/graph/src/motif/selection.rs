//! Residues by chain and number: `A:45,48,52`.

use crate::error::{GraphError, Result};
use crate::make::contacts::NUMBER;
use crate::named::Named;

/// A residue of a chain: the author's number and the insertion code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Residue {
    /// The number.
    pub number: i32,
    /// The insertion code, a letter.
    pub insertion: Option<char>,
}

/// One residue or a range of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The chain; `None` for the only one.
    pub chain: Option<String>,
    /// The first residue.
    pub first: Residue,
    /// The last; `None` for a single residue.
    pub last: Option<Residue>,
    /// Where in the text it begins.
    byte: usize,
}

/// Residues of a structure, in the order in which they were written.
///
/// ```text
/// selection = part { ";" part }
/// part      = [ chain ":" ] item { "," item }      without a chain: the only one of the structure
/// item      = residue [ "-" residue ]              a range: all between, as the record has them
/// residue   = [ "-" ] digits [ letter ]            number and insertion code
/// ```
///
/// Blanks between tokens do not count. `A:45,48A,52-54;B:-3--1` are residues 45, 48A and 52 to 54
/// of chain A, and -3 to -1 of chain B.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    spans: Vec<Span>,
}

impl Selection {
    /// Reads a selection.
    ///
    /// # Errors
    /// The byte from which it cannot be read, and what should stand there.
    pub fn parse(text: &str) -> Result<Self> {
        let mut spans = Vec::new();
        let mut start = 0;
        for part in text.split(';') {
            let (chain, items) = match part.split_once(':') {
                Some((chain, items)) if chain.trim().is_empty() => {
                    return Err(wanted(start + part.len() - items.len() - 1, "a chain"));
                }
                Some((chain, items)) => (Some(chain.trim()), items),
                None => (None, part),
            };
            let mut cursor = Cursor {
                text,
                at: start + part.len() - items.len(),
                end: start + part.len(),
            };
            loop {
                cursor.blanks();
                let byte = cursor.at;
                let first = cursor.residue()?;
                let last = match cursor.take('-') {
                    true => Some(cursor.residue()?),
                    false => None,
                };
                spans.push(Span {
                    chain: chain.map(str::to_owned),
                    first,
                    last,
                    byte,
                });
                if !cursor.take(',') {
                    break;
                }
            }
            if cursor.at < cursor.end {
                return Err(wanted(cursor.at, "`,`, `-`, `;` or the end"));
            }
            start += part.len() + 1;
        }
        Ok(Self { spans })
    }

    /// Residues and ranges.
    #[must_use]
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// The vertices that the residues are in a contact graph, found by their names.
    ///
    /// # Errors
    /// A residue that the graph lacks; a range that ends before it begins; no chain where there
    /// are several.
    pub fn vertices(&self, graph: &Named) -> Result<Vec<u32>> {
        let chains: Vec<&str> = graph.names.iter().map(|name| split(name).0).collect();
        let mut vertices = Vec::new();
        for span in &self.spans {
            let chain = match &span.chain {
                Some(chain) => chain.as_str(),
                None => {
                    let first = chains.first().copied().unwrap_or("");
                    if chains.iter().any(|chain| *chain != first) {
                        return Err(wanted(span.byte, "a chain, as there are several,"));
                    }
                    first
                }
            };
            let first = locate(graph, chain, span.first)?;
            let last = match span.last {
                None => first,
                Some(last) => locate(graph, chain, last)?,
            };
            if last < first {
                return Err(wanted(span.byte, "a range in the order of the chain"));
            }
            let within = (first..=last).filter(|at| chains[*at] == chain);
            vertices.extend(within.map(|at| at as u32));
        }
        Ok(vertices)
    }
}

fn wanted(byte: usize, wanted: &'static str) -> GraphError {
    GraphError::Selection { byte, wanted }
}

/// Chain and residue of a name such as `A:GLY45`.
fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

/// The vertex of a residue.
///
/// Names of residues may end in digits, as `GL3` of `GL345`; the graph's numbers, where it has
/// them, tell what is what.
fn locate(graph: &Named, chain: &str, residue: Residue) -> Result<usize> {
    let numbers = graph.graph.vertex_columns().get(NUMBER);
    let insertion = residue.insertion.map(String::from).unwrap_or_default();
    let end = format!("{}{insertion}", residue.number);
    let is = |(at, name): (usize, &String)| {
        let (of, rest) = split(name);
        let before = rest.strip_suffix(&end)?;
        let fits = match numbers {
            Some(numbers) => numbers[at] == residue.number as f32,
            None => !before.ends_with(|c: char| c.is_ascii_digit() || c == '-'),
        };
        (of == chain && fits).then_some(at)
    };
    let found = graph.names.iter().enumerate().find_map(is);
    found.ok_or_else(|| GraphError::NoResidue {
        graph: graph.id.clone(),
        residue: match chain {
            "" => end.clone(),
            chain => format!("{chain}:{end}"),
        },
    })
}

/// A place in the items of one part.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    end: usize,
}

impl Cursor<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..self.end]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, token: char) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
            self.blanks();
        }
        found
    }

    fn residue(&mut self) -> Result<Residue> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..]
            .bytes()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let number = match rest[..sign + digits].parse() {
            Ok(number) if digits > 0 => number,
            _ => return Err(wanted(self.at, "a residue number of 32 bits")),
        };
        let insertion = rest[sign + digits..]
            .chars()
            .next()
            .filter(char::is_ascii_alphabetic);
        self.at += sign + digits + usize::from(insertion.is_some());
        self.blanks();
        Ok(Residue { number, insertion })
    }
}
