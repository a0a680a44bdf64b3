//! The canonical payload of a record and its hash.
//!
//! `content_hash` is BLAKE3 over the record's kind and the columns that carry its data, each
//! preceded by its name and length; numbers are little-endian. What only describes the record
//! (`name`, `description`, `source`, `event_time`) and what follows from the data (`length`, `gc`,
//! `area`, ...) stays out. Equal data give an equal hash, whatever file format brought them.

use crate::{ContentHash, Kind};

/// Builds one record's hash. Feed the columns in the order of the contract, and leave out the
/// columns that are null.
#[derive(Debug, Clone)]
pub struct Payload(blake3::Hasher);

impl Payload {
    /// Starts a payload.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("penstock content hash v1");
        hasher.update(kind.as_str().as_bytes());
        Self(hasher)
    }

    fn head(&mut self, column: &str, bytes: usize) {
        self.0.update(&(column.len() as u64).to_le_bytes());
        self.0.update(column.as_bytes());
        self.0.update(&(bytes as u64).to_le_bytes());
    }

    /// A column of bytes or text.
    pub fn bytes(&mut self, column: &str, bytes: &[u8]) -> &mut Self {
        self.head(column, bytes.len());
        self.0.update(bytes);
        self
    }

    /// A column of 32-bit integers.
    pub fn i32s(&mut self, column: &str, values: &[i32]) -> &mut Self {
        self.numbers(column, values, |v| v.to_le_bytes())
    }

    /// A column of 64-bit integers.
    pub fn i64s(&mut self, column: &str, values: &[i64]) -> &mut Self {
        self.numbers(column, values, |v| v.to_le_bytes())
    }

    /// A column of single-precision numbers; the two zeros are one.
    pub fn f32s(&mut self, column: &str, values: &[f32]) -> &mut Self {
        self.numbers(column, values, |v| (v + 0.0).to_le_bytes())
    }

    /// A column of double-precision numbers; the two zeros are one.
    pub fn f64s(&mut self, column: &str, values: &[f64]) -> &mut Self {
        self.numbers(column, values, |v| (v + 0.0).to_le_bytes())
    }

    fn numbers<T: Copy, const N: usize>(
        &mut self,
        column: &str,
        values: &[T],
        to_bytes: impl Fn(T) -> [u8; N],
    ) -> &mut Self {
        self.head(column, values.len() * N);
        let mut buffer = [0u8; 4096];
        for chunk in values.chunks(buffer.len() / N) {
            for (slot, value) in buffer.chunks_exact_mut(N).zip(chunk) {
                slot.copy_from_slice(&to_bytes(*value));
            }
            self.0.update(&buffer[..chunk.len() * N]);
        }
        self
    }

    /// The hash.
    #[must_use]
    pub fn finish(&self) -> ContentHash {
        ContentHash::new(*self.0.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_run_into_each_other() {
        let hash = |parts: &[(&str, &[u8])]| {
            let mut payload = Payload::new(Kind::Dna);
            for (name, bytes) in parts {
                payload.bytes(name, bytes);
            }
            payload.finish()
        };
        assert_ne!(hash(&[("a", b"bc")]), hash(&[("ab", b"c")]));
        assert_ne!(hash(&[("a", b"b"), ("c", b"")]), hash(&[("a", b"bc")]));
    }

    #[test]
    fn kinds_differ_and_zeros_do_not() {
        let zero = |kind, value: f64| Payload::new(kind).f64s("x", &[value]).finish();
        assert_ne!(zero(Kind::Dna, 0.0), zero(Kind::Mesh, 0.0));
        assert_eq!(zero(Kind::Mesh, 0.0), zero(Kind::Mesh, -0.0));
    }
}
