//! Writing.

use std::io::Write;

use crate::error::{HnswError, Result};
use crate::index::Hnsw;

use super::header::{BYTES, Header, Section};
use super::{FORMAT_VERSION, SECTIONS};

/// Takes the bytes of a section in parts.
type Sink<'a> = dyn FnMut(&[u8]) -> Result<()> + 'a;

/// Hands on numbers as little-endian bytes, in parts of a bounded size.
fn numbers<T: Copy, const N: usize>(
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
    sink: &mut Sink<'_>,
) -> Result<()> {
    let mut buffer = Vec::with_capacity(N * 8_192);
    for part in values.chunks(8_192) {
        buffer.clear();
        for value in part {
            buffer.extend_from_slice(&bytes(*value));
        }
        sink(&buffer)?;
    }
    Ok(())
}

impl Hnsw {
    /// Writes the index; `read_from` makes the same index of it. The sections are read twice: once
    /// for the digests, which stand first.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_to(&self, to: impl Write) -> Result<()> {
        self.write_as(FORMAT_VERSION, to)
    }

    /// Writes the index as a version before this one did, where it can be.
    pub(crate) fn write_as(&self, version: u32, mut to: impl Write) -> Result<()> {
        let mut header = Header {
            version,
            options: self.options.clone(),
            dim: self.dim,
            rows: self.len(),
            vertices: self.places.vertices(),
            vectors: self.places.vectors(),
            scale: self.quantiser.scale,
            upper: self
                .upper
                .iter()
                .map(|links| links.len() / self.options.edges)
                .collect(),
            sections: [Section::default(); SECTIONS.len()],
        };
        let mut offset = BYTES as u64;
        for i in 0..SECTIONS.len() {
            let mut hasher = blake3::Hasher::new();
            let mut bytes = 0;
            self.section(i, version, &mut |part| {
                hasher.update(part);
                bytes += part.len() as u64;
                Ok(())
            })?;
            header.sections[i] = Section {
                offset,
                bytes,
                digest: *hasher.finalize().as_bytes(),
            };
            offset = (offset + bytes).next_multiple_of(64);
        }
        let failed = |section| move |source| HnswError::Write { section, source };
        to.write_all(&header.encode()).map_err(failed("header"))?;
        let mut written = BYTES as u64;
        for (i, name) in SECTIONS.into_iter().enumerate() {
            let gap = (header.sections[i].offset - written) as usize;
            to.write_all(&[0; 64][..gap]).map_err(failed(name))?;
            self.section(i, version, &mut |part| {
                to.write_all(part).map_err(failed(name))
            })?;
            written = header.sections[i].offset + header.sections[i].bytes;
        }
        to.flush().map_err(failed("metadata"))
    }

    fn section(&self, i: usize, version: u32, sink: &mut Sink<'_>) -> Result<()> {
        match i {
            0 => numbers(&self.quantiser.centre, f32::to_le_bytes, sink),
            1 => numbers(&self.vectors, f32::to_le_bytes, sink),
            2 => sink(&self.codes.codes),
            3 => numbers(&self.codes.bias, f32::to_le_bytes, sink),
            4 => numbers(&self.base, u32::to_le_bytes, sink),
            5 => self
                .upper
                .iter()
                .try_for_each(|links| numbers(links, u32::to_le_bytes, sink)),
            6 if version == 1 => {
                let rows = 0..self.places.vertices() as u32;
                let rows: Vec<u32> = rows.map(|vertex| self.places.rows(vertex)[0]).collect();
                numbers(&rows, u32::to_le_bytes, sink)
            }
            6 => {
                numbers(self.places.of(), u32::to_le_bytes, sink)?;
                let mut part = Vec::with_capacity(8_192);
                let vectors = 0..self.places.vectors() as u32;
                for start in vectors.clone().step_by(8_192) {
                    part.clear();
                    let end = vectors.end.min(start + 8_192);
                    part.extend((start..end).map(|vector| self.places.vertex(vector)));
                    numbers(&part, u32::to_le_bytes, sink)?;
                }
                Ok(())
            }
            7 => numbers(&self.labels, u64::to_le_bytes, sink),
            _ => sink(&self.metadata),
        }
    }
}
