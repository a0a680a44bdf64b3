//! The header of a PLY file.

use crate::mesh::fault::{Fault, shown};
use crate::mesh::scan::{self, Lines};

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Ascii,
    Little,
    Big,
}

/// Type of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

impl Scalar {
    fn parse(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"char" | b"int8" => Self::I8,
            b"uchar" | b"uint8" => Self::U8,
            b"short" | b"int16" => Self::I16,
            b"ushort" | b"uint16" => Self::U16,
            b"int" | b"int32" => Self::I32,
            b"uint" | b"uint32" => Self::U32,
            b"float" | b"float32" => Self::F32,
            b"double" | b"float64" => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }
}

/// One property of an element; a list has the type of its length.
#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) scalar: Scalar,
    pub(super) list: Option<Scalar>,
}

impl Property {
    /// Bytes that one value takes at least in a binary body.
    pub(super) fn least_size(&self) -> usize {
        self.list.unwrap_or(self.scalar).size()
    }
}

/// A run of things with the same properties.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) count: usize,
    pub(super) properties: Vec<Property>,
}

/// The header.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) encoding: Encoding,
    pub(super) elements: Vec<Element>,
    comments: Vec<u8>,
    /// Where the body begins.
    pub(super) end: usize,
}

/// More than any real file, and few enough to compare.
const MAX_ELEMENTS: usize = 100;
/// More than any real file, and little enough to pass over.
const MAX_PROPERTIES: usize = 1000;

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut lines = Lines::new(header_part(bytes));
        let first = lines.next().unwrap_or_default();
        if scan::trim(first) != b"ply" {
            return Err(Fault::line(1, "`ply`", shown(first)));
        }
        let mut encoding = None;
        let mut elements: Vec<Element> = Vec::new();
        let mut comments = Vec::new();
        let mut properties = 0;
        loop {
            let Some(line) = lines.next() else {
                return Err(scan::wanted("`end_header`", b"", lines.number()));
            };
            let number = lines.number();
            let mut rest = line;
            match scan::word(&mut rest) {
                b"format" => encoding = Some(format(rest, number)?),
                b"comment" | b"obj_info" => {
                    comments.extend_from_slice(scan::trim(rest));
                    comments.push(b'\n');
                }
                b"element" => {
                    let element = element(rest, number)?;
                    if elements.len() >= MAX_ELEMENTS {
                        return Err(Fault::line(number, "100 elements or fewer", "more"));
                    }
                    if elements.iter().any(|other| other.name == element.name) {
                        return Err(Fault::line(number, "each element once", shown(line)));
                    }
                    elements.push(element);
                }
                b"property" => {
                    let property = property(rest, number)?;
                    properties += 1;
                    let Some(element) = elements.last_mut() else {
                        return Err(scan::wanted("an element before its property", line, number));
                    };
                    if properties > MAX_PROPERTIES {
                        return Err(Fault::line(number, "1000 properties or fewer", "more"));
                    }
                    element.properties.push(property);
                }
                b"end_header" => break,
                b"" => {}
                word => return Err(scan::wanted("a keyword of PLY", word, number)),
            }
        }
        let header = Self {
            encoding: encoding
                .ok_or_else(|| Fault::line(lines.number(), "a `format` line", "none"))?,
            elements,
            comments,
            end: bytes.len() - after(bytes, lines.rest()),
        };
        header.check(lines.number())?;
        Ok(header)
    }

    pub(super) fn description(&self) -> Option<String> {
        scan::text(&self.comments)
    }

    /// Vertices need coordinates, and faces their corners.
    fn check(&self, line: u64) -> Result<(), Fault> {
        let missing =
            |what: &str| Err(Fault::line(line, what, "none before the end of the header"));
        let mut vertices = false;
        for element in &self.elements {
            let has = |names: &[&str], list: bool| {
                element.properties.iter().any(|property| {
                    names.contains(&property.name.as_str()) && property.list.is_some() == list
                })
            };
            match element.name.as_str() {
                "vertex" => {
                    vertices = true;
                    if !["x", "y", "z"].iter().all(|axis| has(&[axis], false)) {
                        return missing("properties x, y and z of the element `vertex`");
                    }
                }
                "face" | "tristrips"
                    if element.count > 0 && !has(&["vertex_indices", "vertex_index"], true) =>
                {
                    return missing("a list `vertex_indices` of the element `face`");
                }
                _ => {}
            }
        }
        if vertices {
            Ok(())
        } else {
            missing("an element `vertex`")
        }
    }
}

/// The bytes up to and with the line of `end_header`, which the lines are counted in: a binary
/// body must not decide what ends a line.
fn header_part(bytes: &[u8]) -> &[u8] {
    let Some(keyword) = memchr::memmem::find_iter(bytes, b"end_header")
        .find(|at| *at > 0 && matches!(bytes[at - 1], b'\n' | b'\r'))
    else {
        return bytes;
    };
    let mut end = keyword + b"end_header".len();
    while matches!(bytes.get(end), Some(b' ' | b'\t')) {
        end += 1;
    }
    match bytes.get(end..) {
        Some([b'\r', b'\n', ..]) => &bytes[..end + 2],
        Some([b'\n' | b'\r', ..]) => &bytes[..=end],
        _ => &bytes[..end],
    }
}

/// Bytes from the end of the header to the end of the file.
fn after(bytes: &[u8], rest: &[u8]) -> usize {
    bytes.len() - header_part(bytes).len() + rest.len()
}

fn format(mut rest: &[u8], line: u64) -> Result<Encoding, Fault> {
    let encoding = match scan::word(&mut rest) {
        b"ascii" => Encoding::Ascii,
        b"binary_little_endian" => Encoding::Little,
        b"binary_big_endian" => Encoding::Big,
        word => {
            let what = "ascii, binary_little_endian or binary_big_endian";
            return Err(scan::wanted(what, word, line));
        }
    };
    match scan::word(&mut rest) {
        b"1.0" => Ok(encoding),
        word => Err(scan::wanted("version 1.0", word, line)),
    }
}

fn element(mut rest: &[u8], line: u64) -> Result<Element, Fault> {
    let name = scan::word(&mut rest);
    let word = scan::word(&mut rest);
    let count = scan::integer(word)
        .and_then(|n| usize::try_from(n).ok())
        .ok_or_else(|| scan::wanted("the name and count of an element", word, line))?;
    Ok(Element {
        name: String::from_utf8_lossy(name).into_owned(),
        count,
        properties: Vec::new(),
    })
}

fn property(mut rest: &[u8], line: u64) -> Result<Property, Fault> {
    let scalar = |rest: &mut &[u8]| {
        let word = scan::word(rest);
        Scalar::parse(word).ok_or_else(|| scan::wanted("a type such as float or uchar", word, line))
    };
    let is_list = scan::word(&mut { rest }) == b"list";
    let list = if is_list {
        scan::word(&mut rest);
        Some(scalar(&mut rest)?)
    } else {
        None
    };
    let scalar = scalar(&mut rest)?;
    let name = scan::word(&mut rest);
    if name.is_empty() {
        return Err(scan::wanted("the name of the property", name, line));
    }
    if list.is_some_and(Scalar::is_float) {
        return Err(Fault::line(
            line,
            "a length of integers",
            "a floating-point type",
        ));
    }
    let name = String::from_utf8_lossy(name).into_owned();
    if scalar.is_float() && matches!(name.as_str(), "vertex_indices" | "vertex_index") {
        return Err(Fault::line(
            line,
            "indices of an integer type",
            "a floating-point type",
        ));
    }
    Ok(Property { name, scalar, list })
}
