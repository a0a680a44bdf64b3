//! VTK XML: unstructured grids and polygonal data.
//!
//! One pass over the XML notes where each array lies; the arrays that make the mesh are decoded
//! after it. The pass ends at `AppendedData`, because raw bytes are no XML.

mod arrays;

use std::collections::BTreeSet;

use quick_xml::events::{BytesStart, Event};

use super::blocks::{Codec, Compressor};
use super::cells::{self, Faces, Frame, Ragged, Section};
use crate::Position;
use crate::mesh::fault::{Fault, shown};
use crate::mesh::model::Mesh;
use crate::mesh::scan;
use crate::mesh::surface::Builder;
use arrays::{Appended, Array, Place};

/// VTK nests seven deep.
const MAX_DEPTH: usize = 64;

/// Reads a file; `limit` bounds the decoded bytes.
///
/// # Errors
/// The XML is broken, an array is cut off or damaged, or the file holds another data set.
pub(in crate::mesh) fn read(bytes: &[u8], limit: u64) -> Result<Mesh, Fault> {
    let file = File::parse(bytes)?;
    let mut mesh = Mesh::default();
    let mut builder = Builder::new();
    let mut left = limit;
    for piece in &file.pieces {
        file.piece(piece, &mut mesh, &mut builder, &mut left)?;
    }
    builder.finish(&mut mesh);
    if file.pieces.len() > 1 {
        mesh.note(format!(
            "{} pieces were joined; vertices on their borders stay double",
            file.pieces.len()
        ));
    }
    if !file.unread.is_empty() {
        let names: Vec<&str> = file.unread.iter().map(String::as_str).collect();
        mesh.note(format!("data arrays are not kept: {}", names.join(", ")));
    }
    mesh.finish(Position::Byte(bytes.len() as u64), "points")
}

/// A piece: its counts, and the arrays that make a mesh.
#[derive(Default)]
struct Piece<'a> {
    at: usize,
    points: Option<u64>,
    cells: Option<u64>,
    arrays: Vec<Array<'a>>,
}

struct File<'a> {
    codec: Codec,
    pieces: Vec<Piece<'a>>,
    appended: Option<Appended<'a>>,
    /// Names of arrays that are passed over.
    unread: BTreeSet<String>,
    polygonal: bool,
    /// Whether the array that was opened last is one that is read.
    taking: bool,
}

impl<'a> File<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut file = Self {
            codec: Codec {
                big: false,
                word: 4,
                compressor: None,
            },
            pieces: Vec::new(),
            appended: None,
            unread: BTreeSet::new(),
            polygonal: false,
            taking: false,
        };
        let mut reader = quick_xml::Reader::from_reader(bytes);
        let mut path: Vec<Vec<u8>> = Vec::new();
        loop {
            let before = reader.buffer_position() as usize;
            let event = reader.read_event().map_err(|error| {
                Fault::byte(reader.error_position() as usize, "XML", error.to_string())
            })?;
            let after = reader.buffer_position() as usize;
            match event {
                Event::Start(tag) | Event::Empty(tag)
                    if path.last().is_some_and(|name| name == b"DataArray") =>
                {
                    // Information keys within an array.
                    if !is_empty(bytes, after) {
                        path.push(tag.name().as_ref().to_vec());
                    }
                }
                Event::Start(tag) if tag.name().as_ref() == b"AppendedData" => {
                    file.appended = Some(Appended::new(bytes, after, &tag)?);
                    return file.checked(before);
                }
                Event::Start(tag) => {
                    file.open(&tag, &path, before)?;
                    path.push(tag.name().as_ref().to_vec());
                }
                Event::Empty(tag) => file.open(&tag, &path, before)?,
                Event::End(_) => {
                    path.pop();
                }
                Event::Text(text) => {
                    if path.last().is_some_and(|name| name == b"DataArray") {
                        file.text(text.into_inner(), before);
                    }
                }
                Event::CData(text) => {
                    if path.last().is_some_and(|name| name == b"DataArray") {
                        file.text(text.into_inner(), before);
                    }
                }
                Event::Eof if path.is_empty() => return file.checked(before),
                Event::Eof => {
                    return Err(Fault::byte(
                        before,
                        format!(
                            "</{}>",
                            String::from_utf8_lossy(path.last().map_or(b"", |n| n))
                        ),
                        "the end of the file",
                    ));
                }
                Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::DocType(_)
                | Event::GeneralRef(_) => {}
            }
            if path.len() > MAX_DEPTH {
                return Err(Fault::byte(
                    before,
                    format!("elements nested at most {MAX_DEPTH} deep"),
                    "a deeper one",
                ));
            }
        }
    }

    fn checked(self, at: usize) -> Result<Self, Fault> {
        if self.pieces.is_empty() {
            return Err(Fault::byte(at, "a <Piece> with points", "none"));
        }
        Ok(self)
    }

    fn open(&mut self, tag: &BytesStart<'a>, path: &[Vec<u8>], at: usize) -> Result<(), Fault> {
        let name = tag.name();
        let name = name.as_ref();
        if path.is_empty() {
            return if name == b"VTKFile" {
                self.root(tag, at)
            } else {
                Err(Fault::byte(at, "<VTKFile>", shown(name)))
            };
        }
        let parent = path.last().map_or(&b""[..], |name| name);
        match name {
            b"Piece" => self.pieces.push(Piece {
                at,
                points: number(tag, "NumberOfPoints"),
                cells: number(tag, "NumberOfCells"),
                arrays: Vec::new(),
            }),
            b"DataArray" | b"Array" => self.array(tag, parent, at)?,
            _ => {}
        }
        Ok(())
    }

    fn root(&mut self, tag: &BytesStart<'_>, at: usize) -> Result<(), Fault> {
        let kind = attribute(tag, "type").unwrap_or_default();
        self.polygonal = match kind.as_slice() {
            b"UnstructuredGrid" => false,
            b"PolyData" => true,
            b"PUnstructuredGrid" | b"PPolyData" => {
                return Err(Fault::unsupported(
                    "a parallel VTK file, which only names others",
                    "load the files of its pieces",
                ));
            }
            _ => {
                return Err(Fault::unsupported(
                    format!("VTK XML of the type {}", shown(&kind)),
                    "convert it to UnstructuredGrid or PolyData",
                ));
            }
        };
        let value = |name: &str| attribute(tag, name);
        let wrong = |expected: &str, found: &[u8]| Fault::byte(at, expected, shown(found));
        self.codec.big = match value("byte_order").as_deref() {
            None | Some(b"LittleEndian") => false,
            Some(b"BigEndian") => true,
            Some(other) => return Err(wrong("LittleEndian or BigEndian", other)),
        };
        self.codec.word = match value("header_type").as_deref() {
            None | Some(b"UInt32") => 4,
            Some(b"UInt64") => 8,
            Some(other) => return Err(wrong("UInt32 or UInt64", other)),
        };
        self.codec.compressor = match value("compressor").as_deref() {
            None | Some(b"") => None,
            Some(b"vtkZLibDataCompressor") => Some(Compressor::Zlib),
            Some(b"vtkLZ4DataCompressor") => Some(Compressor::Lz4),
            Some(b"vtkLZMADataCompressor") => Some(Compressor::Lzma),
            Some(other) => {
                return Err(Fault::unsupported(
                    format!("the compressor {}", shown(other)),
                    "write the file with zlib, LZ4 or LZMA",
                ));
            }
        };
        Ok(())
    }

    fn array(&mut self, tag: &BytesStart<'a>, parent: &[u8], at: usize) -> Result<(), Fault> {
        let name = attribute(tag, "Name").unwrap_or_default();
        let place = Place::of(parent, &name);
        self.taking = place.is_some() && !self.pieces.is_empty();
        match (place, self.pieces.last_mut()) {
            (Some(place), Some(piece)) => piece.arrays.push(Array::new(tag, place, at)?),
            _ => {
                if self.unread.len() < 100 {
                    let name = String::from_utf8_lossy(&name);
                    self.unread.insert(name.chars().take(100).collect());
                }
            }
        }
        Ok(())
    }

    /// Content of the array that was opened last, if it is one that is read.
    fn text(&mut self, text: std::borrow::Cow<'a, [u8]>, at: usize) {
        if self.taking
            && let Some(array) = self.pieces.last_mut().and_then(|p| p.arrays.last_mut())
        {
            array.add_text(text, at);
        }
    }

    fn piece(
        &self,
        piece: &Piece<'_>,
        mesh: &mut Mesh,
        builder: &mut Builder,
        left: &mut u64,
    ) -> Result<(), Fault> {
        let mut array = |place: Place| match piece.arrays.iter().find(|a| a.place == place) {
            Some(array) => {
                let decoded = array.decode(&self.codec, self.appended.as_ref(), *left)?;
                // Many arrays may name the same bytes: the sum is bounded, not each.
                *left = left
                    .checked_sub(decoded.size() as u64)
                    .ok_or(Fault::Limit {
                        at: Position::Byte(array.at as u64),
                    })?;
                Ok::<_, Fault>(Some((decoded, Position::Byte(array.at as u64))))
            }
            None => Ok(None),
        };
        let here = Position::Byte(piece.at as u64);
        let first = mesh.vertices.len();
        if let Some((points, at)) = array(Place::Points)? {
            let points = points.floats();
            if points.len() % 3 != 0 || piece.points.is_some_and(|n| n != points.len() as u64 / 3) {
                return Err(Fault::new(
                    at,
                    format!("{} points of three coordinates", piece.points.unwrap_or(0)),
                    format!("{} numbers", points.len()),
                ));
            }
            mesh.vertices.reserve(points.len() / 3);
            for xyz in points.as_chunks().0 {
                mesh.add_vertex(*xyz, || at)?;
            }
        } else if piece.points.is_some_and(|n| n > 0) {
            return Err(Fault::new(here, "an array of points", "none"));
        }
        let mut ragged = |connectivity: Place, offsets: Place| {
            let (Some((connectivity, _)), Some((offsets, at))) =
                (array(connectivity)?, array(offsets)?)
            else {
                return Ok(None);
            };
            let list = Ragged::from_ends(&offsets.integers(), connectivity.integers(), at)?;
            Ok::<_, Fault>(Some((list, at)))
        };
        let frame = |count: usize, at| Frame { first, count, at };
        let count = mesh.vertices.len() - first;
        if self.polygonal {
            for section in [
                Section::Verts,
                Section::Lines,
                Section::Polys,
                Section::Strips,
            ] {
                let connectivity = Place::Connectivity(Some(section));
                if let Some((list, at)) = ragged(connectivity, Place::Offsets(Some(section)))? {
                    cells::add_section(mesh, builder, frame(count, at), section, &list)?;
                }
            }
            return Ok(());
        }
        let list = ragged(Place::Connectivity(None), Place::Offsets(None))?;
        let types = array(Place::Types)?;
        let (Some((list, at)), Some((types, _))) = (list, types) else {
            return if piece.cells.is_some_and(|n| n > 0) {
                Err(Fault::new(
                    here,
                    "connectivity, offsets and types of cells",
                    "not all three",
                ))
            } else {
                Ok(())
            };
        };
        if piece.cells.is_some_and(|n| n != list.len() as u64) {
            return Err(Fault::new(
                at,
                format!("{} cells", piece.cells.unwrap_or(0)),
                format!("{} offsets", list.len()),
            ));
        }
        let faces = match (array(Place::Faces)?, array(Place::FaceOffsets)?) {
            (Some((faces, _)), Some((ends, at))) => {
                let mut last = 0;
                // -1 stands for a cell without faces: its stream is empty.
                let ends: Vec<i64> = ends
                    .integers()
                    .into_iter()
                    .map(|end| {
                        last = if end < 0 { last } else { end };
                        last
                    })
                    .collect();
                let streams = Ragged::from_ends(&ends, faces.integers(), at)?;
                if streams.len() == list.len() {
                    Faces::Streams(streams)
                } else {
                    Faces::None
                }
            }
            _ => Faces::None,
        };
        let types = types.integers();
        cells::add_grid(mesh, builder, frame(count, at), &types, &list, &faces)
    }
}

fn is_empty(bytes: &[u8], after: usize) -> bool {
    bytes[..after].ends_with(b"/>")
}

/// The value of an attribute. VTK escapes nothing in those that are read here.
fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<Vec<u8>> {
    tag.attributes()
        .with_checks(false)
        .flatten()
        .find(|attribute| attribute.key.as_ref() == name.as_bytes())
        .map(|attribute| attribute.value.into_owned())
}

fn number(tag: &BytesStart<'_>, name: &str) -> Option<u64> {
    let value = attribute(tag, name)?;
    scan::integer(scan::trim(&value)).and_then(|n| u64::try_from(n).ok())
}

#[cfg(test)]
mod tests;
