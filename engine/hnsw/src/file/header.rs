//! The header.

use penstock_types::Metric;

use crate::codes::{stride, vector_stride};
use crate::error::{HnswError, Result};
use crate::level::HIGHEST;
use crate::options::{Options, check_shape};

use super::{FORMAT_VERSION, MAGIC, SECTIONS};

/// Bytes of the header, its digest at their end.
pub(super) const BYTES: usize = 640;
const DIGEST: usize = BYTES - 32;
const TABLE: usize = 144;
const ENTRY: usize = 48;
const VECTORS: usize = 576;

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::Dot];

/// Where a section lies, and the digest of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Section {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) digest: [u8; 32],
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) version: u32,
    pub(super) options: Options,
    pub(super) dim: usize,
    pub(super) rows: usize,
    pub(super) vertices: usize,
    /// As many as vertices in version 1.
    pub(super) vectors: usize,
    pub(super) scale: f32,
    /// Vertices of layer 1, 2, ...
    pub(super) upper: Vec<usize>,
    pub(super) sections: [Section; SECTIONS.len()],
}

impl Header {
    /// Bytes that the sections have, but for the metadata, which have any number.
    pub(super) fn lengths(&self) -> [u64; SECTIONS.len() - 1] {
        let upper: usize = self.upper.iter().sum();
        [
            4 * self.dim,
            4 * self.vectors * vector_stride(self.dim),
            self.vertices * stride(self.dim),
            4 * self.vertices,
            4 * self.vertices * self.options.base_slots(),
            4 * upper * self.options.edges,
            4 * match self.version {
                1 => self.vertices,
                _ => self.rows + self.vectors,
            },
            8 * self.rows,
        ]
        .map(|bytes| bytes as u64)
    }

    pub(super) fn encode(&self) -> [u8; BYTES] {
        let mut out = [0; BYTES];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &self.version.to_le_bytes());
        let metric = METRICS
            .iter()
            .position(|metric| *metric == self.options.metric);
        put(12, &(metric.unwrap_or(0) as u32).to_le_bytes());
        let numbers = [
            self.dim as u64,
            self.rows as u64,
            self.vertices as u64,
            self.options.edges as u64,
            self.options.ef_construction as u64,
            self.options.seed,
            self.options.threads as u64,
        ];
        for (i, number) in numbers.iter().enumerate() {
            put(16 + 8 * i, &number.to_le_bytes());
        }
        put(72, &self.scale.to_le_bytes());
        put(76, &(self.upper.len() as u32).to_le_bytes());
        for (i, vertices) in self.upper.iter().enumerate() {
            put(80 + 4 * i, &(*vertices as u32).to_le_bytes());
        }
        for (i, section) in self.sections.iter().enumerate() {
            let at = TABLE + ENTRY * i;
            put(at, &section.offset.to_le_bytes());
            put(at + 8, &section.bytes.to_le_bytes());
            put(at + 16, &section.digest);
        }
        if self.version > 1 {
            put(VECTORS, &(self.vectors as u64).to_le_bytes());
        }
        let digest = *blake3::hash(&out[..DIGEST]).as_bytes();
        out[DIGEST..].copy_from_slice(&digest);
        out
    }

    pub(super) fn decode(bytes: &[u8; BYTES]) -> Result<Self> {
        if bytes[..8] != MAGIC {
            return Err(HnswError::Foreign);
        }
        let word = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let version = word(8);
        if !(1..=FORMAT_VERSION).contains(&version) {
            return Err(HnswError::Version {
                found: version,
                reads: FORMAT_VERSION,
            });
        }
        if bytes[DIGEST..] != *blake3::hash(&bytes[..DIGEST]).as_bytes() {
            return Err(HnswError::Digest {
                section: "header",
                offset: 0,
            });
        }
        let fault = |offset: u64, problem| HnswError::Malformed {
            section: "header",
            offset,
            problem,
        };
        let size = |at: usize| {
            usize::try_from(number(at)).map_err(|_| fault(at as u64, "a number too large"))
        };
        let metric = METRICS.get(word(12) as usize);
        let options = Options {
            metric: *metric.ok_or_else(|| fault(12, "an unknown metric"))?,
            edges: size(40)?,
            ef_construction: size(48)?,
            seed: number(56),
            threads: size(64)?,
        };
        options.check()?;
        let (dim, rows, vertices) = (size(16)?, size(24)?, size(32)?);
        check_shape(0, dim)?;
        let vectors = match version {
            1 => vertices,
            _ => size(VECTORS)?,
        };
        if rows > crate::MAX_ROWS || vectors > rows || vertices > vectors {
            return Err(fault(24, "more rows, vectors or vertices than possible"));
        }
        let layers = word(76) as usize;
        if layers > HIGHEST {
            return Err(fault(76, "more layers than possible"));
        }
        let upper: Vec<usize> = (0..layers).map(|i| word(80 + 4 * i) as usize).collect();
        let mut below = vertices;
        for (i, layer) in upper.iter().enumerate() {
            if *layer == 0 || *layer > below {
                return Err(fault(
                    80 + 4 * i as u64,
                    "a layer larger than that below it",
                ));
            }
            below = *layer;
        }
        let scale = f32::from_bits(word(72));
        if !(scale.is_finite() && scale > 0.0) {
            return Err(fault(72, "a scale that is no positive number"));
        }
        let sections = std::array::from_fn(|i| {
            let at = TABLE + ENTRY * i;
            Section {
                offset: number(at),
                bytes: number(at + 8),
                digest: std::array::from_fn(|j| bytes[at + 16 + j]),
            }
        });
        let header = Self {
            version,
            options,
            dim,
            rows,
            vertices,
            vectors,
            scale,
            upper,
            sections,
        };
        let mut offset = BYTES as u64;
        for (i, section) in sections.iter().enumerate() {
            let lengths = header.lengths();
            let expected = lengths.get(i).copied().unwrap_or(section.bytes);
            if section.offset != offset || section.bytes != expected {
                let at = (TABLE + ENTRY * i) as u64;
                return Err(fault(
                    at,
                    "a section of another place or size than it must have",
                ));
            }
            let end = offset.checked_add(section.bytes);
            offset = end
                .and_then(|end| end.checked_next_multiple_of(64))
                .ok_or_else(|| fault(TABLE as u64, "sections of too many bytes"))?;
        }
        Ok(header)
    }
}
