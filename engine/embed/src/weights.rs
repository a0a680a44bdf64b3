//! The digest of a descriptor's constants.

/// Hashes the constants that define a descriptor. The digest is part of a column's metadata, so a
/// vector is never compared with one made from other constants.
pub(crate) struct Constants(blake3::Hasher);

impl Constants {
    pub(crate) fn new(encoder: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("penstock descriptor constants v1");
        hasher.update(&(encoder.len() as u64).to_le_bytes());
        hasher.update(encoder.as_bytes());
        Self(hasher)
    }

    fn head(&mut self, name: &str, len: usize) {
        self.0.update(&(name.len() as u64).to_le_bytes());
        self.0.update(name.as_bytes());
        self.0.update(&(len as u64).to_le_bytes());
    }

    pub(crate) fn numbers(mut self, name: &str, values: &[f64]) -> Self {
        self.head(name, values.len());
        for value in values {
            self.0.update(&value.to_le_bytes());
        }
        self
    }

    pub(crate) fn bytes(mut self, name: &str, bytes: &[u8]) -> Self {
        self.head(name, bytes.len());
        self.0.update(bytes);
        self
    }

    pub(crate) fn finish(self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}
