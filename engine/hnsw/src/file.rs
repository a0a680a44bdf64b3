//! The index as one file.
//!
//! All numbers are little-endian. The header has 640 bytes:
//!
//! | bytes | what |
//! | --- | --- |
//! | 0..8 | [`MAGIC`] |
//! | 8..12 | [`FORMAT_VERSION`] |
//! | 12..16 | metric: 0 cosine, 1 L2, 2 dot |
//! | 16..24 | numbers per vector |
//! | 24..32 | rows |
//! | 32..40 | vertices |
//! | 40..48 | edges |
//! | 48..56 | ef_construction |
//! | 56..64 | seed |
//! | 64..72 | threads of the build, as asked for |
//! | 72..76 | scale of the codes, `f32` |
//! | 76..80 | layers above the base |
//! | 80..144 | vertices of layer 1, 2, ..., 15: `u32` each, then 4 bytes of zeros |
//! | 144..576 | nine sections: offset `u64`, bytes `u64`, BLAKE3 digest |
//! | 576..584 | vectors: the distinct rows that can be found (zeros in version 1) |
//! | 584..608 | zeros |
//! | 608..640 | BLAKE3 digest of the 608 bytes before it |
//!
//! The section `places` holds the vector of each row, 2^32 - 1 for rows that cannot be found, and then
//! the vertex of each vector. In version 1, which is still read, it held the row of each vertex: no two
//! rows shared one.
//!
//! The sections follow in the order of their table, each on a multiple of 64 bytes with zeros
//! before it, and nothing follows the last. The digest of the header covers those of the sections.

mod header;
mod read;
mod write;

/// The first bytes of an index.
pub const MAGIC: [u8; 8] = *b"PENSHNSW";

/// The version that is written; those before it are read.
pub const FORMAT_VERSION: u32 = 2;

/// Names of the sections, in their order.
pub(crate) const SECTIONS: [&str; 9] = [
    "centre", "vectors", "codes", "bias", "base", "upper", "places", "labels", "metadata",
];
