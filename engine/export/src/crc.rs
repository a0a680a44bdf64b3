//! CRC-32C at the end of chunks, and of blocks put together from pieces.

use crate::error::Damage;
use crate::manifest::Chunk;

/// Appends the checksum of the bytes, little-endian, as Zarr's codec `crc32c` does.
pub fn append(bytes: &mut Vec<u8>) -> u32 {
    let crc = crc32c::crc32c(bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    crc
}

/// Checks a stored chunk against the manifest.
///
/// # Errors
/// Length or checksum are others. The four bytes at the end count too.
pub fn check(stored: &[u8], chunk: &Chunk) -> Result<(), Damage> {
    if stored.len() as u64 != chunk.length {
        return Err(Damage::Length {
            expected: chunk.length,
            found: stored.len() as u64,
        });
    }
    let (data, tail) = stored.split_at(stored.len() - 4);
    let found = crc32c::crc32c(data);
    let written = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    for found in [found, written] {
        if found != chunk.crc32c {
            return Err(Damage::Checksum {
                expected: chunk.crc32c,
                found,
            });
        }
    }
    Ok(())
}

/// The checksum of bytes that are known only by the checksums of their pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Combined(u32);

impl Combined {
    /// Appends bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.0 = crc32c::crc32c_append(self.0, bytes);
    }

    /// Appends a piece.
    pub fn piece(&mut self, crc: u32, length: u64) {
        self.0 = crc32c::crc32c_combine(self.0, crc, length as usize);
    }

    /// The checksum so far.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_combine(a: Vec<u8>, b: Vec<u8>, c: Vec<u8>) {
            let mut combined = Combined::default();
            combined.piece(crc32c::crc32c(&a), a.len() as u64);
            combined.bytes(&b);
            combined.piece(crc32c::crc32c(&c), c.len() as u64);
            prop_assert_eq!(combined.get(), crc32c::crc32c(&[a, b, c].concat()));
        }

        #[test]
        fn every_flipped_bit_is_found(mut data in proptest::collection::vec(any::<u8>(), 0..64), bit: usize) {
            let crc32c = append(&mut data);
            let chunk = Chunk { length: data.len() as u64, crc32c };
            prop_assert!(check(&data, &chunk).is_ok());
            let bit = bit % (data.len() * 8);
            data[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(check(&data, &chunk).is_err());
            data.pop();
            prop_assert!(check(&data, &chunk).is_err());
        }
    }
}
