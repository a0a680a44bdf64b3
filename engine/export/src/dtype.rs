//! Element types of arrays, and conversions between them.
//!
//! Everything is little-endian, in the store, on the wire and in memory.

use std::fmt;
use std::str::FromStr;

use half::f16;
use serde::{Deserialize, Serialize};

use crate::ExportError;

#[cfg(target_endian = "big")]
compile_error!("arrays are little-endian and are copied to and from memory as they are");

/// The element type of an array. The words are those of Zarr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned, 8 bits.
    UInt8,
    /// Unsigned, 16 bits.
    UInt16,
    /// Unsigned, 32 bits.
    UInt32,
    /// Unsigned, 64 bits.
    UInt64,
    /// Signed, 8 bits.
    Int8,
    /// Signed, 16 bits.
    Int16,
    /// Signed, 32 bits.
    Int32,
    /// Signed, 64 bits.
    Int64,
    /// IEEE half precision.
    Float16,
    /// IEEE single precision.
    Float32,
    /// IEEE double precision.
    Float64,
}

impl DType {
    /// Every element type.
    pub const ALL: [Self; 12] = [
        Self::Bool,
        Self::UInt8,
        Self::UInt16,
        Self::UInt32,
        Self::UInt64,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Float16,
        Self::Float32,
        Self::Float64,
    ];

    /// Zarr's word for it, such as `float32`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::UInt8 => "uint8",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Int8 => "int8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Int64 => "int64",
            Self::Float16 => "float16",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
        }
    }

    /// NumPy's word for it, such as `<f4`.
    #[must_use]
    pub const fn numpy(self) -> &'static str {
        match self {
            Self::Bool => "|b1",
            Self::UInt8 => "|u1",
            Self::UInt16 => "<u2",
            Self::UInt32 => "<u4",
            Self::UInt64 => "<u8",
            Self::Int8 => "|i1",
            Self::Int16 => "<i2",
            Self::Int32 => "<i4",
            Self::Int64 => "<i8",
            Self::Float16 => "<f2",
            Self::Float32 => "<f4",
            Self::Float64 => "<f8",
        }
    }

    /// Bytes of one element.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::UInt8 | Self::Int8 => 1,
            Self::UInt16 | Self::Int16 | Self::Float16 => 2,
            Self::UInt32 | Self::Int32 | Self::Float32 => 4,
            Self::UInt64 | Self::Int64 | Self::Float64 => 8,
        }
    }

    /// Whether the elements are floating-point numbers.
    #[must_use]
    pub const fn is_float(self) -> bool {
        matches!(self, Self::Float16 | Self::Float32 | Self::Float64)
    }

    /// The bytes that stand where there is no value: NaN for floating-point numbers (so that a
    /// missing number is never taken for a zero), else zero.
    #[must_use]
    pub fn fill(self) -> Vec<u8> {
        match self {
            Self::Float16 => f16::NAN.to_le_bytes().to_vec(),
            Self::Float32 => f32::NAN.to_le_bytes().to_vec(),
            Self::Float64 => f64::NAN.to_le_bytes().to_vec(),
            other => vec![0; other.size()],
        }
    }

    /// [`Self::fill`] as Zarr writes it.
    #[must_use]
    pub fn fill_value(self) -> serde_json::Value {
        match self {
            Self::Bool => false.into(),
            float if float.is_float() => "NaN".into(),
            _ => 0.into(),
        }
    }

    /// Whether [`convert`] goes from this type to the other: between all floating-point types
    /// (rounding to nearest where the target is narrower), and from an integer to a type that
    /// holds each of its values exactly.
    #[must_use]
    pub const fn converts_to(self, to: Self) -> bool {
        use DType::{
            Bool, Float16, Float32, Float64, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32,
            UInt64,
        };
        match self {
            Float16 | Float32 | Float64 => to.is_float(),
            Bool => matches!(to, Bool | UInt8),
            UInt8 => !matches!(to, Bool | Int8),
            Int8 => !matches!(to, Bool | UInt8 | UInt16 | UInt32 | UInt64),
            UInt16 => matches!(
                to,
                UInt16 | UInt32 | UInt64 | Int32 | Int64 | Float32 | Float64
            ),
            Int16 => matches!(to, Int16 | Int32 | Int64 | Float32 | Float64),
            UInt32 => matches!(to, UInt32 | UInt64 | Int64 | Float64),
            Int32 => matches!(to, Int32 | Int64 | Float64),
            UInt64 => matches!(to, UInt64),
            Int64 => matches!(to, Int64),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for DType {
    type Err = ExportError;

    fn from_str(word: &str) -> Result<Self, ExportError> {
        let short = match word {
            "f16" => "float16",
            "f32" => "float32",
            "f64" => "float64",
            other => other,
        };
        Self::ALL
            .into_iter()
            .find(|dtype| dtype.as_str() == short)
            .ok_or_else(|| ExportError::UnknownDType(word.to_owned()))
    }
}

/// One number read from bytes, wide enough for each type that [`convert`] starts from.
#[derive(Clone, Copy)]
enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    fn read(from: DType, b: &[u8]) -> Self {
        match (from, b) {
            (DType::Bool | DType::UInt8, &[a]) => Self::Int(a.into()),
            (DType::Int8, &[a]) => Self::Int((a as i8).into()),
            (DType::UInt16, &[a, b]) => Self::Int(u16::from_le_bytes([a, b]).into()),
            (DType::Int16, &[a, b]) => Self::Int(i16::from_le_bytes([a, b]).into()),
            (DType::Float16, &[a, b]) => Self::Float(f16::from_le_bytes([a, b]).to_f64()),
            (DType::UInt32, &[a, b, c, d]) => Self::Int(u32::from_le_bytes([a, b, c, d]).into()),
            (DType::Int32, &[a, b, c, d]) => Self::Int(i32::from_le_bytes([a, b, c, d]).into()),
            (DType::Float32, &[a, b, c, d]) => Self::Float(f32::from_le_bytes([a, b, c, d]).into()),
            (DType::Float64, &[a, b, c, d, e, f, g, h]) => {
                Self::Float(f64::from_le_bytes([a, b, c, d, e, f, g, h]))
            }
            // 64-bit integers convert to nothing but themselves, which copies.
            _ => Self::Int(0),
        }
    }

    /// Appends the number; `false` where a finite number became infinite.
    fn write(self, to: DType, out: &mut Vec<u8>) -> bool {
        let (int, float) = match self {
            Self::Int(int) => (int, int as f64),
            Self::Float(float) => (0, float),
        };
        let finite = match to {
            DType::Float16 => {
                let narrow = f16::from_f64(float);
                out.extend_from_slice(&narrow.to_le_bytes());
                narrow.is_finite()
            }
            DType::Float32 => {
                let narrow = float as f32;
                out.extend_from_slice(&narrow.to_le_bytes());
                narrow.is_finite()
            }
            DType::Float64 => {
                out.extend_from_slice(&float.to_le_bytes());
                true
            }
            integer => {
                out.extend_from_slice(&int.to_le_bytes()[..integer.size()]);
                true
            }
        };
        finite || !float.is_finite()
    }
}

/// Converts elements, rounding to nearest, ties to even. NaN stays NaN and infinity infinity.
///
/// # Errors
/// The types do not convert ([`DType::converts_to`]), or a finite number is too large for the
/// target: a read is right or an error.
pub fn convert(from: DType, to: DType, bytes: &[u8]) -> Result<Vec<u8>, ExportError> {
    if from == to {
        return Ok(bytes.to_vec());
    }
    if !from.converts_to(to) {
        return Err(ExportError::Conversion { from, to });
    }
    let mut out = Vec::with_capacity(bytes.len() / from.size() * to.size());
    let mut all_fit = true;
    // The two conversions that solvers ask for have a loop that the compiler vectorises.
    match (from, to) {
        (DType::Float32, DType::Float64) => {
            for b in bytes.chunks_exact(4) {
                let wide = f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
                out.extend_from_slice(&wide.to_le_bytes());
            }
        }
        (DType::Float64, DType::Float32) => {
            for b in bytes.chunks_exact(8) {
                let wide = f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]);
                let narrow = wide as f32;
                all_fit &= narrow.is_finite() || !wide.is_finite();
                out.extend_from_slice(&narrow.to_le_bytes());
            }
        }
        _ => {
            for b in bytes.chunks_exact(from.size()) {
                all_fit &= Number::read(from, b).write(to, &mut out);
            }
        }
    }
    if all_fit {
        Ok(out)
    } else {
        Err(ExportError::ConversionOverflow { from, to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_sizes() {
        for dtype in DType::ALL {
            assert_eq!(dtype.as_str().parse::<DType>().unwrap(), dtype);
            assert_eq!(dtype.fill().len(), dtype.size());
            let json = serde_json::to_value(dtype).unwrap();
            assert_eq!(json, dtype.as_str());
            assert!(dtype.converts_to(dtype));
        }
        assert_eq!("f32".parse::<DType>().unwrap(), DType::Float32);
        assert!("complex64".parse::<DType>().is_err());
    }

    #[test]
    fn conversions() {
        let one = 1.5f32.to_le_bytes();
        assert_eq!(
            convert(DType::Float32, DType::Float64, &one).unwrap(),
            1.5f64.to_le_bytes()
        );
        assert_eq!(
            convert(DType::Float32, DType::Float16, &one).unwrap(),
            f16::from_f32(1.5).to_le_bytes()
        );
        assert_eq!(
            convert(DType::Int32, DType::Float64, &(-7i32).to_le_bytes()).unwrap(),
            (-7f64).to_le_bytes()
        );
        assert_eq!(
            convert(DType::Int8, DType::Int64, &(-7i8).to_le_bytes()).unwrap(),
            (-7i64).to_le_bytes()
        );
        assert!(matches!(
            convert(DType::Float64, DType::Float32, &1e300f64.to_le_bytes()),
            Err(ExportError::ConversionOverflow { .. })
        ));
        assert!(matches!(
            convert(DType::Float32, DType::Float16, &1e6f32.to_le_bytes()),
            Err(ExportError::ConversionOverflow { .. })
        ));
        assert!(matches!(
            convert(DType::Int64, DType::Float64, &[0; 8]),
            Err(ExportError::Conversion { .. })
        ));
        let nan = convert(DType::Float64, DType::Float32, &f64::NAN.to_le_bytes()).unwrap();
        assert!(f32::from_le_bytes(nan.try_into().unwrap()).is_nan());
    }

    /// Whatever converts does so without loss when the source is an integer.
    #[test]
    fn integer_extremes_are_exact() {
        for (from, value) in [
            (DType::UInt8, i64::from(u8::MAX)),
            (DType::Int8, i64::from(i8::MIN)),
            (DType::UInt16, i64::from(u16::MAX)),
            (DType::Int16, i64::from(i16::MIN)),
            (DType::UInt32, i64::from(u32::MAX)),
            (DType::Int32, i64::from(i32::MIN)),
        ] {
            let bytes = &value.to_le_bytes()[..from.size()];
            for to in DType::ALL.into_iter().filter(|to| from.converts_to(*to)) {
                let out = convert(from, to, bytes).unwrap();
                let back = if to.is_float() {
                    let out = convert(to, DType::Float64, &out).unwrap();
                    f64::from_le_bytes(out.try_into().unwrap()) as i64
                } else {
                    let fill = if value < 0 { 0xff } else { 0 };
                    let mut wide = [fill; 8];
                    wide[..out.len()].copy_from_slice(&out);
                    i64::from_le_bytes(wide)
                };
                assert_eq!(back, value, "{from} to {to}");
            }
        }
    }
}
