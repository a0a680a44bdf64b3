//! The header of a NumPy `.npy` file, version 1.0.
//!
//! Source: NEP 1, "A Simple File Format for NumPy Arrays"
//! (<https://numpy.org/neps/nep-0001-npy-format.html>). The whole header is a multiple of 64
//! bytes, so that the data that follow are aligned when the file is mapped.

use crate::dtype::DType;

/// The header of a C-ordered array. The elements follow it, little-endian.
#[must_use]
pub fn header(dtype: DType, shape: &[u64]) -> Vec<u8> {
    let mut tuple: String = shape.iter().map(|n| format!("{n}, ")).collect();
    // Python writes (3,) for one dimension and (3, 4) for two.
    tuple.truncate(
        tuple
            .len()
            .saturating_sub(if shape.len() == 1 { 1 } else { 2 }),
    );
    let dict = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': ({tuple}), }}",
        dtype.numpy()
    );
    let before = 10; // magic, version, length
    let padded = (before + dict.len() + 1).next_multiple_of(64) - before;
    let mut out = Vec::with_capacity(before + padded);
    out.extend_from_slice(b"\x93NUMPY\x01\x00");
    // Shapes here have at most two dimensions, so the length fits 16 bits by far.
    out.extend_from_slice(&(padded as u16).to_le_bytes());
    out.extend_from_slice(dict.as_bytes());
    out.resize(before + padded - 1, b' ');
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_numpy_writes_them() {
        for (shape, text) in [
            (&[][..], "()"),
            (&[3][..], "(3,)"),
            (&[3, 256][..], "(3, 256)"),
            (&[0, 3][..], "(0, 3)"),
            (
                &[u64::MAX, u64::MAX][..],
                "(18446744073709551615, 18446744073709551615)",
            ),
        ] {
            let header = header(DType::Float32, shape);
            assert_eq!(header.len() % 64, 0);
            assert_eq!(&header[..8], b"\x93NUMPY\x01\x00");
            let length = u16::from_le_bytes([header[8], header[9]]) as usize;
            assert_eq!(length + 10, header.len());
            let dict = std::str::from_utf8(&header[10..]).unwrap();
            assert_eq!(
                dict.trim_end_matches([' ', '\n']),
                format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {text}, }}")
            );
            assert!(dict.ends_with('\n'));
        }
    }
}
