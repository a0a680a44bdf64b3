//! Rows that are equal as the metric compares them.

use super::{Rows, in_parts};

/// What a row's digest is made with: 16 bytes of BLAKE3, so that nobody can make rows whose digests
/// meet.
type Digest = [u8; 16];

/// For each of `placed` the first one that is equal to it, which may be itself; `None` where all
/// differ. 20 bytes for each while it runs.
pub(super) fn firsts(source: &Rows<'_>, placed: &[u32], threads: usize) -> Option<Vec<u32>> {
    let mut digests = vec![(Digest::default(), 0_u32); placed.len()];
    in_parts(
        placed.len(),
        threads,
        (&mut digests, 1),
        (&mut [(); 0], 0),
        |part, digests, _| {
            let mut vector = vec![0.0_f32; source.dim];
            let mut bytes = vec![0_u8; 4 * source.dim];
            for (row, out) in placed[part].iter().zip(digests) {
                source.write(*row as usize, &mut vector);
                for (number, bytes) in vector.iter().zip(bytes.as_chunks_mut().0) {
                    // -0 equals 0.
                    *bytes = (number + 0.0).to_le_bytes();
                }
                let digest = blake3::hash(&bytes);
                let first = digest.as_bytes().first_chunk();
                *out = (first.copied().unwrap_or_default(), *row);
            }
        },
    );
    digests.sort_unstable();
    if digests.windows(2).all(|pair| pair[0].0 != pair[1].0) {
        return None;
    }
    let last = placed.last().map_or(0, |row| *row as usize + 1);
    let mut first_of = vec![crate::walk::NONE; last];
    for run in digests.chunk_by(|a, b| a.0 == b.0) {
        for (_, row) in run {
            first_of[*row as usize] = run[0].1;
        }
    }
    Some(placed.iter().map(|row| first_of[*row as usize]).collect())
}
