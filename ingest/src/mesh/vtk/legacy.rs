//! Legacy VTK files.

use super::cells::{self, Faces, Frame, Ragged, Section};
use super::scalar::{self, Scalar};
use crate::Position;
use crate::mesh::fault::{Fault, shown};
use crate::mesh::model::Mesh;
use crate::mesh::scan::{self, Words};
use crate::mesh::surface::Builder;

/// Reads a file.
///
/// # Errors
/// The file breaks the format, is cut off, or holds another kind of data set.
pub(in crate::mesh) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut words = Words::new(bytes, 0);
    let first = words.rest_of_line();
    if !first.to_ascii_lowercase().starts_with(b"# vtk datafile") {
        return Err(Fault::line(1, "`# vtk DataFile Version`", shown(first)));
    }
    let title = words.rest_of_line();
    let encoding = words.next();
    let binary = encoding.eq_ignore_ascii_case(b"binary");
    if !binary && !encoding.eq_ignore_ascii_case(b"ascii") {
        return Err(scan::wanted("ASCII or BINARY", encoding, words.line()));
    }
    let mut legacy = Legacy {
        bytes,
        words,
        binary,
        data: Data::default(),
    };
    let kind = legacy.parse()?;
    let mut mesh = Mesh {
        description: scan::text(title),
        ..Mesh::default()
    };
    legacy.build(kind, &mut mesh)?;
    mesh.finish(legacy.position(), "points")
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    PolyData,
    Unstructured,
    Structured,
}

#[derive(Default)]
struct Data {
    points: Vec<f64>,
    sections: Vec<(Section, Ragged, Position)>,
    cells: Option<(Ragged, Position)>,
    types: Vec<i64>,
    dimensions: Option<[usize; 3]>,
    notes: Vec<&'static str>,
}

struct Legacy<'a> {
    bytes: &'a [u8],
    words: Words<'a>,
    binary: bool,
    data: Data,
}

impl Legacy<'_> {
    /// Where reading stands: a line of an ASCII file, a byte of a binary one.
    fn position(&self) -> Position {
        if self.binary {
            Position::Byte(self.words.at() as u64)
        } else {
            Position::Line(self.words.line())
        }
    }

    fn keyword(&self, what: &str, found: &[u8]) -> Fault {
        Fault::new(self.position(), what, shown(found))
    }

    fn parse(&mut self) -> Result<Kind, Fault> {
        let word = self.words.next();
        if !word.eq_ignore_ascii_case(b"dataset") {
            return Err(self.keyword("DATASET", word));
        }
        let word = self.words.next();
        let kind = match word.to_ascii_lowercase().as_slice() {
            b"polydata" => Kind::PolyData,
            b"unstructured_grid" => Kind::Unstructured,
            b"structured_grid" => Kind::Structured,
            b"structured_points" | b"rectilinear_grid" | b"field" => {
                return Err(Fault::unsupported(
                    format!("the VTK data set {}", shown(word)),
                    "it has no points of its own; convert it to an unstructured grid",
                ));
            }
            _ => return Err(self.keyword("a VTK data set", word)),
        };
        loop {
            let word = self.words.next();
            match word.to_ascii_lowercase().as_slice() {
                b"" => break,
                b"points" => {
                    let count = self.words.count("the count of points")?;
                    let scalar = self.scalar()?;
                    self.data.points = self.floats(scalar, count.saturating_mul(3))?;
                }
                b"dimensions" => {
                    let what = "a dimension";
                    self.data.dimensions = Some([
                        self.words.count(what)?,
                        self.words.count(what)?,
                        self.words.count(what)?,
                    ]);
                }
                b"vertices" => self.section(Section::Verts)?,
                b"lines" => self.section(Section::Lines)?,
                b"polygons" => self.section(Section::Polys)?,
                b"triangle_strips" => self.section(Section::Strips)?,
                b"cells" => {
                    let at = self.position();
                    self.data.cells = Some((self.ragged()?, at));
                }
                b"cell_types" => {
                    let count = self.words.count("the count of cells")?;
                    self.data.types = self.integers(Scalar::I32, count)?;
                }
                b"metadata" => self.metadata(),
                b"field" => self.field()?,
                b"point_data" | b"cell_data" => {
                    self.data
                        .notes
                        .push("data of points and cells are not kept");
                    break;
                }
                _ => return Err(self.keyword("a keyword of the data set", word)),
            }
        }
        Ok(kind)
    }

    fn scalar(&mut self) -> Result<Scalar, Fault> {
        let word = self.words.next();
        Scalar::legacy(word).ok_or_else(|| scalar::unknown(word))
    }

    /// The bytes of a binary array, which begin on the next line.
    fn binary_bytes(&mut self, scalar: Scalar, count: usize) -> Result<&[u8], Fault> {
        self.words.rest_of_line();
        let start = self.words.at();
        let size = count.saturating_mul(scalar.size());
        let Some(found) = self.bytes[start..].get(..size) else {
            return Err(Fault::byte(
                start,
                format!("{count} numbers of {} bytes", scalar.size()),
                format!("{} bytes and the end of the file", self.bytes.len() - start),
            ));
        };
        self.words.seek(start + size);
        Ok(found)
    }

    fn floats(&mut self, scalar: Scalar, count: usize) -> Result<Vec<f64>, Fault> {
        if self.binary {
            Ok(scalar::floats(
                scalar,
                self.binary_bytes(scalar, count)?,
                true,
            ))
        } else {
            scalar::float_words(&mut self.words, count)
        }
    }

    fn integers(&mut self, scalar: Scalar, count: usize) -> Result<Vec<i64>, Fault> {
        if self.binary {
            Ok(scalar::integers(
                scalar,
                self.binary_bytes(scalar, count)?,
                true,
            ))
        } else {
            scalar::integer_words(&mut self.words, count)
        }
    }

    fn section(&mut self, section: Section) -> Result<(), Fault> {
        let at = self.position();
        let cells = self.ragged()?;
        self.data.sections.push((section, cells, at));
        Ok(())
    }

    /// A list of cells, in the form of version 5.1 or the older one.
    fn ragged(&mut self) -> Result<Ragged, Fault> {
        let at = self.position();
        let first = self.words.count("the count of cells")?;
        let second = self.words.count("the count of numbers")?;
        if !self.words.peek().eq_ignore_ascii_case(b"offsets") {
            let stream = self.integers(Scalar::I32, second)?;
            return Ragged::from_sizes(&stream, first, at);
        }
        self.words.next();
        let scalar = self.scalar()?;
        let offsets = self.integers(scalar, first)?;
        let word = self.words.next();
        if !word.eq_ignore_ascii_case(b"connectivity") {
            return Err(self.keyword("CONNECTIVITY", word));
        }
        let scalar = self.scalar()?;
        let connectivity = self.integers(scalar, second)?;
        match offsets.split_first() {
            Some((0, ends)) => Ragged::from_ends(ends, connectivity, at),
            None if connectivity.is_empty() => Ok(Ragged::default()),
            _ => Err(Fault::new(
                at,
                "offsets that begin with 0",
                format!("{:?}", offsets.first()),
            )),
        }
    }

    /// Lines up to an empty one.
    fn metadata(&mut self) {
        self.words.rest_of_line();
        while self.words.bytes_left() > 0 && !self.words.rest_of_line().is_empty() {}
    }

    /// Arrays before the points, passed over.
    fn field(&mut self) -> Result<(), Fault> {
        self.words.next();
        let arrays = self.words.count("the count of arrays")?;
        for _ in 0..arrays {
            let mut name = self.words.next();
            while name.eq_ignore_ascii_case(b"metadata") {
                self.metadata();
                name = self.words.next();
            }
            if name.is_empty() {
                return Err(self.keyword("the name of an array", name));
            }
            let components = self.words.count("the count of components")?;
            let tuples = self.words.count("the count of tuples")?;
            let count = components.saturating_mul(tuples);
            let word = self.words.next();
            if word.eq_ignore_ascii_case(b"string") {
                self.words.rest_of_line();
                for _ in 0..count {
                    if self.words.bytes_left() == 0 {
                        return Err(self.keyword("a string", b""));
                    }
                    self.words.rest_of_line();
                }
                continue;
            }
            let scalar = Scalar::legacy(word).ok_or_else(|| scalar::unknown(word))?;
            self.floats(scalar, count)?;
        }
        self.data.notes.push("field data are not kept");
        Ok(())
    }

    fn build(&mut self, kind: Kind, mesh: &mut Mesh) -> Result<(), Fault> {
        let at = self.position();
        let data = std::mem::take(&mut self.data);
        for xyz in data.points.as_chunks().0 {
            mesh.add_vertex(*xyz, || at)?;
        }
        let frame = |at| Frame {
            first: 0,
            count: data.points.len() / 3,
            at,
        };
        let mut builder = Builder::new();
        for (section, cells, at) in &data.sections {
            cells::add_section(mesh, &mut builder, frame(*at), *section, cells)?;
        }
        if let Some((cells, at)) = &data.cells {
            let faces = Faces::InConnectivity;
            cells::add_grid(mesh, &mut builder, frame(*at), &data.types, cells, &faces)?;
        }
        if kind == Kind::Structured {
            structured(mesh, &mut builder, data.dimensions, at)?;
        }
        builder.finish(mesh);
        for note in data.notes {
            mesh.note(note);
        }
        Ok(())
    }
}

/// The cells of a grid of points, of which the first index runs fastest.
fn structured(
    mesh: &mut Mesh,
    builder: &mut Builder,
    dimensions: Option<[usize; 3]>,
    at: Position,
) -> Result<(), Fault> {
    let points = mesh.vertices.len();
    let dimensions = dimensions.ok_or_else(|| Fault::new(at, "DIMENSIONS", "none"))?;
    let product = dimensions.iter().try_fold(1usize, |p, n| p.checked_mul(*n));
    if product != Some(points) {
        return Err(Fault::new(
            at,
            format!("as many points as the dimensions {dimensions:?} demand"),
            points.to_string(),
        ));
    }
    // Axes along which there are cells, with their stride.
    let mut axes = Vec::new();
    let mut stride = 1;
    for n in dimensions {
        if n > 1 {
            axes.push((n, stride));
        }
        stride *= n;
    }
    let (cell_type, steps): (u8, &[[usize; 3]]) = match axes.len() {
        0 => return Ok(()),
        1 => (3, &[[0, 0, 0], [1, 0, 0]]),
        2 => (9, &[[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]),
        _ => (
            12,
            &[
                [0, 0, 0],
                [1, 0, 0],
                [1, 1, 0],
                [0, 1, 0],
                [0, 0, 1],
                [1, 0, 1],
                [1, 1, 1],
                [0, 1, 1],
            ],
        ),
    };
    let mut corners = Vec::new();
    for point in 0..points {
        let inner = axes.iter().all(|(n, stride)| point / stride % n + 1 < *n);
        if !inner {
            continue;
        }
        corners.clear();
        for step in steps {
            let offset: usize = axes
                .iter()
                .zip(step)
                .map(|((_, stride), s)| stride * s)
                .sum();
            corners.push((point + offset) as i32);
        }
        builder.push(mesh, cell_type, &corners, &[], || at)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
