//! Numbers of VTK arrays: types, byte orders, and text.

use crate::mesh::fault::{Fault, shown};
use crate::mesh::scan::Words;

/// Type of the numbers of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mesh) enum Scalar {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
}

impl Scalar {
    /// A type of a legacy file.
    pub(super) fn legacy(word: &[u8]) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_slice() {
            b"char" | b"signed_char" | b"vtktypeint8" => Self::I8,
            b"unsigned_char" | b"vtktypeuint8" => Self::U8,
            b"short" | b"vtktypeint16" => Self::I16,
            b"unsigned_short" | b"vtktypeuint16" => Self::U16,
            b"int" | b"vtkidtype" | b"vtktypeint32" => Self::I32,
            b"unsigned_int" | b"vtktypeuint32" => Self::U32,
            b"long" | b"vtktypeint64" => Self::I64,
            b"unsigned_long" | b"vtktypeuint64" => Self::U64,
            b"float" => Self::F32,
            b"double" => Self::F64,
            _ => return None,
        })
    }

    /// A type of an XML file.
    pub(super) fn xml(word: &[u8]) -> Option<Self> {
        Some(match word {
            b"Int8" => Self::I8,
            b"UInt8" => Self::U8,
            b"Int16" => Self::I16,
            b"UInt16" => Self::U16,
            b"Int32" => Self::I32,
            b"UInt32" => Self::U32,
            b"Int64" => Self::I64,
            b"UInt64" => Self::U64,
            b"Float32" => Self::F32,
            b"Float64" => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

fn convert<const N: usize, T>(bytes: &[u8], big: bool, of: impl Fn([u8; N]) -> T) -> Vec<T> {
    let turned = |chunk: &[u8; N]| {
        let mut chunk = *chunk;
        if big {
            chunk.reverse();
        }
        of(chunk)
    };
    bytes.as_chunks().0.iter().map(turned).collect()
}

/// Floating-point numbers from bytes; a rest that makes no number is left out.
pub(super) fn floats(scalar: Scalar, bytes: &[u8], big: bool) -> Vec<f64> {
    match scalar {
        Scalar::F32 => convert(bytes, big, |b| f64::from(f32::from_le_bytes(b))),
        Scalar::F64 => convert(bytes, big, f64::from_le_bytes),
        other => integers(other, bytes, big)
            .into_iter()
            .map(|n| n as f64)
            .collect(),
    }
}

/// Integers from bytes. What does not fit, or is a float, becomes -1, which no index may be.
pub(super) fn integers(scalar: Scalar, bytes: &[u8], big: bool) -> Vec<i64> {
    match scalar {
        Scalar::I8 => convert(bytes, big, |b| i64::from(i8::from_le_bytes(b))),
        Scalar::U8 => convert(bytes, big, |b| i64::from(u8::from_le_bytes(b))),
        Scalar::I16 => convert(bytes, big, |b| i64::from(i16::from_le_bytes(b))),
        Scalar::U16 => convert(bytes, big, |b| i64::from(u16::from_le_bytes(b))),
        Scalar::I32 => convert(bytes, big, |b| i64::from(i32::from_le_bytes(b))),
        Scalar::U32 => convert(bytes, big, |b| i64::from(u32::from_le_bytes(b))),
        Scalar::I64 => convert(bytes, big, i64::from_le_bytes),
        Scalar::U64 => convert(bytes, big, |b| {
            i64::try_from(u64::from_le_bytes(b)).unwrap_or(-1)
        }),
        Scalar::F32 | Scalar::F64 => floats(scalar, bytes, big)
            .into_iter()
            .map(|x| if x.fract() == 0.0 { x as i64 } else { -1 })
            .collect(),
    }
}

/// `count` numbers in words.
pub(super) fn float_words(words: &mut Words<'_>, count: usize) -> Result<Vec<f64>, Fault> {
    let mut found = Vec::with_capacity(count.min(words.bytes_left() / 2 + 1));
    for _ in 0..count {
        found.push(words.float("a number")?);
    }
    Ok(found)
}

/// `count` integers in words.
pub(super) fn integer_words(words: &mut Words<'_>, count: usize) -> Result<Vec<i64>, Fault> {
    let mut found = Vec::with_capacity(count.min(words.bytes_left() / 2 + 1));
    for _ in 0..count {
        found.push(words.integer("an integer")?);
    }
    Ok(found)
}

/// A type that is not known.
pub(super) fn unknown(word: &[u8]) -> Fault {
    Fault::unsupported(
        format!("an array of the type {}", shown(word)),
        "write it with float, double or an integer type",
    )
}
