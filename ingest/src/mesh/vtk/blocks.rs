//! The bytes of an array in a VTK XML file: header, base64, compressed blocks.
//!
//! Uncompressed: a length in bytes, then the bytes; in base64 the two are one stream (older
//! writers end the length with its own padding). Compressed: the count of blocks `n`, the size of
//! a block, the size of the last one (0: as the others), `n` compressed sizes, then the blocks;
//! in base64 the numbers are one stream and the blocks another.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::Position;
use crate::mesh::fault::Fault;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compressor {
    Zlib,
    Lz4,
    Lzma,
}

/// How the file writes its binary arrays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Codec {
    pub(super) big: bool,
    /// Bytes of a number of the header: 4 or 8.
    pub(super) word: usize,
    pub(super) compressor: Option<Compressor>,
}

/// Memory that an LZMA decoder may take; the strongest preset takes 65 MiB.
const LZMA_MEMORY: u64 = 128 << 20;

/// An array still encoded. Bytes after it are not looked at.
#[derive(Clone, Copy)]
pub(super) enum Encoded<'a> {
    Base64(&'a [u8]),
    Raw(&'a [u8]),
}

impl Codec {
    /// Decodes an array of at most `limit` bytes. `at` is where it begins, for errors.
    ///
    /// # Errors
    /// The bytes are cut off or damaged, or there are more of them than `limit`.
    pub(super) fn decode(
        &self,
        encoded: Encoded<'_>,
        at: usize,
        limit: u64,
    ) -> Result<Vec<u8>, Fault> {
        match self.compressor {
            None => self.plain(encoded, at),
            Some(compressor) => self.blocks(compressor, encoded, at, limit),
        }
    }

    fn number(&self, bytes: &[u8]) -> Option<u64> {
        let mut wide = [0; 8];
        let word = bytes.get(..self.word)?;
        wide[..self.word].copy_from_slice(word);
        if self.big {
            wide[..self.word].reverse();
        }
        Some(u64::from_le_bytes(wide))
    }

    fn plain(&self, encoded: Encoded<'_>, at: usize) -> Result<Vec<u8>, Fault> {
        let cut = |size: u64, found: usize| {
            Fault::byte(
                at,
                format!("an array of {size} bytes, as its header says"),
                format!("{found} bytes"),
            )
        };
        match encoded {
            Encoded::Raw(bytes) => {
                let size = self.number(bytes).ok_or_else(|| no_header(at))?;
                let found = &bytes[self.word..];
                let wanted = usize::try_from(size).unwrap_or(usize::MAX);
                let found = found.get(..wanted).ok_or_else(|| cut(size, found.len()))?;
                Ok(found.to_vec())
            }
            Encoded::Base64(text) => {
                let head_chars = chars(self.word);
                let head = text.get(..head_chars).ok_or_else(|| no_header(at))?;
                let decoded = base64(head, at)?;
                let size = self.number(&decoded).ok_or_else(|| no_header(at))?;
                let wanted = usize::try_from(size).unwrap_or(usize::MAX);
                let (text, skip) = if decoded.len() == self.word {
                    (&text[head_chars..], 0)
                } else {
                    (text, self.word)
                };
                let all = wanted.saturating_add(skip);
                let text = text
                    .get(..chars(all))
                    .ok_or_else(|| cut(size, text.len() / 4 * 3))?;
                let mut found = base64(text, at)?;
                if found.len() < all {
                    return Err(cut(size, found.len()));
                }
                found.drain(..skip);
                found.truncate(wanted);
                Ok(found)
            }
        }
    }

    fn blocks(
        &self,
        compressor: Compressor,
        encoded: Encoded<'_>,
        at: usize,
        limit: u64,
    ) -> Result<Vec<u8>, Fault> {
        let (header, data) = self.split(encoded, at)?;
        let mut numbers = header.chunks_exact(self.word).map(|word| self.number(word));
        let mut next = || numbers.next().flatten().ok_or_else(|| no_header(at));
        let (count, size, last) = (next()?, next()?, next()?);
        let total = match (count, last) {
            (0, _) => Some(0),
            (_, 0) => count.checked_mul(size),
            _ => (count - 1)
                .checked_mul(size)
                .and_then(|n| n.checked_add(last)),
        };
        if total.is_none_or(|total| total > limit) {
            return Err(Fault::Limit {
                at: Position::Byte(at as u64),
            });
        }
        // Work stays in proportion to what is decoded, which the caller adds up: no empty blocks,
        // and none that are much larger compressed than not.
        let plausible = total
            .unwrap_or(0)
            .saturating_add(count.saturating_mul(64))
            .saturating_mul(2)
            .saturating_add(1024);
        if (count > 1 && size == 0) || data.len() as u64 > plausible {
            return Err(Fault::byte(
                at,
                "blocks that are smaller compressed",
                format!("{} bytes for {}", data.len(), total.unwrap_or(0)),
            ));
        }
        let mut found = Vec::new();
        let mut rest = &data[..];
        for i in 0..count {
            let expected = if i + 1 == count && last > 0 {
                last
            } else {
                size
            };
            let compressed = usize::try_from(next()?).unwrap_or(usize::MAX);
            let Some((block, tail)) = rest.split_at_checked(compressed) else {
                return Err(Fault::byte(
                    at,
                    format!("{compressed} bytes of block {i}"),
                    format!("{} bytes", rest.len()),
                ));
            };
            rest = tail;
            let before = found.len();
            let good = inflate(compressor, block, expected as usize, &mut found);
            if !good || found.len() - before != expected as usize {
                return Err(Fault::byte(
                    at,
                    format!("block {i} of {expected} bytes, compressed with {compressor:?}"),
                    format!("{} bytes and then damage or the end", found.len() - before),
                ));
            }
        }
        Ok(found)
    }

    /// The numbers before the blocks, and the blocks.
    fn split(&self, encoded: Encoded<'_>, at: usize) -> Result<(Vec<u8>, Vec<u8>), Fault> {
        let head_size = |count: u64| {
            usize::try_from(count)
                .ok()
                .and_then(|count| count.checked_add(3)?.checked_mul(self.word))
        };
        match encoded {
            Encoded::Raw(bytes) => {
                let count = self.number(bytes).ok_or_else(|| no_header(at))?;
                let (head, data) = head_size(count)
                    .and_then(|size| bytes.split_at_checked(size))
                    .ok_or_else(|| no_header(at))?;
                // The blocks end where the compressed sizes say; what follows is other arrays.
                let size: u64 = head[3 * self.word..]
                    .chunks_exact(self.word)
                    .filter_map(|word| self.number(word))
                    .fold(0, u64::saturating_add);
                let size = usize::try_from(size).unwrap_or(usize::MAX).min(data.len());
                Ok((head.to_vec(), data[..size].to_vec()))
            }
            Encoded::Base64(text) => {
                let first = text.get(..chars(self.word)).ok_or_else(|| no_header(at))?;
                let count = self
                    .number(&base64(first, at)?)
                    .ok_or_else(|| no_header(at))?;
                let (head, data) = head_size(count)
                    .and_then(|size| text.split_at_checked(size.div_ceil(3).checked_mul(4)?))
                    .ok_or_else(|| no_header(at))?;
                let head = base64(head, at)?;
                let size: u64 = head
                    .chunks_exact(self.word)
                    .skip(3)
                    .filter_map(|word| self.number(word))
                    .fold(0, u64::saturating_add);
                let wanted = usize::try_from(size).map_or(usize::MAX, chars);
                let data = &data[..wanted.min(data.len())];
                Ok((head, base64(data, at)?))
            }
        }
    }
}

/// Characters that base64 takes for so many bytes.
fn chars(bytes: usize) -> usize {
    bytes.div_ceil(3).saturating_mul(4)
}

fn no_header(at: usize) -> Fault {
    Fault::byte(at, "the header of a binary array", "fewer bytes")
}

fn base64(text: &[u8], at: usize) -> Result<Vec<u8>, Fault> {
    // A head that is cut out of a longer stream decodes to whole bytes or keeps its padding.
    STANDARD
        .decode(text)
        .map_err(|error| Fault::byte(at, "base64", error.to_string()))
}

/// Appends a block to `found`; more than `expected` bytes are not taken. False: it is damaged.
fn inflate(compressor: Compressor, block: &[u8], expected: usize, found: &mut Vec<u8>) -> bool {
    let bound = expected as u64 + 1;
    match compressor {
        Compressor::Zlib => flate2::read::ZlibDecoder::new(block)
            .take(bound)
            .read_to_end(found)
            .is_ok(),
        Compressor::Lzma => {
            liblzma::stream::Stream::new_stream_decoder(LZMA_MEMORY, 0).is_ok_and(|stream| {
                liblzma::read::XzDecoder::new_stream(block, stream)
                    .take(bound)
                    .read_to_end(found)
                    .is_ok()
            })
        }
        Compressor::Lz4 => {
            // One byte of LZ4 makes 255 at most: a size beyond that is a lie, not an allocation.
            if expected / 255 > block.len() {
                return false;
            }
            let start = found.len();
            found.resize(start + expected, 0);
            match lz4_flex::block::decompress_into(block, &mut found[start..]) {
                Ok(size) => {
                    found.truncate(start + size);
                    true
                }
                Err(_) => {
                    found.truncate(start);
                    false
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
