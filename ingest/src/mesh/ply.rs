//! PLY, ASCII and binary of either byte order.
//!
//! Elements and properties come in any order. Read are `x`, `y`, `z` of `vertex`, the corner list
//! of `face` (`vertex_indices` or `vertex_index`) and that of `tristrips` (where -1 ends a
//! strip); every other element and property is passed over and named in a note. Comments are the
//! description.
//!
//! Own code: the crates that are about build one map of boxed values for each element, a hundred
//! times slower than the bytes allow, or trust the counts of the header.

mod header;

use header::{Encoding, Header, Property, Scalar};

use super::fault::{Fault, shown};
use super::model::{self, Mesh};
use super::scan::{self, Words};
use super::surface;
use crate::Position;

/// Reads a file of any encoding.
///
/// # Errors
/// Header or body break the format, are cut off, or hold no vertex.
pub(super) fn read(bytes: &[u8]) -> Result<Mesh, Fault> {
    let header = Header::parse(bytes)?;
    match header.encoding {
        Encoding::Ascii => body(&header, Ascii(Words::new(bytes, header.end))),
        Encoding::Little => body(
            &header,
            Binary::<false> {
                bytes,
                at: header.end,
            },
        ),
        Encoding::Big => body(
            &header,
            Binary::<true> {
                bytes,
                at: header.end,
            },
        ),
    }
}

/// The values of a body, one after the other.
trait Values {
    fn float(&mut self, scalar: Scalar) -> Result<f64, Fault>;
    fn integer(&mut self, scalar: Scalar) -> Result<i64, Fault>;
    /// Passes over `count` values.
    fn skip(&mut self, scalar: Scalar, count: usize) -> Result<(), Fault>;
    /// Whether the bytes that are left can hold `count` values of at least `size` binary bytes
    /// and `words` words each.
    fn can_hold(&self, count: usize, size: usize, words: usize) -> bool;
    fn position(&self) -> Position;
    /// What is left after the last element.
    fn trailing(&self) -> usize;
}

struct Ascii<'a>(Words<'a>);

impl Values for Ascii<'_> {
    #[inline]
    fn float(&mut self, _: Scalar) -> Result<f64, Fault> {
        self.0.float("a number")
    }

    #[inline]
    fn integer(&mut self, _: Scalar) -> Result<i64, Fault> {
        self.0.integer("an integer")
    }

    fn skip(&mut self, _: Scalar, count: usize) -> Result<(), Fault> {
        for _ in 0..count {
            let word = self.0.next();
            if word.is_empty() {
                return Err(scan::wanted("a number", word, self.0.line()));
            }
        }
        Ok(())
    }

    fn can_hold(&self, count: usize, _: usize, words: usize) -> bool {
        // A word takes two bytes with the space before it.
        count.saturating_mul(words).saturating_mul(2) <= self.0.bytes_left().saturating_add(2)
    }

    fn position(&self) -> Position {
        Position::Line(self.0.line())
    }

    fn trailing(&self) -> usize {
        if self.0.peek().is_empty() {
            0
        } else {
            self.0.bytes_left()
        }
    }
}

struct Binary<'a, const BIG: bool> {
    bytes: &'a [u8],
    at: usize,
}

impl<const BIG: bool> Binary<'_, BIG> {
    #[inline]
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let Some(found) = self.bytes[self.at..].first_chunk::<N>() else {
            return Err(self.cut_off(N));
        };
        self.at += N;
        let mut found = *found;
        if BIG {
            found.reverse();
        }
        Ok(found)
    }

    #[cold]
    fn cut_off(&self, wanted: usize) -> Fault {
        Fault::byte(
            self.at,
            format!("{wanted} more bytes, as the header says"),
            format!(
                "{} bytes and the end of the file",
                self.bytes.len() - self.at
            ),
        )
    }
}

impl<const BIG: bool> Values for Binary<'_, BIG> {
    #[inline]
    fn float(&mut self, scalar: Scalar) -> Result<f64, Fault> {
        Ok(match scalar {
            Scalar::F32 => f64::from(f32::from_le_bytes(self.take()?)),
            Scalar::F64 => f64::from_le_bytes(self.take()?),
            other => self.integer(other)? as f64,
        })
    }

    #[inline]
    fn integer(&mut self, scalar: Scalar) -> Result<i64, Fault> {
        Ok(match scalar {
            Scalar::I8 => i64::from(i8::from_le_bytes(self.take()?)),
            Scalar::U8 => i64::from(u8::from_le_bytes(self.take()?)),
            Scalar::I16 => i64::from(i16::from_le_bytes(self.take()?)),
            Scalar::U16 => i64::from(u16::from_le_bytes(self.take()?)),
            Scalar::I32 => i64::from(i32::from_le_bytes(self.take()?)),
            Scalar::U32 => i64::from(u32::from_le_bytes(self.take()?)),
            // The header refuses lists of floats; a float here is only passed over.
            Scalar::F32 => f32::from_le_bytes(self.take()?) as i64,
            Scalar::F64 => f64::from_le_bytes(self.take()?) as i64,
        })
    }

    fn skip(&mut self, scalar: Scalar, count: usize) -> Result<(), Fault> {
        let size = count.saturating_mul(scalar.size());
        if size > self.bytes.len() - self.at {
            return Err(self.cut_off(size));
        }
        self.at += size;
        Ok(())
    }

    fn can_hold(&self, count: usize, size: usize, _: usize) -> bool {
        count.saturating_mul(size) <= self.bytes.len() - self.at
    }

    fn position(&self) -> Position {
        Position::Byte(self.at as u64)
    }

    fn trailing(&self) -> usize {
        self.bytes.len() - self.at
    }
}

/// What to do with a property.
#[derive(Clone, Copy)]
enum Use {
    Coordinate(usize),
    Corners,
    Strips,
    Nothing,
}

fn body(header: &Header, mut values: impl Values) -> Result<Mesh, Fault> {
    let mut mesh = Mesh {
        description: header.description(),
        ..Mesh::default()
    };
    // Known before the vertices are, where faces come first.
    let vertices = header
        .elements
        .iter()
        .find(|element| element.name == "vertex")
        .map_or(0, |element| element.count);
    for element in &header.elements {
        let uses = uses(&element.name, &element.properties);
        note_unused(&mut mesh, element, &uses);
        let size: usize = element.properties.iter().map(Property::least_size).sum();
        let words = element.properties.len();
        if words == 0 || element.count == 0 {
            continue;
        }
        if !values.can_hold(element.count, size, words) {
            return Err(Fault::new(
                values.position(),
                format!(
                    "{} elements `{}`, as the header says",
                    element.count, element.name
                ),
                "too few bytes for them before the end of the file",
            ));
        }
        if element.name == "vertex" {
            mesh.vertices.reserve_exact(element.count);
        } else if element.name == "face" {
            mesh.faces.reserve(element.count);
            mesh.polygon_sizes.reserve(element.count);
        }
        let mut corners = Vec::new();
        for _ in 0..element.count {
            let mut xyz = [0.0; 3];
            for (property, usage) in element.properties.iter().zip(&uses) {
                match (usage, property.list) {
                    (Use::Coordinate(axis), None) => xyz[*axis] = values.float(property.scalar)?,
                    (Use::Corners | Use::Strips, Some(length)) => {
                        list(
                            &mut values,
                            length,
                            property.scalar,
                            vertices,
                            *usage,
                            &mut corners,
                        )?;
                        if let Use::Strips = usage {
                            for strip in corners.split(|corner| *corner < 0) {
                                surface::add_strip(&mut mesh, strip);
                            }
                        } else {
                            mesh.add_polygon(&corners);
                        }
                    }
                    (_, None) => values.skip(property.scalar, 1)?,
                    (_, Some(length)) => {
                        let length = length_of(&mut values, length)?;
                        values.skip(property.scalar, length)?;
                    }
                }
            }
            if element.name == "vertex" {
                mesh.add_vertex(xyz, || values.position())?;
            }
        }
    }
    let trailing = values.trailing();
    if trailing > 0 {
        mesh.note(format!(
            "{trailing} bytes after the elements that the header announces were not read"
        ));
    }
    mesh.finish(values.position(), "one vertex or more")
}

fn length_of(values: &mut impl Values, scalar: Scalar) -> Result<usize, Fault> {
    let given = values.integer(scalar)?;
    usize::try_from(given)
        .map_err(|_| Fault::new(values.position(), "the length of a list", given.to_string()))
}

/// Reads a list of vertex indices.
#[inline]
fn list(
    values: &mut impl Values,
    length: Scalar,
    scalar: Scalar,
    vertices: usize,
    usage: Use,
    corners: &mut Vec<i32>,
) -> Result<(), Fault> {
    let length = length_of(values, length)?;
    let strips = matches!(usage, Use::Strips);
    if length < 3 && !strips {
        return Err(Fault::new(
            values.position(),
            "three corners or more in a face",
            length.to_string(),
        ));
    }
    corners.clear();
    for _ in 0..length {
        let given = values.integer(scalar)?;
        corners.push(if strips && given < 0 {
            -1
        } else {
            model::index(given, vertices, || values.position())?
        });
    }
    Ok(())
}

fn uses(element: &str, properties: &[Property]) -> Vec<Use> {
    let of = |property: &Property| match (element, property.name.as_str(), property.list) {
        ("vertex", "x", None) => Use::Coordinate(0),
        ("vertex", "y", None) => Use::Coordinate(1),
        ("vertex", "z", None) => Use::Coordinate(2),
        ("face", "vertex_indices" | "vertex_index", Some(_)) => Use::Corners,
        ("tristrips", "vertex_indices" | "vertex_index", Some(_)) => Use::Strips,
        _ => Use::Nothing,
    };
    properties.iter().map(of).collect()
}

fn note_unused(mesh: &mut Mesh, element: &header::Element, uses: &[Use]) {
    if element.count == 0 {
        return;
    }
    let unused: Vec<&str> = element
        .properties
        .iter()
        .zip(uses)
        .filter(|(_, usage)| matches!(usage, Use::Nothing))
        .map(|(property, _)| property.name.as_str())
        .collect();
    if !unused.is_empty() || element.properties.is_empty() {
        mesh.note(format!(
            "of the {} elements {} these properties are not kept: {}",
            element.count,
            shown(element.name.as_bytes()),
            unused.join(", ")
        ));
    }
}

#[cfg(test)]
mod tests;
