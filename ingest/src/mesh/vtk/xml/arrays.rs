//! Arrays of a VTK XML file: which they are, where they lie, and their numbers.

use std::borrow::Cow;

use quick_xml::events::BytesStart;

use super::attribute;
use crate::mesh::fault::{Fault, shown};
use crate::mesh::scan::{self, Words};
use crate::mesh::vtk::blocks::{Codec, Encoded};
use crate::mesh::vtk::cells::Section;
use crate::mesh::vtk::scalar::{self, Scalar};

/// What an array is to the mesh. The arrays of polygonal data name their section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Points,
    Connectivity(Option<Section>),
    Offsets(Option<Section>),
    Types,
    Faces,
    FaceOffsets,
}

impl Place {
    /// `None`: the array is passed over.
    pub(super) fn of(parent: &[u8], name: &[u8]) -> Option<Self> {
        if parent == b"Points" {
            return Some(Self::Points);
        }
        let section = section(parent)?;
        match name {
            b"connectivity" => Some(Self::Connectivity(section)),
            b"offsets" => Some(Self::Offsets(section)),
            b"types" => Some(Self::Types),
            b"faces" => Some(Self::Faces),
            b"faceoffsets" => Some(Self::FaceOffsets),
            _ => None,
        }
    }
}

/// `Some(None)` for the cells of a grid.
fn section(parent: &[u8]) -> Option<Option<Section>> {
    Some(match parent {
        b"Cells" => None,
        b"Verts" => Some(Section::Verts),
        b"Lines" => Some(Section::Lines),
        b"Polys" => Some(Section::Polys),
        b"Strips" => Some(Section::Strips),
        _ => return None,
    })
}

enum Content<'a> {
    Ascii(Cow<'a, [u8]>),
    Base64(Cow<'a, [u8]>),
    Appended(usize),
}

/// An array that is read.
pub(super) struct Array<'a> {
    pub(super) place: Place,
    pub(super) at: usize,
    scalar: Scalar,
    content: Content<'a>,
}

impl<'a> Array<'a> {
    pub(super) fn new(tag: &BytesStart<'_>, place: Place, at: usize) -> Result<Self, Fault> {
        let kind = attribute(tag, "type").unwrap_or_default();
        let scalar = Scalar::xml(&kind).ok_or_else(|| scalar::unknown(&kind))?;
        let content = match attribute(tag, "format").as_deref() {
            Some(b"ascii") | None => Content::Ascii(Cow::Borrowed(b"")),
            Some(b"binary") => Content::Base64(Cow::Borrowed(b"")),
            Some(b"appended") => {
                let offset = attribute(tag, "offset").unwrap_or_default();
                let offset = scan::integer(scan::trim(&offset))
                    .and_then(|n| usize::try_from(n).ok())
                    .ok_or_else(|| Fault::byte(at, "an offset", shown(&offset)))?;
                Content::Appended(offset)
            }
            Some(other) => {
                return Err(Fault::byte(
                    at,
                    "the format ascii, binary or appended",
                    shown(other),
                ));
            }
        };
        Ok(Self {
            place,
            at,
            scalar,
            content,
        })
    }

    pub(super) fn add_text(&mut self, text: Cow<'a, [u8]>, at: usize) {
        let (Content::Ascii(held) | Content::Base64(held)) = &mut self.content else {
            return;
        };
        if held.is_empty() {
            self.at = at;
            *held = text;
        } else {
            held.to_mut().extend_from_slice(&text);
        }
    }

    /// Decodes at most `limit` bytes.
    pub(super) fn decode(
        &self,
        codec: &Codec,
        appended: Option<&Appended<'_>>,
        limit: u64,
    ) -> Result<Numbers<'_>, Fault> {
        let bytes = match &self.content {
            Content::Ascii(text) => {
                return Numbers::ascii(text, self.scalar, self.at);
            }
            Content::Base64(text) if text.iter().copied().all(scan::is_space) => Vec::new(),
            Content::Base64(text) => {
                let text: Vec<u8> = text
                    .iter()
                    .copied()
                    .filter(|b| !scan::is_space(*b))
                    .collect();
                codec.decode(Encoded::Base64(&text), self.at, limit)?
            }
            Content::Appended(offset) => {
                let missing = || Fault::byte(self.at, "appended data at its offset", "none");
                let appended = appended.ok_or_else(missing)?;
                let tail = appended.bytes.get(*offset..).ok_or_else(missing)?;
                let encoded = if appended.base64 {
                    Encoded::Base64(tail)
                } else {
                    Encoded::Raw(tail)
                };
                codec.decode(encoded, appended.at.saturating_add(*offset), limit)?
            }
        };
        Ok(Numbers::Binary {
            bytes: Cow::Owned(bytes),
            scalar: self.scalar,
            big: codec.big,
        })
    }
}

/// The section after the arrays.
pub(super) struct Appended<'a> {
    bytes: &'a [u8],
    base64: bool,
    at: usize,
}

impl<'a> Appended<'a> {
    pub(super) fn new(bytes: &'a [u8], after: usize, tag: &BytesStart<'_>) -> Result<Self, Fault> {
        let base64 = match attribute(tag, "encoding").as_deref() {
            Some(b"raw") => false,
            Some(b"base64") => true,
            other => {
                let found = shown(other.unwrap_or_default());
                return Err(Fault::byte(after, "the encoding raw or base64", found));
            }
        };
        let mut at = after;
        while bytes.get(at).copied().is_some_and(scan::is_space) {
            at += 1;
        }
        if bytes.get(at) != Some(&b'_') {
            return Err(Fault::byte(
                at,
                "`_` before the appended data",
                "something else",
            ));
        }
        at += 1;
        let mut data = &bytes[at..];
        if base64 {
            let end = memchr::memchr(b'<', data).unwrap_or(data.len());
            data = scan::trim(&data[..end]);
        }
        Ok(Self {
            bytes: data,
            base64,
            at,
        })
    }
}

/// The numbers of an array.
pub(super) enum Numbers<'a> {
    Binary {
        bytes: Cow<'a, [u8]>,
        scalar: Scalar,
        big: bool,
    },
    Floats(Vec<f64>),
    Integers(Vec<i64>),
}

impl Numbers<'_> {
    fn ascii(text: &[u8], scalar: Scalar, at: usize) -> Result<Self, Fault> {
        let mut words = Words::new(text, 0);
        let float = matches!(scalar, Scalar::F32 | Scalar::F64);
        let mut floats = Vec::new();
        let mut integers = Vec::new();
        loop {
            let word = words.next();
            if word.is_empty() {
                break;
            }
            let parsed = if float {
                scan::float(word).map(|number| floats.push(number))
            } else {
                scan::integer(word).map(|number| integers.push(number))
            };
            if parsed.is_none() {
                let what = if float { "a number" } else { "an integer" };
                // Where the text was escaped, the byte is near, not exact.
                return Err(Fault::byte(
                    at.saturating_add(words.at()),
                    what,
                    shown(word),
                ));
            }
        }
        Ok(if float {
            Self::Floats(floats)
        } else {
            Self::Integers(integers)
        })
    }

    /// Bytes that they took, decoded.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Binary { bytes, .. } => bytes.len(),
            // A word and the space after it.
            Self::Floats(numbers) => 2 * numbers.len(),
            Self::Integers(numbers) => 2 * numbers.len(),
        }
    }

    pub(super) fn floats(self) -> Vec<f64> {
        match self {
            Self::Binary { bytes, scalar, big } => scalar::floats(scalar, &bytes, big),
            Self::Floats(numbers) => numbers,
            Self::Integers(numbers) => numbers.into_iter().map(|n| n as f64).collect(),
        }
    }

    pub(super) fn integers(self) -> Vec<i64> {
        match self {
            Self::Binary { bytes, scalar, big } => scalar::integers(scalar, &bytes, big),
            Self::Integers(numbers) => numbers,
            // No index is a fraction.
            Self::Floats(numbers) => numbers
                .into_iter()
                .map(|x| if x.fract() == 0.0 { x as i64 } else { -1 })
                .collect(),
        }
    }
}
