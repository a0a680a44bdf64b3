//! Rows that are equal, and rows that no walk can tell apart.

use super::{Rows, in_parts};
use crate::codes::{Quantiser, stride};
use crate::walk::NONE;

/// So much of a row's BLAKE3 that nobody can make rows whose digests meet.
type Digest = [u8; 16];

/// Rows in the groups that the index makes of them.
pub(super) struct Distinct {
    /// The first row of each vertex, ascending.
    pub(super) vertices: Vec<u32>,
    /// The first row of each vector that is not the first of its vertex, and that one.
    others: Vec<(u32, u32)>,
    /// Each row that is not the first of its vector, and that one.
    copies: Vec<(u32, u32)>,
}

impl Distinct {
    /// Of the rows `placed`, ascending. 20 bytes for each while it runs; what stays is 4 bytes for a
    /// vertex and 8 for any other row.
    pub(super) fn find(
        source: &Rows<'_>,
        quantiser: &Quantiser,
        placed: &[u32],
        threads: usize,
    ) -> Self {
        let (vectors, copies) = firsts(placed, threads, || {
            let mut vector = vec![0.0_f32; source.dim];
            let mut bytes = vec![0_u8; 4 * source.dim];
            move |row| {
                source.write(row, &mut vector);
                for (number, bytes) in vector.iter().zip(bytes.as_chunks_mut().0) {
                    // -0 equals 0.
                    *bytes = (number + 0.0).to_le_bytes();
                }
                blake3::hash(&bytes)
            }
        });
        let (vertices, others) = firsts(&vectors, threads, || {
            let mut vector = vec![0.0_f32; source.dim];
            let mut codes = vec![0_u8; stride(source.dim)];
            move |row| {
                source.write(row, &mut vector);
                quantiser.encode(&vector, &mut codes);
                blake3::hash(&codes)
            }
        });
        Self {
            vertices,
            others,
            copies,
        }
    }

    /// Of the row of each vertex, in the order of vertices: the first rows of vectors, in the order of
    /// vectors, the vertex of each vector, and the vector of each of `count` rows.
    pub(super) fn places(&self, order: &[u32], count: usize) -> (Vec<u32>, Vec<u32>, Vec<u32>) {
        let mut of = vec![NONE; count];
        for (vertex, row) in order.iter().enumerate() {
            of[*row as usize] = vertex as u32;
        }
        let mut vectors: Vec<(u32, u32)> = (0_u32..).zip(order.iter().copied()).collect();
        let others = self.others.iter();
        vectors.extend(others.map(|(row, first)| (of[*first as usize], *row)));
        vectors.sort_unstable();
        for (vector, (_, row)) in vectors.iter().enumerate() {
            of[*row as usize] = vector as u32;
        }
        for (row, first) in &self.copies {
            of[*row as usize] = of[*first as usize];
        }
        let (vertices, rows) = vectors.into_iter().unzip();
        (rows, vertices, of)
    }
}

/// Of the rows with one digest the first, and each of the others with it.
fn firsts<D: FnMut(usize) -> blake3::Hash>(
    rows: &[u32],
    threads: usize,
    digest: impl Fn() -> D + Sync,
) -> (Vec<u32>, Vec<(u32, u32)>) {
    let mut digests = vec![(Digest::default(), 0_u32); rows.len()];
    in_parts(
        rows.len(),
        threads,
        (&mut digests, 1),
        (&mut [(); 0], 0),
        |part, digests, _| {
            let mut digest = digest();
            for (row, out) in rows[part].iter().zip(digests) {
                let whole = digest(*row as usize);
                let first = whole.as_bytes().first_chunk();
                *out = (first.copied().unwrap_or_default(), *row);
            }
        },
    );
    digests.sort_unstable();
    let (mut firsts, mut others) = (Vec::with_capacity(rows.len()), Vec::new());
    for group in digests.chunk_by(|a, b| a.0 == b.0) {
        firsts.push(group[0].1);
        others.extend(group[1..].iter().map(|(_, row)| (*row, group[0].1)));
    }
    firsts.sort_unstable();
    (firsts, others)
}
