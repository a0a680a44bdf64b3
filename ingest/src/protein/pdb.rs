//! PDB files. Columns after the wwPDB format description, version 3.3.
//!
//! The parser is our own: a row needs residues and C-alphas, while pdbtbx keeps every atom of every
//! model, with its remarks and bonds, before it hands anything out.

use crate::batch::Sink;
use crate::letters::show_text;
use crate::lines::Lines;
use crate::reader::RecordReader;
use crate::{Position, ReadContext, ReadError, date};

use super::structure::{Atom, Structure};

pub(crate) struct Pdb {
    lines: Lines,
    structure: Structure,
    state: State,
    /// Chains of the model at hand that a `TER` has ended.
    ended: Vec<Box<str>>,
}

#[derive(PartialEq)]
enum State {
    Before,
    Chains,
    After,
}

/// Columns `from..to` (from 0), as far as the line goes, without blanks around.
fn field(line: &[u8], from: usize, to: usize) -> &str {
    let to = to.min(line.len());
    let bytes = line.get(from..to).unwrap_or_default().trim_ascii();
    std::str::from_utf8(bytes).unwrap_or("\u{fffd}")
}

impl Pdb {
    pub(crate) fn new(lines: Lines, stem: String) -> Self {
        Self {
            lines,
            structure: Structure::named(stem),
            state: State::Before,
            ended: Vec::new(),
        }
    }

    fn structure(&mut self, ctx: &ReadContext) -> Result<(), ReadError> {
        let mut model = 1;
        let mut bytes = 0u64;
        while let Some(line) = self.lines.next(ctx)? {
            bytes += line.len() as u64 + 1;
            let tag = line.get(..6).unwrap_or(line).trim_ascii_end();
            let result = match tag {
                b"ATOM" | b"HETATM" => {
                    let is_hetero = tag == b"HETATM";
                    atom(line, is_hetero, model, &self.ended).map(|atom| self.structure.add(&atom))
                }
                b"TER" => {
                    let chain = field(line, 21, 22);
                    if !self.ended.iter().any(|ended| **ended == *chain) {
                        self.ended.push(chain.into());
                    }
                    Ok(())
                }
                b"MODEL" => {
                    self.ended.clear();
                    begin_model(line, &mut self.structure).map(|number| model = number)
                }
                b"ENDMDL" => {
                    self.ended.clear();
                    Ok(())
                }
                b"HEADER" => {
                    let entry = field(line, 62, 66);
                    if !entry.is_empty() && entry.is_ascii() {
                        entry.clone_into(&mut self.structure.entry);
                    }
                    self.structure.event_time = date::day_month_year(field(line, 50, 59));
                    Ok(())
                }
                b"TITLE" => {
                    let title = &mut self.structure.title;
                    if !title.is_empty() {
                        title.push(' ');
                    }
                    title.push_str(field(line, 10, 80));
                    Ok(())
                }
                b"MODRES" => {
                    let (component, parent) = (field(line, 12, 15), field(line, 24, 27));
                    self.structure.add_parent(component, parent);
                    Ok(())
                }
                _ => Ok(()),
            };
            let at = Position::Line(self.lines.number());
            if let Err(Wrong { expected, found }) = result {
                let error = ctx.malformed(at, expected, found);
                return Err(error.in_record(&self.structure.entry));
            }
            if bytes > ctx.limits.max_record_bytes {
                return Err(ctx.too_large(at).in_record(&self.structure.entry));
            }
        }
        Ok(())
    }
}

/// What a line should have held.
struct Wrong {
    expected: &'static str,
    found: String,
}

fn wrong(expected: &'static str, found: &[u8]) -> Wrong {
    Wrong {
        expected,
        found: show_text(found),
    }
}

fn begin_model(line: &[u8], structure: &mut Structure) -> Result<i32, Wrong> {
    let text = field(line, 6, 20);
    match text.parse::<i32>() {
        Ok(number) if number > 0 && structure.begin_model(number) => Ok(number),
        Ok(number) if number > 0 => Err(wrong("a model number that was not used before", line)),
        _ => Err(wrong("a model number above 0 in columns 11-14", line)),
    }
}

fn coordinate(line: &[u8], from: usize) -> Result<f32, Wrong> {
    let text = field(line, from, from + 8);
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(wrong(
            "a finite coordinate in columns 31-54",
            text.as_bytes(),
        )),
    }
}

fn atom<'a>(
    line: &'a [u8],
    is_hetero: bool,
    model: i32,
    ended: &[Box<str>],
) -> Result<Atom<'a>, Wrong> {
    if line.len() < 54 {
        return Err(wrong("an atom with coordinates up to column 54", line));
    }
    if !line.is_ascii() {
        return Err(wrong("an atom in ASCII", line));
    }
    let number = residue_number(field(line, 22, 26)).ok_or_else(|| {
        wrong(
            "a residue number in columns 23-26",
            field(line, 22, 26).as_bytes(),
        )
    })?;
    let occupancy = match field(line, 54, 60) {
        "" => 1.0,
        text => text
            .parse::<f32>()
            .ok()
            .filter(|value| value.is_finite())
            .ok_or_else(|| wrong("an occupancy in columns 55-60", text.as_bytes()))?,
    };
    let chain = field(line, 21, 22);
    Ok(Atom {
        model,
        chain,
        number,
        insertion: field(line, 26, 27),
        component: field(line, 17, 20),
        name: field(line, 12, 16),
        element: field(line, 76, 78),
        occupancy,
        xyz: [
            coordinate(line, 30)?,
            coordinate(line, 38)?,
            coordinate(line, 46)?,
        ],
        is_hetero,
        in_sequence: !is_hetero || !ended.iter().any(|id| **id == *chain),
    })
}

/// Decimal, or hybrid-36 where four columns are not enough (R. Grosse-Kunstleve): `A000` is 10000.
fn residue_number(text: &str) -> Option<i32> {
    let first = text.bytes().next()?;
    if !first.is_ascii_alphabetic() {
        return text.parse().ok();
    }
    let is_uniform = text.len() == 4
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase() == first.is_ascii_uppercase());
    if !is_uniform {
        return None;
    }
    let value = i32::from_str_radix(text, 36).ok()?;
    let (ten_thousand, step) = (10_000, 26 * 36 * 36 * 36);
    let from_a = value - 10 * 36 * 36 * 36 + ten_thousand;
    Some(if first.is_ascii_uppercase() {
        from_a
    } else {
        from_a + step
    })
}

impl RecordReader for Pdb {
    fn read(&mut self, ctx: &mut ReadContext, sink: &mut Sink) -> Result<bool, ReadError> {
        if self.state == State::Before {
            self.state = State::After;
            self.structure(ctx)?;
            let at = Position::Line(self.lines.number());
            self.structure.finish(at, ctx)?;
            self.state = State::Chains;
        }
        Ok(self.state == State::Chains && self.structure.emit(ctx, sink))
    }

    /// A file is one record: nothing comes after it.
    fn resynchronise(&mut self, ctx: &ReadContext) -> Result<Option<Position>, ReadError> {
        while self.lines.piece(ctx)?.is_some() {}
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residue_numbers() {
        for (text, number) in [
            ("1", Some(1)),
            ("-5", Some(-5)),
            ("9999", Some(9999)),
            ("A000", Some(10_000)),
            ("ZZZZ", Some(1_223_055)),
            ("a000", Some(1_223_056)),
            ("A0", None),
            ("", None),
            ("1A", None),
        ] {
            assert_eq!(residue_number(text), number, "{text}");
        }
    }
}
