//! Reading.

use std::io::Read;

use penstock_types::Metric;

use crate::codes::{Codes, Quantiser, stride};
use crate::error::{HnswError, Result};
use crate::index::Hnsw;
use crate::memory::Aligned;
use crate::options::memory;
use crate::places::Places;
use crate::scratch::Scratches;
use crate::simd::isa::Isa;
use crate::walk::NONE;

use super::SECTIONS;
use super::header::{BYTES, Header};

/// Reads the sections one after the other.
struct Sections<R> {
    from: R,
    header: Header,
    /// Bytes read so far.
    at: u64,
    /// The next section.
    next: usize,
}

impl<R: Read> Sections<R> {
    fn fill(&mut self, name: &'static str, into: &mut [u8]) -> Result<()> {
        let offset = self.at;
        self.from
            .read_exact(into)
            .map_err(|source| HnswError::Read {
                section: name,
                offset,
                source,
            })?;
        self.at += into.len() as u64;
        Ok(())
    }

    /// Hands the next section to `take` in parts of whole numbers, then compares its digest.
    fn section(&mut self, mut take: impl FnMut(&[u8])) -> Result<()> {
        let (name, section) = (SECTIONS[self.next], self.header.sections[self.next]);
        self.next += 1;
        let gap = (section.offset - self.at) as usize;
        let mut zeros = [0; 64];
        self.fill(name, &mut zeros[..gap])?;
        if zeros != [0; 64] {
            return Err(HnswError::Malformed {
                section: name,
                offset: section.offset - gap as u64,
                problem: "bytes other than zero before it",
            });
        }
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 65_536];
        let mut left = section.bytes;
        while left > 0 {
            let size = left.min(buffer.len() as u64) as usize;
            self.fill(name, &mut buffer[..size])?;
            hasher.update(&buffer[..size]);
            take(&buffer[..size]);
            left -= size as u64;
        }
        if *hasher.finalize().as_bytes() != section.digest {
            return Err(HnswError::Digest {
                section: name,
                offset: section.offset,
            });
        }
        Ok(())
    }

    /// Reads the next section into an array of its length.
    fn numbers<T, const N: usize>(
        &mut self,
        into: &mut [T],
        number: impl Fn([u8; N]) -> T,
    ) -> Result<()> {
        let mut slots = into.iter_mut();
        self.section(|part| {
            for (bytes, slot) in part.as_chunks::<N>().0.iter().zip(&mut slots) {
                *slot = number(*bytes);
            }
        })
    }

    /// That of number `index`, each of `size` bytes, of the section that was read last.
    fn fault(&self, index: usize, size: usize, problem: &'static str) -> HnswError {
        let section = self.next - 1;
        HnswError::Malformed {
            section: SECTIONS[section],
            offset: self.header.sections[section].offset + (index * size) as u64,
            problem,
        }
    }

    fn finite(&self, numbers: &[f32]) -> Result<()> {
        match numbers.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(self.fault(i, 4, "NaN or infinity")),
            None => Ok(()),
        }
    }

    /// Every link is a vertex of its layer, and no free slot is before one in use.
    fn check_links(&self, links: &[u32], start: usize, slots: usize) -> Result<()> {
        let vertices = links.len() / slots.max(1);
        for (i, list) in links.chunks_exact(slots).enumerate() {
            let held = list.iter().position(|link| *link == NONE).unwrap_or(slots);
            let wrong = list.iter().enumerate().find(|(slot, link)| {
                if *slot < held {
                    **link as usize >= vertices
                } else {
                    **link != NONE
                }
            });
            if let Some((slot, _)) = wrong {
                return Err(self.fault(start + i * slots + slot, 4, "a link to no vertex"));
            }
        }
        Ok(())
    }
}

impl Hnsw {
    /// Reads what `write_to` wrote. Nothing is believed: digests are compared, and links and rows
    /// must be ones that exist.
    ///
    /// # Errors
    /// What the reader says, with the section and the offset; a file that is no index, damaged, cut
    /// off, longer than it must be, or of another version; one that needs more than `allowed` bytes
    /// of memory, before they are taken.
    pub fn read_from(from: impl Read, allowed: u64) -> Result<Self> {
        let mut from = from;
        let mut bytes = [0; BYTES];
        from.read_exact(&mut bytes)
            .map_err(|source| HnswError::Read {
                section: "header",
                offset: 0,
                source,
            })?;
        let header = Header::decode(&bytes)?;
        let (dim, vertices, rows) = (header.dim, header.vertices, header.rows);
        let vectors = header.vectors;
        let needed = memory(rows, dim, &header.options).index
            + header.sections[SECTIONS.len() - 1].bytes
            + header.lengths()[5];
        if needed > allowed {
            return Err(HnswError::Memory { needed, allowed });
        }
        let options = header.options.clone();
        let (edges, slots) = (options.edges, options.base_slots());
        let mut file = Sections {
            from,
            header,
            at: BYTES as u64,
            next: 0,
        };
        let mut centre = vec![0.0; dim];
        file.numbers(&mut centre, f32::from_le_bytes)?;
        file.finite(&centre)?;
        let mut exact = Aligned::zeros(vectors * crate::codes::vector_stride(dim));
        file.numbers(&mut exact, f32::from_le_bytes)?;
        file.finite(&exact)?;
        let mut codes = Codes {
            stride: stride(dim),
            codes: Aligned::zeros(vertices * stride(dim)),
            bias: Aligned::zeros(vertices),
        };
        file.numbers(&mut codes.codes, u8::from_le_bytes)?;
        file.numbers(&mut codes.bias, f32::from_le_bytes)?;
        file.finite(&codes.bias)?;
        let mut base: Aligned<u32> = Aligned::zeros(vertices * slots);
        file.numbers(&mut base, u32::from_le_bytes)?;
        file.check_links(&base, 0, slots)?;
        let sizes = file.header.upper.clone();
        let total: usize = sizes.iter().sum();
        let mut all = vec![0_u32; total * edges];
        file.numbers(&mut all, u32::from_le_bytes)?;
        let mut upper = Vec::with_capacity(sizes.len());
        let mut start = 0;
        for vertices in sizes {
            let mut links: Aligned<u32> = Aligned::zeros(vertices * edges);
            links.copy_from_slice(&all[start..][..vertices * edges]);
            file.check_links(&links, start, edges)?;
            start += links.len();
            upper.push(links);
        }
        drop(all);
        let places = match file.header.version {
            1 => {
                let mut row_of = vec![0_u32; vertices];
                file.numbers(&mut row_of, u32::from_le_bytes)?;
                Places::alone(&row_of, rows)
                    .ok_or_else(|| file.fault(0, 4, "a row that is taken or does not exist"))?
            }
            _ => {
                let mut of = vec![NONE; rows + vectors];
                file.numbers(&mut of, u32::from_le_bytes)?;
                let vertex_of = of.split_off(rows);
                Places::new(of, vertex_of)
                    .filter(|places| places.vertices() == vertices)
                    .ok_or_else(|| file.fault(0, 4, "rows, vectors and vertices do not agree"))?
            }
        };
        let mut labels = vec![0_u64; rows];
        file.numbers(&mut labels, u64::from_le_bytes)?;
        let mut metadata = Vec::new();
        file.section(|part| metadata.extend_from_slice(part))?;
        let end = file.at;
        let mut more = [0; 1];
        let read = file.from.read(&mut more);
        let read = read.map_err(|source| HnswError::Read {
            section: "metadata",
            offset: end,
            source,
        })?;
        if read > 0 {
            return Err(HnswError::Malformed {
                section: "metadata",
                offset: end,
                problem: "bytes after the last section",
            });
        }
        Ok(Self {
            dim,
            isa: Isa::widest(),
            quantiser: Quantiser {
                inner_product: options.metric == Metric::Dot,
                centre,
                scale: file.header.scale,
            },
            options,
            codes,
            vectors: exact,
            base,
            upper,
            places,
            labels,
            metadata,
            scratches: Scratches::default(),
        })
    }
}
